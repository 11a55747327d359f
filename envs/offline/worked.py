"""Worked examples in a context: the format that writers write and readers find, and what an example is made of.

An example is text, ``Q: …`` with ``SQL: …`` below; :func:`parse` takes it apart into a template and the values in it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple


class Example(NamedTuple):
    """A question and the SQL that answers it."""

    question: str
    sql: str


MAX_QUESTION_WORDS = 60
TAKEN = -1  # in a template under construction: a further word of the slot before


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
_LITERAL = re.compile(r"'((?:[^']|'')*+)'|\"((?:[^\"]|\"\")*+)\"|(?<![\w.])(\d+(?:\.\d+)?)(?![\w.])")
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")

_BULLET = r"\s*(?:[-*+•>]\s+|#{1,6}\s+|\(?\d{1,3}[.):]\s*)?"
_LEADING = re.compile(rf"^{_BULLET}")
_BOLD = r"[*_`]{0,3}"
_NUMBER = r"(?:\s*\#?\d{1,3})?"
_ASKED = re.compile(
    rf"{_BULLET}{_BOLD}(?:q|question|query|example|user|input){_NUMBER}{_BOLD}\s*[:.)]{_BOLD}\s*(?P<text>.*)", re.I
)
_ANSWERED = re.compile(
    rf"{_BULLET}{_BOLD}(?:a|answer|sql|sqlite|query|correct sql|output|assistant){_NUMBER}{_BOLD}\s*[:.)]{_BOLD}"
    r"\s*(?P<text>.*)",
    re.I,
)
_SELECT = r"`*\s*(?:select\b|with\s+(?:recursive\s+)?[\w\"]+\s*(?:\([^)]*\)\s*)?as\b)"
_SQL_START = re.compile(rf"\s*{_SELECT}\s*\S", re.I)
_ARROW = r"(?:\||->|=>|→|⇒)"
_ONE_LINE = re.compile(
    rf"(?:{_ARROW}|;|\s)\s?(?:sql|a|answer|query)\s*:\s*(?={_SELECT})|{_ARROW}\s*(?={_SELECT})|(?<=\?)[\s:]+(?={_SELECT})",
    re.I,
)
# Capitals only: prose that follows an example may well begin with "And" or "On".
_CONTINUES = re.compile(
    r"\s+\S|\)|(?:SELECT|FROM|WHERE|AND|OR|(?:(?:LEFT|RIGHT|FULL|INNER|OUTER|CROSS|NATURAL)\s+)*JOIN|ON|GROUP|ORDER|HAVING"
    r"|LIMIT|OFFSET|UNION|EXCEPT|INTERSECT|CASE|WHEN|ELSE|END)\b"
)
_FENCE = re.compile(r"\s*(?:`{3,}|~{3,})\s*\w*\s*")


class _Scan:
    """One pass over the lines of a context that tells examples from the rest."""

    def __init__(self, context: str) -> None:
        self.lines = context.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self.examples: list[Example] = []
        self.rest: list[str] = []
        at = 0
        while at < len(self.lines):
            at = self._example(at)

    def _example(self, at: int) -> int:
        """Take the example that begins at line ``at``, or leave that line to the rest; return the next line."""
        line = self.lines[at]
        following = self.lines[at + 1] if at + 1 < len(self.lines) else ""
        if line.startswith("Q: ") and line[3:].strip() and following.startswith("SQL: ") and following[5:].strip():
            sql, after = self._more(following[5:], at + 2)  # what writers write is read back word for word
            return self._take(line[3:].strip(), sql, after)
        asked = _ASKED.fullmatch(line)
        question, end = (asked["text"], at + 1) if asked else (line, at + 1)
        while nested := _ASKED.fullmatch(question):  # "Example 3: Q: …"
            question = nested["text"]
        if asked and not question.strip("*_` ") and end < len(self.lines):  # "Example 3:" alone on its line
            own_line = _ASKED.fullmatch(self.lines[end])
            question, end = (own_line["text"] if own_line else self.lines[end]), end + 1
        if asked and question.strip():
            sql, after = self._statement(end)
            if sql:
                return self._take(question.strip().strip("*_`").strip(), sql, after)
        one = _ONE_LINE.search(question)
        if one and (bare := question[: one.start()] if asked else _LEADING.sub("", question[: one.start()])).strip():
            sql, after = self._more(question[one.end() :], end)
            return self._take(bare.strip().strip("*_`").strip(), sql, after)
        self.rest.append(line)
        return at + 1

    def _statement(self, at: int) -> tuple[str, int]:
        """The SQL that begins at line ``at`` (blank lines and one line of evidence before it are passed over)."""
        for start in range(at, min(at + 4, len(self.lines))):
            line = self.lines[start]
            answered = _ANSWERED.fullmatch(line)
            text = answered["text"] if answered else line
            if _FENCE.fullmatch(text):
                return self._fenced(start + 1)
            if answered and not text.strip():
                continue
            if _SQL_START.match(text):
                return self._more(text, start + 1)
            if line.strip() and not line.lower().lstrip(" -*").startswith(("evidence", "hint")):
                break
        return "", at

    def _fenced(self, at: int) -> tuple[str, int]:
        end = at
        while end < len(self.lines) and not _FENCE.fullmatch(self.lines[end]):
            end += 1
        return " ".join(self.lines[at:end]).strip(), end + 1

    def _more(self, sql: str, at: int) -> tuple[str, int]:
        """``sql`` with the lines that continue it."""
        parts = [sql.strip()]
        while at < len(self.lines) and (line := self.lines[at]).strip():
            opened = sum(part.count("(") - part.count(")") for part in parts) > 0
            if _ASKED.fullmatch(line) or _ANSWERED.fullmatch(line) or not (opened or _CONTINUES.match(line)):
                break
            if parts[-1].endswith(";"):
                break
            parts.append(line.strip())
            at += 1
        whole = " ".join(parts)
        return (whole.strip("`").strip() if whole.startswith("`") else whole), at

    def _take(self, question: str, sql: str, after: int) -> int:
        self.examples.append(Example(question, sql))
        return after


@lru_cache(maxsize=64)
def _scan(context: str) -> tuple[tuple[Example, ...], str]:
    scan = _Scan(context)
    return tuple(scan.examples), "\n".join(scan.rest).strip("\n")


def find_examples(context: str) -> list[Example]:
    r"""The worked examples in ``context``, in order, in any of the forms people write them.

    >>> find_examples("Be brief.\nQ: How many?\nSQL: SELECT COUNT(*) FROM t")
    [Example(question='How many?', sql='SELECT COUNT(*) FROM t')]
    """
    return list(_scan(context)[0])


def strip_examples(context: str) -> str:
    """The lines of ``context`` that belong to no worked example: rules and prose."""
    return _scan(context)[1]


def render_examples(examples: Iterable[Example]) -> str:
    """The examples as text, two lines each; ``find_examples`` reads them back."""
    return "".join(f"Q: {_flat(question)}\nSQL: {_flat(sql)}\n" for question, sql in examples)


def _flat(text: str) -> str:
    return " ".join(text.split("\n")).replace("\r", " ").strip()


class Word(NamedTuple):
    """A word of a question: its stem, and where it stands in the text."""

    stem: str
    start: int
    end: int


class Slot(NamedTuple):
    """A value of the example's SQL that its question mentions: the value, its column, how to write another there."""

    text: str
    words: str
    column: str
    style: str
    number: bool


class Parsed(NamedTuple):
    """An example taken apart: ``template`` has stems and slot numbers, ``pieces`` SQL text and slot numbers."""

    template: tuple[str | int, ...]
    pieces: tuple[str | int, ...]
    slots: tuple[Slot, ...]


def stem(word: str) -> str:
    """The word in lower case without possessive or plural ending."""
    word = word.lower().replace("\u2019", "'")
    word = word[:-2] if word.endswith("'s") else word.rstrip("'")
    if word in NUMBERS:
        return NUMBERS[word]
    if word[:1].isdigit():
        return word.replace(",", "")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if word.endswith("ing") and word[:-3] in SYNONYMS:
        return word[:-3]
    return word


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


def _style(surface: str, value: str) -> str:
    """How the SQL writes a value that the question writes as ``surface``."""
    for style in ("same", "lower", "upper", "title", "capitalize"):
        if styled(surface, style) == value:
            return style
    return "lower" if value.islower() else "same"


def styled(surface: str, style: str) -> str:
    """The value as the SQL of an example would write it."""
    return surface if style == "same" else getattr(surface, style)()


def _column_before(sql: str, at: int) -> str:
    """The column that the literal at ``at`` is compared with, as far as the text before it tells."""
    names = IDENTIFIER.findall(_LITERAL.sub(" ", sql[max(0, at - 80) : at]))
    while names and names[-1].upper() in {"IN", "LIKE", "NOT", "BETWEEN", "AND", "IS", "GLOB"}:
        names.pop()
    return names[-1].lower() if names else ""


@lru_cache(maxsize=4096)
def parse(example: Example) -> Parsed:
    """Take an example apart: values that occur in both its question and its SQL become slots."""
    words = words_of(example.question)
    literals: dict[tuple[str, ...], list[re.Match[str]]] = defaultdict(list)
    for match in _LITERAL.finditer(example.sql):
        if stems := tuple(word.stem for word in words_of(match.group(match.lastindex or 0))):
            literals[stems].append(match)
    template: list[str | int] = [word.stem for word in words]
    slots: list[Slot] = []
    cuts: list[tuple[int, int, int]] = []
    for stems, matches in sorted(literals.items(), key=lambda item: (-len(item[0]), item[1][0].start())):
        spots = _take(template, stems, len(slots))
        if spots:
            surface = example.question[words[spots[0]].start : words[spots[0] + len(stems) - 1].end]
            first = matches[0]
            text = first.group(first.lastindex or 0).strip("%")
            style = _style(surface, text.replace("''", "'"))
            column = _column_before(example.sql, first.start())
            cuts += [(*_inside(match), len(slots)) for match in matches]
            slots.append(Slot(text, " ".join(stems), column, style, first.lastindex == 3))
    pieces: list[str | int] = []
    at = 0
    for start, end, slot in sorted(cuts):
        pieces += [example.sql[at:start], slot]
        at = end
    pieces.append(example.sql[at:])
    return Parsed(tuple(part for part in template if part != TAKEN), tuple(pieces), tuple(slots))


def _take(template: list[str | int], stems: tuple[str, ...], slot: int) -> list[int]:
    """Put the slot where the template has these words; return where that was."""
    spots = []
    for at in range(len(template)):
        if tuple(template[at : at + len(stems)]) == stems:
            template[at : at + len(stems)] = [slot] + [TAKEN] * (len(stems) - 1)
            spots.append(at)
    return spots


def _inside(literal: re.Match[str]) -> tuple[int, int]:
    """Where the value of a literal stands, without quotes and the wildcards of LIKE."""
    text = literal.group(literal.lastindex or 0)
    start, end = literal.span(literal.lastindex or 0)
    return start + len(text) - len(text.lstrip("%")), end - (len(text) - len(text.rstrip("%")))


def canonical(word: str) -> str:
    """One word for all its synonyms."""
    return SYNONYMS.get(word, word)


class Schema:
    """What a schema text says: the columns of each table, and the words that names are made of."""

    def __init__(self, text: str) -> None:
        self.tables: dict[str, set[str]] = {}
        for match in re.finditer(
            r"^[ \t#*-]*(?:create\s+table\s+)?[\"`\[]?(\w+)[\"`\]]?\s*\((.*?)\)\s*;?[ \t]*$", text, re.I | re.S | re.M
        ):
            columns = re.findall(r"(?:^|[,\n])\s*[\"`\[]?(\w+)", match.group(2))
            self.tables[match.group(1).lower()] = {column.lower() for column in columns}
        self.columns = set().union(*self.tables.values())
        self.names = self.columns | set(self.tables)
        self.words = {stem(part) for name in self.names for part in name.split("_") if part}

    def fits(self, pieces: Sequence[str | int]) -> bool:
        """Whether every column that the SQL names is in a table that it names."""
        sql = " ".join(piece for piece in pieces if isinstance(piece, str))
        tables = {name: name for name in (found.lower() for found in IDENTIFIER.findall(sql)) if name in self.tables}
        for table, alias in re.findall(r"(?:\bFROM\s+|\bJOIN\s+|,\s*)(\w+)\s+(?:AS\s+)?(\w+)", sql, re.I):
            if table.lower() in self.tables:
                tables[alias.lower()] = table.lower()
        for alias, column in re.findall(r"\b(\w+)\.(\w+)", sql):
            if alias.lower() in tables and column.lower() not in self.tables[tables[alias.lower()]]:
                return False
        used = {name.lower() for name in re.findall(r"(?<![\w.])[A-Za-z_]\w*(?![\w.])", sql)}
        columns = set().union(*(self.tables[table] for table in tables.values()))
        return bool(tables) and used & self.columns <= columns | set(tables)
