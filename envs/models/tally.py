"""What the answers of a model were like: how many were empty, cut off, thought about, estimated, or not made now."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Self

from lse_gym.envs.models.base import KeptResponse, Response

COUNTS = ("answers", "empty", "cut", "estimated", "thinking", "thinking_tokens", "from_cache")
CUT = frozenset(("length", "max_tokens", "MAX_TOKENS", "model_length"))  # the servers' words for an answer cut off


class Tally:
    """Counts answers; feed it with :meth:`add`. One answer counts once, however often it is handed out."""

    def __init__(self):
        self.answers = self.empty = self.cut = self.estimated = 0
        self.thinking = self.thinking_tokens = 0
        self.from_cache = 0
        self.oldest = float("inf")  # Unix time of the oldest answer from the cache
        self.reasons: Counter[str] = Counter()  # of the empty answers
        self._keys: set[str] = set()

    @classmethod
    def of(cls, parts: Iterable["Tally"]) -> Self:
        """The answers of several models together."""
        whole = cls()
        for part in parts:
            for name in COUNTS:
                setattr(whole, name, getattr(whole, name) + getattr(part, name))
            whole.oldest = min(whole.oldest, part.oldest)
            whole.reasons += part.reasons
        return whole

    def add(self, responses: Mapping[str, Response]) -> None:
        """Count responses, by their keys."""
        for key in responses.keys() - self._keys:
            self._keys.add(key)
            self._count(responses[key])

    def _count(self, response: Response) -> None:
        self.answers += 1
        if not response.text.strip():
            self.empty += 1
            self.reasons[response.finish_reason] += 1
        self.cut += response.finish_reason in CUT
        self.thinking += response.thinking_tokens > 0
        self.thinking_tokens += response.thinking_tokens
        self.estimated += response.estimated
        if isinstance(response, KeptResponse):
            self.from_cache += 1
            self.oldest = min(self.oldest, response.made)

    def facts(self) -> dict[str, Any]:
        """The counts, as ``summary.json`` has them; the time of the oldest cached answer in UTC, None without one."""
        oldest = datetime.fromtimestamp(self.oldest, UTC).isoformat(timespec="seconds") if self.from_cache else None
        return {
            **{name: getattr(self, name) for name in COUNTS},
            "empty_finish_reasons": dict(sorted(self.reasons.items())),
            "oldest_from_cache": oldest,
        }


def tell(facts: Mapping[str, Any], who: str, option: str, now: float | None = None) -> Iterable[str]:
    """What a user should know of the answers of a model, a sentence each; nothing where all is as it should be.

    Args:
        facts: of :meth:`Tally.facts`.
        who: whose answers, as in "the task model".
        option: the option that makes answers longer.
        now: Unix time.
    """
    total = facts["answers"]
    if facts["empty"]:
        reasons = ", ".join(reason for reason in facts["empty_finish_reasons"] if reason) or "not told"
        mend = f"; raise {option}" if CUT & {*facts["empty_finish_reasons"]} else ""
        yield f"{facts['empty']} of {total} answers of {who} empty, finish_reason {reasons}{mend}."
    cut = facts["cut"] - sum(count for reason, count in facts["empty_finish_reasons"].items() if reason in CUT)
    if cut > 0:
        yield f"{cut} of {total} answers of {who} cut off at their longest; {option} allows more."
    if facts["thinking"]:
        thinking, tokens = facts["thinking"], facts["thinking_tokens"]
        yield f"{thinking} of {total} answers of {who} came after thinking: {tokens} tokens, paid for and not scored."
    if facts["estimated"]:
        yield f"The tokens of {facts['estimated']} of {total} answers of {who} are estimated: the server counts none."
    if facts["from_cache"]:
        made = datetime.fromisoformat(facts["oldest_from_cache"]).timestamp()
        age = _age((time.time() if now is None else now) - made)
        yield f"{facts['from_cache']} of {total} answers of {who} from the cache, made {age}; --no-cache asks anew."


def _age(seconds: float) -> str:
    """A time span in words.

    >>> _age(30), _age(90), _age(7200), _age(2 * 86400)
    ('just now', '1 minute ago', '2 hours ago', '2 days ago')
    """
    for name, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"
