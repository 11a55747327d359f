"""Answers in LaTeX: whether two say the same, as far as that can be told from how they are written."""

import re
from dataclasses import dataclass, field
from math import isclose

from lse_gym.envs.custom.numbers import SIGNS, BadAnswer, read_number, unboxed
from lse_gym.envs.custom.scorers import Exact, Item

MAX_CHARS = 2_000  # of an answer; what is longer is no answer of this kind
_SPACES = re.compile(r"(?<!\\)\\[,!;: ]|\\q?quad\b|~|\s+")
_SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])\.?")
_FRACTION = re.compile(r"\\[dtc]frac(?![A-Za-z])")
_BARE_FRACTION = re.compile(r"\\frac(?:\{(\w)\}|(\w))(?:\{(\w)\}|(\w))")
_SLASH = re.compile(r"^(-?)(\d{1,15}|[A-Za-z])/(\d{1,15}|[A-Za-z])$")
_ALONE = re.compile(r"([_^])\{(\w)\}")
_ROOT = re.compile(r"\\sqrt(\w)")
_WORDS = re.compile(r"\\(?:text|mathrm|mathbf|textbf|textit|mbox|mathit)\{([^{}]*)\}")
_DEGREES = re.compile(r"\^\{?\\circ\}?|\\degree\b|\u00b0")
_NAMED = re.compile(r"^[A-Za-z]\w?=(?!.*=)")
_DOLLARS = re.compile(r"^(?:\$\$?|\\\(|\\\[)(.*?)(?:\$\$?|\\\)|\\\])$", re.DOTALL)
_THOUSANDS = re.compile(r"(?<=\d)(?:,|\{,\})(?=\d{3}(?!\d))")


@dataclass(frozen=True)
class Latex(Exact):
    """The answer says what a gold says in LaTeX: fractions, roots, spaces, sizes, units in words and signs aside.

    It looks at how answers are written and never computes with symbols: ``x+1`` and ``1+x`` are two answers.
    """

    tags: bool = field(default=True, kw_only=True, repr=False)  # such answers are worked out first

    def score(self, answer: str, item: Item) -> float:
        """1.0 or 0.0."""
        return float(any(same_latex(answer, gold) for gold in item.golds))


def same_latex(one: str, other: str) -> bool:
    r"""Whether two answers are written for the same thing.

    >>> same_latex(r"\dfrac12", "1/2"), same_latex(r"$x = \left(3,\,\frac{\pi}{2}\right)$", r"(3, \frac\pi2)")
    (True, True)
    """
    if max(len(one), len(other)) > MAX_CHARS:
        return False
    plain = normal(one), normal(other)
    if plain[0] == plain[1]:
        return bool(plain[0])
    try:
        values = read_number(plain[0]), read_number(plain[1])
    except BadAnswer:
        return False
    return all(map(_is_number, plain)) and isclose(*values, rel_tol=1e-12)


def normal(text: str) -> str:
    """An answer in the one way of writing that all are compared in.

    >>> normal(r"\\boxed{\\text{ 10,080 } }."), normal(r"\\sqrt3"), normal("90^\\\\circ")
    ('10080', '\\\\sqrt{3}', '90')
    """
    text = unboxed(text).translate(SIGNS).strip().rstrip(".").strip()
    if dollars := _DOLLARS.match(text):
        text = dollars[1]
    text = _WORDS.sub(r"\1", text)
    text = re.sub(r"\\([%{}])", r"\1", _SPACES.sub("", _SIZES.sub("", text)).replace("\\$", ""))
    text = _THOUSANDS.sub("", _DEGREES.sub("", text))
    text = _FRACTION.sub(r"\\frac", text)
    text = re.sub(r"\\frac(\\[a-z]+)", r"\\frac{\1}", text)
    text = re.sub(r"(\\frac\{[^{}]*\})([A-Za-z0-9])", r"\1{\2}", text)
    text = _BARE_FRACTION.sub(lambda f: f"\\frac{{{f[1] or f[2]}}}{{{f[3] or f[4]}}}", text)
    text = _ALONE.sub(r"\1\2", _ROOT.sub(r"\\sqrt{\1}", _NAMED.sub("", text)))
    return _SLASH.sub(r"\1\\frac{\2}{\3}", text)


def _is_number(text: str) -> bool:
    """Whether a text is a number and nothing else, a fraction or a percentage included."""
    return re.fullmatch(r"-?(?:\d+(?:\.\d+)?|\.\d+|\\frac\{\d+\}\{\d+\})%?", text) is not None
