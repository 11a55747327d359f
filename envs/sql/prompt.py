"""The text-to-SQL prompt and report: the only text that task model and editor ever see of a database."""

import re
from collections.abc import Sequence

from lse_gym.envs.domain import FeedbackMode, Outcome, Question, join_report
from lse_gym.envs.text import one_line, tagged

OVERVIEW = "You answer questions about a SQLite database. Reply with one SQLite SELECT statement."
OUTPUT = "Put the statement between <answer> and </answer>. Nothing else is executed."
SEED_CONTEXT = "Return one SQLite statement that answers the question."
SCHEMA_HEADER = "### Schema"
OUTPUT_HEADER = "### Output"
CONTEXT_HEADER = "### Instructions"
MAX_SHOWN_CHARS = 1000  # of a response's SQL in a report
MAX_ERROR_CHARS = 500  # LSE's released code cuts error text at 500 characters (spec of the report per problem)


def frozen_part(schema: str) -> str:
    """The prompt without the context: overview, schema and output format."""
    return f"{OVERVIEW}\n\n{SCHEMA_HEADER}\n{schema.strip()}\n\n{OUTPUT_HEADER}\n{OUTPUT}\n\n"


def system_message(frozen: str, context: str) -> str:
    """The whole system message. The context comes last, so nothing in it can pose as another section."""
    return f"{frozen}{CONTEXT_HEADER}\n{context}"


def user_message(question: Question) -> str:
    """The question, with its evidence (BIRD) before it."""
    evidence = f"Evidence: {question.evidence}\n" if question.evidence else ""
    return f"{evidence}Question: {question.text}"


def extract_sql(response: str) -> str:
    """The statement in a response: the last <answer> element, else the last fenced block, else the whole text."""
    answer = tagged(response, "answer")
    if answer is not None:
        return answer
    fenced = re.findall(r"```(?:sql|sqlite)?\s*\n(.*?)```", response, flags=re.DOTALL | re.IGNORECASE)
    return (fenced[-1] if fenced else response).strip()


def render_report(frozen: str, questions: Sequence[Question], outcomes: Sequence[Outcome], mode: FeedbackMode) -> str:
    """The report on a feedback batch: a header with the frozen part of the prompt, then one entry a problem."""
    right = sum(outcome.score == 1.0 for outcome in outcomes)
    parts = [f"The model's fixed prompt:\n{frozen}{len(questions)} problems, {right} right."]
    for index, (question, outcome) in enumerate(zip(questions, outcomes, strict=True), 1):
        lines = [f"Problem {index}: {'right' if outcome.score == 1.0 else 'wrong'}"]
        if question.evidence:
            lines.append(f"Evidence: {one_line(question.evidence, MAX_SHOWN_CHARS)}")
        lines.append(f"Question: {one_line(question.text, MAX_SHOWN_CHARS)}")
        if mode != "score":
            lines.append(f"Model's SQL: {one_line(outcome.answer, MAX_SHOWN_CHARS)}")
            if outcome.error:
                lines.append(f"Error: {one_line(outcome.error, MAX_ERROR_CHARS)}")
        if mode == "gold":
            lines.append(f"Correct SQL: {one_line(question.gold, 4 * MAX_SHOWN_CHARS)}")
        parts.append("\n".join(lines))
    return join_report(parts)
