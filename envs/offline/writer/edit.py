"""What every inducer makes: a revised context that keeps to its cap."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple


class Edit(NamedTuple):
    """A revised context, the number of rules in it that are new, and of worked examples that it keeps."""

    context: str
    rules: int = 0
    examples: int = 0


def fitted(lines: Sequence[str], max_chars: int) -> str:
    """The lines as a text of at most ``max_chars`` characters: the last ones are left out."""
    sizes = accumulate(len(line) + 1 for line in lines)
    return "\n".join(line for line, size in zip(lines, sizes, strict=True) if size <= max_chars + 1)
