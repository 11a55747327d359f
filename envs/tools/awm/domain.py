"""One scenario as a domain: its tasks, its tools, and the service that an attempt works with."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from lse_gym.envs.domain import Attempt, Outcome, Question, Split
from lse_gym.envs.report import Report
from lse_gym.envs.sandbox import Box, Result, SetupError
from lse_gym.envs.tools import report
from lse_gym.envs.tools.awm.examine import Examined, fingerprint
from lse_gym.envs.tools.awm.names import COMPLETE, OTHERS, START
from lse_gym.envs.tools.awm.scenario import Scenario
from lse_gym.envs.tools.awm.verdict import judge, left_in
from lse_gym.envs.tools.awm.warm import GUEST, services, then
from lse_gym.envs.tools.domain import ToolDomain, Workplace
from lse_gym.envs.tools.protocol import Tool
from lse_gym.envs.tools.report import Ending

SEED_CONTEXT = "Use the tools to do what the user asks."
OVERVIEW = (
    "You do what a user of {} asks, with the tools of its service. The user has the id 1 and is signed in. It is {:%A, "
    "%Y-%m-%d, %H:%M} UTC."
)
CALL_S = 10.0  # wall clock of one call
NOT_DONE = "The verifier does not find the task done."
FAILURES = {
    "time": f"the service did not answer within {CALL_S:g} s, and is gone",
    "cpu": f"the service did not answer within {CALL_S:g} s, and is gone",
    "memory": "the service ran out of memory, and is gone",
    "output": "the response is too large",
    "died": "the service is gone",
}


class AWMDomain(ToolDomain):
    """Tasks of one scenario, judged by their verifiers.

    Args:
        scenario: what the files say of it.
        examined: what came of running it.
        tools: what its service offers.
        splits: its tasks.
        max_turns: most responses of the task model in one attempt.
    """

    seed_context = SEED_CONTEXT
    oracle_context = None

    def __init__(
        self,
        scenario: Scenario,
        examined: Examined,
        tools: Sequence[Tool],
        splits: Mapping[Split, Sequence[Question]],
        max_turns: int,
    ):
        self.name, self.splits, self.tools, self.max_turns = scenario.name, splits, tools, max_turns
        self.overview = OVERVIEW.format(scenario.title, START)
        self.scenario, self.examined = scenario, examined
        self._codes = {str(task.number): task.code for task in scenario.tasks}

    def open(self, question: Question) -> "ServiceWorkplace":
        """The service over a fresh copy of the database; started by the first call."""
        return ServiceWorkplace(self, self._codes[question.id])

    def score(self, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
        """1.0 where the verifier said "complete"; the verdict is part of the response."""
        del questions
        return list(map(_outcome, responses))

    def report(self, attempts: Sequence[Attempt]) -> Report:
        """What was called, what came back, what was answered, and what is different in the database."""
        return report.report(self.frozen, attempts)

    def gold_response(self, question: Question) -> str:
        """An ending that the verifier calls complete: nobody knows the calls that lead there."""
        del question
        return Ending(verdict=COMPLETE).text()

    def fingerprint(self) -> str:
        """Of the scenario, all its tasks included."""
        return fingerprint(self.scenario)

    def setup(self) -> dict[str, str]:
        """What the warm process of the service executes."""
        return {"code": self.scenario.code, "database": self.examined.initial.hex()}


class ServiceWorkplace(Workplace):
    """A scenario's service during one attempt, in a box of its own."""

    def __init__(self, domain: AWMDomain, code: str):
        self._domain, self._code = domain, code
        self._key = domain.fingerprint()
        self._box: Box | None = None
        self._broken = False

    def call(self, name: str, arguments: dict[str, Any]) -> str | Future[str]:
        """The body of the response; with its status where that tells an error."""
        try:
            if self._box is None and not self._broken:
                self._box = services().open(self._key, self._domain.setup)
        except SetupError:  # it was executed when the scenario was loaded, and does not want to be again
            self._broken = True
        if self._box is None:
            return "Error: the service does not start."
        sent = {"name": name, "arguments": arguments}
        return then(self._box.call(f"{GUEST}.service:call", sent, CALL_S), _response)

    def finish(self, answer: str) -> Future[str]:
        """The ending, with what the verifier says."""
        examined = self._domain.examined
        left = left_in(self._box) if self._box else examined.untouched
        return then(judge(examined.initial, left, self._code, answer), Ending.text)

    def close(self) -> None:
        """Let go of the box."""
        if self._box is not None:
            services().close(self._key, self._box)
            self._box = None


def _response(result: Result) -> str:
    """A call's result as the task model gets it; of foreign code, so it may be anything."""
    if result.failure:
        return f"Error: {FAILURES.get(result.failure, 'the service failed')}."
    value: Any = result.value
    if not isinstance(value, list) or [type(part) for part in value] != [int, str]:
        return "Error: the service gave no response."
    status, body = value
    return body if status < 400 else f"Error: HTTP {status}: {body}"


def _outcome(response: str) -> Outcome:
    ending = Ending.read(response)
    if ending is None:
        return Outcome(0.0, "", NOT_DONE)
    if ending.verdict == COMPLETE:
        return Outcome(1.0, ending.answer)
    reason = ending.verdict.removeprefix(OTHERS).removeprefix(": ")
    return Outcome(0.0, ending.answer, f"{NOT_DONE} {reason}".strip())
