"""The words of questions: what anyone who knows English knows of them, and nothing about any database."""

import re
from functools import lru_cache
from typing import NamedTuple

from lse_gym.envs.offline.reader import english

MAX_QUESTION_WORDS = 60


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# What anyone who knows English knows; nothing about any database.
STOP_WORDS = _set(
    "a an the is are was were be been do does did has have had of in on at to for from with by and or that which what "
    "there it its this those these me give show list tell find return name names can s could you please i all any "
    "us called named"
)
SYNONYMS = {
    word: group.split()[0]
    for group in (
        "largest biggest greatest most maximum highest max longest tallest",
        "smallest least minimum lowest min littlest fewest tiniest shortest",
        "flow run go traverse pass cross",
        "border neighbor neighbour adjacent surround bound adjoin",
        "people inhabitant citizen resident live population populated populous",
        "big large size area",
        "long length",
        "tall height high altitude elevation",
        "through across along",
        "number count many total",
        "where located location",
        "who whom whose",
        "cost price expensive pay",
        "newest latest recent",
        "oldest earliest first",
        "mean average avg",
    )
    for word in group.split()
}
COMMON_WORDS = _set(
    "major minor next most more less than per each every average square mile km kilometer meter contain found find "
    "over under between among only not no but if then also about how when why whose lower higher larger smaller longer "
    "shorter bigger same different other another first last single combined whole sum total both touch reside lie "
    "come see know want need make take get put say use long tall high low big small old new young near far before "
    "after during since until without above below amount kind type list item record entry value"
) | frozenset(SYNONYMS)
OPPOSITES = {"largest": "smallest", "smallest": "largest", "newest": "oldest", "oldest": "newest"}
_DIGITS = "zero=0 one=1 two=2 three=3 four=4 five=5 six=6 seven=7 eight=8 nine=9 ten=10"
NUMBERS: dict[str, str] = dict(re.findall(r"(\w+)=(\w+)", _DIGITS))
_WORD = re.compile(r"[^\W_]+(?:[.'\u2019-][^\W_]+|,\d+)*")


class Word(NamedTuple):
    """A word of a question: its stem, and where it stands in the text."""

    stem: str
    start: int
    end: int


def stem(word: str) -> str:
    """The word in lower case without possessive or plural ending; numbers in figures."""
    word = word.lower().replace("\u2019", "'")
    if word in NUMBERS:
        return NUMBERS[word]
    if word[:1].isdigit():
        return word.replace(",", "")
    word = english.stem(word).rstrip("'")
    return word[:-3] if word.endswith("ing") and word[:-3] in SYNONYMS else word


@lru_cache(maxsize=4096)
def words_of(text: str) -> tuple[Word, ...]:
    """The words of ``text``, at most ``MAX_QUESTION_WORDS``."""
    found = []
    for match in _WORD.finditer(text):
        word = match.group()
        possessive = 2 if word[-2:].lower() in ("'s", "\u2019s") else 0
        found.append(Word(stem(word), match.start(), match.end() - possessive))
        if len(found) == MAX_QUESTION_WORDS:
            break
    return tuple(found)


def canonical(word: str) -> str:
    """One word for all its synonyms."""
    return SYNONYMS.get(word, word)
