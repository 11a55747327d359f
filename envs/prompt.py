"""What the prompts of all domains have in common: headers, and the order of sections."""

from collections.abc import Sequence

from lse_gym.envs.domain import Attempt, Question

OUTPUT_HEADER = "### Output"
CONTEXT_HEADER = "### Instructions"
ANSWER = "Answer:"  # what comes before an answer that is asked for without tags


def system_message(frozen: str, context: str) -> str:
    """The whole system message. The context comes last, so nothing in it can pose as another section."""
    return f"{frozen}{CONTEXT_HEADER}\n{context}"


def user_message(question: Question, name: str = "Question:") -> str:
    """The question behind its name, with its evidence before it."""
    evidence = f"Evidence: {question.evidence}\n" if question.evidence else ""
    return f"{evidence}{name} {question.text}"


def count_right(attempts: Sequence[Attempt]) -> str:
    """How a batch went, where an answer is right or wrong."""
    return f"{len(attempts)} problems, {[attempt.outcome.score for attempt in attempts].count(1.0)} right."
