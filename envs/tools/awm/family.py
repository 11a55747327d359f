"""Agent World Model's scenarios as a family of domains."""

import os
from collections.abc import Mapping, Sequence
from hashlib import blake2b

import numpy as np

from lse_gym.envs.arguments import Count, Seed, checked
from lse_gym.envs.domain import SPLITS, Family, Question, Split
from lse_gym.envs.errors import DataError
from lse_gym.envs.faults import Faults
from lse_gym.envs.tools.awm.domain import AWMDomain
from lse_gym.envs.tools.awm.examine import Examined, examine
from lse_gym.envs.tools.awm.files import Index, plain, told
from lse_gym.envs.tools.awm.interface import make_tools
from lse_gym.envs.tools.awm.names import COMPLETE, OTHERS
from lse_gym.envs.tools.awm.scenario import Scenario, Task, read_scenario

SHARES = {"held_out": 0.3, "test": 0.3}  # of the tasks that can be used; the rest is feedback: 4, 3 and 3 of ten
KINDS = {"table": "statements of tables that fail", "row": "rows that fail"}
MAX_LOADED = 16  # domains kept in memory, about 1 MB each
MAX_NOTE_CHARS = 4000
MAX_TOLD = 3  # faults of a kind that a note spells out
UNTOUCHED = "tasks that an untouched database completes, dropped"
ODD = "verifiers that fail on the untouched database"


class AWMFamily(Family):
    """One domain a scenario; the group "all" has every one that the files know whole.

    Args:
        data_dir: directory with Agent World Model's files, see :mod:`lse_gym.envs.tools.awm.files`.
        split_seed: seed of the splits.
        max_turns: most responses of the task model in one attempt, >= 1.
    """

    @checked
    def __init__(self, data_dir: str | os.PathLike[str] | None, split_seed: Seed = 0, max_turns: Count = 10):
        self.index = Index(data_dir)
        self.groups = {"all": self.index.whole()}
        if not self.groups["all"]:
            raise DataError(f"{str(self.index.root)!r} has no whole scenario. {self.remarks()}")
        self.split_seed, self.max_turns = split_seed, max_turns
        self._loaded: dict[str, AWMDomain] = {}
        self._notes: dict[str, str] = {}

    def load(self, name: str) -> AWMDomain:
        """Read and examine one scenario, or take the domain from memory.

        Raises:
            UnknownNameError: there is no such scenario.
            DataError: it cannot be used; the message says why.
            SandboxError: nothing here can confine foreign code.
        """
        self.check(name)
        if name not in self._loaded:
            self._loaded[name] = self._make(name)
            while len(self._loaded) > MAX_LOADED:
                del self._loaded[next(iter(self._loaded))]
        return self._loaded[name]

    def sizes(self, name: str) -> Mapping[Split, int]:
        """How many tasks each split has; none where the scenario cannot be used, which its note tells."""
        try:
            return super().sizes(name)
        except DataError as error:
            self._notes[name] = str(error)
            return dict.fromkeys(SPLITS, 0)

    def note(self, name: str) -> str:
        """Tools and tasks of a scenario, and every kind of fault in it, counted."""
        return self._notes.get(name, "")

    def remarks(self) -> str:
        """Lines that cannot be used, and scenarios that some file lacks."""
        partial = [f"{name} is not in {', '.join(files)}" for name, files in self.index.partial().items()]
        return plain(told([*self.index.faults, *partial]), MAX_NOTE_CHARS)

    def _make(self, name: str) -> AWMDomain:
        faults = Faults(name)
        scenario = read_scenario(self.index, name, faults)
        examined = examine(scenario)
        for kind, *detail in examined.faults:
            faults.add(KINDS[kind], *detail)
        usable = _usable(scenario, examined, faults)
        tools = make_tools(scenario.endpoints, examined.operations, faults)
        splits = split_tasks(name, usable, self.split_seed)
        self._notes[name] = _note(len(tools), scenario, faults)
        if not tools or not all(splits.values()):
            raise DataError(
                f"scenario {name!r} cannot be used: {len(tools)} tools and {len(usable)} tasks are left; it needs "
                f"at least 1 and 3. {self._notes[name]}"
            )
        return AWMDomain(scenario, examined, tools, splits, self.max_turns)


def split_tasks(name: str, tasks: Sequence[Task], seed: int) -> dict[Split, tuple[Question, ...]]:
    """The tasks divided into the three splits, in an order of their numbers that name and ``seed`` draw."""
    digest = int.from_bytes(blake2b(name.encode(), digest_size=8).digest())

    def place(task: Task) -> int:
        return int(np.random.SeedSequence([seed, digest, task.number]).generate_state(1, np.uint64)[0])

    drawn = [Question(str(task.number), task.text, "") for task in sorted(tasks, key=place)]
    ends = [round(len(drawn) * share) for share in SHARES.values()]
    held_out, test = drawn[: ends[0]], drawn[ends[0] : sum(ends)]
    return {"feedback": tuple(drawn[sum(ends) :]), "held_out": tuple(held_out), "test": tuple(test)}


def _usable(scenario: Scenario, examined: Examined, faults: Faults) -> list[Task]:
    """The tasks that are not done before anything is."""
    usable = []
    for task, verdict in zip(scenario.tasks, examined.verdicts, strict=True):
        if verdict == COMPLETE:
            faults.add(UNTOUCHED, "", str(task.number))
            continue
        if verdict != OTHERS:
            faults.add(ODD, str(task.number), verdict.removeprefix(f"{OTHERS}: "))
        usable.append(task)
    return usable


def _note(tools: int, scenario: Scenario, faults: Faults) -> str:
    counts = [f"{kind}: {len(items)} ({told(items, MAX_TOLD)})" for kind, items in faults.found.items()]
    return plain(". ".join([f"{tools} tools, {len(scenario.tables)} tables", *counts]), MAX_NOTE_CHARS)
