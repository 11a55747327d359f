"""Plain text handling that several layers share: tags in model output, one-line display."""

import re

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")  # controls and lone surrogates


def clean(text: str, max_chars: int) -> tuple[str, str]:
    """``text`` as a context: printable, encodable as UTF-8, at most ``max_chars`` long; and what had to be mended."""
    printable = UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n"))
    problems = ["unprintable characters were replaced"] if printable != text.replace("\r\n", "\n") else []
    if len(printable) > max_chars:
        problems.append(f"{len(printable)} characters were cut to {max_chars}")
    return printable[:max_chars], "; ".join(problems)


def tagged(text: str, tag: str) -> str | None:
    """The content of the last ``<tag>`` element of ``text``, or None.

    The last closing tag is matched with its own opening tag, so nested tags do no harm (as in LSE's released code).

    >>> tagged("<answer>1</answer> no: <answer>2 <answer>3</answer></answer>", "answer")
    '2 <answer>3</answer>'
    """
    opening, closing = f"<{tag}>", f"</{tag}>"
    end = at = text.rfind(closing)
    depth = 1
    while depth:
        if at < 0:
            return None
        opened, closed = text.rfind(opening, 0, at), text.rfind(closing, 0, at)
        depth, at = (depth + 1, closed) if closed > opened else (depth - 1, opened)
    return text[at + len(opening) : end].strip() if at >= 0 else None


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
