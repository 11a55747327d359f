"""How an attempt with tools ended, and what an editor is told of it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from lse_gym.envs.domain import Attempt
from lse_gym.envs.prompt import count_right
from lse_gym.envs.report import Problem, Report, Turn
from lse_gym.envs.text import one_line
from lse_gym.envs.tools.diff import Difference, canonical, shortened
from lse_gym.envs.tools.protocol import read_calls

MAX_SHOWN_CHARS = 1000  # of a question, an answer or a turn in a report
MAX_ERROR_CHARS = 500
MAX_CHANGES_CHARS = 2000
TURNS_USED_UP = " The messages were used up before an answer."
MOST_ROWS = (20, 10, 5, 2, 1, 0)  # of a table that were added, changed or removed: the first number that fits is shown


class Ending(NamedTuple):
    """What is left of an attempt: what a workplace finishes with, and what a question's gold is made of.

    Attributes:
        answer: the final answer; "" where the turns ran out.
        changes: what is different in the database, see :func:`lse_gym.envs.tools.diff.difference`.
        verdict: what a verifier that looked at it said; "" where there is none, and the scorer looks itself.
    """

    answer: str = ""
    changes: Difference = {}  # noqa: RUF012 - never changed
    verdict: str = ""

    def text(self) -> str:
        """The ending as canonical JSON: the string that is scored."""
        return canonical(self._asdict())

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The ending that a text is; None for any other text."""
        try:
            fields = json.loads(text)
            ending = cls(**fields)
        except (ValueError, TypeError, RecursionError):
            return None
        return ending if all(map(isinstance, ending, (str, dict, str))) and _lists(ending.changes) else None


def report(frozen: str, attempts: Sequence[Attempt]) -> Report:
    """The fixed prompt and how many are right, then per problem the turns, the answer, and what is different."""
    return Report(f"The model's fixed prompt:\n{frozen}{count_right(attempts)}", tuple(map(_problem, attempts)))


def _lists(changes: Mapping[str, Any]) -> bool:
    return all(
        isinstance(table, dict) and all(isinstance(rows, list) for rows in table.values()) for table in changes.values()
    )


def _problem(attempt: Attempt) -> Problem:
    question, response, outcome, transcript = attempt
    found, gold = Ending.read(response), Ending.read(question.gold)
    used_up = TURNS_USED_UP if outcome.error and _went_on(transcript) else ""
    return Problem(
        question=_shown(question.text),
        answer=_shown(found.answer if found else outcome.answer),
        gold=_shown(gold.answer if gold else question.gold),
        score=outcome.score,
        evidence=_shown(question.evidence),
        error=one_line(outcome.error + used_up, MAX_ERROR_CHARS),
        transcript=tuple(Turn(turn.role, _shown(turn.content)) for turn in transcript),
        changes=_changes(found.changes) if found else "",
        gold_changes=_changes(gold.changes) if gold else "",
    )


def _went_on(transcript: Sequence[Turn]) -> bool:
    """Whether the last response of an attempt still makes calls."""
    return bool(transcript and read_calls(transcript[-1].content))


def _shown(text: str) -> str:
    return one_line(text, MAX_SHOWN_CHARS)


def _changes(found: Difference) -> str:
    """A difference as JSON, with as many rows as fit."""
    shown = (canonical(shortened(found, rows)) for rows in MOST_ROWS)
    fitting = (text for text in shown if len(text) <= MAX_CHANGES_CHARS)
    return next(fitting, canonical({"tables": len(found)}))
