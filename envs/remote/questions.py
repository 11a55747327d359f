"""What travels of single questions, named by their places: evaluations of a context on some of them, and back.

Of a feedback question is told what reports tell of it in the course of a run, and what the task model answered; of a
held-out question its score, of a test question nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lse_gym.envs.budget import Usage
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.domain import Attempt, Domain, Outcome, Question, Split
from lse_gym.envs.errors import ArgumentError, BudgetExhausted
from lse_gym.envs.report import Report
from lse_gym.envs.session import Evaluation
from lse_gym.envs.text import clean

ASKED: tuple[Split, ...] = ("feedback", "held_out")  # the splits of which single questions may be asked


def place(split: Split, number: int) -> str:
    """The name of a question: its place in its split."""
    return f"{split}-{number}"


def is_feedback(question: Question) -> bool:
    """Whether a question that is named by its place is one of feedback."""
    return question.id.startswith("feedback-")


def evaluated(env: ContextEnv, context: str, places: Sequence[str]) -> dict[str, Any]:
    """Evaluate a context on single questions; the outcome as plain data, with what ``env`` has spent.

    Raises:
        ArgumentError: there is no such question.
    """
    domain, session = env.family.load(env.domain_name), env.session
    known = {place(split, i): (split, one) for split in ASKED for i, one in enumerate(domain.splits[split])}
    for name in places:
        if name not in known:
            raise ArgumentError(f"there is no question {name}: the last ones are {[*known][-1]} and those of feedback.")
    context, _ = clean(context, env.max_chars)
    told: dict[str, Any] = {"context": context, "exhausted": "", "held_out_score": None}
    try:
        (found,) = session.run([session.evaluate(domain, context, [known[name][1] for name in places])])
    except BudgetExhausted as error:
        return told | {"exhausted": str(error), "spent": env.budget.spent}
    open_ = [known[name][0] == "feedback" for name in places]
    attempts = [attempt for attempt, is_open in zip(found.attempts, open_, strict=True) if is_open]
    answers = env.feedback_mode != "score"
    scores = dict(zip(places, found.scores.tolist(), strict=True))
    count = len(domain.splits["held_out"])
    held_out = [scores[name] for name in (place("held_out", i) for i in range(count)) if name in scores]
    return told | {
        "scores": found.scores.tolist(),
        "responses": [attempt.response if answers else "" for attempt in attempts],
        "report": session.report(domain, attempts, env.feedback_mode),
        "held_out_score": float(np.array(held_out).sum()) / count if len(held_out) == count else None,
        "spent": env.budget.spent,
    }


def evaluation(data: Mapping[str, Any], questions: Sequence[Question], used: Usage) -> tuple[Evaluation, Report]:
    """The inverse of :func:`evaluated` through JSON: of a held-out question the attempt is empty but for its score.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    report, scores = Report.from_json(data["report"]), np.array(data["scores"], dtype=np.float64)
    shown = iter(zip(map(str, data["responses"]), report.problems, strict=True))
    attempts = []
    for question, score in zip(questions, scores.tolist(), strict=True):
        if is_feedback(question):
            response, problem = next(shown)
            outcome = Outcome(problem.score, problem.answer, problem.error)
            attempts.append(Attempt(question, response, outcome, problem.transcript))
        else:
            attempts.append(Attempt(question, "", Outcome(score, "")))
    _, responses, outcomes, transcripts = map(list, zip(*attempts, strict=True))
    return Evaluation(scores, questions, responses, outcomes, transcripts, used), report


def told_of(domain: Domain, question: Question) -> dict[str, Any]:
    """A feedback question as plain data, with its gold and its worked example, as reports that show golds have them."""
    attempt = domain.gold_attempt(question)
    return {"question": question[1:], "user": domain.user(question), "report": domain.report([attempt])}
