"""The subjects of MMLU-Redux, or of data in the same form, as a family of domains."""

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lse_gym.envs.arguments import Count, Seed, checked
from lse_gym.envs.domain import SPLITS, Family, Question, Split
from lse_gym.envs.errors import ArgumentError, DataError, MissingArgumentError
from lse_gym.envs.extras import require
from lse_gym.envs.faults import Faults
from lse_gym.envs.qa.domain import QADomain
from lse_gym.envs.qa.prompt import Item
from lse_gym.envs.qa.redux import KNOWN_TYPES, OK, Annotations, Errors, group, record_fault, reorder, settle
from lse_gym.envs.splits import split_questions

HUB = "hf:"
REDUX = f"{HUB}edinburgh-dawg/mmlu-redux-2.0"  # 57 subjects, CC BY 4.0
# kind of fault -> what a person does about it
ADVICE: Mapping[str, str] = {
    "unreadable files": "Mend or remove them: a .jsonl file has one JSON object a line.",
    "records in another form": "Mend or remove them: MMLU-Redux has 'question', 'choices' and 'answer' (the index of "
    "the right choice), its relatives 'options' and a letter.",
}
Records = Sequence[Mapping[str, Any]]


class ReduxFamily(Family):
    """One domain a subject; the group "all" has every one.

    Args:
        data_dir: a directory with ``<subject>.jsonl`` or ``<subject>.parquet``, or ``hf:ID`` of a dataset on the
            Hugging Face hub (``hf:ID@REVISION`` for a certain version), whose configurations are the subjects.
        split_seed: seed of the splits.
        held_out_size: questions in the held-out split, at most a quarter of all.
        errors: what becomes of records with annotated errors, see :func:`lse_gym.envs.qa.redux.settle`.
        choice_seed: seed of another order of the choices; None leaves them as they are.
    """

    @checked
    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None,
        split_seed: Seed = 0,
        held_out_size: Count = 50,
        errors: Errors = "correct",
        choice_seed: Seed | None = None,
    ):
        self.sources = _sources(data_dir)
        self.groups = {"all": sorted(self.sources)}
        self.split_seed, self.held_out_size, self.errors, self.choice_seed = (
            split_seed,
            held_out_size,
            errors,
            choice_seed,
        )
        self.annotations: dict[str, Annotations] = {}
        """by subject loaded so far: how many records of each error type were kept, corrected and dropped"""
        self._loaded: dict[str, QADomain] = {}

    def load(self, name: str) -> QADomain:
        """Settle and split the questions of one subject, or take the domain from memory."""
        self.check(name)
        if name not in self._loaded:
            settled = [settle(record, f"{name}-{i}", self.errors) for i, record in enumerate(self.sources[name]())]
            self.annotations[name] = Counter((one.error_type, one.fate) for one in settled)
            items = list({_text(one.item): one.item for one in settled if one.item}.values())
            self._loaded[name] = QADomain(name, name.replace("_", " "), self._split(name, items))
        return self._loaded[name]

    def note(self, name: str) -> str:
        """The annotated error types of a subject, and what became of their records."""
        counted = self.annotations.get(name, Counter())
        kinds = [*KNOWN_TYPES, *sorted({kind for kind, _ in counted} - {*KNOWN_TYPES})]
        told = {kind: [f"{n} {fate}" for (of, fate), n in sorted(counted.items()) if of == kind] for kind in kinds}
        return "; ".join(f"{kind}: {', '.join(fates)}" for kind, fates in told.items() if fates and kind != OK)

    def _split(self, name: str, items: Sequence[Item]) -> dict[Split, list[Item]]:
        by_id = {item.id: item for item in items}
        try:
            parts = split_questions([Question(i.id, _text(i), "") for i in items], self.split_seed, self.held_out_size)
        except ArgumentError as error:
            raise DataError(f"subject {name!r}: {error}") from None
        found = {split: [by_id[question.id] for question in parts[split]] for split in SPLITS}
        if self.choice_seed is None:
            return found
        return {split: [reorder(item, self.choice_seed) for item in found[split]] for split in SPLITS}


def _text(item: Item) -> str:
    """What makes two items the same, whatever the order of their choices."""
    return "\n".join([item.stem, *sorted(item.choices)])


def _sources(data_dir: str | os.PathLike[str] | None) -> dict[str, Callable[[], Records]]:
    if data_dir is None:
        raise MissingArgumentError(
            "no data. Pass a directory as data_dir, with one <subject>.jsonl or <subject>.parquet each, or "
            f'data_dir="{REDUX}" to load MMLU-Redux from the Hugging Face hub (CC BY 4.0; '
            "pip install 'lse-gym[data]')."
        )
    if str(data_dir).startswith(HUB):
        return _hub(str(data_dir).removeprefix(HUB))
    root = Path(data_dir)
    files = sorted(path for path in root.glob("*") if path.suffix in (".jsonl", ".parquet")) if root.is_dir() else []
    if not files:
        raise DataError(
            f"{str(root)!r} is no directory with files <subject>.jsonl or <subject>.parquet. MMLU-Redux is at "
            f'https://huggingface.co/datasets/edinburgh-dawg/mmlu-redux-2.0, or pass data_dir="{REDUX}".'
        )
    found: dict[str, Records] = {}
    faults = Faults(f"data_dir={str(root)!r}", ADVICE)
    for path in files:
        for name, records in group(_read(path, faults), path.stem).items():
            found[name] = [*found.get(name, ()), *records]
    faults.check()
    return {name: partial(list, records) for name, records in found.items()}


def _read(path: Path, faults: Faults) -> list[Mapping[str, Any]]:
    """The records of a file; what is wrong with them is added to ``faults``."""
    if path.suffix == ".parquet":
        parquet = require("pyarrow.parquet", "data", "Reading Parquet")
        try:
            rows: list[Any] = parquet.read_table(path).to_pylist()
        except Exception as error:  # pyarrow raises many kinds
            faults.add("unreadable files", path.name, f"is no Parquet file ({error})")
            return []
    else:
        rows = []
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if line.strip():
                try:
                    rows.append(json.loads(line))
                except (ValueError, RecursionError) as error:
                    faults.add("unreadable files", f"{path.name} line {number}", f"is no JSON ({error})")
    if not rows and not faults:
        faults.add("unreadable files", path.name, "is empty")
    return _checked(rows, path.name, faults)


def _checked(rows: list[Any], name: str, faults: Faults) -> list[Mapping[str, Any]]:
    """The records where all are in the right form, else none, and what is wrong with them in ``faults``."""
    wrong = [(number, fault) for number, row in enumerate(rows, 1) if (fault := record_fault(row))]
    for number, fault in wrong:
        faults.add("records in another form", f"{name} record {number}", fault)
    return [] if wrong else rows


def _hub(name: str) -> dict[str, Callable[[], Records]]:
    """The configurations of a dataset on the hub, each loaded on first use; a single one is divided into subjects."""
    datasets = require("datasets", "data", "Loading from the Hugging Face hub")
    name, _, revision = name.partition("@")
    try:
        configs = datasets.get_dataset_config_names(name, revision=revision or None)
    except Exception as error:  # the hub's client raises many kinds
        raise DataError(f"{HUB + name!r} cannot be loaded: {error}. Pass a directory as data_dir instead.") from None
    if len(configs) > 1:
        return {config: partial(_load, name, revision, config) for config in configs}
    found = group(_load(name, revision, configs[0]), name.rpartition("/")[2])
    return {subject: partial(list, records) for subject, records in found.items()}


def _load(name: str, revision: str, config: str) -> Records:
    """One configuration of a dataset on the hub, all its splits."""
    parts = require("datasets", "data", "Loading from the Hugging Face hub").load_dataset(
        name, config, revision=revision or None
    )
    faults = Faults(f"data_dir={HUB + name!r}", ADVICE)
    rows = _checked([row for part in parts for row in parts[part]], config, faults)
    faults.check()
    return rows
