"""The text-to-SQL prompt and report: the only text that task model and editor ever see of a database."""

import re
from collections.abc import Sequence
from functools import lru_cache

from lse_gym.envs.domain import Attempt, Question
from lse_gym.envs.prompt import OUTPUT_HEADER, count_right
from lse_gym.envs.report import Problem, Report
from lse_gym.envs.text import one_line, tagged

OVERVIEW = "You answer questions about a SQLite database. Reply with one SQLite SELECT statement."
OUTPUT = "Put the statement between <answer> and </answer>. Nothing else is executed."
SEED_CONTEXT = "Return one SQLite statement that answers the question."
SCHEMA_HEADER = "### Schema"
MAX_SHOWN_CHARS = 1000  # of a response's SQL in a report
FENCE = re.compile(r"```(?:sqlite|sql)?[^\S\n]*+(?:\n\s*+)", re.IGNORECASE)
MAX_ERROR_CHARS = 500  # LSE's released code cuts error text at 500 characters (spec of the report per problem)


def frozen_part(schema: str) -> str:
    """The prompt without the context: overview, schema and output format."""
    return f"{OVERVIEW}\n\n{SCHEMA_HEADER}\n{schema.strip()}\n\n{OUTPUT_HEADER}\n{OUTPUT}\n\n"


def extract_sql(response: str) -> str:
    """The statement in a response: the last <answer> element, else the last fenced block, else the whole text."""
    answer = tagged(response, "answer")
    if answer is not None:
        return answer
    fenced, at = response, 0
    while (start := response.find("```", at)) >= 0:  # find, since a pattern with a lazy middle takes quadratic time
        head = FENCE.match(response, start)
        end = response.find("```", head.end()) if head else -1
        if head and end < 0:
            break
        fenced, at = (response[head.end() : end], end + 3) if head else (fenced, start + 1)
    return fenced.strip()


def _cut(error: str) -> str:
    return one_line(error, MAX_ERROR_CHARS) if error else ""


@lru_cache(maxsize=4096)
def _shown(question: Question) -> tuple[str, str, str]:
    """Text, gold and evidence of a question as reports show them."""
    return (
        one_line(question.text, MAX_SHOWN_CHARS),
        one_line(question.gold, 4 * MAX_SHOWN_CHARS),
        one_line(question.evidence, MAX_SHOWN_CHARS),
    )


def report(frozen: str, attempts: Sequence[Attempt]) -> Report:
    """The report on attempts: a head with the frozen part of the prompt, then one entry a problem."""
    problems = []
    for question, _, (score, answer, error), _ in attempts:
        text, gold, evidence = _shown(question)
        problems.append(Problem(text, one_line(answer, MAX_SHOWN_CHARS), gold, score, evidence, "", _cut(error)))
    return Report(f"The model's fixed prompt:\n{frozen}{count_right(attempts)}", tuple(problems), answer="SQL")
