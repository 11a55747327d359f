"""Attempts at tasks of embedded offices, made by a script."""

from contextlib import closing

from lse_gym.envs.domain import SPLITS
from lse_gym.envs.tools.procedural.draw import Draw
from lse_gym.envs.tools.procedural.habits import Stuck
from lse_gym.envs.tools.procedural.plans import Clerk, follow
from lse_gym.envs.tools.procedural.tasks import Task
from lse_gym.envs.tools.procedural.world import World


def questions(domain):
    return [question for split in SPLITS for question in domain.splits[split]]


def attempt(world: World, clerk: Clerk, task: Task) -> str:
    """What is scored of an attempt by a clerk with beliefs of their own."""
    with closing(world.open()) as office:
        try:
            answer, _ = follow(clerk.plan(task), office.call)
        except (Stuck, IndexError, StopIteration, RuntimeError):
            answer = ""
        return office.finish(answer)


class Recorder(Draw):
    """Draws tasks and keeps them."""

    def __init__(self, name, world):
        super().__init__(name, world)
        self.tasks = []

    def _of(self, op, kind, guessable, rng):
        found = super()._of(op, kind, guessable, rng)
        if found:
            self.tasks.append(found[0])
        return found


def drawn(name: str, world: World, count: int, stream=(99,)):
    """Tasks with their questions and the rules that each needs."""
    recorder = Recorder(name, world)
    found = recorder.questions("feedback", count, stream)
    return [(task, *rest) for task, rest in zip(recorder.tasks, found, strict=True)]
