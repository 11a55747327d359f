"""The embedded family: offices and their tasks made from a theme and a seed, alike in every process."""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from lse_gym.envs import splits
from lse_gym.envs.arguments import Count, Seed, checked
from lse_gym.envs.cache import cached, source_digest
from lse_gym.envs.domain import SPLITS, Family, Question, Split
from lse_gym.envs.names import check_drawn
from lse_gym.envs.splits import check_draw
from lse_gym.envs.tools.procedural.domain import SEED_CONTEXT, OfficeDomain
from lse_gym.envs.tools.procedural.draw import SIZES, draw_questions
from lse_gym.envs.tools.procedural.held_out_themes import TEST_THEMES
from lse_gym.envs.tools.procedural.rules import oracle_context
from lse_gym.envs.tools.procedural.train_themes import TRAIN_THEMES
from lse_gym.envs.tools.procedural.world import World

THEMES = {theme.name: theme for theme in (*TRAIN_THEMES, *TEST_THEMES)}
FAMILY_STREAM = 18  # first entry of every seed, so that no stream is one of another family
FOLDER = "tool-use"  # below the cache folder


class OfficeFamily(Family):
    """Domains ``<theme>-<seed>``: any seed of at most 39 digits, the group "train" and the group "test".

    Themes of the two groups share no word that a rule is about, so nothing but skill carries over.

    Args:
        split_seed: another seed draws other tasks in the same offices.
        max_turns: most responses of the task model in one attempt, >= 1.

    Raises:
        ArgumentError: ``max_turns`` is no int, or below 1.
    """

    groups: Mapping[str, Sequence[str]] = {
        "train": [f"{theme.name}-{seed}" for theme in TRAIN_THEMES for seed in range(8)],
        "test": [f"{theme.name}-{seed}" for seed in range(5) for theme in TEST_THEMES],
    }

    @checked
    def __init__(self, split_seed: Seed = 0, max_turns: Count = OfficeDomain.max_turns):
        self.split_seed, self.max_turns = split_seed, max_turns

    def check(self, name: str) -> None:
        """Raise :class:`UnknownNameError` unless ``name`` is ``<theme>-<seed>`` of a known theme."""
        check_drawn(name, THEMES, self.groups)

    def load(self, name: str) -> OfficeDomain:
        """Make the domain, or take it from memory."""
        self.check(name)
        return _load(name, self.split_seed).with_turns(self.max_turns)

    def sizes(self, name: str) -> Mapping[Split, int]:
        """The same of every domain."""
        self.check(name)
        return SIZES

    def sealed(self, name: str, secret: int, count: int) -> OfficeDomain:
        """The domain with ``count`` other test tasks, which only who has the secret can know."""
        self.check(name)
        check_draw(secret, count)
        return _sealed(name, self.split_seed, secret, count).with_turns(self.max_turns)


@lru_cache(maxsize=64)
def _load(name: str, split_seed: int) -> OfficeDomain:
    rows = cached(FOLDER, name, (_versions(), name, split_seed), lambda: _draw(name, split_seed))
    return _domain(name, {split: [Question(*fields) for fields in rows[split]] for split in SPLITS})


@lru_cache(maxsize=16)
def _sealed(name: str, split_seed: int, secret: int, count: int) -> OfficeDomain:
    """Never from a file: who can read the cache folder could read the tasks."""
    return _domain(name, _draw(name, split_seed, (secret, count)))


def _domain(name: str, drawn: Mapping[Split, Sequence[Question]]) -> OfficeDomain:
    world = make_world(name)
    domain = OfficeDomain(name, world, drawn, oracle_context(SEED_CONTEXT, world.theme, world.house))
    assert not domain.verify(), f"{name}: a gold that is wrong, or a task that doing nothing does"
    return domain


def _draw(name: str, split_seed: int, sealed: tuple[int, int] | None = None) -> dict[Split, list[Question]]:
    drawn = draw_questions(name, make_world(name), stream(name, split_seed), sealed)
    return {split: [question for question, _ in drawn[split]] for split in SPLITS}


@cache
def _versions() -> tuple[str, str, str]:
    """What else decides what is drawn: this code, numpy's streams, SQLite's arithmetic."""
    here = Path(__file__).parent
    code = source_digest(here, here.parent / "diff.py", here.parent / "report.py", Path(splits.__file__))
    return code, np.__version__, sqlite3.sqlite_version


def stream(name: str, *more: int) -> list[int]:
    """What the random numbers of a domain are seeded by."""
    theme, seed = name.rsplit("-", 1)
    return [FAMILY_STREAM, list(THEMES).index(theme), int(seed), *more]


@lru_cache(maxsize=64)
def make_world(name: str) -> World:
    """The office of a domain."""
    return World(THEMES[name.rsplit("-", 1)[0]], np.random.default_rng(np.random.SeedSequence(stream(name))))
