"""What the reader learns from prose about an analysis: rules about columns and terms, whatever their exact wording."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

from lse_gym.envs.datascience.plan import Statistic
from lse_gym.envs.offline.reader.english import BULLET

MAX_LINE_CHARS = 1000  # what is read of a line
Kind = Literal[
    "missing",
    "dropped",
    "range",
    "unit",
    "rounding",
    "transform",
    "leakage",
    "key",
    "name",
    "order",
    "statistic",
    "week",
]
Meaning = tuple[str | float, ...]


class Rule(NamedTuple):
    """One rule: what it says, and the column or term that it is about.

    | kind | meaning |
    |---|---|
    | missing | the number that stands for it |
    | dropped | the value of rows that do not count |
    | range | lowest and highest value |
    | unit | stored parts of a reported unit |
    | rounding | step |
    | transform, leakage, key, order | nothing |
    | name | what the column of predictions is called |
    | statistic, week | "mean", "median", "max", "min" or "sum" |
    """

    kind: Kind
    about: str
    meaning: Meaning = ()


_N = r"-?\d+(?:\.\d+)?"
_STATISTICS: tuple[tuple[Statistic, str], ...] = (
    ("median", r"median|middle"),
    ("max", r"max\w*|largest|highest|greatest|peak|most"),
    ("min", r"min(?:imum)?|smallest|lowest|least"),
    ("sum", r"sum\w*|total\w*|add\w* up"),
    ("mean", r"mean|average"),
)
_STATISTIC = tuple((name, re.compile(rf"\b(?:{words})\b")) for name, words in _STATISTICS)
_RANGE = re.compile(rf"(?:between|from|within|in|range of|range)\s+\[?({_N})\s*(?:and|to|-|\u2013|,|\.\.)\s*({_N})")
_LIMITS = re.compile(rf"\b(?:at least|>=|≥|not below)\s*({_N})\D+?(?:at most|<=|≤|not above)\s*({_N})")
_DIVIDE = re.compile(
    rf"\bdivid\w+\D*?({_N})|/\s*({_N})|\b({_N})\s+\w+\s+(?:make|are|is|to|per|in)\s+(?:an?|one|1|the)\b"
)
_MULTIPLY = re.compile(rf"\bmultipl\w+ (?:it |them |`?\w+`? )?(?:by|with)\s*({_N})")
_STEP = re.compile(
    rf"(?:multiples? of|nearest|steps? of|next|closest|to)\s+(?:the )?(?:nearest )?(?:multiples? of )?({_N})"
)
_MISSING = re.compile(r"\b(?:missing|unknown|null|nan|na|absent|blank|placeholder|not recorded|no value|not known)\b")
_OUT = re.compile(
    r"\b(?:leave|leaving|left|keep|throw)\b.*\bout\b|\b(?:drop|exclude|remove|ignore|skip|omit|discard|filter)\w*\b"
    r"|\b(?:do|does|must|should)(?: not|n't) (?:count|use|include)|\b(?:don't|never) (?:count|use|include|keep)"
    r"|\bnot (?:be )?(?:used|counted|included|kept)"
)
_NAMED = re.compile(r"\b(?:call|name|rename|header|titled?|label|write)\w*\b")
_ORDER = re.compile(r"\b(?:before|ahead of|precedes?|left of)\b.*\brow_?ids?\b|\b(?:comes?|goes|put|is)\b.*\bfirst\b")
_LAST = re.compile(r"\brow_?ids?\b.*\b(?:after|behind|last)\b")
_AFTER = re.compile(r"\b(?:features?|predictors?|inputs?|leak(?:age|ing|s|y)?|afterwards|model|later|in hindsight)\b")
_MERGE = re.compile(r"\b(?:merge|join|match|link|combine|connect)\w*\b")
_BY = re.compile(r"\b(?:by|on|via|through|using|with the key|over)\s+(?:the )?(?:column |key |id )?[`\"']?(\w+)")
_NEW_NAME = re.compile(r"\b(?:as|to|called|named|is|be)\s+([A-Za-z_]\w*_\w+)|\b([A-Za-z]\w*_\w+)\s*$")
_NOT = re.compile(r"\b(?:not|never|instead of|rather than)\b.*")
_WORD = re.compile(r"\w+(?:-\w+)*")


@lru_cache(maxsize=16384)
def parse_line(line: str, columns: frozenset[str], term: str) -> tuple[Rule, ...]:
    """The rules in one line of a context about these columns and this term; other prose holds none."""
    line = " ".join(BULLET.sub("", line[:MAX_LINE_CHARS]).split())
    found, before = [], ""
    for sentence in re.split(r"(?<=[\w`\"')])[.;!]\s+", line):
        about = next((word for word in _WORD.findall(sentence) if word in columns), "")
        rule = _rule(sentence if about else f"{before} {sentence}", about or before, columns, term)
        found += [rule] if rule else []
        before = about or before  # what "it" is in the sentences that follow
    return tuple(found)


def gather(lines: Iterable[str], columns: frozenset[str], term: str) -> dict[tuple[Kind, str], list[Meaning]]:
    """The rules of a context by kind and subject. Contradicting ones stand side by side."""
    found: dict[tuple[Kind, str], list[Meaning]] = {}
    for line in lines:
        for kind, about, meaning in parse_line(line, columns, term):
            same = found.setdefault((kind, about), [])
            same.extend([meaning] if meaning not in same else [])
    return found


def _rule(sentence: str, about: str, columns: frozenset[str], term: str) -> Rule | None:
    text = sentence.lower()
    words = _WORD.findall(text)
    if term and term.lower() in words and (statistic := _statistic(text.replace(term.lower(), " "))):
        return Rule("statistic", term, (statistic,))
    if not about:
        return None
    return next(filter(None, (parse(about, sentence, columns) for parse in _PARSERS)), None)


def _statistic(text: str) -> Statistic | None:
    return next((name for name, pattern in _STATISTIC if pattern.search(text)), None)


def _week(about: str, sentence: str, columns: frozenset[str]) -> Rule | None:
    statistic = _statistic(sentence.lower())
    weekly = re.search(r"\bweek", sentence, re.IGNORECASE)
    return Rule("week", about, (statistic,)) if weekly and statistic else None


def _key(about: str, sentence: str, columns: frozenset[str]) -> Rule | None:
    if not _MERGE.search(sentence.lower()):
        return None
    wanted = _NOT.sub("", sentence)
    named = next((word for word in _BY.findall(wanted) if word in columns), "")
    return Rule("key", named) if named else None


def _rounding(about: str, sentence: str, columns: frozenset[str]) -> Rule | None:
    if not re.search(r"\bround", sentence, re.IGNORECASE):
        return None
    step = _STEP.search(sentence.lower())
    return Rule("rounding", about, (float(step[1]),)) if step and float(step[1]) > 0 else None


def _range(about: str, sentence: str, columns: frozenset[str]) -> Rule | None:
    limits = _RANGE.search(sentence) or _LIMITS.search(sentence)
    return Rule("range", about, (float(limits[1]), float(limits[2]))) if limits else None


def _missing(about: str, sentence: str, columns: frozenset[str]) -> Rule | None:
    number = re.search(rf"(?<![\w.]){_N}(?![\w.]*\w)", sentence)
    return Rule("missing", about, (float(number[0]),)) if number and _MISSING.search(sentence.lower()) else None


def _unit(about: str, sentence: str, columns: frozenset[str]) -> Rule | None:
    if found := _MULTIPLY.search(sentence.lower()):
        factor = float(found[1])
        return Rule("unit", about, (round(1 / factor, 6),)) if 0 < factor < 1 else None
    found = _DIVIDE.search(sentence.lower())
    number = float(next(filter(None, found.groups()))) if found else 0.0
    return Rule("unit", about, (number,)) if number > 0 else None


def _transform(about: str, sentence: str, columns: frozenset[str]) -> Rule | None:
    return Rule("transform", about) if re.search(r"\blog(?:arithm\w*|1p|s)?\b", sentence.lower()) else None


def _order(about: str, sentence: str, columns: frozenset[str]) -> Rule | None:
    text = sentence.lower()
    return Rule("order", about) if _ORDER.search(text) or _LAST.search(text) else None


def _name(about: str, sentence: str, columns: frozenset[str]) -> Rule | None:
    if not _NAMED.search(sentence.lower()):
        return None
    rest = sentence[sentence.find(about) + len(about) :]
    quoted = re.findall(r"[`\"']([A-Za-z_]\w*)[`\"']", rest)
    plain = [next(filter(None, pair)) for pair in _NEW_NAME.findall(rest.rstrip(" .!"))]
    named = [*quoted, *plain]
    return Rule("name", about, (named[0],)) if named and named[0] not in ("row_id", about) else None


def _out(about: str, sentence: str, columns: frozenset[str]) -> Rule | None:
    if not _OUT.search(sentence.lower()):
        return None
    rest = sentence.replace(about, " ", 1)
    quoted = re.findall(r"[`\"']([\w-]+)[`\"']", rest)
    if not quoted and _AFTER.search(sentence.lower()):
        return Rule("leakage", about)
    plain = re.findall(r"(?:=|\bis|\bequals?|\bare|\bof|\bsays?|\bwith)\s+([\w-]+)", rest)
    value = next((word for word in [*quoted, *plain] if word not in ("the", "a", "an")), "")
    return Rule("dropped", about, (value,)) if value else None


_PARSERS = (_week, _key, _rounding, _range, _missing, _transform, _unit, _order, _out, _name)
