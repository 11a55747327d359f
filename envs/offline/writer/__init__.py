"""The offline editor ``writer``: reads an editor prompt as text and writes rules and worked examples."""

import re
from collections.abc import Sequence

from lse_gym.envs.editing import read_editor_prompt
from lse_gym.envs.models.base import Request, Response, TaskModel
from lse_gym.envs.offline.reader.sql.schema import parse_schema
from lse_gym.envs.offline.text import count_tokens, respond
from lse_gym.envs.offline.worked import Example, find_examples, render_examples
from lse_gym.envs.offline.writer.choice import edit_choice
from lse_gym.envs.offline.writer.prompt import Problem, read_report
from lse_gym.envs.offline.writer.sql.examples import merge_examples
from lse_gym.envs.offline.writer.sql.induce import learn, solves
from lse_gym.envs.offline.writer.sql.rulebook import Rulebook
from lse_gym.envs.sql.prompt import SCHEMA_HEADER

TAG = re.compile(r"</?prompt>")


class Writer(TaskModel):
    """Edits contexts: explains gold answers by rules where it can, and keeps worked examples where not.

    Like the LLM editors it stands in for, it sees the editor prompt alone: the context, and the report with questions,
    answers and golds. Under feedback without golds it has nothing to learn from and returns the context as it was.
    """

    name = "writer"
    revision = "1"

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """Answer each request by itself."""
        return [respond(request, edit(request.user, request.seed)) for request in requests]

    def count_tokens(self, text: str) -> int:
        """One token per four characters."""
        return count_tokens(text)


def edit(prompt: str, seed: int) -> str:
    """The writer's answer to an editor prompt: a line of reasoning and the new context in tags."""
    task = read_editor_prompt(prompt)
    if task is None:
        return "This is not a request to improve instructions."
    frozen, problems = read_report(task.report)
    if not any(problem.gold for problem in problems):
        return _reply("The report shows no correct answer to learn from.", task.context)
    if SCHEMA_HEADER not in frozen:
        context, new, examples = edit_choice(task.context, problems, task.max_chars)
        return _reply(_reasoning(problems, new, examples), context)
    schema = parse_schema(frozen)
    book = Rulebook(task.context, frozen)
    known = set(book.rules.values())
    old = find_examples(task.context)
    unsolved = learn(problems, [Problem(True, e.question, "", e.sql, "") for e in old], schema, book)
    rules = book.render(task.max_chars)
    old = [e for e in old if not solves(e.question, e.sql, schema, book)]
    new = [Example(p.question, p.gold) for p in unsolved]
    kept = merge_examples(old, new, max(0, task.max_chars - len(rules) - 2), seed, frozen)
    learnt = len(set(book.rules.values()) - known)
    return _reply(
        _reasoning(problems, learnt, len(kept)),
        f"{rules}\n\n{render_examples(kept)}".strip() if kept else rules,
    )


def _reasoning(problems: Sequence[Problem], new: int, examples: int) -> str:
    wrong = sum(not problem.right for problem in problems)
    return f"{wrong} of {len(problems)} problems were wrong. {new} rules are new, {examples} worked examples are kept."


def _reply(reasoning: str, context: str) -> str:
    while (bare := TAG.sub("", context)) != context:  # a tag in the context would end the edit early
        context = bare
    return f"{reasoning}\n<prompt>\n{context}\n</prompt>"
