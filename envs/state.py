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
    feedback: ReportText = NO_REPORT
    feedback_score: float = 0.0


class Visit(NamedTuple):
    """What came of evaluating a state: the state with its scores and its cost, or what the budget lacks."""

    state: State
    usage: Usage | None = None
    lacking: str = ""


def visit(session: Session, state: State, feedback_size: int, mode: FeedbackMode) -> Task[Visit]:
    """Task: evaluate a state on its held-out questions and its feedback batch, as one list."""
    domain, held_out = state.domain, state.domain.splits["held_out"]
    batch = feedback_batch(domain, state.batch, feedback_size)
    try:
        evaluation = yield from session.evaluate(domain, state.context, [*held_out, *batch])
    except BudgetExhausted as error:
        return Visit(state, lacking=f"An evaluation takes {len(held_out) + len(batch)} questions: {error}")
    n, scores = len(held_out), evaluation.scores
    feedback = session.report(domain, evaluation.attempts_from(n), mode).text(MAX_FEEDBACK_CHARS)
    score, feedback_score = float(scores[:n].sum()) / n, float(scores[n:].sum()) / len(batch)
    state = state._replace(held_out_score=score, feedback=feedback, feedback_score=feedback_score)
    return Visit(state, evaluation.usage)


def feedback_batch(domain: Domain, batch: int, size: int) -> list[Question]:
    """The questions of feedback batch number ``batch`` of a domain, ``size`` or as many as there are; they repeat."""
    pool = domain.splits["feedback"]
    size = min(size, len(pool))
    return [pool[(batch * size + i) % len(pool)] for i in range(size)]


def tell(state: State, improvement: float, problem: str, paid: Usage | None, by_agent: Usage) -> Info:
    """The info of a reset or step: floats and strings alone, the same keys every time.

    Args:
        state: where the episode stands now.
        improvement: the reward.
        problem: what was wrong with the action, or "".
        paid: by the task model now; None where nothing was evaluated.
        by_agent: what others than the task model have paid since they were last told of.
    """
    return {
        "domain": state.domain.name,
        "batch": float(state.batch),
        "edits": float(state.edits),
        "held_out_score": 0.0 if isnan(state.held_out_score) else state.held_out_score,
        "improvement": improvement,
        "context_chars": float(len(state.context)),
        "evaluated": float(paid is not None),
        "problem": problem,
        **dict(zip(TOLD, map(float, (paid or NOTHING)[1:]), strict=True)),
        **dict(zip(TOLD_BY_AGENT, map(float, by_agent[1:]), strict=True)),
    }
