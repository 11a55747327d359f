"""Secret domains: what a run is about, drawn from the owner's secret, under a name that tells nothing of it."""

import copy
import hmac
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from lse_gym.envs.core import ContextEnv
from lse_gym.envs.domain import Domain, Family
from lse_gym.leaderboard.errors import BoardError
from lse_gym.leaderboard.track import Track, canonical

SEED_BITS = 128  # of a domain: its conventions follow from it, so nobody may guess or try it


class Draw(NamedTuple):
    """What a run is drawn from: the domain's real name, and the secret of its sealed questions."""

    domain: str
    questions: int


def draw(secret: int, track: Track, play: str, run: int) -> Draw:
    """The draw of one run: with the owner's secret anybody can make it again, without it nobody can.

    Args:
        secret: the board's, of this track.
        track: the track.
        play: id of the play.
        run: number of the run, from 0.
    """
    theme = track.domains[run % len(track.domains)].rpartition("-")[0]
    seed, questions = (_number(secret, [track.id, play, run, what]) for what in ("domain", "questions"))
    return Draw(f"{theme}-{seed >> (256 - SEED_BITS)}", questions)


def public_names(track: Track) -> tuple[str, ...]:
    """What players know the domains of the runs by: one of each domain and seed of the track."""
    themes = [name.rpartition("-")[0] for _ in range(track.seeds) for name in track.domains]
    return tuple(f"{theme}-secret-{number}" for number, theme in enumerate(themes, 1))


class SecretFamily(Family):
    """One secret domain, its test questions sealed, under its public name.

    Args:
        family: what it is drawn from.
        drawn: the draw.
        name: the public name.
        count: sealed questions.
    """

    def __init__(self, family: Family, drawn: Draw, name: str, count: int):
        self._family, self._drawn, self._count = family, drawn, count
        self.groups = {"played": (name,)}

    def load(self, name: str) -> Domain:
        """The domain."""
        self.check(name)
        return self._domain

    @cached_property
    def _domain(self) -> Domain:
        domain = copy.copy(self._family.sealed(self._drawn.domain, self._drawn.questions, self._count))
        (domain.name,) = self.groups["played"]
        return domain


def secret_env(track: Track, drawn: Draw, name: str) -> ContextEnv:
    """The env of a run, as its host has it: the track's, on a secret domain."""
    core = track.core()
    core.family, core.domains = SecretFamily(core.family, drawn, name, track.sealed_items), (name,)
    core.max_edits = track.max_rounds  # where an episode ends before is the player's affair
    return core


def check_playable(track: Track) -> None:
    """Raise :class:`BoardError` where a track's domains cannot be drawn from a secret, or would tell it."""
    family, seed = track.core("reader").family, f"{(1 << SEED_BITS) - 1}"
    try:
        for theme in sorted({name.rpartition("-")[0] for name in track.domains}):
            domain = family.sealed(f"{theme}-{seed}", 0, 1)
            shown = [domain.seed_context, domain.system(""), *map(domain.user, domain.splits["feedback"])]
            if any(seed in text for text in shown):
                raise BoardError("its prompts tell the seed of a domain.")
    except ValueError as error:
        raise BoardError(f"{track.id} cannot be played: {error} Choose a track of a procedural family.") from None


def _number(secret: int, what: Sequence[object]) -> int:
    digest = hmac.digest(secret.to_bytes(32), canonical(what), "sha256")
    return int.from_bytes(digest)
