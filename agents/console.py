"""The boundary to the terminal: text from models, submissions and files is shown there, and must not steer it."""

from collections.abc import Iterable

from rich import console as rich_console
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

from lse_gym.envs.text import plain


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
