"""Everything that is wrong with somebody's data, in one error that says what to do about each of it."""

from collections.abc import Mapping

from lse_gym.envs.errors import DataError

MAX_SHOWN = 10  # faults of one kind that the error spells out


class Faults:
    """What is wrong with the data that ``source`` names, by kind.

    Args:
        source: the data as the message names it, e.g. ``data_dir='path'``.
        advice: kind of fault -> what a person does about it; where it is given, no other kind is taken.
    """

    def __init__(self, source: str, advice: Mapping[str, str] | None = None):
        self.source, self.advice = source, advice or {}
        self.found: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self.found)

    def add(self, kind: str, where: str, what: str) -> None:
        """Record a fault of a kind (a plural noun); ``where`` is a line, a record or a file, or ""."""
        assert not self.advice or kind in self.advice
        self.found.setdefault(kind, []).append(f"{where}: {what}" if where else what)

    def take(self, other: "Faults") -> None:
        """Record what another collector found."""
        for kind, items in other.found.items():
            self.found.setdefault(kind, []).extend(items)

    def check(self, end: str = "") -> None:
        """Raise :class:`DataError` with every fault recorded and ``end`` below them; return if there is none."""
        if not self.found:
            return
        count = sum(map(len, self.found.values()))
        lines = [f"{self.source} cannot be used; {count} problem{'s' if count > 1 else ''}."]
        for kind, items in self.found.items():
            lines.append(f"{kind} ({len(items)}){'. ' + self.advice[kind] if self.advice else ':'}")
            lines += [f"  - {item}" for item in items[:MAX_SHOWN]]
            if len(items) > MAX_SHOWN:
                lines.append(f"  … and {len(items) - MAX_SHOWN} more")
        raise DataError("\n".join([*lines, *filter(None, [end])]))


def shown(value: object) -> str:
    """A value of the data as it may stand in a message: on one line, at most 60 signs, nothing unprintable."""
    text = ascii(value) if not repr(value).isprintable() else repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
