"""What is left of a text when spelling tricks are taken away, and which names may stand on a board."""

import re
import unicodedata
from functools import cache

# Letters of no width by their looks, though Unicode calls them letters, marks or symbols; the rest it calls Cf.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # control, format, surrogate, private, unassigned, line ends
_MARKS = re.compile("\uffff{3}")
_PIECE_END = re.compile(r"[\n\r\x85\u2028\u2029]|[.;:!?](?=\s)")


def squeeze(text: str) -> str:
    """Letters and digits alone, in one case, look-alikes of other scripts as their Latin twins.

    Whatever is strewn between letters (underscores, quotes, line breaks, characters of no width) leaves no trace.

    >>> squeeze("How _many_ pat\u200bients\u2019 b\u0456lls?")
    'howmanypatientsbills'
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).translate(_foreign_twins())
    return "".join(filter(str.isalnum, text.casefold()))


def pieces(text: str) -> set[str]:
    """The lines and sentences of a text, squeezed; order, bullets, case and punctuation do not matter."""
    return {found for piece in _PIECE_END.split(text) if (found := squeeze(piece))}


def name_problem(name: str) -> str:
    """Why a name may not stand on a board, or ""."""
    composed = unicodedata.normalize("NFKC", name)
    if composed != name:
        return f"is not written in Unicode's form NFKC; write {composed!a}"
    for character in name:
        kind = unicodedata.category(character)
        if kind in _UNSEEN or _INVISIBLE.match(character) or (kind == "Zs" and character != " "):
            return f"has U+{ord(character):04X}, which cannot be seen; write letters, digits, signs and single spaces"
    if "  " in name:
        return "has two spaces in a row; write one"
    if _MARKS.search("".join("\uffff" if unicodedata.category(c)[0] == "M" else c for c in name)):
        return "has a letter with three marks or more; write at most two"
    return ""


def alike(one: str, other: str) -> bool:
    """Whether a reader may take one name for the other.

    Letters that look the same count as the same (Unicode Technical Standard 39), as do upper and lower case.

    >>> alike("the team", "The t\u0435am"), alike("Iris", "lris"), alike("team 1", "team 2")
    (True, True, False)
    """
    return any(a == b for a, b in zip(_skeletons(one), _skeletons(other), strict=True))


@cache
def _skeletons(name: str) -> tuple[str, str]:
    """Upper case may look like another letter's lower case (I, l), so both orders of folding are compared."""
    name = unicodedata.normalize("NFKC", name)
    return name.translate(_twins()).casefold(), name.casefold().translate(_twins())


@cache
def _twins() -> dict[int, str]:
    """Each character that has a twin, and the one that stands for all of them."""
    from confusable_homoglyphs.confusables import confusables_data as data

    def stands_for_all(character: str) -> bool:
        return len(data.get(character, ())) > 1

    found = {}
    for character, others in data.items():
        if len(character) == 1 and not stands_for_all(character):
            (other,) = (row["c"] for row in others)
            found[ord(character)] = other if stands_for_all(other) else min(character, other)
    return found


@cache
def _foreign_twins() -> dict[int, str]:
    """Twins of what is not ASCII, which keeps its own: 1 and l are not the same in a question."""
    return {code: other for code, other in _twins().items() if code > 127}
