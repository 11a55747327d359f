"""Question files to try the env of one's own questions on."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from lse_gym.envs.custom.family import CustomFamily
from lse_gym.envs.errors import DataError

SUMS = [{"question": f"What is {n} + {n + 1}?", "answer": 2 * n + 1} for n in range(40)]


def write_questions(path: Path, records: Iterable[object] = SUMS) -> Path:
    """Write records as JSON lines; returns ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return path


def refusal(questions, scorer="exact", **arguments) -> str:
    """The message of the error that broken questions get."""
    with pytest.raises(DataError) as caught:
        CustomFamily(questions, scorer, **arguments)
    return str(caught.value)
