"""Rows to questions: the values of the columns, and the checks of every one."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from lse_gym.envs.custom.choices import (
    Choices,
    at_one_place,
    best_choices,
    first_index,
    letter_of,
    mixed,
    read_choices,
    scores_of,
)
from lse_gym.envs.custom.columns import CHECKED, ROLES, SCORED, cell_of
from lse_gym.envs.custom.files import Row
from lse_gym.envs.custom.forms import answer_in, chat_text, checked_answer, look_up, messages_of, text_of
from lse_gym.envs.custom.labels import Labels
from lse_gym.envs.custom.make_scorer import Function
from lse_gym.envs.custom.numbers import BOX, unboxed
from lse_gym.envs.custom.scorers import F1, LETTERS, SQL, Exact, Item, JSONEquality, MultipleChoice, Regex, Scorer
from lse_gym.envs.domain import Question, Split
from lse_gym.envs.faults import Faults, shown
from lse_gym.envs.splits import normalised

MAX_CHARS = 100_000  # of a question or an answer
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffd]")
SPLIT_NAMES: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training", "feedback"), "feedback"),
    **dict.fromkeys(
        ("validation", "valid", "val", "dev", "development", "held_out", "held-out", "heldout"), "held_out"
    ),
    **dict.fromkeys(("test", "testing"), "test"),
}


class Entry(NamedTuple):
    """A question, where it stands, and the names of its domain and split ("" where the data have none)."""

    where: str
    domain: str
    split: Split | Literal[""]
    item: Item


class Items(NamedTuple):
    """The questions of the rows, and what has to be told of how they were read."""

    entries: list[Entry]
    notes: list[str]


def read_items(
    rows: Sequence[Row],
    columns: Mapping[str, str],
    scorer: Scorer | SQL,
    faults: Faults,
    labels: Labels | None = None,
) -> Items:
    """Every row that is a question; what is wrong with the others is recorded. ``labels``: what answers are called.

    With labels, choices that the data do not have are the names of these.
    """
    entries = []
    ids: dict[str, str] = {}
    note, final = final_part(rows, columns, scorer)
    labels = labels or Labels()
    all_choices, first = _all_choices(rows, columns, scorer, labels, faults)
    reader = _Golds(columns, scorer, final, first, faults, labels, [])
    all_golds = [reader.read(row, choices) for row, choices in zip(rows, all_choices, strict=True)]
    place = at_one_place(all_golds) if isinstance(scorer, MultipleChoice) else ""
    for index, (row, choices, golds) in enumerate(zip(rows, all_choices, all_golds, strict=True)):
        text = _question(row, columns, faults)
        id_ = _name(row, columns, "id", faults) or str(index)
        if id_ in ids:
            faults.add("repeated ids", row.where, f"id {shown(id_)} is that of {ids[id_]}, too")
        ids.setdefault(id_, row.where)
        split, domain = _split(row, columns, faults), _name(row, columns, "domain", faults)
        if text is None or not golds or choices is None:
            continue
        if choices.texts:
            choices, golds = mixed(text, choices, golds) if place else (choices, golds)
            told = zip(LETTERS, choices.texts, strict=False)
            text = "\n".join([text, *(f"{letter}) {choice}" for letter, choice in told)])
        evidence = text_of(cell_of(row, columns, "evidence")).strip()
        if evidence and not _sound(evidence, row.where, columns["evidence"], faults):
            continue
        pattern = str(cell_of(row, columns, "pattern") or "") if isinstance(scorer, Regex) else ""
        doc = row.record if isinstance(scorer, Function) else {}
        question = Question(id_, text, golds[0], evidence)
        entries.append(Entry(row.where, domain, split, Item(question, golds, choices.texts, pattern, doc)))
    counted = "answers count the choices from 1" if first else ""
    order = f"the right choice is {place} everywhere: the order of the choices is drawn" if place else ""
    asked = {(one.domain, normalised(one.item.question.text), one.item.question.evidence) for one in entries}
    again = len(entries) - len(asked)
    repeated = f"questions that repeat another one, and count as often: {again:,}" if again else ""
    respelled = f"answers that differ from a label in case alone, and are that: {len(reader.respelled):,}"
    spelling = respelled if reader.respelled else ""
    return Items(entries, [*filter(None, (note, counted, order, spelling, repeated))])


def _all_choices(
    rows: Sequence[Row], columns: Mapping[str, str], scorer: Scorer | SQL, labels: Labels, faults: Faults
) -> tuple[list[Choices | None], int]:
    """The choices of every row, and where the answers count them from."""
    if not isinstance(scorer, MultipleChoice):
        return [Choices(())] * len(rows), 0
    if labels and "choices" not in columns:
        return [Choices(labels.names)] * len(rows), 0
    column = columns.get("choices", "")
    scored = column in SCORED or column == columns["answer"]
    found = []
    for row in rows:
        choices = read_choices(row.record, column, row.where, scored, faults)
        sound = choices and all(_sound(text, row.where, "a choice", faults) for text in choices.texts)
        found.append(choices if sound else None)
    return found, first_index((cell_of(row, columns, "answer") for row in rows), found)


def final_part(
    rows: Sequence[Row], columns: Mapping[str, str], scorer: Scorer | SQL
) -> tuple[str, Callable[[str], str]]:
    """Where answers are worked out first, as those of GSM8K and MATH: a note, and what takes the final part of one."""
    golds = [cell_of(row, columns, "answer") for row in rows] if isinstance(scorer, (Exact, F1)) else []
    if golds and all(isinstance(gold, str) and "####" in gold for gold in golds):
        return "of each answer, what stands after ####", lambda gold: gold.rpartition("####")[2].strip()
    if golds and all(isinstance(gold, str) and BOX in gold for gold in golds):
        return "of each answer, what stands in \\boxed{}", unboxed
    return "", lambda gold: gold


def _name(row: Row, columns: Mapping[str, str], role: str, faults: Faults) -> str:
    """An id or the name of a domain as text; "" where there is none."""
    value = cell_of(row, columns, role)
    if isinstance(value, (Mapping, list, tuple)):
        faults.add(
            "values of a wrong type", row.where, f"{columns[role]} is {shown(value)}, expected a text or a number"
        )
        return ""
    return "" if value is None or value != value else str(value).strip()


def _question(row: Row, columns: Mapping[str, str], faults: Faults) -> str | None:
    column = columns["question"]
    value = look_up(row.record, column)
    if value is None and "," in column:  # several columns, one after another
        parts = [part for name in column.split(",") if (part := look_up(row.record, name)) is not None and part == part]
        odd = next((part for part in parts if isinstance(part, (Mapping, list, tuple))), None)
        value = "\n".join(filter(None, (str(part).strip() for part in parts))) if odd is None else odd
    if (talk := messages_of(value)) is not None:
        value = chat_text(talk[:-1] if columns["answer"] == column else talk)
    if value is None or (isinstance(value, str) and not value.strip()):
        faults.add("empty questions", row.where, f"{columns['question']} is {shown(value)}")
    elif not isinstance(value, str):
        faults.add("values of a wrong type", row.where, f"{columns['question']} is {shown(value)}, expected text")
    elif _sound(value, row.where, columns["question"], faults):
        return value.strip()
    return None


def _sound(text: str, where: str, column: str, faults: Faults) -> bool:
    if len(text) > MAX_CHARS:
        faults.add("over-long texts", where, f"{column} has {len(text):,} characters, at most {MAX_CHARS:,} are read")
        return False
    if bad := UNPRINTABLE.search(text):
        faults.add("damaged text", where, f"{column} has U+{ord(bad[0]):04X} at character {bad.start() + 1}")
        return False
    return True


class _Golds(NamedTuple):
    """What reads the right answers of a row."""

    columns: Mapping[str, str]
    scorer: Scorer | SQL
    final: Callable[[str], str]
    first: int
    faults: Faults
    labels: Labels
    respelled: list[str]

    def read(self, row: Row, choices: Choices | None) -> tuple[str, ...]:
        """The right answers as texts; empty where there is none, with the fault recorded."""
        value, column = cell_of(row, self.columns, "answer"), self.columns["answer"]
        if (talk := messages_of(value)) is not None:
            value = talk[-1].text if talk[-1].role == "assistant" else None
        elif column in SCORED or column == self.columns.get("choices"):
            value = value if (scores := scores_of(value)) is None else best_choices(scores)
        elif column == CHECKED and (value := checked_answer(given := value)) is None:
            self.faults.add("values of a wrong type", row.where, f"{column} is {shown(given)}, a check and no answer")
            return ()
        golds: list[str] = []
        exact_json = isinstance(self.scorer, JSONEquality)
        value = value if exact_json else answer_in(value, ROLES["answer"])
        for one in value if isinstance(value, (list, tuple)) and not exact_json else [value]:
            one = one if exact_json else answer_in(one, ROLES["answer"])  # SQuAD's own files: a list of objects
            if one is None or one != one or str(one).strip() == "":
                continue
            if not isinstance(one, (str, int, float)) and not exact_json:
                self.faults.add("values of a wrong type", row.where, f"{column} is {shown(value)}")
                return ()
            text = self.final(one).strip() if isinstance(one, str) else _dump(one)
            if not _sound(text, row.where, column, self.faults):
                return ()
            if self.labels:
                name = self.labels.of(text)
                if name is None:
                    self.faults.add("answers without a name", row.where, self.labels.fault(text))
                    return ()
                self.respelled.extend([text] if self.labels.respelled(text) else [])
                text = name
            if choices and choices.texts:
                index = isinstance(one, int) and not self.labels
                text = letter_of(text, index, choices, self.first, row.where, self.faults)
            both = isinstance(one, bool) and isinstance(self.scorer, Exact)
            golds += [text, *(["yes" if one else "no"] if both else [])]
        if not golds:
            self.faults.add("empty answers", row.where, f"{column} is {shown(value)}")
        return tuple(golds) if all(golds) else ()


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _split(row: Row, columns: Mapping[str, str], faults: Faults) -> Split | Literal[""]:
    value = row.split or (cell_of(row, columns, "split") if "split" in columns else None)
    if value is None and "split" not in columns:
        return ""
    name = str(value).strip().lower()
    if name not in SPLIT_NAMES:
        faults.add("unknown splits", row.where, f"split is {shown(value)}")
    return SPLIT_NAMES.get(name, "")
