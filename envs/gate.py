"""The gate: an edit is kept where it does better on the batch it was made from; what is kept is measured now and then.

Source: GEPA (Agrawal et al., arXiv 2507.19457) accepts a candidate that does strictly better on the minibatch that it
was proposed from, and passes over minibatches without a mistake. That several edits may be accepted before held-out
questions are asked is ours.
"""

from lse_gym.envs.errors import BudgetExhausted
from lse_gym.envs.metered import Task
from lse_gym.envs.report import FeedbackMode
from lse_gym.envs.session import Session
from lse_gym.envs.state import State, Visit, feedback_batch, visit

SPARE_BATCHES = 5  # with no room left for these beside a measurement, what was kept is measured at once


def try_edit(session: Session, before: State, after: State, size: int) -> Task[Visit]:
    """Task: ``after``, or ``before`` in its place where it is no better on the batch that ``before`` was shown."""
    try:
        found = yield from session.evaluate(
            after.domain, after.context, feedback_batch(before.domain, before.batch, size)
        )
    except BudgetExhausted as error:
        return Visit(before, lacking=f"The gate takes a feedback batch: {error}")
    if found.scores.sum() / len(found.scores) > before.feedback_score:
        return Visit(after._replace(kept=True, unmeasured=before.unmeasured + 1), found.usage)
    return Visit(after._replace(kept=False, context=before.context), found.usage)


def look(session: Session, state: State, size: int, mode: FeedbackMode, every: int, last: bool) -> Task[Visit]:
    """Task: show the first batch from the state's on that has a mistake in it, and measure every ``every`` kept edits.

    Where all batches are right, the last is shown. What was kept is measured with the ``last`` edit of an episode and
    before the budget is too small for it, and not before that where the budget is too small for another measurement:
    the last one comes as late as it can.
    """

    def show(state: State) -> Task[Visit]:
        return visit(session, state, size, mode, not state.held_out_scores or _due(session, state, size, every, last))

    found = yield from show(state)
    for _ in range(1, -(-len(state.domain.splits["feedback"]) // size)):
        if found.lacking or found.state.feedback_score < 1:
            break
        seen = yield from show(found.state._replace(batch=found.state.batch + 1))
        if seen.lacking:
            break
        found = seen.after(found)
    return found


def _due(session: Session, state: State, size: int, every: int, last: bool) -> bool:
    """Whether what was kept is to be measured now."""
    enough = last or (state.unmeasured >= every and _has_room(session, state, size, 2))
    return state.unmeasured > 0 and (enough or not _has_room(session, state, size, 1))


def _has_room(session: Session, state: State, size: int, measurements: int) -> bool:
    """Whether the budget pays for so many measurements and a few batches more."""
    batches = SPARE_BATCHES * feedback_batch(state.domain, state.batch, size)
    questions = [*measurements * [*state.domain.splits["held_out"]], *batches]
    return session.affords(session.upper_bound(state.domain, state.context, questions))
