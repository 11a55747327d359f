"""Scorers by name: does this answer say what the gold says? Each is a frozen record of its options, so it pickles."""

import json
import math
import re
import string
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from lse_gym.envs.domain import Question
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.qa.answer import extract_choice
from lse_gym.envs.sql.domain import Scoring
from lse_gym.envs.text import tagged

MAX_ANSWER_CHARS = 10_000  # of an answer that is scored; what comes after is not read
LETTERS = string.ascii_uppercase
ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)
NUMBER = re.compile(
    r"(?=[-+]?\.?\d)[-+]?(?:\d{1,3}(?:[,'\u2019\u00a0\u202f]\d{3})+(?!\d)|\d+)?(?:\.\d+|(?<=\d)\.)?(?:[eE][-+]?\d+)?"
)
FRACTION = re.compile(r"([-+]?\d{1,15})\s*/\s*(\d{1,15})")
MENDED = str.maketrans({"\u2212": "-", "$": None, "€": None, "£": None})  # a real minus sign, currencies


class Item(NamedTuple):
    """A question with all that a scorer may look at.

    ``golds`` are the right answers, the first being the one that is shown; ``doc`` is the record as it was given.
    """

    question: Question
    golds: tuple[str, ...]
    choices: tuple[str, ...] = ()
    pattern: str = ""
    doc: Mapping[str, Any] = {}


class BadAnswer(ValueError):  # noqa: N818 - it says what is wrong with an answer, not with the program
    """An answer that cannot be read; it scores 0, and the report says why."""


@dataclass(frozen=True)
class Scorer(ABC):
    """Scores an answer, the text between ``<answer>`` and ``</answer>``, in [0, 1]."""

    output: ClassVar[str] = "Put the answer between <answer> and </answer>. Nothing else is scored."
    seed_context: ClassVar[str] = "Answer the question."

    @abstractmethod
    def score(self, answer: str, item: Item) -> float:
        """The score of ``answer``.

        Raises:
            BadAnswer: it cannot be read.
        """

    def extract(self, response: str, item: Item) -> str:
        """The answer in a response: the last ``<answer>`` element, else all of it."""
        del item
        answer = tagged(response, "answer")
        return (response.strip() if answer is None else answer)[:MAX_ANSWER_CHARS]


@dataclass(frozen=True)
class Exact(Scorer):
    """The answer is one of the golds, whitespace aside; options as those of `exact_match` in Hugging Face evaluate."""

    ignore_case: bool = False
    """upper and lower case are the same"""
    ignore_punctuation: bool = False
    """ASCII punctuation does not count"""

    def score(self, answer: str, item: Item) -> float:
        """1.0 or 0.0."""
        return float(self._plain(answer) in map(self._plain, item.golds))

    def _plain(self, text: str) -> str:
        text = text.translate(PUNCTUATION) if self.ignore_punctuation else text
        return " ".join((text.casefold() if self.ignore_case else text).split())


@dataclass(frozen=True)
class Numeric(Scorer):
    """The number in the answer equals that of a gold within a tolerance.

    A text stands for a number where there is exactly one in it: "42", "$1,234.50", "3/4", "12 km", "5e-3", "45 %"
    (which is 45). Where it has "####", as answers of GSM8K do, only what comes after the last one is read.
    """

    tolerance: float = 0.0
    """largest absolute difference, plus a millionth of a millionth of the gold for floating-point noise"""
    relative: float = 0.0
    """largest difference as a share of the gold"""

    seed_context: ClassVar[str] = "Answer the question with a number."

    def __post_init__(self) -> None:
        for name in ("tolerance", "relative"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise ArgumentError(f"{name}={value!r} is not a number >= 0. Pass e.g. scorer='numeric,{name}=0.01'.")

    def score(self, answer: str, item: Item) -> float:
        """1.0 or 0.0."""
        number, golds = read_number(answer), [read_number(gold) for gold in item.golds]
        return float(any(math.isclose(number, g, rel_tol=1e-12, abs_tol=self._margin(g)) for g in golds))

    def _margin(self, gold: float) -> float:
        return max(self.tolerance, self.relative * abs(gold)) * (1 + 1e-9)


def read_number(text: str) -> float:
    """The one number that a text holds.

    >>> read_number("about $1,234.50"), read_number("3 * 24 = 72\\n#### 72")
    (1234.5, 72.0)

    Raises:
        BadAnswer: there is none, or more than one.
    """
    text = text.rpartition("####")[2].strip().translate(MENDED)
    fraction = FRACTION.fullmatch(text)
    if fraction and int(fraction[2]):
        return int(fraction[1]) / int(fraction[2])
    found = NUMBER.findall(text)
    if len(found) != 1:
        raise BadAnswer(f"{len(found) or 'no'} numbers in it, expected one")
    value = float(re.sub(r"[,'\u2019\s]", "", found[0]))
    if not math.isfinite(value):
        raise BadAnswer("the number is too large")
    return value


@dataclass(frozen=True)
class MultipleChoice(Scorer):
    """The answer is the letter of the right choice; an answer that names several scores 0."""

    output: ClassVar[str] = "Put the letter of your choice between <answer> and </answer>. Nothing else is scored."
    seed_context: ClassVar[str] = "Answer the question with the letter of the right choice."

    def extract(self, response: str, item: Item) -> str:
        """The letter chosen, else the answer as it is."""
        return extract_choice(response, LETTERS[: len(item.choices)]) or super().extract(response, item)

    def score(self, answer: str, item: Item) -> float:
        """1.0 or 0.0."""
        letters = LETTERS[: len(item.choices)]
        if len(answer) != 1 or answer not in letters:
            raise BadAnswer(f"not one letter of {', '.join(letters)}")
        return float(answer in item.golds)


@dataclass(frozen=True)
class Regex(Scorer):
    """The whole answer matches the regular expression in the question's column `pattern`, or else in its answer."""

    ignore_case: bool = False
    """upper and lower case are the same"""

    def score(self, answer: str, item: Item) -> float:
        """1.0 or 0.0."""
        patterns = (item.pattern,) if item.pattern else item.golds
        try:
            flags = re.IGNORECASE if self.ignore_case else re.NOFLAG
            return float(any(re.fullmatch(pattern, answer, flags) for pattern in patterns))
        except (re.error, RecursionError, OverflowError) as error:
            raise BadAnswer(f"the regular expression is broken: {error}") from None


@dataclass(frozen=True)
class F1(Scorer):
    """F1 of the words of answer and gold, the best over the golds, as SQuAD defines it (arXiv 1606.05250)."""

    def score(self, answer: str, item: Item) -> float:
        """In [0, 1]."""
        return max(f1(answer, gold) for gold in item.golds)


def f1(answer: str, gold: str) -> float:
    """F1 of two bags of words without case, punctuation and articles; 1.0 where both are empty.

    >>> f1("the red house", "A red, red house!")
    0.8
    """
    given, right = (ARTICLES.sub(" ", t.lower().translate(PUNCTUATION)).split() for t in (answer, gold))
    if not (given and right):
        return float(given == right)
    common = (Counter(given) & Counter(right)).total()
    return 2 * common / (len(given) + len(right))


@dataclass(frozen=True)
class JSONEquality(Scorer):
    """The answer, with or without a code fence, is JSON of the same value as a gold: key order does not count."""

    output: ClassVar[str] = "Put JSON between <answer> and </answer>. Nothing else is scored."
    seed_context: ClassVar[str] = "Answer the question with JSON."

    def score(self, answer: str, item: Item) -> float:
        """1.0 or 0.0."""
        fenced = re.fullmatch(r"```(?:json)?\s*(.*?)\s*```", answer, flags=re.DOTALL)
        given = _read_json(fenced[1] if fenced else answer)
        return float(any(same_json(given, _read_json(gold)) for gold in item.golds))


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"no JSON: {error}") from None


def same_json(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: 1 is 1.0, but true is not 1; lists are ordered, objects are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return one == other


@dataclass(frozen=True)
class SQL:
    """The answer is SQL with the rows of the gold; :class:`lse_gym.envs.sql.domain.SQLDomain` scores whole batches."""

    scoring: Scoring = "set"
    """"set": BIRD's official accuracy; "strict": multisets, ordered where the gold orders"""
