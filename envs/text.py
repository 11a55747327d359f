"""Plain text handling that several layers share: tags in model output, one-line display."""

import re
from typing import Generic, Self, TypeVar

T = TypeVar("T")
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # controls and lone surrogates
# Besides those, what turns the direction of writing around, and letters of no looks (spaces and joins of no width,
# fillers, soft hyphens, tags): a reader sees another text. U+200C and U+200D stay: Persian and emoji have them.
_UNSEEN = "\u00ad\u115f\u1160\u180e\u200b\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\U000e0000-\U000e007f"
_NO_CONTEXT = re.compile(f"{UNPRINTABLE.pattern[:-1]}{_UNSEEN}]")
# ECMA-48: control sequences (7 and 8 bit), strings such as titles and links up to their end, other escapes; then every
# control character that is left but tab and line feed, and what turns the direction of writing around.
_STEERING = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\n\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c)?"
    "|\x1b[ -/]*[0-~]?"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


class TextOf(str, Generic[T]):
    """A text, as any other string, that still knows the data it was made from."""

    data: T

    def __new__(cls, text: str, data: T) -> Self:
        """``text`` with ``data`` behind it."""
        made = super().__new__(cls, text)
        made.data = data
        return made

    def __getnewargs__(self) -> tuple[str, T]:  # ty: ignore[incompatible-method-override] - what copies and pickles keep
        return str(self), self.data


def has_halves(text: str) -> bool:
    """Whether a text holds half of a character, which no UTF-8 can say, but JSON can: as ``\\ud800``."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def clean(text: str, max_chars: int) -> tuple[str, str]:
    """``text`` as a context: printable, encodable as UTF-8, at most ``max_chars`` long; and what had to be mended."""
    text = text.replace("\r\n", "\n")
    printable = _NO_CONTEXT.sub("\ufffd", text)
    problems = ["unprintable characters were replaced"] if printable != text else []
    if len(printable) > max_chars:
        problems.append(f"{len(printable)} characters were cut to {max_chars}")
    return printable[:max_chars], "; ".join(problems)


def clean_action(action: object, kept: str, max_chars: int) -> tuple[str, str]:
    """The context that an action asks for, as :func:`clean` does; what is no text keeps the one there is."""
    if isinstance(action, str):
        return clean(action, max_chars)
    return kept, f"the action was of type {type(action).__name__}, not str: the context was kept"


def tagged(text: str, tag: str) -> str | None:
    """The content of the last ``<tag>`` element of ``text``, or None.

    The last closing tag is matched with its own opening tag, so nested tags do no harm (as in LSE's released code).

    >>> tagged("<answer>1</answer> no: <answer>2 <answer>3</answer></answer>", "answer")
    '2 <answer>3</answer>'
    """
    end, depth = -1, 0
    for mark in reversed([*re.finditer(f"</?{tag}>", text)]):  # one pass: hostile text is made of nothing but tags
        closes = mark[0].startswith("</")
        if end < 0 and closes:
            end = mark.start()
        if end >= 0:
            depth += 1 if closes else -1
            if depth == 0:
                return text[mark.end() : end].strip()
    return None


def elements(text: str, tag: str) -> list[str]:
    """The content of each ``<tag>`` element of ``text``, up to its first closing tag.

    >>> elements("<add>a</add> and <add>b</add> <add>c", "add")
    ['a', 'b']
    """
    opening, closing = f"<{tag}>", f"</{tag}>"
    found, at = [], 0
    while (start := text.find(opening, at)) >= 0 and (end := text.find(closing, start)) >= 0:
        found.append(text[start + len(opening) : end])
        at = end + len(closing)
    return found


def spoken(text: str) -> str:
    """``text`` without what a model thought before it spoke; all of it is left out where the thinking was cut off.

    >>> spoken("<think>5 or 6?</think>6"), spoken("<think>5, <answer>5</answer>, or")
    ('6', '')
    """
    return text.rpartition("</think>")[2].partition("<think>")[0]


def one_line(text: str, max_chars: int) -> str:
    """``text`` on one line, cut at ``max_chars`` characters with an ellipsis."""
    line = text.replace("\r", " ").replace("\n", " ")
    return line if len(line) <= max_chars else line[:max_chars] + " …"


def an(noun: str, *, capital: bool = False) -> str:
    """``noun`` with its indefinite article.

    >>> an("age"), an("hour", capital=True), an("unit")
    ('an age', 'An hour', 'a unit')
    """
    vowel = noun[:1] in "aeio" or noun.startswith("hour") or (noun[:1] == "u" and not noun.startswith(("un", "us")))
    article = "an" if vowel else "a"
    return f"{article.capitalize() if capital else article} {noun}"


def plain(text: str) -> str:
    r"""Text without anything that a terminal would obey.

    >>> plain("\x1b[2Ja\x1b]0;title\x07b\x9b1mc\u202ed\te")
    'abcd\te'
    """
    return _STEERING.sub("", text)
