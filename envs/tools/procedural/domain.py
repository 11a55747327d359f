"""One office as a domain: tasks for a model with tools, judged by the database that it leaves behind."""

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256

from lse_gym.envs.domain import SPLITS, Question, Split
from lse_gym.envs.tools.domain import ToolDomain
from lse_gym.envs.tools.procedural.catalog import tools
from lse_gym.envs.tools.procedural.office import Office
from lse_gym.envs.tools.procedural.world import World

SEED_CONTEXT = "Do what is asked with the tools, and nothing else."
OVERVIEW = (
    "You work in the office of a {name} business, and do what the people there ask for. The tools read and change its "
    "database. A task is done well if exactly the right rows of it are changed, and the answer is right where a "
    "question is asked: a number, or names with commas between them."
)
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
MAX_ANSWER_CHARS = 2000  # of which an answer is read


class OfficeDomain(ToolDomain):
    """Tasks in one office.

    Args:
        name: name of the domain.
        world: the office.
        splits: the tasks, ``gold`` being what a right attempt ends with.
        oracle_context: everything there is to know.
    """

    def __init__(self, name: str, world: World, splits: Mapping[Split, Sequence[Question]], oracle_context: str):
        self.name, self.world, self.splits = name, world, splits
        self.seed_context, self.oracle_context = SEED_CONTEXT, oracle_context
        self.overview, self.tools = OVERVIEW.format(name=world.theme.name), tools(world.theme)

    def open(self, question: Question) -> Office:
        """The office with a database of its own; every task starts from the same one."""
        del question
        return self.world.open()

    def same_answer(self, answer: str, gold: str) -> bool:
        """As :func:`same_answer` of this module."""
        return same_answer(answer, gold)

    def fingerprint(self) -> str:
        """SHA-256 of the database, the tools and every question."""
        digest = sha256(self.world.content)
        data = [self.frozen, [self.splits[split] for split in SPLITS]]
        digest.update(json.dumps(data, ensure_ascii=True).encode())
        return digest.hexdigest()


def same_answer(answer: str, gold: str) -> bool:
    """Whether an answer is the gold one: the same number, if it holds one number alone, or the same names.

    >>> same_answer("It is 1,250.50 dollars.", "1250.50"), same_answer("12 or 13", "12")
    (True, False)
    >>> same_answer("Ben Lopez and Ada Keller", "Ada Keller, Ben Lopez")
    True
    """
    answer = answer[:MAX_ANSWER_CHARS]
    if NUMBER.fullmatch(gold):
        numbers = [number.replace(",", "") for number in NUMBER.findall(answer)]
        return len(numbers) == 1 and abs(float(numbers[0]) - float(gold)) < 0.005
    return _names(answer) == _names(gold)


def _names(text: str) -> set[str]:
    return {
        name for part in re.split(r",|\band\b|\n", text.casefold()) if (name := " ".join(part.split()).strip(" .-*"))
    }
