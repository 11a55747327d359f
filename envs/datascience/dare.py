"""DARE-bench's families of questions as domains, split by dataset."""

import os
from collections.abc import Mapping, Sequence
from typing import Annotated

from lse_gym.envs.arguments import Count, Range, Seed, checked
from lse_gym.envs.datascience.domain import DataScienceDomain, Scoring
from lse_gym.envs.datascience.executor import Settings
from lse_gym.envs.datascience.layout import load_tasks
from lse_gym.envs.datascience.references import stale
from lse_gym.envs.datascience.task import FAMILIES, FOLLOWING, Task
from lse_gym.envs.domain import SPLITS, Family, Question, Split
from lse_gym.envs.errors import DataError
from lse_gym.envs.splits import split_questions

MAX_LISTED = 12  # datasets in a note
MAKE = "lse-gym data dare-references"


class DAREFamily(Family):
    """One domain a family of the benchmark; "ready" has those that can be used, "all" every one.

    Args:
        data_dir: directory in DARE-bench's layout.
        split_seed: seed of the splits. A dataset belongs to one split, in both versions of its question.
        held_out_size: datasets in the held-out split, at most a quarter of all.
        references: folder that ``lse-gym data dare-references --out`` wrote.
        scoring: see :class:`lse_gym.envs.datascience.domain.DataScienceDomain`.
        run_s: longest run of a script, in seconds.
        skip_broken: leave out datasets that are missing or broken.
    """

    @checked
    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None,
        split_seed: Seed = 0,
        held_out_size: Count = 50,
        references: str | os.PathLike[str] | None = None,
        scoring: Scoring = "benchmark",
        run_s: Annotated[float, Range(0.1)] = 200.0,
        skip_broken: bool = False,
    ):
        self.data_dir, self.references = data_dir, references
        tasks, self.problems = load_tasks(data_dir, references, skip_broken)
        self.tasks = {family: [task for task in tasks if task.family == family] for family in FAMILIES.values()}
        self._split = {kind: self._split_datasets(kind, split_seed, held_out_size) for kind in ("class", "reg", "ts")}
        self._settings, self._scoring = Settings(run_s), scoring
        self._loaded: dict[str, DataScienceDomain] = {}
        found = [family for family, tasks in self.tasks.items() if tasks]
        ready = [family for family in found if not self.lacking(family)]
        self.groups = {"ready": ready, "all": found} if ready else {"all": found}

    def load(self, name: str) -> DataScienceDomain:
        """The domain with its questions.

        Raises:
            DataError: it has too few datasets, or reference outputs are missing; what to do is told.
        """
        self.check(name)
        if lacking := self.lacking(name):
            raise DataError(f"domain {name!r} cannot be used: {lacking}")
        if name not in self._loaded:
            splits = {split: self._of(name, split) for split in SPLITS}
            self._loaded[name] = DataScienceDomain(name, splits, self._settings, self._scoring)
        return self._loaded[name]

    def sizes(self, name: str) -> Mapping[Split, int]:
        """How many questions each split has, without reading a table."""
        return {split: len(self._of(name, split)) for split in SPLITS}

    def note(self, name: str) -> str:
        """The datasets with size and licence, and what is missing."""
        tasks = self.tasks[name]
        lines = [f"{len(tasks)} questions" + (f"; {lacking}" if (lacking := self.lacking(name)) else "")]
        lines += [_line(task) for task in tasks[:MAX_LISTED]]
        lines += [f"… and {len(tasks) - MAX_LISTED} more"] if len(tasks) > MAX_LISTED else []
        if self.problems.datasets:
            lines.append(f"left out, missing or broken: {', '.join(self.problems.datasets)}")
        if name in FOLLOWING and (changed := stale(tasks)):
            lines.append(f"the references were made with {changed}. See what changes: {self._make()} --check")
        return "\n".join(lines)

    def lacking(self, name: str) -> str:
        """Why a domain cannot be used, or ""."""
        tasks = self.tasks[name]
        if not all(self.sizes(name).values()):
            return f"{len(tasks)} datasets cannot be divided into {len(SPLITS)} splits; add datasets"
        if unmade := [task.dataset for task in tasks if task.truth is None]:
            return f"reference outputs are missing for {len(unmade)} of {len(tasks)} questions; run {self._make()}"
        return ""

    def _make(self) -> str:
        out = f" --out {self.references}" if self.references else ""
        return f"{MAKE} {self.data_dir}{out}"

    def _of(self, name: str, split: Split) -> list[Task]:
        return [task for task in self.tasks[name] if task.dataset in self._split[name.partition("_")[0]][split]]

    def _split_datasets(self, kind: str, seed: int, held_out_size: int) -> Mapping[Split, Sequence[str]]:
        """The datasets of a kind by split; both versions of a question follow their dataset."""
        tasks = [task for family, tasks in self.tasks.items() if family.startswith(kind) for task in tasks]
        names = sorted({task.dataset for task in tasks})
        if len(names) < len(SPLITS):
            return dict.fromkeys(SPLITS, ())
        parts = split_questions([Question(name, name, "") for name in names], seed, held_out_size)
        return {split: [question.id for question in parts[split]] for split in SPLITS}


def _line(task: Task) -> str:
    size = sum(path.stat().st_size for path in task.files.values())
    return f"{task.dataset}: {size / 1000:,.0f} kB, {task.licence or 'licence unknown'}"
