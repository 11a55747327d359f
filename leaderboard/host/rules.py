"""What the owner of a host decides beside the tracks, in ``host.json`` of the board."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lse_gym.leaderboard.errors import BoardError


@dataclass(frozen=True)
class HostRules:
    """Limits of a host. How many plays a team may begin is in ``board.json``, as for submissions."""

    run_hours: float = 24.0
    """from a run's first step to its last; after that it can only be finished"""
    steps_per_run: int = 5000
    """resets, steps and evaluations of a run at most"""
    requests_per_s: float = 50.0
    """requests of a team, on the average"""
    burst: int = 100
    """requests of a team at once"""
    at_once: int = 16
    """requests of a team that are worked on side by side"""
    connections: int = 64
    """of a team at a time; who opens another is told to close one"""
    live_runs: int = 256
    """runs that are kept in memory; the others are made again from the record when they go on"""


def read_rules(path: Path) -> HostRules:
    """The rules in a file; the defaults where there is none.

    Raises:
        BoardError: it holds something else.
    """
    if not path.exists():
        return HostRules()
    try:
        rules = HostRules(**json.loads(path.read_text(encoding="utf-8")))
        wrong = [name for name, value in asdict(rules).items() if isinstance(value, bool) or not value > 0]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: numbers > 0 are wanted")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise BoardError(f"{str(path)!r} cannot be read: {error}. It has {', '.join(asdict(HostRules()))}.") from None
    return rules
