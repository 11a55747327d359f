"""Tokens of teams: 256 random bits, of which the host keeps a digest alone."""

import re
import secrets
from hashlib import sha256

from lse_gym.leaderboard.host.store import Team

_TOKEN = re.compile(r"lse_([0-9a-f]{16})_([0-9a-f]{64})")


def new_token(name: str, number: str | None = None) -> tuple[str, Team]:
    """A token, which nobody can show again, and the team that it is for; ``number`` is its id if it has one."""
    number = number or secrets.token_hex(8)
    token = f"lse_{number}_{secrets.token_hex(32)}"
    return token, Team(number, name, sha256(token.encode()).digest(), None)


def token_team(token: str) -> str:
    """The id of the team that a token names, or "" where it is none."""
    match = _TOKEN.fullmatch(token)
    return match[1] if match else ""
