"""The name of a play, kept in the file that ``record`` names: who makes the env again goes through the same play."""

import json
import secrets
from pathlib import Path

from lse_gym.envs.cache import write_whole
from lse_gym.envs.errors import DataError

LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


def new_name() -> str:
    """A name for a play that is given none."""
    return "".join(secrets.choice(LETTERS) for _ in range(16))


def a_play(path: Path) -> str:
    """The name that a file keeps, a new one where there is no file yet."""
    kept = read_play(path)
    if kept is None:
        kept = new_name()
        write_play(path, kept)
    return kept


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
