"""What can only be seen of all questions together: golds under the scorer, contradictions, and the splits."""

from collections.abc import Sequence
from pathlib import Path

from lse_gym.envs.custom.domain import CustomDomain
from lse_gym.envs.custom.items import Entry
from lse_gym.envs.custom.make_scorer import Function
from lse_gym.envs.domain import SPLITS, Question, Split
from lse_gym.envs.faults import Faults, shown
from lse_gym.envs.splits import draw, normalised, split_questions
from lse_gym.envs.sql.domain import GOLD_LIMITS
from lse_gym.envs.sql.executor import digest_many

HELD_OUT_SIZE = 50  # questions: every edit is measured on them
TEST_SIZE = 1000  # questions: the test is paid for twice a run
_UNSPLIT = "; columns={'split': ''} lets the splits be drawn"
Splits = dict[Split, tuple[Question, ...]]


def check_golds(domain: CustomDomain, entries: Sequence[Entry], faults: Faults) -> None:
    """Record every answer that the scorer does not give 1."""
    for entry in entries:
        if fault := domain.fault(entry.item):
            faults.add("answers that do not score 1", entry.where, f"{shown(entry.item.golds[0])}: {fault}")


def check_sql(database: Path, entries: Sequence[Entry], faults: Faults) -> None:
    """Record every gold statement that fails on the database."""
    golds = [entry.item.question.gold for entry in entries]
    for entry, result in zip(entries, digest_many(database, golds, GOLD_LIMITS), strict=True):
        if result.error:
            faults.add("answers that do not score 1", entry.where, f"{shown(entry.item.question.gold)}: {result.error}")


def check_contradictions(domain: CustomDomain, entries: Sequence[Entry], faults: Faults) -> None:
    """Record questions that are asked twice in the same words, with answers of which neither passes for the other."""
    if isinstance(domain.scorer, Function):  # the rest of the record may make the difference
        return
    seen: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        question = entry.item.question
        other = seen.setdefault((question.text, question.evidence), entry)
        gold = domain.gold_response(question)
        if other is not entry and domain.score([other.item.question], [gold])[0].score < 1.0:
            answers = f"answer {shown(question.gold)}, but {shown(other.item.question.gold)} in {other.where}"
            faults.add("contradictions", entry.where, f"{shown(question.text)}: {answers}")


def make_splits(
    name: str, entries: Sequence[Entry], seed: int, held_out_size: int, test_size: int | None, faults: Faults
) -> tuple[Splits | None, list[str]]:
    """The splits that the data name, or drawn ones where they name none; None with the fault recorded; and notes."""
    questions, notes = [entry.item.question for entry in entries], []
    named, why = {entry.split for entry in entries}, "at most a quarter"
    if any(named):
        why = "as the data name them"
        entries = [*entries]
        if named == {"feedback", "test"}:
            why = "at most a quarter of train"
            entries = _with_held_out(entries, seed, held_out_size)
            drawn = sum(entry.split == "held_out" for entry in entries)
            notes.append(f"{name}: no validation split; {drawn} held-out questions are drawn from train")
        splits = _given_splits(name, entries, faults)
    else:
        distinct = len({normalised(question.text) for question in questions})
        if distinct < 3:
            faults.add("too few questions", f"domain {name!r}", f"{distinct} different questions")
            return None, notes
        splits = split_questions(questions, seed, held_out_size)
    if held_out_size not in (held_out := len(splits["held_out"]), HELD_OUT_SIZE):
        notes.append(f"{name}: {held_out:,} held-out questions, {why}, instead of {held_out_size:,} (held_out_size)")
    if test_size is not None and len(splits["test"]) > test_size:
        notes.append(f"{name}: {test_size:,} of {len(splits['test']):,} test questions are used (test_size)")
        splits["test"] = draw(splits["test"], seed, test_size)
    elif test_size not in (None, TEST_SIZE) and len(splits["test"]) < test_size:
        share = "as the data name them" if any(named) else "30 % of all"
        notes.append(f"{name}: {len(splits['test']):,} test questions, {share}, instead of {test_size:,} (test_size)")
    return splits, notes


def _with_held_out(entries: Sequence[Entry], seed: int, held_out_size: int) -> list[Entry]:
    train = [entry.item.question for entry in entries if entry.split == "feedback"]
    wanted = max(1, min(held_out_size, len(train) // 4))
    drawn = {normalised(question.text) for question in draw(train, seed, wanted)}
    taken = 0
    made = []
    for entry in entries:
        if entry.split == "feedback" and normalised(entry.item.question.text) in drawn and taken < len(train) - 1:
            taken += 1
            entry = entry._replace(split="held_out")
        made.append(entry)
    return made


def _given_splits(name: str, entries: Sequence[Entry], faults: Faults) -> Splits:
    splits: dict[str, list[Question]] = {split: [] for split in SPLITS}
    seen: dict[str, Entry] = {}
    for entry in entries:
        other = seen.setdefault(normalised(entry.item.question.text), entry)
        if other.split != entry.split and other.split and entry.split:
            where = f"is in {entry.split}, and in {other.split} in {other.where}"
            faults.add("questions in two splits", entry.where, f"{shown(entry.item.question.text)} {where}")
        if entry.split:
            splits[entry.split].append(entry.item.question)
    for split in SPLITS:
        if not splits[split]:
            faults.add("too few questions", f"domain {name!r}", f"none in the split {split}{_UNSPLIT}")
    return {split: tuple(splits[split]) for split in SPLITS}
