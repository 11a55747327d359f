"""Records of MMLU-Redux, MMLU-Pro-Redux and SuperGPQA-Redux as items: annotated errors settled, four choices each.

A record has ``question`` and either ``choices`` with ``answer`` as an index (MMLU), or ``options`` with the answer as a
letter or a text (MMLU-Pro, SuperGPQA). ``error_type`` and ``correct_answer`` annotate MMLU-Redux (Gema et al.,
arXiv 2406.04127). What is done about them follows LSE's released code (github chenyn66): records without a correct
answer are dropped, the gold is the corrected answer where there is one, else the original. Where a correction names
several choices, or a gold is known to be wrong and nothing is said instead, there is no one right letter: that code
does not say, we drop the record.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

import numpy as np

from lse_gym.envs.qa.prompt import LETTERS, Item

Errors = Literal["correct", "drop", "keep"]
ERRORS: tuple[Errors, ...] = ("correct", "drop", "keep")
Fate = Literal["kept", "corrected", "dropped"]
OK = "ok"
KNOWN_TYPES = (  # in the order of the report
    OK,
    "expert",
    "bad_question_clarity",
    "bad_options_clarity",
    "no_correct_answer",
    "multiple_correct_answers",
    "wrong_groundtruth",
)
CHOICES = 4  # of records with more, the right one and three others are kept (LSE's released code)
CHOICE_SEED = 42  # of that draw, in LSE's released code
PRO_DUPLICATES = "ori_mmlu"  # sources of MMLU-Pro that are MMLU itself; left out by LSE's released code
MIN_GROUP = 100  # questions of a subfield of SuperGPQA; fewer go to their field (LSE's released code)


class Settled(NamedTuple):
    """A record after its annotations were heard: the item, or None where it was dropped."""

    item: Item | None
    error_type: str
    fate: Fate


Annotations = Counter[tuple[str, Fate]]
"""How many records of each annotated error type were kept, corrected and dropped."""


def record_fault(record: object) -> str:
    """What is wrong with a record; "" where it can be used."""
    if not isinstance(record, dict):
        return "is no object"
    question, choices = record.get("question"), _choices(record)
    if not isinstance(question, str) or not question.strip():
        return "has no text 'question'"
    if not 2 <= len(choices) <= len(LETTERS) or not all(isinstance(c, str) and c.strip() for c in choices):
        return "has no list of texts 'choices' or 'options'"
    if original_answer(record) is None:
        return "has no 'answer' that is one of its choices"
    return ""


def _choices(record: Mapping[str, Any]) -> list[str]:
    choices = record.get("choices") if record.get("choices") is not None else record.get("options")
    return list(choices) if isinstance(choices, Sequence) and not isinstance(choices, str) else []


def original_answer(record: Mapping[str, Any]) -> int | None:
    """The index of the choice that the dataset calls right."""
    choices = _choices(record)
    for name in ("answer_index", "answer", "answer_letter"):
        value = record.get(name)
        if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
            return int(value) if 0 <= value < len(choices) else None
        if isinstance(value, str) and value in choices:
            return choices.index(value)
        if isinstance(value, str) and len(value) == 1 and value in LETTERS[: len(choices)]:
            return LETTERS.index(value)
    return None


def corrections(record: Mapping[str, Any]) -> list[int] | None:
    """The choices that the annotators call right, by a letter, an index or their text; None where they name none.

    >>> corrections({"choices": ["x", "y", "z"], "correct_answer": "A, C"})
    [0, 2]
    """
    said, choices = str(record.get("correct_answer") or "").strip(), _choices(record)
    if not said:
        return None
    if said in choices:
        return [choices.index(said)]
    found = []
    for part in said.replace(" and ", ",").split(","):
        name = part.strip().strip("()").upper()
        index = int(name) if name.isdecimal() and len(name) < 3 else LETTERS.find(name) if len(name) == 1 else -1
        if not 0 <= index < len(choices):
            return None
        found.append(index)
    return found


def settle(record: Mapping[str, Any], name: str, errors: Errors = "correct") -> Settled:
    """Hear the annotations of a record that has no :func:`record_fault`.

    Args:
        record: the record.
        name: id of the item.
        errors: "correct" follows the annotators, "drop" leaves out every record that they do not call "ok", "keep" does
            as if there were no annotations.
    """
    kind = str(record.get("error_type") or OK)
    choices, original = _choices(record), original_answer(record)
    assert original is not None, "record_fault() comes first"
    right: int | None = original
    if errors == "drop":
        right = original if kind == OK else None
    elif errors == "correct" and kind != OK:
        said = corrections(record)
        if kind == "no_correct_answer" or (said and len(said) > 1):
            right = None
        elif said:
            right = said[0]
        elif kind in ("wrong_groundtruth", "multiple_correct_answers"):
            right = None
    if right is None or (errors != "keep" and choices.count(choices[right]) > 1):
        return Settled(None, kind, "dropped")
    kept, right = _four(choices, right, record["question"])
    item = Item(name, record["question"].strip(), tuple(kept), right)
    return Settled(item, kind, "kept" if choices[original] == kept[right] else "corrected")


def _four(choices: list[str], right: int, question: str) -> tuple[list[str], int]:
    """The right choice and three others in a random order, where there are more than four."""
    if len(choices) <= CHOICES:
        return choices, right
    rng = _rng(CHOICE_SEED, question)
    others = [c for i, c in enumerate(dict.fromkeys(choices)) if c != choices[right]]
    drawn = [others[int(i)] for i in rng.permutation(len(others))[: CHOICES - 1]] + [choices[right]]
    order = [drawn[int(i)] for i in rng.permutation(len(drawn))]
    return order, order.index(choices[right])


def reorder(item: Item, seed: int) -> Item:
    """The item with its choices in another order, drawn from ``seed`` and the question alone."""
    order = [int(i) for i in _rng(seed, item.stem).permutation(len(item.choices))]
    return item._replace(choices=tuple(item.choices[i] for i in order), right=order.index(item.right))


def _rng(seed: int, text: str) -> np.random.Generator:
    digest = int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())
    return np.random.default_rng(np.random.SeedSequence([seed, digest]))


def group(records: Sequence[Mapping[str, Any]], default: str) -> dict[str, list[Mapping[str, Any]]]:
    """Records by subject: ``category`` of MMLU-Pro, ``subfield`` of SuperGPQA (``field`` of small ones), else one."""
    records = [r for r in records if not str(r.get("src") or r.get("source") or "").startswith(PRO_DUPLICATES)]
    sizes = Counter(r.get("subfield") for r in records if r.get("subfield"))
    found: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        fine, coarse = record.get("subfield"), record.get("field") or record.get("category")
        name = fine if fine and (sizes[fine] >= MIN_GROUP or not coarse) else coarse
        found.setdefault(_identifier(str(name)) if name else default, []).append(record)
    return found


def _identifier(name: str) -> str:
    return "_".join("".join(char if char.isalnum() else " " for char in name.lower()).split())
