"""How people tell the way in which days are written: a pattern, an example, or in words."""

import re

from lse_gym.envs.offline.reader.tools import wording as say


def date_format(text: str) -> str:
    """The format of strftime that a sentence about dates tells; "" where it tells none.

    >>> date_format("Write dates as DD.MM.YYYY."), date_format("Dates look like 12/31/2025."), date_format("Be quick.")
    ('%d.%m.%Y', '%m/%d/%Y', '')
    """
    if not re.search(r"\b(?:dates?|days?)\b", text, re.IGNORECASE):
        return ""
    if match := say.DATE_CODES.search(text):
        return match[0].rstrip(" ./-")
    if (match := say.DATE_FORMAT.search(text)) and (found := _strftime(match[1].upper())):
        return found
    if match := say.DATE_WORDS.search(text.lower()):
        first, second = match[2] or "", match[4] or ""
        first, second = (first, second) if first or second else (_separator(text), _separator(text))
        short = re.search(r"two[- ]digit|short year|without the century", text.lower())
        codes = {"day": "%d", "month": "%m", "year": "%y" if short else "%Y"}
        return f"{codes[match[1]]}{first}{codes[match[3]]}{second}{codes[match[5]]}"
    match = say.DATE_EXAMPLE.search(text)
    return _like(match) if match else ""


def _separator(text: str) -> str:
    for sign, words in ((".", r"\bdots?\b|\bperiods?\b"), ("/", r"\bslash"), ("-", r"\b(?:dash|hyphen)")):
        if re.search(words, text.lower()) and "without" not in text.lower():
            return sign
    return ""


def _strftime(letters: str) -> str:
    codes = {"YYYY": "%Y", "YY": "%y", "MM": "%m", "DD": "%d", "M": "%m", "D": "%d"}
    parts = re.findall(r"Y+|M+|D+|[-./ ]", letters)
    found = "".join(codes.get(part, part) for part in parts)
    return found if found.count("%") == 3 and {"m", "d"} < set(found.lower()) else ""


def _like(example: re.Match[str]) -> str:
    """The format of a day that is written as an example: a number beyond 12 is the day."""
    if example[5]:
        return "%Y%m%d"
    first, sign, second, last = example[1], example[2], example[3], example[4]
    if len(first) == 4:
        return f"%Y{sign}%m{sign}%d"
    year = "%Y" if len(last) == 4 else "%y"
    return f"%m{sign}%d{sign}{year}" if int(second) > 12 else f"%d{sign}%m{sign}{year}"
