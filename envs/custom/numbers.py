"""The one number that a text stands for, in the ways in which people, models and LaTeX write numbers."""

import math
import re
import unicodedata
from typing import NamedTuple

BOX = "\\boxed{"
CURRENCIES = "$€£¥₹"
# What people and programs write for a minus sign: the real one, hyphens, dashes, and wide forms
SIGNS = str.maketrans(dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014\ufe63\uff0d", "-"))
_VULGAR = re.compile("[\u00bc-\u00be\u2150-\u215e\u2189]")
_FRAC = re.compile(r"\\[dt]?frac\s*(?:\{([^{}]*)\}\s*\{([^{}]*)\}|(\d)(\d))")
_LATEX = re.compile(r"\\[,!;: ]|\\(?:left|right|text|mathrm|mathbf)(?![A-Za-z])|[{}]|\\(?=[%$#])")
# Possessive, so that long rows of digits and separators take linear time
_DECIMAL = r"(?:\d{1,3}+(?:[,'\u2019\u00a0\u202f]\d{3}(?!\d))++|\d++)?(?:\.\d++|(?<=\d)\.)?(?:[eE][-+]?\d++)?"
_NUMBER = re.compile(
    rf"(?P<sign>[-+])?(?P<gap>\s*+)(?P<currency>[{CURRENCIES}]\s?)?(?P<inner>[-+])?(?=\.?\d)"
    rf"(?:(?:(?P<whole>\d{{1,15}}+)\s++)?(?<![\d/])(?P<over>\d{{1,15}}+)\s?/\s?(?P<under>\d{{1,15}}+)(?![\d/])|(?P<decimal>{_DECIMAL}))"
)


class BadAnswer(ValueError):  # noqa: N818 - it says what is wrong with an answer, not with the program
    """An answer that cannot be read; it scores 0, and the report says why."""


class Quantity(NamedTuple):
    """A number, and what stands around it ("$", "km"; "" if nothing does)."""

    value: float
    unit: str


def unboxed(text: str) -> str:
    """What stands in the last ``\\boxed{…}`` of LaTeX, or ``text`` where there is none.

    >>> unboxed("so \\\\boxed{\\\\frac{1}{2}}.")
    '\\\\frac{1}{2}'
    """
    start = text.rfind(BOX)
    if start < 0:
        return text
    depth, at = 1, start + len(BOX)
    for brace in re.finditer(r"[{}]", text[at:]):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return text[at : at + brace.start()].strip()
    return text


def read_number(text: str) -> float:
    """The one number that a text holds.

    "42", "$1,234.50", "-$5", "(5)" as accountants write -5, "3/4", "1 1/2", "\u00bd", "12 km", "5e-3", "45 %" (which is
    45), ``\\frac{3}{4}``; any dash right before a number is its sign. Where there is "####", as in answers of GSM8K,
    only what comes after the last one is read, and of LaTeX what is in the last ``\\boxed{}``.

    >>> read_number("about $1,234.50"), read_number("3 * 24 = 72\\n#### 72"), read_number("\u2013\u00bd")
    (1234.5, 72.0, -0.5)

    Raises:
        BadAnswer: there is none, or more than one.
    """
    return read_quantity(text).value


def read_quantity(text: str) -> Quantity:
    """The one number that a text holds, as :func:`read_number` says, with its unit.

    Raises:
        BadAnswer: there is none, or more than one.
    """
    text = _plain(unboxed(text.rpartition("####")[2])).strip()
    accounting = text.startswith("(") and text.endswith(")") and _NUMBER.fullmatch(text[1:-1].strip()) is not None
    text = text[1:-1].strip() if accounting else text
    found = [*_NUMBER.finditer(text)]
    if len(found) != 1:
        raise BadAnswer(f"{len(found) or 'no'} numbers in it, expected one")
    number, before, after = found[0], text[: found[0].start()], text[found[0].end() :]
    if number["sign"] and number["gap"] and before[-1:].isspace():
        raise BadAnswer("the sign before the number could be a minus or a dash")
    value = _value(number)
    signs = [number["sign"], number["inner"], "-" if accounting else None]
    negative = signs.count("-") % 2 == 1
    unit = (number["currency"] or "").strip() + after.strip(" .")
    return Quantity(-value if negative else value, unicodedata.normalize("NFC", unit))


def _plain(text: str) -> str:
    """``text`` with ASCII signs, and with fractions as "1/2"."""
    text = text.translate(SIGNS)
    text = _VULGAR.sub(lambda found: " " + unicodedata.normalize("NFKC", found[0]).replace("\u2044", "/"), text)
    if "\\" in text or "{" in text:
        text = _FRAC.sub(lambda f: f" {f[1] or f[3]}/{f[2] or f[4]}" if f[1] or f[3] else f[0], text)
        text = _LATEX.sub(" ", text.replace("{,}", ","))
    return text


def _value(number: re.Match[str]) -> float:
    if number["over"]:
        if not int(number["under"]):
            raise BadAnswer("a fraction of zero")
        return int(number["whole"] or 0) + int(number["over"]) / int(number["under"])
    value = float(re.sub(r"[,'\u2019\s]", "", number["decimal"]))
    if not math.isfinite(value):
        raise BadAnswer("the number is too large")
    return value
