"""What the prompts and reports of all domains have in common: headers, the order of sections, one entry a problem."""

from collections.abc import Sequence
from typing import NamedTuple

from lse_gym.envs.domain import FeedbackMode, Outcome, Question

OUTPUT_HEADER = "### Output"
CONTEXT_HEADER = "### Instructions"
RULER = "=" * 50  # between problems in a report; LSE's released code uses the same 50 signs (github chenyn66)
VERDICTS = {1.0: "right", 0.0: "wrong"}


class Entry(NamedTuple):
    """What a report says of one problem, as it is shown. Answer and gold always stand there, the rest if not empty."""

    question: str
    answer: str
    gold: str
    evidence: str = ""
    response: str = ""
    error: str = ""
    explanation: str = ""


def system_message(frozen: str, context: str) -> str:
    """The whole system message. The context comes last, so nothing in it can pose as another section."""
    return f"{frozen}{CONTEXT_HEADER}\n{context}"


def user_message(question: Question) -> str:
    """The question, with its evidence before it."""
    evidence = f"Evidence: {question.evidence}\n" if question.evidence else ""
    return f"{evidence}Question: {question.text}"


def count_right(outcomes: Sequence[Outcome]) -> str:
    """The first line of a report where an answer is right or wrong."""
    return f"{len(outcomes)} problems, {sum(outcome.score == 1.0 for outcome in outcomes)} right."


def render_report(
    head: str, entries: Sequence[Entry], outcomes: Sequence[Outcome], mode: FeedbackMode, answer: str = "answer"
) -> str:
    """The report on a feedback batch: its head, then one entry a problem.

    Args:
        head: the fixed prompt and how the batch went.
        entries: what to say of each problem.
        outcomes: how each was scored.
        mode: "score" tells only that, "error" the model's answers too, "gold" also the right ones.
        answer: what an answer is called, e.g. "SQL".
    """
    parts = [head]
    for index, (entry, outcome) in enumerate(zip(entries, outcomes, strict=True), 1):
        lines = [f"Problem {index}: {VERDICTS.get(outcome.score, f'score {outcome.score:.3g}')}"]
        lines += [f"Evidence: {entry.evidence}"] * bool(entry.evidence)
        lines.append(f"Question: {entry.question}")
        if mode != "score":
            lines.append(f"Model's {answer}: {entry.answer}")
            lines += [f"Model's response: {entry.response}"] * bool(entry.response)
            lines += [f"Error: {entry.error}"] * bool(entry.error)
        if mode == "gold":
            lines.append(f"Correct {answer}: {entry.gold}")
            lines += [f"Explanation: {entry.explanation}"] * bool(entry.explanation)
        parts.append("\n".join(lines))
    return join_report(parts)


def join_report(parts: Sequence[str]) -> str:
    """A report: what stands at its head, then the problems."""
    return f"\n{RULER}\n".join(parts)


def split_report(report: str) -> list[str]:
    """The inverse of :func:`join_report`."""
    return report.split(f"\n{RULER}\n")
