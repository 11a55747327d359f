"""Attempts by hand: what a task model would write, turn by turn, and what comes of it."""

from concurrent.futures import Future
from typing import Any, NamedTuple

from lse_gym.envs.domain import Attempt, Outcome, Question
from lse_gym.envs.report import Turn
from lse_gym.envs.tools.domain import ToolDomain
from lse_gym.envs.tools.protocol import call_text, read_results
from lse_gym.envs.tools.report import Ending

PATIENCE_S = 120


class Done(NamedTuple):
    """An attempt that has ended: the results of its calls, what is scored, and the score."""

    results: list[str]
    response: str
    outcome: Outcome
    attempt: Attempt

    @property
    def ending(self) -> Ending:
        """What the response tells."""
        found = Ending.read(self.response)
        assert found is not None
        return found


def calls(*made: tuple[str, dict[str, Any]]) -> str:
    """A message with calls."""
    return "\n".join(call_text(name, arguments) for name, arguments in made)


def attempt(domain: ToolDomain, question: Question, *texts: str) -> Done:
    """Answer a question with these messages."""
    running, sent, turns, left = domain.attempt("context", question), None, (), list(texts)
    while True:
        try:
            asked = running.send(sent)
        except StopIteration as end:
            response = end.value
            break
        if isinstance(asked, Future):
            sent = asked.result(PATIENCE_S)
        else:
            turns, sent = asked.turns, left.pop(0)
    outcome = domain.score([question], [response])[0]
    results = [result for turn in turns if turn.role == "tool" for result in read_results(turn)]
    return Done(results, response, outcome, Attempt(question, response, outcome, (*turns, Turn("assistant", sent))))


def task(domain: ToolDomain, number: int) -> Question:
    """The question with this number in the file, whatever its split."""
    return next(q for split in domain.splits.values() for q in split if q.id == str(number))
