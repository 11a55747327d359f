"""The player of the README learns; that all of its code runs, tests/test_docs.py shows."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "envs" / "games" / "README.md"
MAX_LINES = 25


@pytest.mark.extra("games")
def test_the_player_in_25_lines_learns_which_hint_helps(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (code,) = (block for block in blocks if "def hinter" in block)
    assert code.count("\n") <= MAX_LINES
    exec(code, {})  # noqa: S102 - our own
    learned, idle = map(float, capsys.readouterr().out.split())
    assert learned > 1
    assert idle < 0
