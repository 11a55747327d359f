"""What task models read from the environment: numbers, and keys, which nothing else may show."""

import os

from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.redaction import note

OPENAI_URL = "https://api.openai.com/v1"


def server_url() -> str:
    """The address of the server that ``openai:`` models are asked at."""
    return os.environ.get("OPENAI_BASE_URL") or OPENAI_URL


def environment_number(name: str, default: float) -> float:
    """A positive number from the environment variable ``name``."""
    given = os.environ.get(name)
    try:
        value = default if given is None else float(given)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise ArgumentError(f"{name}={given!r} is not a number > 0. Unset it, or set e.g. {name}={default:g}.")
    return value


def environment_key(name: str) -> str:
    """The key in the environment variable ``name`` without the white space around it, as files end in; "" for none.

    Raises:
        ArgumentError: no header can carry it; the message says where, and shows nothing of it.
    """
    key = os.environ.get(name, "").strip()
    wrong = next((i for i, character in enumerate(key, 1) if not "!" <= character <= "~"), None)
    if wrong is not None:
        note(key, *key.split())
        raise ArgumentError(
            f"{name} cannot be sent: its character {wrong} of {len(key)} is a space, a line break or not ASCII. "
            f"Set {name} again, as one line without spaces."
        )
    note(key)
    return key
