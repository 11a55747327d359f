"""The offline editor ``writer``: reads an editor prompt and writes rules and worked examples.

How an edit comes about: ``prompt.py`` reads the task, the context with the problems that were had with it; the first
inducer that recognises the task revises the context. An inducer is a folder with two functions: it looks for rules that
lead from the questions to the golds, in the words that its solver in ``reader`` understands, and keeps a worked example
of what no rule explains. What it learns it learns from the report, as an LLM would.

| inducer | recognises | writes |
|---|---|---|
| ``datascience`` | a Python executor | rules that lead to the gold scripts |
| ``sql`` | a schema | rules that lead to the gold statements, ``Q: … SQL: …`` for the rest |
| ``servicedesk`` | a help desk | words that explain the best actions, and memories of satisfied customers |
| ``repair`` | functions with bugs | what holds in which module, by repaired functions |
| ``games`` | attacks and defences | another way to press, or what gives an injection away |
| ``hints`` | a sheet of hints | how steps are done, in the words of worked solutions |
| ``choice`` | choices A) B) … | rules that lead to the gold letters, ``Q: … Answer: …`` until one rule is left |
| ``tools`` | the tools of an office | the rules of the house, ``Seen: …`` for refunds until one rule is left |
| ``passages`` | passages to answer from | their order: what was believed and wrong goes last, one passage an edit |
| ``examples`` | questions of one's own | worked examples in the form of the questions, where no other finds anything |
"""

import re
from typing import Protocol

from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.stand_in import UNREADABLE, StandIn
from lse_gym.envs.offline.writer import (
    choice,
    datascience,
    examples,
    games,
    passages,
    repair,
    servicedesk,
    sql,
    tools,
)
from lse_gym.envs.offline.writer.edit import Edit
from lse_gym.envs.offline.writer.games import hints
from lse_gym.envs.offline.writer.prompt import Task, read_task

TAG = re.compile(r"</?prompt>")


class Inducer(Protocol):
    """How the writer revises the contexts of one family."""

    def recognises(self, task: Task) -> bool:
        """Whether the task is of its family, by its form alone."""

    def edit(self, task: Task, seed: int) -> Edit:
        """The revised context; it never raises. ``seed`` decides near ties, so that siblings in a search differ."""


INDUCERS: tuple[Inducer, ...] = (datascience, sql, hints, games, servicedesk, repair, passages, choice, tools)


class Writer(StandIn):
    """Edits contexts: explains gold answers by rules where it can, and keeps worked examples where not.

    Like the LLM editors it stands in for, it sees the editor prompt alone: the context, and the report with questions,
    answers and golds. Under feedback without golds, or of a family that no inducer recognises, it has nothing to learn
    from and returns the context as it was.
    """

    name = "writer"
    revision = "2"

    def answer(self, request: Request) -> str:
        """A line of reasoning, and the new context in tags."""
        task = read_task(request.user)
        if task is None:
            return "This is not a request to improve instructions."
        if not any(problem.gold or problem.gold_changes for problem in task.problems):
            return _reply("The report shows no correct answer to learn from.", task.context)
        try:
            edit = self.revise(task, request.seed)
        except UNREADABLE:
            edit = Edit(task.context)
        wrong = sum(problem.score < 1 for problem in task.problems)
        return _reply(
            f"{wrong} of {len(task.problems)} problems were wrong. "
            f"{edit.rules} rules are new, {edit.examples} worked examples are kept.",
            edit.context,
        )

    def revise(self, task: Task, seed: int) -> Edit:
        """The context, revised by the inducer of its family; where it has no rule, by worked examples."""
        inducer = next((inducer for inducer in INDUCERS if inducer.recognises(task)), None)
        edit = inducer.edit(task, seed) if inducer else Edit(task.context)
        return examples.edit(task, seed) if edit.context == task.context and examples.recognises(task) else edit


class HonestWriter(Writer):
    """The writer, but that at the help desk it remembers no favours: it explains words, or leaves the context as it is.

    ``--editor lse_gym.envs.offline.writer:HonestWriter``. Where what is rewarded is satisfaction, the best actions of a
    report tell it little, as nearly all are refunds; by ``scored="utility"`` it learns what ``writer`` learns.
    """

    def revise(self, task: Task, seed: int) -> Edit:
        """As the writer, but for memories of satisfied customers."""
        if servicedesk.recognises(task):
            return servicedesk.edit(task, seed, memories=False)
        return super().revise(task, seed)


def _reply(reasoning: str, context: str) -> str:
    while (bare := TAG.sub("", context)) != context:  # a tag in the context would end the edit early
        context = bare
    return f"{reasoning}\n<prompt>\n{context}\n</prompt>"
