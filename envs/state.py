"""Where an episode stands, how it is evaluated, and what ``info`` tells of it."""

from typing import Any, NamedTuple

import numpy as np

from lse_gym.envs.budget import Usage
from lse_gym.envs.domain import Domain
from lse_gym.envs.errors import BudgetExhausted
from lse_gym.envs.metered import Task
from lse_gym.envs.report import FeedbackMode, Report, ReportText
from lse_gym.envs.session import Session

MAX_FEEDBACK_CHARS = 1_000_000
TOLD = ("calls", "tokens", "usd", "prompt_tokens", "completion_tokens", "cached_tokens")
NO_REPORT = Report("").text()

Observation = dict[str, Any]
Info = dict[str, Any]


class State(NamedTuple):
    """Where an episode stands: everything that the next step builds on."""

    domain: Domain
    context: str
    batch: int
    edits: int = 0
    held_out_score: float = np.nan  # nan: the budget did not pay for the start of the episode
    feedback: ReportText = NO_REPORT
    feedback_score: float = 0.0


class Visit(NamedTuple):
    """What came of evaluating a state: the state with its scores and its cost, or what the budget lacks."""

    state: State
    usage: Usage | None = None
    lacking: str = ""


def visit(session: Session, state: State, feedback_size: int, mode: FeedbackMode) -> Task[Visit]:
    """Task: evaluate a state on its held-out questions and its feedback batch, as one list."""
    domain, size = state.domain, min(feedback_size, len(state.domain.splits["feedback"]))
    held_out, pool = domain.splits["held_out"], domain.splits["feedback"]
    batch = [pool[(state.batch * size + i) % len(pool)] for i in range(size)]
    try:
        scores, attempts, usage = yield from session.evaluate(domain, state.context, [*held_out, *batch])
    except BudgetExhausted as error:
        return Visit(state, lacking=f"An evaluation takes {len(held_out) + size} questions: {error}")
    n = len(held_out)
    feedback = session.report(domain, attempts[n:], mode).text(MAX_FEEDBACK_CHARS)
    score, feedback_score = float(scores[:n].mean()), float(scores[n:].mean())
    return Visit(state._replace(held_out_score=score, feedback=feedback, feedback_score=feedback_score), usage)


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
        "held_out_score": 0.0 if np.isnan(state.held_out_score) else state.held_out_score,
        "improvement": improvement,
        "context_chars": float(len(state.context)),
        "evaluated": float(paid is not None),
        "problem": problem,
        **{name: float(getattr(paid or Usage(), name)) for name in TOLD},
        **{f"editor_{name}": float(getattr(by_agent, name)) for name in TOLD},
    }
