"""Data science: how the writer explains the analysts' scripts, by rules about columns and terms.

What a script does and its question does not say is house style. One script is enough for a rule; what a later script
does not do any more is taken back.
"""

from lse_gym.envs.offline.reader.datascience import EXECUTOR
from lse_gym.envs.offline.reader.datascience.question import Asked, understand
from lse_gym.envs.offline.writer.datascience.book import Book
from lse_gym.envs.offline.writer.datascience.scripts import facts
from lse_gym.envs.offline.writer.edit import Edit
from lse_gym.envs.offline.writer.prompt import Task


def recognises(task: Task) -> bool:
    """Whether there is a tool that runs Python over files."""
    return f'"name": "{EXECUTOR}"' in task.frozen


def edit(task: Task, seed: int) -> Edit:
    """Rules that lead from the questions to the scripts that answer them."""
    del seed
    read: list[tuple[Asked, str]] = []
    for problem in task.problems:
        asked = understand(problem.question, tuple(problem.evidence.splitlines()))
        if asked and problem.gold:
            read.append((asked, problem.gold))
    columns = frozenset(column for asked, _ in read for column in asked.columns)
    book = Book(task.context, columns, frozenset(asked.term for asked, _ in read) - {""})
    new = 0
    for asked, script in read:
        for about, meaning in facts(asked, script):
            new += book.learn(about, meaning)
    return Edit(book.render(task.max_chars), new)
