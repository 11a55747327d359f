"""The choices of a question in the forms that data have, and which of them is the right one."""

import json
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from lse_gym.envs.custom.forms import look_up, text_of
from lse_gym.envs.custom.scorers import LETTERS
from lse_gym.envs.faults import Faults, shown

CHOICE_NAME = re.compile(r"(?:(?:choice|option|ending|opt|op|answer)[ _]?)(\d{1,2}|[a-z])", re.IGNORECASE)
# "A) red", "(b) red", "C. red", "1) red", "2. red": a choice that tells its own letter or number
_NUMBERED = re.compile(r"\(?(?:([A-Za-z])[).:]|(\d{1,2})(?:\)|[.:](?=\s)))\s*(.*)", re.DOTALL)
SAME_PLACE = 10  # questions with the right choice at one place in all: that is the form of the data, no chance


class Choices(NamedTuple):
    """The choices of a question, and what each is called in the data (empty where nothing is)."""

    texts: tuple[str, ...]
    labels: tuple[str, ...] = ()


def read_choices(record: Mapping[str, Any], column: str, where: str, scored: bool, faults: Faults) -> Choices | None:
    """The choices of a record, or None with the fault recorded: one column in any of their forms, or a column each.

    ``scored`` says that the column holds a score of each choice, too.
    """
    several = column.split(",")
    if len(several) > 1 and column not in record:
        labels = [label for _, label in choice_columns(several)]
        labels = labels if len(labels) == len(several) else [*several]
        texts = ["" if (one := look_up(record, name)) is None or one != one else _text(one) for name in several]
        while texts and not texts[-1]:
            texts.pop()
        choices = Choices(tuple(texts), tuple(labels[: len(texts)]))
    else:
        value = look_up(record, column) if column else None
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                faults.add("wrong choices", where, f"{shown(value)} is no JSON list")
                return None
        scores = scores_of(value) if scored else None
        choices = choices_of(value) if scores is None else Choices(tuple(scores))
    texts, labels = [*choices.texts], choices.labels
    fault = ""
    if not texts:
        fault = "no choices"
    elif not 2 <= len(texts) <= len(LETTERS) or len({*texts}) < len(texts) or not all(texts):
        fault = f"{len(texts)} choices, {len({*texts} - {''})} of them different texts"
    elif labels and (len(labels) != len(texts) or len({*labels}) < len(labels)):
        fault = f"{len(texts)} choices with the labels {shown([*labels])}"
    if fault:
        faults.add("wrong choices", where, fault)
        return None
    return choices


def first_index(golds: Iterable[Any], all_choices: Iterable[Choices | None]) -> int:
    """Where the data count their choices from: 1 where a number is that of the last one and none is 0, else 0."""
    last = False
    for gold, choices in zip(golds, all_choices, strict=True):
        number = re.fullmatch(r"\s*(\d{1,2})\s*", "" if isinstance(gold, bool) else str(gold))
        if number is None or int(number[1]) == 0:
            return 0
        texts, labels = choices or Choices(())
        if any(label.isdigit() for label in labels) or (isinstance(gold, str) and number[1] in texts):
            return 0  # the numbers are what the choices are called, or what they say
        last = last or int(number[1]) == len(texts)
    return int(last)


def letter_of(gold: str, is_index: bool, choices: Choices, first: int, where: str, faults: Faults) -> str:
    """The letter of the choice that ``gold`` names by label, index, letter or text; "" with the fault recorded."""
    texts, labels = choices
    letters = LETTERS[: len(texts)]
    told = _NUMBERED.fullmatch(gold)
    if told and gold not in texts and told[1] and (at := letters.find(told[1].upper())) >= 0:
        gold = told[1] if told[3] in ("", texts[at]) else gold  # "(B)", or "B) red" where choices say so, too
    called = [letter for letter, label in zip(letters, labels, strict=False) if label.casefold() == gold.casefold()]
    if len(called) == 1:  # the data say what each is called: nothing else is meant
        return called[0]
    named: set[str] = {letters[i] for i, choice in enumerate(texts) if choice == gold and not is_index}
    if not labels and len(gold) == 1 and gold.upper() in letters:
        named.add(gold.upper())
    counted = not any(label.isdigit() for label in labels) and not (labels and named)
    if counted and re.fullmatch(r"[0-9]{1,2}", gold) and 0 <= int(gold) - first < len(texts):
        named.add(letters[int(gold) - first])
    if len(named) == 1:
        return named.pop()
    options = ", ".join(f"{letter}) {shown(choice)}" for letter, choice in zip(letters, texts, strict=True))
    what = f"could be {' or '.join(sorted(named))}; give the letter" if named else "is none"
    faults.add("answers that are no choice", where, f"{shown(gold)} {what} of {options}")
    return ""


def at_one_place(golds: Sequence[tuple[str, ...]]) -> str:
    """The letter at which the right choice of every question stands; "" where there is none.

    Some data name the right answer before the wrong ones. A context that says "answer A" would be the best then.
    """
    letters = {gold for gold in golds if gold}
    return letters.pop()[0] if len(golds) >= SAME_PLACE and len(letters) == 1 and all(map(len, golds)) else ""


def mixed(text: str, choices: Choices, golds: tuple[str, ...]) -> tuple[Choices, tuple[str, ...]]:
    """The choices of a question in an order that depends on the texts alone, and the letters of the right ones."""
    order = sorted(choices.texts, key=lambda choice: sha256(f"{text}\n{choice}".encode()).digest())
    right = [choices.texts[LETTERS.index(gold)] for gold in golds]
    return Choices(tuple(order)), tuple(LETTERS[order.index(one)] for one in right)


def scores_of(value: Any) -> dict[str, float] | None:
    """Choice to score, as BIG-bench's `target_scores` and TruthfulQA's `mc1_targets` say it; None for anything else."""
    if isinstance(value, Mapping) and isinstance(value.get("choices"), (list, tuple)):
        texts, scores = value["choices"], value.get("labels")
        if not isinstance(scores, (list, tuple)) or len(scores) != len(texts):
            return None
        value = dict(zip(map(_text, texts), scores, strict=True))
    if isinstance(value, Mapping) and len(value) > 1 and all(isinstance(one, (int, float)) for one in value.values()):
        return {_text(name): score for name, score in value.items()}
    return None


def best_choices(scores: Mapping[str, float]) -> list[str]:
    """The choices with the highest score."""
    return [name for name, score in scores.items() if score == max(scores.values())]


def choice_columns(names: Sequence[str]) -> list[tuple[str, str]]:
    """The columns that hold a choice each, with the choice's label: A, B, C, …, or choice0, option_1, opa, …"""
    letters = [(name, name) for name in names if len(name) == 1 and name in string.ascii_uppercase]
    if len(letters) > 1:
        return sorted(letters)
    found: dict[str, list[tuple[str, str]]] = {}
    for name in names:
        if match := CHOICE_NAME.fullmatch(name):
            found.setdefault(name[: match.start(1)], []).append((name, match[1].upper()))
    longest = max(found.values(), key=len, default=[])
    return longest if len(longest) > 1 else []


def choices_of(value: Any) -> Choices:
    """Choices as a list, as objects with `label` and `text`, as an object of both, or as an object of letters."""
    if isinstance(value, Mapping):
        if isinstance(value.get("text"), (list, tuple)):  # ARC: {"text": [...], "label": ["A", ...]}
            labels = value.get("label") or ()
            return Choices(tuple(map(_text, value["text"])), tuple(map(_text, labels)))
        return Choices(tuple(map(_text, value.values())), tuple(map(_text, value)))
    if not isinstance(value, (list, tuple)):
        return Choices(())
    if value and all(isinstance(one, Mapping) and ("text" in one or "content" in one) for one in value):
        texts = tuple(_text(one.get("text", one.get("content"))) for one in value)
        labels = tuple(_text(one.get("label", one.get("key", ""))) for one in value)
        return Choices(texts, labels if all(labels) else ())
    return _unnumbered([_text(one) for one in value])


def _unnumbered(texts: Sequence[str]) -> Choices:
    """Choices without the letters or numbers that all of them begin with, which become their labels."""
    found = [_NUMBERED.fullmatch(text) for text in texts]
    labels = [(one[1] or one[2]).upper() for one in found if one and one[3]]
    counts = [*LETTERS[: len(texts)]], [str(n + 1) for n in range(len(texts))]
    if len(texts) < 2 or labels not in counts:
        return Choices(tuple(texts))
    return Choices(tuple(one[3] for one in found if one), tuple(labels))


def _text(value: Any) -> str:
    return text_of(value).strip()
