"""A world's questions as a domain: data-science questions whose files are kept in memory."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from typing import NamedTuple

from lse_gym.envs.datascience.domain import DataScienceDomain
from lse_gym.envs.datascience.executor import Bench, Ending, Settings
from lse_gym.envs.datascience.plan import script
from lse_gym.envs.datascience.procedural.dataset import Dataset
from lse_gym.envs.datascience.procedural.layout import csv_text, heads, source
from lse_gym.envs.datascience.procedural.world import World
from lse_gym.envs.datascience.runs import Runs
from lse_gym.envs.datascience.scoring import Grade, Truth, make_truth
from lse_gym.envs.datascience.task import PREDICTION
from lse_gym.envs.domain import SPLITS, Attempt, Question, Split
from lse_gym.envs.report import Problem

FAMILY_OF = {"graded": ("class_if", "class_mm"), "daily": ("ts_xf", "ts_cf")}
NUMBERS = ("reg_if", "reg_mm")  # of other shapes
RUNS = Runs()
MAX_TOLD_CHARS = 100  # of a wrong header


class Item(NamedTuple):
    """A question with what it takes to answer and to score it.

    Attributes:
        question: its text, the heads of its files as evidence, and the analyst's script as gold.
        family: DARE-bench's, whose metric it is scored by.
        files: what scripts may load, by name.
        truth: what a prediction should hold, as CSV.
        target: the column of it that is predicted.
        digest: SHA-256 of the content of the files: their bytes differ with the version of SQLite.
    """

    question: Question
    family: str
    files: Mapping[str, bytes]
    truth: str
    target: str
    digest: str

    @classmethod
    def of(cls, world: World, dataset: Dataset, version: int) -> "Item":
        """One of the two questions of a dataset."""
        asked, family = dataset.questions[version], FAMILY_OF.get(dataset.shape, NUMBERS)[version]
        question = Question(f"{dataset.name}/{family}", asked.text, script(asked.plan), heads(asked))
        target = asked.plan.name or asked.plan.target
        files = source(world, asked)
        content = [
            (file, name, csv_text(table) if name else files[file].decode())
            for file, tables in asked.files.items()
            for name, table in tables.items()
        ]
        digest = sha256(repr(content).encode()).hexdigest()
        return cls(question, family, files, csv_text(asked.truth), target, digest)


class HouseDomain(DataScienceDomain):
    """Questions of one house, whose style its analysts know and the questions do not say.

    A prediction is scored as the benchmark does it, each row once; its header, too, has to be the house's: the names of
    the columns, and their order.

    Args:
        name: name of the domain.
        items: the questions.
        settings: limits of a run.
        seed_context: the context that a search starts from.
        oracle_context: everything there is to know.
    """

    def __init__(
        self,
        name: str,
        items: Mapping[Split, Sequence[Item]],
        settings: Settings,
        seed_context: str,
        oracle_context: str | None,
    ):
        none = dict.fromkeys(SPLITS, ())
        super().__init__(name, none, settings, "strict", seed_context, oracle_context)
        self.items = items
        self.splits = {split: tuple(item.question for item in items[split]) for split in SPLITS}
        self._by_id = {item.question.id: item for split in SPLITS for item in items[split]}
        self._truths: dict[str, Truth] = {}

    def open(self, question: Question) -> Bench:
        """A bench with the files of the question."""
        return Bench(self.files(question), self.settings, self.truth(question).max_bytes, RUNS)

    def files(self, question: Question) -> Mapping[str, bytes]:
        """What scripts may load, by name."""
        return self._by_id[question.id].files

    def truth(self, question: Question) -> Truth:
        """What a prediction is compared with."""
        if question.id not in self._truths:
            item = self._by_id[question.id]
            self._truths[question.id] = make_truth(item.family, item.truth, [item.target])
        return self._truths[question.id]

    def grade(self, question: Question, prediction: str | None) -> Grade:
        """The benchmark's score, where the header is the house's."""
        given, wanted = (_header(text or "") for text in (prediction, self._by_id[question.id].truth))
        if prediction is None or given == wanted:
            return super().grade(question, prediction)
        lacking = ", ".join(repr(column) for column in wanted if column not in given)
        told = f"has no column {lacking}" if lacking else "has its columns in another order, or more"
        return Grade(0.0, problem=f"{PREDICTION} {told}: {', '.join(given)[:MAX_TOLD_CHARS]}")

    def gold_response(self, question: Question) -> str:
        """How an attempt ends that predicts the truth."""
        return Ending(self._by_id[question.id].truth).json()

    @cached_property
    def _fingerprint(self) -> str:
        digest = sha256(json.dumps(self.settings).encode())
        for split in SPLITS:
            for question, family, _, *scored in self.items[split]:
                digest.update(json.dumps([split, question, family, *scored]).encode())
        return digest.hexdigest()

    def _problem(self, attempt: Attempt) -> Problem:
        return super()._problem(attempt)._replace(evidence=attempt.question.evidence)


def _header(text: str) -> list[str]:
    """The columns of a CSV; none of ours needs quotes."""
    return [column.strip().strip('"') for column in text.lstrip("\ufeff").partition("\n")[0].split(",")]
