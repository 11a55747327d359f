"""The name of a play, kept in the file that ``record`` names: who makes the env again goes through the same play."""

import json
from pathlib import Path

from lse_gym.envs.cache import write_whole
from lse_gym.envs.errors import DataError


def read_play(path: Path) -> str | None:
    """The name that a file keeps; None where there is no file yet.

    Raises:
        DataError: the file is damaged, or keeps something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text)["play"] if text else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"the record {str(path)!r} holds no play ({error}). Pass another record=.") from None


def write_play(path: Path, play: str) -> None:
    """Keep a name, at one stroke."""
    if read_play(path) != play:
        write_whole(path, json.dumps({"play": play}).encode() + b"\n")
