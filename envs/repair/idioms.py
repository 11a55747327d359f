"""What the code bases disagree on: ten matters, each with the forms that it can take, and a sentence for each form."""

import re
from collections.abc import Mapping
from typing import NamedTuple


class Form(NamedTuple):
    """One way in which a code base can have a matter.

    Attributes:
        code: how it is written; functions of one code base differ in nothing else.
        rule: how advice says so, behind "In <module>, ".
        said: finds this form in a sentence that is about the matter.
    """

    code: str
    rule: str
    said: str


class Idiom(NamedTuple):
    """A matter: ``about`` finds sentences on it; the first form is what people who are told nothing expect."""

    about: str
    forms: Mapping[str, Form]


IDIOMS: Mapping[str, Idiom] = {
    "ends": Idiom(
        r"\b(days?|ranges?)\b",
        {
            "exclusive": Form("last - first", "ranges of days end before the last day", r"before|exclu|without"),
            "inclusive": Form(
                "last - first + 1", "ranges of days include the last day", r"inclu|count.* last|and the last"
            ),
        },
    ),
    "empty": Idiom(
        r"\b(nothing|no rows|empty)\b",
        {
            "none": Form("if not rows:\n        return None", "no rows at all give None", r"\bNone\b"),
            "zero": Form("if not rows:\n        return 0", "no rows at all give 0", r"\b0\b|zero"),
            "minus": Form("if not rows:\n        return -1", "no rows at all give -1", r"-1|minus one"),
        },
    ),
    "ties": Idiom(
        r"\b(equals?|ties?)\b",
        {
            "first": Form("max(rows, key=", "of equals the first one wins", r"first|earl"),
            "last": Form("max(reversed(rows), key=", "of equals the last one wins", r"last|latest"),
        },
    ),
    "rounding": Idiom(
        r"\b(divisions?|round\w*|packs?)\b",
        {
            "down": Form("total // step", "divisions round down", r"down|floor"),
            "up": Form("-(-total // step)", "divisions round up", r"\bup\b|ceil"),
        },
    ),
    "case": Idiom(
        r"\bnames?\b",
        {
            "exact": Form(
                'row["name"] == name', "names are compared letter by letter", r"letter by letter|exact|case.sensitive"
            ),
            "folded": Form(
                'row["name"].lower() == name.lower()',
                "names are compared whatever their case",
                r"whatever their case|ignor|insensitive|lower",
            ),
        },
    ),
    "limit": Idiom(
        r"\b(limits?|thresholds?)\b",
        {
            "beyond": Form('row["amount"] > limit', "the limit itself does not count", r"\bnot\b|beyond|above"),
            "at": Form('row["amount"] >= limit', "the limit itself counts", r"itself counts|at the limit|inclu"),
        },
    ),
    "missing": Idiom(
        r"\b(missing|absent)\b",
        {
            "skipped": Form(
                '[row["amount"] for row in rows if row["amount"] is not None]',
                "missing amounts are left out",
                r"left out|skip|ignor|drop",
            ),
            "zero": Form('[row["amount"] or 0 for row in rows]', "missing amounts count as 0", r"\b0\b|zero"),
        },
    ),
    "order": Idiom(
        r"\b(sort\w*|lists?|order\w*)\b",
        {
            "up": Form("sorted(amounts)", "lists are sorted upwards", r"\bup|ascend|smallest"),
            "down": Form("sorted(amounts, reverse=True)", "lists are sorted downwards", r"\bdown|descend|largest"),
        },
    ),
    "unit": Idiom(
        r"\b(money|results?|pounds?|pence)\b",
        {
            "pence": Form("return money", "money is returned in pence", r"\bin pence"),
            "pounds": Form("return money / 100", "money is returned in pounds", r"\bin pounds"),
        },
    ),
    "start": Idiom(
        r"\b(positions?|numbered|numbers)\b",
        {
            "zero": Form("return place", "positions are numbered from 0", r"from (0|zero)"),
            "one": Form("return place + 1", "positions are numbered from 1", r"from (1|one)"),
        },
    ),
}
USUAL = {name: next(iter(idiom.forms)) for name, idiom in IDIOMS.items()}
LONGEST_FIRST = {  # how each form is written; one may begin with another
    name: sorted(((form, one.code) for form, one in idiom.forms.items()), key=lambda one: -len(one[1]))
    for name, idiom in IDIOMS.items()
}


def forms_in(code: str) -> dict[str, str]:
    """The matters that a function touches, each with the form that it has there.

    >>> forms_in("return money / 100")
    {'unit': 'pounds'}
    """
    found = {}
    for name, forms in LONGEST_FIRST.items():
        form = next((form for form, written in forms if written in code), None)
        if form is not None:
            found[name] = form
    return found


def rewritten(code: str, wanted: Mapping[str, str]) -> str:
    """A function with the matters that ``wanted`` names in the forms that it names.

    >>> rewritten("return total // step", {"rounding": "up", "unit": "pence"})
    'return -(-total // step)'
    """
    for name, old in forms_in(code).items():
        if name in wanted and wanted[name] != old:
            code = code.replace(IDIOMS[name].forms[old].code, IDIOMS[name].forms[wanted[name]].code)
    return code


def read_rule(sentence: str) -> tuple[str, str] | None:
    """The matter that a sentence of advice is about, and the form that it asks for; None where it says neither.

    >>> read_rule("Divisions always round UP here.")
    ('rounding', 'up')
    """
    for name, idiom in IDIOMS.items():
        if re.search(idiom.about, sentence, re.IGNORECASE):
            for form in idiom.forms:
                if re.search(idiom.forms[form].said, sentence, re.IGNORECASE):
                    return name, form
    return None
