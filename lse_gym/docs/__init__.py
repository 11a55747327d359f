"""What the documentation says that the code or a recorded file says already: written and checked, never typed.

A page holds a block ``<!-- docs: NAME ARGUMENTS -->`` … ``<!-- end -->``; what stands between the two is what the
function ``NAME`` of :data:`BLOCKS` returns. ``python -m lse_gym.docs --write`` fills the blocks of a checkout.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from lse_gym.docs import commands, measured, tables

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^(<!-- docs: (\S+)(.*?) -->\n)(.*?)^(<!-- end -->)$", flags=re.DOTALL | re.MULTILINE)
BLOCKS: dict[str, Callable[..., str]] = {
    "envs": tables.envs,
    "arguments": tables.arguments,
    "models": tables.models,
    "wrappers": tables.wrapper_classes,
    "agents": tables.agents,
    "tracks": tables.tracks,
    "commands": commands.commands,
    "results": measured.results,
    "recorded": measured.recorded,
    "board": measured.board,
    "elsewhere": measured.elsewhere,
}


def pages() -> Iterator[Path]:
    """Every page of the checkout, the root's first."""
    yield from sorted(ROOT.glob("*.md"), reverse=True)
    for folder in ("envs", "agents", "wrappers", "leaderboard", "tests", "lse_gym/cli"):
        yield from sorted((ROOT / folder).rglob("*.md"))


def filled(text: str) -> str:
    """A page with its blocks as they should be."""
    return BLOCK.sub(lambda m: f"{m[1]}{BLOCKS[m[2]](*shlex.split(m[3]))}{m[5]}", text)
