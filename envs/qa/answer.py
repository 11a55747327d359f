"""The answer to a multiple-choice question in a model's response: one letter, or none.

Strict: what could be read in two ways is no answer, and who gives every letter gives none.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

MAX_CHARS = 20_000  # read of a response, from its end: the answer comes last
MAX_ANSWER_CHARS = 2000  # of what stands in tags, or of a line that states the answer
MAX_LINE_CHARS = 100  # of a line with nothing but a letter, however it is marked up

_MARKS = r"[\s*_`#>\"'\u201c\u201d\u2018\u2019$]*+"
_TAG = re.compile(r"<answer>((?:(?!</?answer>).)*+)</answer>", re.DOTALL | re.IGNORECASE)


class _Patterns(NamedTuple):
    alone: re.Pattern[str]
    headed: re.Pattern[str]
    boxed: re.Pattern[str]
    said: re.Pattern[str]
    another: re.Pattern[str]


def extract_choice(response: str, letters: Sequence[str] = "ABCD") -> str | None:
    """The one letter that a response chooses, in upper case; None where it chooses none, several or all.

    In ``<answer>`` tags a letter may be bare, marked up, in brackets, or stand before the text of its choice. Without
    tags a response must say it: as the whole text or the last line, in ``\\boxed{}``, or after words like "the answer
    is". The last one counts, as models correct themselves.

    Args:
        response: the text, however hostile.
        letters: the letters that there are.

    >>> extract_choice("It is cold, so B fits.\\n<answer>B</answer>"), extract_choice("<answer>A, B, C or D</answer>")
    ('B', None)
    """
    alphabet = "".join(letters).upper()
    if not alphabet:
        return None
    patterns, text = _patterns(alphabet), response[-MAX_CHARS:]
    tagged = _TAG.findall(text)
    if tagged:
        named = found = [_read(content, patterns) for content in tagged]
    elif "\n" not in text.strip() and (whole := _read(text, patterns)):
        named = found = [whole]
    else:
        boxed, stated = _boxed(text, patterns), _stated(text, patterns)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        alone = [_read(line, patterns) if _is_letters(line, alphabet) else None for line in lines]
        named = [*boxed, *stated, *alone]
        last = alone[-1:] if not _is_letters("".join(lines[-2:-1]), alphabet) else []
        found = boxed or stated or last
    every = len(alphabet) > 1 and {*named} >= {*alphabet}
    return found[-1] if found and not every else None


def _read(content: str, patterns: _Patterns) -> str | None:
    """The letter that a short text amounts to."""
    content = content.strip(" \t\r\n$")
    if len(content) > MAX_ANSWER_CHARS:
        return None
    if match := patterns.alone.fullmatch(content) or patterns.boxed.fullmatch(content):
        return match["letter"].upper()
    match = patterns.headed.fullmatch(content)
    return match["letter"].upper() if match and not patterns.another.search(match["rest"]) else None


def _boxed(text: str, patterns: _Patterns) -> list[str | None]:
    return [match["letter"].upper() for match in patterns.boxed.finditer(text)]


def _stated(text: str, patterns: _Patterns) -> list[str | None]:
    """What "the answer is" says each time; None where it goes on to another letter, as in "the answer is A or B"."""
    return [
        None if patterns.another.search(match["rest"]) else match["letter"].upper()
        for line in text.splitlines()
        for match in patterns.said.finditer(line[-MAX_ANSWER_CHARS:])
    ]


def _is_letters(line: str, alphabet: str) -> bool:
    """Whether a line is made of single letters and signs alone."""
    words = re.findall(r"\w+", line[:MAX_LINE_CHARS])
    return len(line) <= MAX_LINE_CHARS and bool(words) and all(word.upper() in {*alphabet} for word in words)


@lru_cache(maxsize=64)
def _patterns(alphabet: str) -> _Patterns:
    upper = f"[{re.escape(alphabet)}]"
    either = f"[{re.escape(alphabet + alphabet.lower())}]"
    named = (
        r"(?:(?i:(?:the\s+)?(?:(?:final|correct|right|best)\s+)?(?:answer|option|choice|letter)"
        r"(?:\s+(?:is|would\s+be|must\s+be|should\s+be))?\s*[:=]?)"
        rf"{_MARKS}(?:(?i:option|choice|letter)\s+)?{_MARKS})"
    )
    return _Patterns(
        alone=re.compile(
            rf"{_MARKS}{named}?{_MARKS}(?P<open>[(\[{{])?\s*(?P<letter>{either})\s*(?(open)[)\]}}]|){_MARKS}[.!,;:)]?{_MARKS}"
        ),
        # before the text of a choice: "B) the second", "(B) the second", "B. the second", "**B:** the second"
        headed=re.compile(
            rf"{_MARKS}{named}?{_MARKS}\(?\s*(?P<letter>{upper})\s*(?:[).:\]]|\s[-\u2013\u2014]\s){_MARKS}(?P<rest>\S.*)",
        ),
        boxed=re.compile(rf"\\boxed\s*\{{\s*(?:\\text(?:bf)?\s*\{{)?\s*\(?\s*(?P<letter>{either})\s*\)?\s*\}}{{1,2}}"),
        said=re.compile(
            rf"(?<![\w<])(?i:answer|correct\s+(?:option|choice))(?i:\s+(?:is|would\s+be|must\s+be|should\s+be))?\s*[:=]?{_MARKS}"
            rf"(?:(?i:option|choice|letter)\s+)?{_MARKS}[(\[]?(?P<letter>{upper})[)\]]?(?![\w'\u2019])"
            rf"(?P<rest>(?:(?!(?i:answer\s+is|answer:)).)*)"
        ),
        another=re.compile(
            rf"(?<!\w){upper}\s*(?:[).:\]]|\W*$)|^\W*(?<![.!?] ){upper}(?![\w'\u2019])"
            rf"|(?i:\bor|\band|[,/&|;+])\s*[(\[]?{upper}(?![\w'\u2019])"
        ),
    )
