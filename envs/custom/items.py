"""Rows to questions: which column is what, and the checks of every value."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from lse_gym.envs.custom.faults import Faults, shown
from lse_gym.envs.custom.files import Row
from lse_gym.envs.custom.make_scorer import Function
from lse_gym.envs.custom.scorers import LETTERS, SQL, Item, JSONEquality, MultipleChoice, Regex, Scorer
from lse_gym.envs.domain import Question, Split
from lse_gym.envs.errors import unknown

MAX_CHARS = 100_000  # of a question or an answer
# What a column may be for -> names it goes by, the first before all others
ROLES: Mapping[str, Sequence[str]] = {
    "question": ("question", "input", "prompt", "problem", "query", "instruction", "text"),
    "answer": ("answer", "answers", "target", "output", "label", "solution", "gold", "completion"),
    "id": ("id", "question_id"),
    "evidence": ("evidence", "context", "passage"),
    "choices": ("choices", "options"),
    "pattern": ("pattern", "regex"),
    "split": ("split",),
    "domain": ("domain",),
}
SQL_ANSWERS = ("SQL", "query")  # BIRD's and Spider's names of the gold
REQUIRED = ("question", "answer")
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffd]")
SPLIT_NAMES: Mapping[str, Split] = {
    "train": "feedback",
    "validation": "held_out",
    "valid": "held_out",
    "dev": "held_out",
    "feedback": "feedback",
    "held_out": "held_out",
    "test": "test",
}


class Entry(NamedTuple):
    """A question, where it stands, and the names of its domain and split ("" where the data have none)."""

    where: str
    domain: str
    split: Split | Literal[""]
    item: Item


def find_columns(
    rows: Sequence[Row], scorer: Scorer | SQL, chosen: Mapping[str, str] | None, faults: Faults
) -> dict[str, str]:
    """Role -> name of the column; ``chosen`` ones come first, and what is missing or ambiguous is recorded.

    Raises:
        UnknownNameError: a role that does not exist.
    """
    for role in chosen or {}:
        if role not in ROLES:
            raise unknown("column role", role, ROLES, "Write columns={'question': 'name of the column'}.")
    names = list(dict.fromkeys(name for row in rows for name in row.record))
    found = {}
    for role, known in ROLES.items():
        if isinstance(scorer, SQL) and role in REQUIRED:
            known = (*SQL_ANSWERS, *known) if role == "answer" else [name for name in known if name not in SQL_ANSWERS]
        columns = [name for name in names if isinstance(name, str) and name.strip().lower() in map(str.lower, known)]
        first = [name for name in columns if name.strip().lower() == known[0].lower()]
        given = (chosen or {}).get(role)
        if given is not None and given not in names:
            faults.add("missing columns", "", f"{role!r} is to be {given!r}; there are {_listed(names)}")
        elif given is not None:
            found[role] = given
        elif len(first or columns) == 1:
            found[role] = (first or columns)[0]
        elif columns:
            faults.add("ambiguous columns", "", f"{role!r} could be {_listed(first or columns)}")
        elif role in REQUIRED:
            expected = ", ".join(map(repr, known))
            faults.add("missing columns", "", f"no {role!r}; there are {_listed(names)}; known names are {expected}")
    return found


def read_items(rows: Sequence[Row], columns: Mapping[str, str], scorer: Scorer | SQL, faults: Faults) -> list[Entry]:
    """Every row that is a question; what is wrong with the others is recorded."""
    entries = []
    ids: dict[str, str] = {}
    for index, row in enumerate(rows):
        text = _question(row, columns, faults)
        choices = _choices(row, columns, faults) if isinstance(scorer, MultipleChoice) else ()
        golds = _golds(row, columns, choices, scorer, faults)
        id_ = str(_cell(row, columns, "id") if _filled(row, columns, "id") else index)
        if id_ in ids:
            faults.add("repeated ids", row.where, f"id {shown(id_)} is that of {ids[id_]}, too")
        ids.setdefault(id_, row.where)
        split, domain = _split(row, columns, faults), str(_cell(row, columns, "domain") or "").strip()
        if text is None or not golds or choices is None:
            continue
        if choices:
            text = "\n".join([text, *(f"{letter}) {choice}" for letter, choice in zip(LETTERS, choices, strict=False))])
        evidence = str(_cell(row, columns, "evidence") or "").strip()
        pattern = str(_cell(row, columns, "pattern") or "") if isinstance(scorer, Regex) else ""
        doc = row.record if isinstance(scorer, Function) else {}
        question = Question(id_, text, golds[0], evidence)
        entries.append(Entry(row.where, domain, split, Item(question, golds, choices, pattern, doc)))
    return entries


def _cell(row: Row, columns: Mapping[str, str], role: str) -> Any:
    return row.record.get(columns[role]) if role in columns else None


def _filled(row: Row, columns: Mapping[str, str], role: str) -> bool:
    value = _cell(row, columns, role)
    return value is not None and value == value and str(value).strip() != ""


def _question(row: Row, columns: Mapping[str, str], faults: Faults) -> str | None:
    value = _cell(row, columns, "question")
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


def _golds(
    row: Row, columns: Mapping[str, str], choices: tuple[str, ...] | None, scorer: Scorer | SQL, faults: Faults
) -> tuple[str, ...]:
    """The right answers as texts; empty where there is none, with the fault recorded."""
    value, column = _cell(row, columns, "answer"), columns["answer"]
    if isinstance(value, Mapping) and "text" in value and not isinstance(scorer, JSONEquality):
        value = value["text"]  # SQuAD: {"text": [...], "answer_start": [...]}
    several = isinstance(value, (list, tuple)) and not isinstance(scorer, JSONEquality)
    golds = []
    for one in value if several else [value]:
        if not _filled(row._replace(record={column: one}), columns, "answer"):
            continue
        if isinstance(one, (list, tuple, Mapping)) and not isinstance(scorer, JSONEquality):
            faults.add("values of a wrong type", row.where, f"{column} is {shown(value)}")
            return ()
        text = one.strip() if isinstance(one, str) else _dump(one)
        if not _sound(text, row.where, column, faults):
            return ()
        golds.append(_letter(text, isinstance(one, int), choices, row.where, faults) if choices else text)
    if not golds:
        faults.add("empty answers", row.where, f"{column} is {shown(value)}")
    return tuple(golds) if all(golds) else ()


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _choices(row: Row, columns: Mapping[str, str], faults: Faults) -> tuple[str, ...] | None:
    """The choices of a row, or None with the fault recorded: a list, ARC's object, JSON text, or columns A, B, C, …"""
    value = _cell(row, columns, "choices")
    if value is None and "choices" not in columns:
        value = [row.record[letter] for letter in LETTERS if row.record.get(letter) not in (None, "")]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            faults.add("wrong choices", row.where, f"{shown(value)} is no JSON list")
            return None
    if isinstance(value, Mapping):
        value = value.get("text")  # ARC: {"text": [...], "label": ["A", ...]}
    texts = [str(choice).strip() for choice in value] if isinstance(value, (list, tuple)) else []
    if not 2 <= len(texts) <= len(LETTERS) or len({*texts}) < len(texts) or not all(texts):
        what = "no choices" if not texts else f"{len(texts)} choices, {len({*texts} - {''})} of them different texts"
        faults.add("wrong choices", row.where, what)
        return None
    return tuple(texts)


def _letter(gold: str, is_index: bool, choices: tuple[str, ...], where: str, faults: Faults) -> str:
    """The letter of the choice that ``gold`` names by index, letter or text; "" with the fault recorded."""
    letters = LETTERS[: len(choices)]
    named: set[str] = {letters[i] for i, choice in enumerate(choices) if choice == gold and not is_index}
    if len(gold) == 1 and gold.upper() in letters:
        named.add(gold.upper())
    if re.fullmatch(r"[0-9]{1,2}", gold) and int(gold) < len(choices):
        named.add(letters[int(gold)])
    if len(named) == 1:
        return named.pop()
    options = ", ".join(f"{letter}) {shown(choice)}" for letter, choice in zip(letters, choices, strict=True))
    what = f"could be {' or '.join(sorted(named))}; give the letter" if named else "is none"
    faults.add("answers that are no choice", where, f"{shown(gold)} {what} of {options}")
    return ""


def _split(row: Row, columns: Mapping[str, str], faults: Faults) -> Split | Literal[""]:
    value = row.split or (_cell(row, columns, "split") if "split" in columns else None)
    if value is None and "split" not in columns:
        return ""
    name = str(value).strip().lower()
    if name not in SPLIT_NAMES:
        faults.add("unknown splits", row.where, f"split is {shown(value)}")
    return SPLIT_NAMES.get(name, "")


def _listed(names: Collection[object]) -> str:
    listed = ", ".join(shown(name) for name in [*names][:20])
    return listed + (f", … ({len(names)} in all)" if len(names) > 20 else "") if names else "none"
