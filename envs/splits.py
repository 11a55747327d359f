"""Which split a question belongs to.

Of procedural questions, of which there are many, it is a function of the question itself (:func:`class_of`). The
questions of a file are few and all there is: their splits are drawn from a seed (:func:`split_questions`).
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from typing import Literal, TypeVar

import numpy as np

from lse_gym.envs.domain import SPLITS, Question, Split
from lse_gym.envs.errors import ArgumentError

T = TypeVar("T")
Class = Split | Literal["sealed"]
CLASSES: tuple[Class, ...] = (*SPLITS, "sealed")
HELD_OUT_CAP = 4  # few questions give at most one in four to the held-out split
NO_WORD = re.compile("[^a-z0-9]+")


class Lazy(Mapping[Split, T]):
    """What there is of each split, made when it is first looked at; a copy or pickle holds all of it.

    Args:
        make: of a split.
    """

    def __init__(self, make: Callable[[Split], T]):
        self._make = cache(make)

    def __getitem__(self, split: Split) -> T:
        if split not in SPLITS:
            raise KeyError(split)
        return self._make(split)

    def __iter__(self) -> Iterator[Split]:
        return iter(SPLITS)

    def __len__(self) -> int:
        return len(SPLITS)

    def __reduce__(self) -> tuple[type, tuple[dict[Split, T]]]:
        return dict, ({**self},)


def class_of(domain: str, key: str) -> Class:
    """The one split that may ever hold a question, a quarter of all questions each.

    Whatever the split seed and whatever the secret: a question of one class is never drawn for another. So no public
    question is a sealed one, and no test or held-out question of one split seed is in the feedback of another.

    Args:
        domain: name of the domain.
        key: what makes two wordings the same question; case and white space do not count.
    """
    normal = " ".join(key.casefold().split())
    return CLASSES[blake2b(f"{domain}\0{normal}".encode(), digest_size=1).digest()[0] % len(CLASSES)]


def check_draw(secret: int, count: int) -> None:
    """Raise :class:`ArgumentError` unless these are what sealed questions can be drawn by; the secret is not told."""
    if isinstance(secret, bool) or not isinstance(secret, int) or secret < 0:
        raise ArgumentError("secret= is not an int >= 0. Pass e.g. secret=secrets.randbits(128).")
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError(f"count={count!r} is not an int >= 1. Pass e.g. count=100.")


def split_questions(
    questions: Sequence[Question], seed: int, held_out_size: int, test_fraction: float = 0.3
) -> dict[Split, tuple[Question, ...]]:
    """Divide the questions of one domain into the three splits, each in a random order of its own.

    Questions whose texts differ only in case, whitespace and punctuation share a split. Places in the draw come from
    ``SeedSequence([seed, digest of the text])`` alone, so the order of the file and the ids play no part, and leaving a
    question out moves only those at the border between two splits.

    Args:
        questions: the questions, with at least three distinct texts.
        seed: non-negative; another seed gives another division.
        held_out_size: questions for ``held_out``; a small database gives at most a quarter of its questions.
        test_fraction: part of all questions that goes to ``test``; one text at least is left for ``feedback``.

    Returns:
        The splits. Where repeated texts do not fit the size, a split is smaller, or larger where it would be empty.

    Raises:
        ArgumentError: an argument is out of range, or there are too few questions.
    """
    if seed < 0 or held_out_size < 1 or not 0 < test_fraction < 1:
        raise ArgumentError(
            f"seed={seed}, held_out_size={held_out_size}, test_fraction={test_fraction}; expected seed >= 0, "
            "held_out_size >= 1, 0 < test_fraction < 1. Pass for example seed=0, held_out_size=50, test_fraction=0.3."
        )
    groups: dict[str, list[Question]] = {}
    for question in sorted(questions):
        groups.setdefault(normalised(question.text), []).append(question)
    if len(groups) < 3:
        raise ArgumentError(
            f"{len(questions)} questions with {len(groups)} distinct texts cannot be divided into three splits; at "
            "least 3 distinct texts are needed. Choose a database with more questions, or exclude fewer."
        )
    drawn = [groups[text] for text in sorted(groups, key=lambda text: (_place(seed, text), text))]
    total = len(questions)
    held_out, drawn = _take(drawn, max(1, min(held_out_size, total // HELD_OUT_CAP)), leave=2)
    test, drawn = _take(drawn, max(1, round(test_fraction * total)), leave=1)
    return {"feedback": tuple(q for group in drawn for q in group), "held_out": held_out, "test": test}


def draw(questions: Sequence[Question], seed: int, count: int) -> tuple[Question, ...]:
    """``count`` of the questions, chosen by a digest of their texts alone, in the order in which they stand."""

    def place(question: Question) -> bytes:
        return blake2b(f"{seed}\0{normalised(question.text)}".encode()).digest()

    chosen = {question.id for question in sorted(questions, key=place)[:count]}
    return tuple(question for question in questions if question.id in chosen)


def normalised(text: str) -> str:
    """``text`` without case, whitespace, punctuation and symbols; itself where nothing else is in it."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if folded.isascii():  # the same, ten times as fast
        return NO_WORD.sub("", folded) or text
    return "".join(char for char in folded if unicodedata.category(char)[0] not in "PZCS") or text


def _place(seed: int, text: str) -> int:
    """Return a question's place in the draw; generate_state is fixed across NumPy versions, shuffling is not."""
    digest = int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())
    return int(np.random.SeedSequence([seed, digest]).generate_state(1, np.uint64)[0])


def _take(groups: Sequence[list[Question]], size: int, leave: int) -> tuple[tuple[Question, ...], list[list[Question]]]:
    """Take groups in order while they fit into ``size`` and ``leave`` remain; the smallest one where none fits."""
    taken: list[Question] = []
    rest: list[list[Question]] = []
    for at, group in enumerate(groups):
        if len(taken) + len(group) <= size and len(rest) + len(groups) - at > leave:
            taken.extend(group)
        else:
            rest.append(group)
    return tuple(taken or rest.pop(rest.index(min(rest, key=len)))), rest
