"""Rows to questions: which column is what, and the checks of every value."""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from lse_gym.envs.custom.faults import Faults, shown
from lse_gym.envs.custom.files import Row
from lse_gym.envs.custom.forms import (
    Choices,
    best_choices,
    chat_text,
    choice_columns,
    choices_of,
    is_chat,
    look_up,
    scored_choices,
    text_of,
)
from lse_gym.envs.custom.make_scorer import Function
from lse_gym.envs.custom.numbers import BOX, unboxed
from lse_gym.envs.custom.scorers import F1, LETTERS, SQL, Exact, Item, JSONEquality, MultipleChoice, Regex, Scorer
from lse_gym.envs.domain import Question, Split
from lse_gym.envs.errors import unknown

MAX_CHARS = 100_000  # of a question or an answer
# What a column may be for -> names it goes by, the first before all others
ROLES: Mapping[str, Sequence[str]] = {
    "question": ("question", "input", "prompt", "problem", "query", "instruction", "text", "messages", "conversation"),
    "answer": (
        *("answer", "answers", "target", "output", "label", "solution", "gold", "completion", "answerKey", "ideal"),
        *("__expected", "correct_option", "cop"),
    ),
    "id": ("id", "question_id"),
    "evidence": ("evidence", "context", "passage"),
    "choices": ("choices", "options", "question.choices", "question.options"),
    "pattern": ("pattern", "regex"),
    "split": ("split",),
    "domain": ("domain",),
}
SCORED = "target_scores"  # BIG-bench: an object of choice to score, beside or instead of `target`
SQL_ANSWERS = ("SQL", "query")  # BIRD's and Spider's names of the gold
REQUIRED = ("question", "answer")
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


def find_columns(
    rows: Sequence[Row], scorer: Scorer | SQL, chosen: Mapping[str, str] | None, faults: Faults
) -> dict[str, str]:
    """Role -> name of the column, or a dotted path; ``chosen`` ones come first.

    What is missing or ambiguous is recorded. Several columns of choices are one name with commas. A column that was
    chosen for one role has no other.

    Raises:
        UnknownNameError: a role that does not exist.
    """
    chosen = {role: ",".join(given) if isinstance(given, list) else given for role, given in (chosen or {}).items()}
    for role in chosen:
        if role not in ROLES:
            raise unknown("column role", role, [*ROLES, "rows"], "Write columns={'question': 'name of the column'}.")
    names = list(dict.fromkeys(name for row in rows for name in row.record if isinstance(name, str)))
    inside = [f"{name}.{key}" for name, one in rows[0].record.items() if isinstance(one, Mapping) for key in one]
    taken = {name for given in chosen.values() for name in (given, *given.split(","))}
    free = [name for name in (*names, *inside) if name not in taken]
    found = {}
    for role, known in ROLES.items():
        if isinstance(scorer, SQL) and role in REQUIRED:
            known = (*SQL_ANSWERS, *known) if role == "answer" else [name for name in known if name not in SQL_ANSWERS]
        columns = [name for name in free if name.strip().lower() in map(str.lower, known)]
        first = [name for name in columns if name.strip().lower() == known[0].lower()]
        given = chosen.get(role)
        if given is not None and not _is_there(given, rows, names):
            faults.add("missing columns", "", f"{role!r} is to be {given!r}; there are {_listed(names)}")
        elif given is not None:
            found[role] = given
        elif len(first or columns) == 1:
            found[role] = (first or columns)[0]
        elif columns:
            faults.add("ambiguous columns", "", f"{role!r} could be {_listed(first or columns)}")
        elif role == "answer" and SCORED in free:
            found[role] = SCORED
        elif role == "answer" and is_chat(_cell(rows[0], found, "question")):
            found[role] = found["question"]  # the last word of a chat
        elif role in REQUIRED:
            expected = ", ".join(map(repr, known))
            faults.add("missing columns", "", f"no {role!r}; there are {_listed(names)}; known names are {expected}")
    if isinstance(scorer, MultipleChoice) and "choices" not in found:
        if SCORED in free:
            found |= {"choices": SCORED} | ({} if "answer" in chosen else {"answer": SCORED})
        elif several := choice_columns([name for name in free if name not in found.values()]):
            found["choices"] = ",".join(name for name, _ in several)
    question = found.get("question", "")
    if isinstance(look_up(rows[0].record, question), Mapping):
        stems = [path for key in ("stem", "text", "question") if (path := f"{question}.{key}") in inside]
        found["question"] = (stems or [question])[0]
    return found


def _is_there(given: str, rows: Sequence[Row], names: Sequence[str]) -> bool:
    several = [given] if given in names else given.split(",")
    return all(name in names or any(look_up(row.record, name) is not None for row in rows[:100]) for name in several)


def describe_columns(rows: Sequence[Row], columns: Mapping[str, str], scorer: Scorer | SQL) -> str:
    """What became what, in one line: ``question ← Question, answer ← Answer; unused: Body, ID``."""
    names = dict.fromkeys(name for row in rows for name in row.record if isinstance(name, str))
    idle = ({"choices"} if not isinstance(scorer, MultipleChoice) else set()) | (
        {"pattern"} if not isinstance(scorer, Regex) else set()
    )
    used = {role: name for role, name in columns.items() if role not in idle}
    parts = {part for name in used.values() for part in (name, name.partition(".")[0], *name.split(","))}
    unused = [name for name in names if name not in parts]
    line = ", ".join(f"{role} ← {name.replace(',', ', ')}" for role, name in used.items())
    return f"{line}; unused: {', '.join(unused[:20])}{', …' * (len(unused) > 20)}" if unused else line


def read_items(rows: Sequence[Row], columns: Mapping[str, str], scorer: Scorer | SQL, faults: Faults) -> list[Entry]:
    """Every row that is a question; what is wrong with the others is recorded."""
    entries = []
    ids: dict[str, str] = {}
    final = final_part(rows, columns, scorer)[1]
    for index, row in enumerate(rows):
        text = _question(row, columns, faults)
        choices = _choices(row, columns, faults) if isinstance(scorer, MultipleChoice) else Choices(())
        golds = _golds(row, columns, choices, scorer, final, faults)
        id_ = _name(row, columns, "id", faults) or str(index)
        if id_ in ids:
            faults.add("repeated ids", row.where, f"id {shown(id_)} is that of {ids[id_]}, too")
        ids.setdefault(id_, row.where)
        split, domain = _split(row, columns, faults), _name(row, columns, "domain", faults)
        if text is None or not golds or choices is None:
            continue
        if choices.texts:
            told = zip(LETTERS, choices.texts, strict=False)
            text = "\n".join([text, *(f"{letter}) {choice}" for letter, choice in told)])
        evidence = text_of(_cell(row, columns, "evidence")).strip()
        if evidence and not _sound(evidence, row.where, columns["evidence"], faults):
            continue
        pattern = str(_cell(row, columns, "pattern") or "") if isinstance(scorer, Regex) else ""
        doc = row.record if isinstance(scorer, Function) else {}
        question = Question(id_, text, golds[0], evidence)
        entries.append(Entry(row.where, domain, split, Item(question, golds, choices.texts, pattern, doc)))
    return entries


def final_part(
    rows: Sequence[Row], columns: Mapping[str, str], scorer: Scorer | SQL
) -> tuple[str, Callable[[str], str]]:
    """Where answers are worked out first, as those of GSM8K and MATH: a note, and what takes the final part of one."""
    golds = [_cell(row, columns, "answer") for row in rows] if isinstance(scorer, (Exact, F1)) else []
    if golds and all(isinstance(gold, str) and "####" in gold for gold in golds):
        return "of each answer, what stands after ####", lambda gold: gold.rpartition("####")[2].strip()
    if golds and all(isinstance(gold, str) and BOX in gold for gold in golds):
        return "of each answer, what stands in \\boxed{}", unboxed
    return "", lambda gold: gold


def _name(row: Row, columns: Mapping[str, str], role: str, faults: Faults) -> str:
    """An id or the name of a domain as text; "" where there is none."""
    value = _cell(row, columns, role)
    if isinstance(value, (Mapping, list, tuple)):
        faults.add(
            "values of a wrong type", row.where, f"{columns[role]} is {shown(value)}, expected a text or a number"
        )
        return ""
    return "" if value is None or value != value else str(value).strip()


def _cell(row: Row, columns: Mapping[str, str], role: str) -> Any:
    return look_up(row.record, columns[role]) if role in columns else None


def _question(row: Row, columns: Mapping[str, str], faults: Faults) -> str | None:
    value = _cell(row, columns, "question")
    if is_chat(value):
        value = chat_text(value[:-1] if columns["answer"] == columns["question"] else value)
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
    row: Row,
    columns: Mapping[str, str],
    choices: Choices | None,
    scorer: Scorer | SQL,
    final: Callable[[str], str],
    faults: Faults,
) -> tuple[str, ...]:
    """The right answers as texts; empty where there is none, with the fault recorded."""
    value, column = _cell(row, columns, "answer"), columns["answer"]
    if is_chat(value):
        value = value[-1]["content"] if value[-1]["role"] == "assistant" else None
    elif column == SCORED and scored_choices(value):
        value = best_choices(value)
    if isinstance(value, Mapping) and "text" in value and not isinstance(scorer, JSONEquality):
        value = value["text"]  # SQuAD: {"text": [...], "answer_start": [...]}
    several = isinstance(value, (list, tuple)) and not isinstance(scorer, JSONEquality)
    golds = []
    for one in value if several else [value]:
        if isinstance(one, Mapping) and "text" in one and not isinstance(scorer, JSONEquality):
            one = one["text"]  # SQuAD's own files: a list of such objects
        if one is None or one != one or str(one).strip() == "":
            continue
        if isinstance(one, (list, tuple, Mapping)) and not isinstance(scorer, JSONEquality):
            faults.add("values of a wrong type", row.where, f"{column} is {shown(value)}")
            return ()
        text = final(one).strip() if isinstance(one, str) else _dump(one)
        if not _sound(text, row.where, column, faults):
            return ()
        if choices and choices.texts:
            text = _letter(text, isinstance(one, int), choices, row.where, faults)
        golds += [text, *(["yes" if one else "no"] if isinstance(one, bool) and isinstance(scorer, Exact) else [])]
    if not golds:
        faults.add("empty answers", row.where, f"{column} is {shown(value)}")
    return tuple(golds) if all(golds) else ()


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _choices(row: Row, columns: Mapping[str, str], faults: Faults) -> Choices | None:
    """The choices of a row, or None with the fault recorded: one column in any of their forms, or a column each."""
    several = columns.get("choices", "").split(",")
    if len(several) > 1 and columns["choices"] not in row.record:
        labels = [label for _, label in choice_columns(several)]
        labels = labels if len(labels) == len(several) else [*several]
        texts = [
            "" if (one := look_up(row.record, name)) is None or one != one else str(one).strip() for name in several
        ]
        while texts and not texts[-1]:
            texts.pop()
        choices = Choices(tuple(texts), tuple(labels[: len(texts)]))
    else:
        value = _cell(row, columns, "choices")
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                faults.add("wrong choices", row.where, f"{shown(value)} is no JSON list")
                return None
        choices = (scored_choices(value) if columns.get("choices") == SCORED else None) or choices_of(value)
    texts, labels = [*choices.texts], choices.labels
    fault = ""
    if not texts:
        fault = "no choices"
    elif not 2 <= len(texts) <= len(LETTERS) or len({*texts}) < len(texts) or not all(texts):
        fault = f"{len(texts)} choices, {len({*texts} - {''})} of them different texts"
    elif labels and (len(labels) != len(texts) or len({*labels}) < len(labels)):
        fault = f"{len(texts)} choices with the labels {shown([*labels])}"
    if fault:
        faults.add("wrong choices", row.where, fault)
        return None
    return choices if all(_sound(text, row.where, "a choice", faults) for text in texts) else None


def _letter(gold: str, is_index: bool, choices: Choices, where: str, faults: Faults) -> str:
    """The letter of the choice that ``gold`` names by label, index, letter or text; "" with the fault recorded."""
    texts, labels = choices
    letters = LETTERS[: len(texts)]
    called = [letter for letter, label in zip(letters, labels, strict=False) if label.casefold() == gold.casefold()]
    if len(called) == 1:  # the data say what each is called: nothing else is meant
        return called[0]
    named: set[str] = {letters[i] for i, choice in enumerate(texts) if choice == gold and not is_index}
    if not labels and len(gold) == 1 and gold.upper() in letters:
        named.add(gold.upper())
    counted = not any(label.isdigit() for label in labels) and not (labels and named)
    if counted and re.fullmatch(r"[0-9]{1,2}", gold) and int(gold) < len(texts):
        named.add(letters[int(gold)])
    if len(named) == 1:
        return named.pop()
    options = ", ".join(f"{letter}) {shown(choice)}" for letter, choice in zip(letters, texts, strict=True))
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
