"""Worked examples in a context: the form that writers write, and the forms in which people write them."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple


class Example(NamedTuple):
    """A question and the SQL that answers it."""

    question: str
    sql: str


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
