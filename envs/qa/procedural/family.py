"""The embedded family: questions and golds made from a theme and a seed, alike in every process."""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from lse_gym.envs import splits, text
from lse_gym.envs.arguments import Seed, checked
from lse_gym.envs.cache import cached, source_digest
from lse_gym.envs.domain import SPLITS, Family, Split
from lse_gym.envs.names import check_drawn
from lse_gym.envs.qa.domain import QADomain
from lse_gym.envs.qa.procedural.draw import SIZES, draw_questions
from lse_gym.envs.qa.procedural.rules import oracle_context
from lse_gym.envs.qa.procedural.themes import TEST_THEMES, TRAIN_THEMES
from lse_gym.envs.qa.procedural.world import World, draw_world
from lse_gym.envs.qa.prompt import SEED_CONTEXT, Item
from lse_gym.envs.splits import check_draw

THEMES = {theme.name: theme for theme in (*TRAIN_THEMES, *TEST_THEMES)}
FAMILY_STREAM = 6  # first entry of every seed, so that no stream is one of the text-to-SQL family
FOLDER = "question-answering"  # below the cache folder


class ProceduralQAFamily(Family):
    """Domains ``<theme>-<seed>``: any seed of at most 39 digits, the group "train" and the group "test".

    Themes of the two groups share no word that a convention is about, so nothing but skill carries over.

    Args:
        split_seed: another seed draws other questions about the same worlds.
    """

    groups: Mapping[str, Sequence[str]] = {
        "train": [f"{theme.name}-{seed}" for theme in TRAIN_THEMES for seed in range(8)],
        "test": [f"{theme.name}-{seed}" for seed in range(5) for theme in TEST_THEMES],
    }

    @checked
    def __init__(self, split_seed: Seed = 0):
        self.split_seed = split_seed

    def check(self, name: str) -> None:
        """Raise :class:`UnknownNameError` unless ``name`` is ``<theme>-<seed>`` of a known theme."""
        check_drawn(name, THEMES, self.groups)

    def load(self, name: str) -> QADomain:
        """Make the domain, or take it from memory."""
        self.check(name)
        return _load(name, self.split_seed)

    def sizes(self, name: str) -> Mapping[Split, int]:
        """The same of every domain."""
        self.check(name)
        return SIZES

    def sealed(self, name: str, secret: int, count: int) -> QADomain:
        """The domain with ``count`` other test questions, which only who has the secret can know."""
        self.check(name)
        check_draw(secret, count)
        return _sealed(name, self.split_seed, secret, count)


@lru_cache(maxsize=64)
def _load(name: str, split_seed: int) -> QADomain:
    rows = cached(FOLDER, name, (_versions(), name, split_seed), lambda: _draw(name, split_seed))
    return _domain(
        name, {split: [Item(i, stem, (*of,), *rest) for i, stem, of, *rest in rows[split]] for split in rows}
    )


@lru_cache(maxsize=16)
def _sealed(name: str, split_seed: int, secret: int, count: int) -> QADomain:
    """Never from a file: who can read the cache folder could read the questions."""
    return _domain(name, _draw(name, split_seed, (secret, count)))


def _domain(name: str, drawn: Mapping[Split, Sequence[Item]]) -> QADomain:
    world = make_world(name)
    return QADomain(name, world.theme.name, drawn, oracle_context(SEED_CONTEXT, world))


def _draw(name: str, split_seed: int, sealed: tuple[int, int] | None = None) -> dict[Split, list[Item]]:
    drawn = draw_questions(name, make_world(name), stream(name, split_seed), sealed)
    return {split: [item for item, _ in drawn[split]] for split in SPLITS}


@cache
def _versions() -> tuple[str, str]:
    """What else decides what is drawn: this code, and numpy's streams."""
    return source_digest(Path(__file__).parent, *(Path(module.__file__) for module in (splits, text))), np.__version__


def stream(name: str, *more: int) -> list[int]:
    """What the random numbers of a domain are seeded by."""
    theme, seed = name.rsplit("-", 1)
    return [FAMILY_STREAM, list(THEMES).index(theme), int(seed), *more]


def make_world(name: str) -> World:
    """The hidden conventions of a domain."""
    rng = np.random.default_rng(np.random.SeedSequence(stream(name)))
    return draw_world(THEMES[name.rsplit("-", 1)[0]], rng)
