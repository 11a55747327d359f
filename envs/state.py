"""Where an episode stands, how it is evaluated, and what ``info`` tells of it."""

from math import isnan, nan
from typing import Any, NamedTuple

from lse_gym.envs.budget import NOTHING, Usage
from lse_gym.envs.domain import Domain, Question
from lse_gym.envs.errors import BudgetExhausted
from lse_gym.envs.metered import Task
from lse_gym.envs.report import FeedbackMode, Report, ReportText
from lse_gym.envs.session import Session

MAX_FEEDBACK_CHARS = 1_000_000
TOLD = Usage._fields[1:]  # edits are told apart
TOLD_BY_AGENT = tuple(f"editor_{name}" for name in TOLD)
NO_REPORT = Report("").text()

Observation = dict[str, Any]
Info = dict[str, Any]


class State(NamedTuple):
    """Where an episode stands: everything that the next step builds on."""

    domain: Domain
    context: str
    batch: int
    edits: int = 0
    held_out_score: float = nan  # nan: the budget did not pay for the start of the episode
    held_out_scores: tuple[float, ...] = ()  # of each held-out question
    feedback: ReportText = NO_REPORT
    feedback_score: float = 0.0
    kept: bool = True  # whether the last edit was
    unmeasured: int = 0  # edits kept since the held-out score was measured


class Visit(NamedTuple):
    """What came of evaluating a state: the state with its scores and its cost, or what was lacking to pay for it.

    ``measured`` tells whether the held-out score was asked for, too.
    """

    state: State
    usage: Usage = NOTHING
    lacking: str = ""
    measured: bool = False

    def after(self, earlier: "Visit") -> "Visit":
        """This one, with what an earlier one has paid and measured in the same step."""
        return self._replace(usage=earlier.usage.plus(self.usage), measured=self.measured or earlier.measured)


def visit(session: Session, state: State, size: int, mode: FeedbackMode, measure: bool = True) -> Task[Visit]:
    """Task: evaluate a state on its feedback batch and, to ``measure`` it, its held-out questions, as one list."""
    batch = feedback_batch(state.domain, state.batch, size)
    held_out = state.domain.splits["held_out"] if measure else ()
    questions = [*held_out, *batch]
    try:
        evaluation = yield from session.evaluate(state.domain, state.context, questions)
    except BudgetExhausted as error:
        return Visit(state, lacking=f"An evaluation takes {len(questions)} questions: {error}")
    n, scores = len(held_out), evaluation.scores
    feedback = session.report(state.domain, evaluation.attempts_from(n), mode).text(MAX_FEEDBACK_CHARS)
    state = state._replace(feedback=feedback, feedback_score=float(scores[n:].sum()) / len(batch))
    if measure:
        measured = float(scores[:n].sum()) / n, tuple(scores[:n].tolist())
        state = state._replace(held_out_score=measured[0], held_out_scores=measured[1], unmeasured=0)
    return Visit(state, evaluation.usage, measured=measure)


def feedback_batch(domain: Domain, batch: int, size: int) -> list[Question]:
    """The questions of feedback batch number ``batch`` of a domain, ``size`` or as many as there are; they repeat."""
    pool = domain.splits["feedback"]
    size = min(size, len(pool))
    return [pool[(batch * size + i) % len(pool)] for i in range(size)]


def tell(found: Visit, improvement: float, problem: str, by_agent: Usage) -> Info:
    """The info of a reset or step: floats and strings alone, the same keys every time.

    Args:
        found: where the episode stands now, and what the task model was paid.
        improvement: the reward.
        problem: what was wrong with the action, or "".
        by_agent: what others than the task model have paid since they were last told of.
    """
    state = found.state
    return {
        "domain": state.domain.name,
        "batch": float(state.batch),
        "edits": float(state.edits),
        "held_out_score": 0.0 if isnan(state.held_out_score) else state.held_out_score,
        "improvement": improvement,
        "context_chars": float(len(state.context)),
        "evaluated": float(found.measured),
        "kept": float(state.kept and not found.lacking),
        "problem": "; ".join(filter(None, (problem, found.lacking))),
        **dict(zip(TOLD, map(float, found.usage[1:]), strict=True)),
        **dict(zip(TOLD_BY_AGENT, map(float, by_agent[1:]), strict=True)),
    }
