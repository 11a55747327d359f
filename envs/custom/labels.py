"""What the labels of texts are called, and which of them an answer of the data means."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.faults import shown


class Labels:
    """The names of labels, by the answers of the data.

    Args:
        labels: names by answer, or a list by number; none where the answers are no labels.

    Raises:
        ArgumentError: it is something else, or a name is no text.
    """

    def __init__(self, labels: Mapping[str, str] | Sequence[str] | None = None):
        if isinstance(labels, str) or not isinstance(labels, (Mapping, Sequence, type(None))):
            raise ArgumentError(f"labels={labels!r} is no dict and no list. Pass e.g. labels=['negative', 'positive'].")
        pairs: Any = labels.items() if isinstance(labels, Mapping) else enumerate(labels or ())
        self.by_answer = {str(answer): name for answer, name in pairs}
        named = self.by_answer.values()
        if not all(isinstance(name, str) and name.strip() for name in named):
            raise ArgumentError(
                f"labels={labels!r} has a name that is no text. Pass e.g. labels=['negative', 'positive']."
            )
        self.names = tuple(dict.fromkeys(named))
        self._exact = {name: name for name in self.names} | self.by_answer
        self._told = self._exact if isinstance(labels, Mapping) else self.names
        self._numbers = "" if isinstance(labels, Mapping) else f" (0 to {len(self.by_answer) - 1})"
        self._folded: dict[str, set[str]] = {}
        for answer, name in self._exact.items():
            self._folded.setdefault(answer.casefold(), set()).add(name)

    def __bool__(self) -> bool:
        return bool(self.names)

    def of(self, answer: str) -> str | None:
        """The name of the label that an answer means, by number or by name, in any case; None where it is none."""
        meant = self._folded.get(answer.casefold(), set())
        return self._exact.get(answer) or (next(iter(meant)) if len(meant) == 1 else None)

    def respelled(self, answer: str) -> bool:
        """Whether it differs in case from every answer and every name."""
        return answer not in self._exact

    def fault(self, answer: str) -> str:
        """What is wrong with an answer that is none of them."""
        nearest = get_close_matches(answer, self._told, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        return f"{shown(answer)} is none of {', '.join(map(shown, self._told))}{self._numbers}{hint}"
