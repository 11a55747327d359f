"""The boundary to the terminal: text from models, submissions and files is shown there, and must not steer it."""

import re
from collections.abc import Iterable

from rich import console as rich_console
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

# ECMA-48: control sequences (7 and 8 bit), strings such as titles and links up to their end, other escapes; then every
# control character that is left but tab and line feed, and what turns the direction of writing around.
_STEERING = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\n\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c)?"
    "|\x1b[ -/]*[0-~]?"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


def plain(text: str) -> str:
    r"""Text without anything that a terminal would obey.

    >>> plain("\x1b[2Ja\x1b]0;title\x07b\x9b1mc\u202ed\te")
    'abcd\te'
    """
    return _STEERING.sub("", text)


class Console(rich_console.Console):
    """A console that writes :func:`plain` text only; styles, bars and trees of this package are drawn as ever."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render, and clean what was rendered."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield segment._replace(text=plain(segment.text))


def counted(count: float, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "edit"), counted(1200, "edit"), counted(2, "query")
    ('1 edit', '1,200 edits', '2 queries')
    """
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,.0f} {noun if count == 1 else plural}"
