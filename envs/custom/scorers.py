"""Scorers by name: does this answer say what the gold says? Each is a frozen record of its options, so it pickles."""

import json
import math
import re
import string
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

from lse_gym.envs.custom.numbers import SIGNS, BadAnswer, Quantity, read_quantity, unboxed
from lse_gym.envs.domain import Question
from lse_gym.envs.errors import ArgumentError, unknown
from lse_gym.envs.extras import require
from lse_gym.envs.prompt import ANSWER
from lse_gym.envs.qa.answer import extract_choice
from lse_gym.envs.sql.domain import Scoring
from lse_gym.envs.text import spoken, tagged

MAX_ANSWER_CHARS = 10_000  # of an answer that is scored; what comes after is not read
MAX_DEPTH = 100  # of JSON that is scored
REGEX_S = 1.0  # for one match; patterns that backtrack take minutes
LETTERS = string.ascii_uppercase
ARTICLES = re.compile(r"\b(a|an|the)\b")
TRUTH = frozenset(("true", "false", "yes", "no"))
_MARK = f"[{re.escape(string.punctuation)}]"
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
# Signs that belong to a number, which are kept, and all others: "-5" is not "5", nor "1.5" "15"
_PUNCTUATION = re.compile(rf"((?<!\w)-(?=[$.]?\d)|(?<=\d){_MARK}(?=\d)|(?<!\w)\.(?=\d))|{_MARK}")


class Item(NamedTuple):
    """A question with all that a scorer may look at.

    ``golds`` are the right answers, the first being the one that is shown; ``doc`` is the record as it was given.
    """

    question: Question
    golds: tuple[str, ...]
    choices: tuple[str, ...] = ()
    pattern: str = ""
    doc: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Scorer(ABC):
    """Scores an answer in [0, 1]: the text between ``<answer>`` and ``</answer>``, or where these are not asked for all
    that the model says, ``<answer>`` tags or not.
    """

    output: ClassVar[str] = "Put the answer between <answer> and </answer>. Nothing else is scored."
    bare: ClassVar[str] = "Give the answer alone."
    seed_context: ClassVar[str] = "Answer the question."

    tags: bool = field(default=True, kw_only=True, repr=False)
    """the answer is asked for between tags, with room to think before it; else for itself alone"""

    @property
    def asks(self) -> str:
        """What the prompt says of the form of an answer."""
        return self.output if self.tags else self.bare

    @abstractmethod
    def score(self, answer: str, item: Item) -> float:
        """The score of ``answer``.

        Raises:
            BadAnswer: it cannot be read.
        """

    def extract(self, response: str, item: Item) -> str:
        """The answer in a response: the last ``<answer>`` element, else all of it; thinking is left out."""
        del item
        response = spoken(response)
        answer = tagged(response, "answer")
        if answer is None:  # asked for by the word that a question ends with, models often say it again
            answer = response.strip() if self.tags else response.strip().removeprefix(ANSWER).strip()
        return answer[:MAX_ANSWER_CHARS]


@dataclass(frozen=True)
class Exact(Scorer):
    """The answer is one of the golds, whitespace aside; options as those of `exact_match` in Hugging Face evaluate."""

    ignore_case: bool = False
    """upper and lower case are the same"""
    ignore_punctuation: bool = False
    """ASCII punctuation does not count"""
    tags: bool = field(default=False, kw_only=True, repr=False)

    def score(self, answer: str, item: Item) -> float:
        """1.0 or 0.0."""
        return float(self._plain(unboxed(answer)) in map(self._plain, item.golds))

    def _plain(self, text: str) -> str:
        text = unicodedata.normalize("NFC", text)
        text = without_punctuation(text) if self.ignore_punctuation else text
        words = " ".join(text.split())
        return words.casefold() if self.ignore_case or words.casefold() in TRUTH else words


def without_punctuation(text: str) -> str:
    """``text`` without ASCII punctuation, but for what belongs to a number.

    >>> without_punctuation("U.S.: -1,234.5!")
    'US -1234.5'
    """
    text = _THOUSANDS.sub("", text.translate(SIGNS))
    return _PUNCTUATION.sub(lambda found: found[1] or "", text)


@dataclass(frozen=True)
class Numeric(Scorer):
    """The number in the answer equals that of a gold within a tolerance; :func:`read_number` says what is a number."""

    tolerance: float = 0.0
    """largest absolute difference, plus, but for whole numbers, a millionth of a millionth of the gold for rounding"""
    relative: float = 0.0
    """largest difference as a share of the gold"""
    units: bool = False
    """the unit must be the gold's, too: "12 km" is not "12 m"; else only the number counts"""
    tags: bool = field(default=False, kw_only=True, repr=False)

    seed_context: ClassVar[str] = "Answer the question with a number."

    def __post_init__(self) -> None:
        for name in ("tolerance", "relative"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise ArgumentError(f"{name}={value!r} is not a number >= 0. Pass e.g. scorer='numeric,{name}=0.01'.")

    def score(self, answer: str, item: Item) -> float:
        """1.0 or 0.0."""
        given, golds = read_quantity(answer), map(read_quantity, item.golds)
        return float(any(self._same(given, gold) for gold in golds))

    def _same(self, given: Quantity, gold: Quantity) -> bool:
        margin = max(self.tolerance, self.relative * abs(gold.value)) * (1 + 1e-9)
        noise = 0.0 if given.value % 1 == gold.value % 1 == 0 else 1e-12
        close = math.isclose(given.value, gold.value, rel_tol=noise, abs_tol=margin)
        return close and (given.unit == gold.unit or not self.units)


@dataclass(frozen=True)
class MultipleChoice(Scorer):
    """The answer is the letter of the right choice; an answer that names several scores 0."""

    output: ClassVar[str] = "Put the letter of your choice between <answer> and </answer>. Nothing else is scored."
    bare: ClassVar[str] = "Give the letter of your choice alone."
    seed_context: ClassVar[str] = "Answer the question with the letter of the right choice."

    by: Literal["answer", "logprob"] = "answer"
    """"answer": the model writes a letter; "logprob": the choice that it finds likeliest, see ``weighed.py``"""
    normalize: bool = False
    """of "logprob": by the byte of a choice, so that long ones are not at a disadvantage"""
    tags: bool = field(default=False, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        if self.by not in ("answer", "logprob"):
            raise unknown("by", self.by, ("answer", "logprob"), "Write 'multiple_choice,by=logprob'.")
        if self.by == "logprob":  # nothing is written, so nothing is said of letters
            object.__setattr__(self, "seed_context", Scorer.seed_context)

    @property
    def asks(self) -> str:
        """What the prompt says of the form of an answer."""
        return Scorer.bare if self.by == "logprob" else super().asks

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
        regex = require("regex", "regex", "the scorer 'regex'")
        patterns = (item.pattern,) if item.pattern else item.golds
        flags = regex.IGNORECASE if self.ignore_case else 0
        try:
            return float(any(regex.fullmatch(one, answer, flags, timeout=REGEX_S) for one in patterns))
        except TimeoutError:
            raise BadAnswer(f"the regular expression takes more than {REGEX_S:g} s on it") from None
        except (regex.error, RecursionError, OverflowError, MemoryError) as error:
            raise BadAnswer(f"the regular expression is broken: {error}") from None


@dataclass(frozen=True)
class F1(Scorer):
    """F1 of the words of answer and gold, the best over the golds, as SQuAD defines it (arXiv 1606.05250)."""

    def score(self, answer: str, item: Item) -> float:
        """In [0, 1]."""
        return max(f1(answer, gold) for gold in item.golds)


def f1(answer: str, gold: str) -> float:
    """F1 of two bags of words without case, punctuation and articles; 1.0 where both are empty.

    Two steps away from SQuAD's code: what belongs to a number is no punctuation ("1.5" is not "15"), and a text that
    is nothing but articles keeps them ("A" is an answer, not an empty one).

    >>> f1("the red house", "A red, red house!"), f1("", "A")
    (0.8, 0.0)
    """
    given, right = _words(answer), _words(gold)
    if not (given and right):
        return float(given == right)
    common = (Counter(given) & Counter(right)).total()
    return 2 * common / (len(given) + len(right))


def _words(text: str) -> list[str]:
    plain = without_punctuation(unicodedata.normalize("NFC", text).lower())
    return ARTICLES.sub(" ", plain).split() or plain.split() or text.split()


@dataclass(frozen=True)
class JSONEquality(Scorer):
    """The answer, with or without a code fence, is JSON of the same value as a gold: key order does not count."""

    output: ClassVar[str] = "Put JSON between <answer> and </answer>. Nothing else is scored."
    seed_context: ClassVar[str] = "Answer the question with JSON."

    def score(self, answer: str, item: Item) -> float:
        """1.0 or 0.0."""
        if answer.startswith("```") and answer.endswith("```") and len(answer) >= 6:
            answer = answer[3:-3].removeprefix("json")
        given = _read_json(answer)
        return float(any(same_json(given, _read_json(gold)) for gold in item.golds))


def _read_json(text: str) -> Any:
    try:
        value = json.loads(text)
    except RecursionError:
        raise BadAnswer(f"JSON nested deeper than {MAX_DEPTH}") from None
    except ValueError as error:
        raise BadAnswer(f"no JSON: {error}") from None
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return value
    raise BadAnswer(f"JSON nested deeper than {MAX_DEPTH}")  # whatever the parser's own limit is at the moment


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


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
