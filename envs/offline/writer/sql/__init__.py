"""Text-to-SQL: how the writer explains gold statements, by rules and by worked examples."""

from lse_gym.envs.offline.examples import Example, find_examples, render_examples
from lse_gym.envs.offline.reader.sql.schema import parse_schema
from lse_gym.envs.offline.writer.edit import Edit
from lse_gym.envs.offline.writer.prompt import Task, worked
from lse_gym.envs.offline.writer.sql.examples import merge_examples
from lse_gym.envs.offline.writer.sql.induce import learn, solves
from lse_gym.envs.offline.writer.sql.rulebook import Rulebook
from lse_gym.envs.sql.prompt import SCHEMA_HEADER


def recognises(task: Task) -> bool:
    """Whether there is a schema."""
    return SCHEMA_HEADER in task.frozen


def edit(task: Task, seed: int) -> Edit:
    """Rules first, as far as they go; worked examples in the room that is left."""
    schema, book = parse_schema(task.frozen), Rulebook(task.context, task.frozen)
    known, old = {*book.rules.values()}, find_examples(task.context)
    unsolved = learn(task.problems, [worked(*example) for example in old], schema, book)
    rules = book.render(task.max_chars)
    old = [e for e in old if not solves(e.question, e.sql, schema, book)]
    new = [Example(problem.question, problem.gold) for problem in unsolved]
    kept = merge_examples(old, new, max(0, task.max_chars - len(rules) - 2), seed, task.frozen)
    context = f"{rules}\n\n{render_examples(kept)}".strip() if kept else rules
    return Edit(context, len({*book.rules.values()} - known), len(kept))
