"""The embedded family: datasets and questions made from a theme and a seed, alike in every process."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated

import numpy as np

from lse_gym.envs.arguments import Range, Seed, checked
from lse_gym.envs.datascience.domain import SEED_CONTEXT
from lse_gym.envs.datascience.executor import Settings
from lse_gym.envs.datascience.procedural.dataset import Dataset, draw_dataset
from lse_gym.envs.datascience.procedural.domain import HouseDomain, Item
from lse_gym.envs.datascience.procedural.rules import oracle_context
from lse_gym.envs.datascience.procedural.themes import TEST_THEMES, TRAIN_THEMES
from lse_gym.envs.datascience.procedural.world import World, draw_world
from lse_gym.envs.domain import SPLITS, Family, Split
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.names import check_drawn
from lse_gym.envs.splits import CLASSES, Class, check_draw, class_of

SIZES: Mapping[Split, int] = {"feedback": 40, "held_out": 20, "test": 40}
THEMES = {theme.name: theme for theme in (*TRAIN_THEMES, *TEST_THEMES)}
FAMILY_STREAM = 19  # first entry of every seed, so that no stream is one of another family
NUMBERS = 1_000_000  # of datasets in a world
MAX_DRAWS = 100  # of a number that is of the class, new, and of a clear dataset
MAX_QUESTIONS = 20_000  # of one draw
PUBLIC_DIGITS = 6  # of the seeds that people write
SETTINGS = Settings(run_s=20.0, memory_bytes=2 << 30)  # a script takes some hundredths of a second


class ProceduralDataScienceFamily(Family):
    """Domains ``<theme>-<seed>``: any seed of at most 39 digits, the group "train" and the group "test".

    Themes of the two groups share no column, value or term, so nothing but skill carries over.

    Args:
        split_seed: another seed draws other datasets of the same worlds.
        held_out_size: questions in the held-out split, >= 1.
    """

    groups: Mapping[str, Sequence[str]] = {
        "train": [f"{theme.name}-{seed}" for theme in TRAIN_THEMES for seed in range(8)],
        "test": [f"{theme.name}-{seed}" for seed in range(5) for theme in TEST_THEMES],
    }

    @checked
    def __init__(
        self, split_seed: Seed = 0, held_out_size: Annotated[int, Range(1, MAX_QUESTIONS)] = SIZES["held_out"]
    ):
        self.split_seed, self.held_out_size = split_seed, held_out_size

    def check(self, name: str) -> None:
        """Raise :class:`UnknownNameError` unless ``name`` is ``<theme>-<seed>`` of a known theme."""
        check_drawn(name, THEMES, self.groups)

    def load(self, name: str) -> HouseDomain:
        """Make the domain, or take it from memory."""
        self.check(name)
        return _load(name, self.split_seed, self.held_out_size)

    def sizes(self, name: str) -> Mapping[Split, int]:
        """The same of every domain."""
        self.check(name)
        return {**SIZES, "held_out": self.held_out_size}

    def sealed(self, name: str, secret: int, count: int) -> HouseDomain:
        """The domain with ``count`` other test questions, which only who has the secret can know."""
        self.check(name)
        check_draw(secret, count)
        return _sealed(name, self.split_seed, self.held_out_size, secret, count)


@lru_cache(maxsize=16)
def _load(name: str, split_seed: int, held_out_size: int) -> HouseDomain:
    world, sizes = make_world(name), {**SIZES, "held_out": held_out_size}
    drawn = {
        split: draw_items(name, world, split, [split_seed, CLASSES.index(split)], sizes[split]) for split in SPLITS
    }
    return HouseDomain(name, drawn, SETTINGS, SEED_CONTEXT, oracle_context(SEED_CONTEXT, world))


@lru_cache(maxsize=4)
def _sealed(name: str, split_seed: int, held_out_size: int, secret: int, count: int) -> HouseDomain:
    public, world = _load(name, split_seed, held_out_size), make_world(name)
    drawn = {split: public.items[split] for split in SPLITS}
    drawn["test"] = draw_items(name, world, "sealed", [split_seed, CLASSES.index("sealed"), secret], count)
    return HouseDomain(name, drawn, SETTINGS, SEED_CONTEXT, public.oracle_context)


def stream(name: str, *more: int) -> list[int]:
    """What the random numbers of a domain are seeded by."""
    theme, seed = name.rsplit("-", 1)
    return [FAMILY_STREAM, list(THEMES).index(theme), int(seed), *more]


def make_world(name: str) -> World:
    """The hidden conventions of a domain."""
    rng = np.random.default_rng(np.random.SeedSequence(stream(name)))
    return draw_world(THEMES[name.rsplit("-", 1)[0]], rng)


def make_dataset(name: str, world: World, number: int) -> Dataset | None:
    """A dataset of a world, always the same; None where it is not clear."""
    rng = np.random.default_rng(np.random.SeedSequence(stream(name, 1, number)))
    theme, seed = name.rsplit("-", 1)
    shown = name if len(seed) <= PUBLIC_DIGITS else theme  # what is asked must not tell a seed that is a secret
    return draw_dataset(world, f"{shown}_{world.theme.things}-{number:06}", rng)


def draw_datasets(name: str, world: World, group: Class, seeds: Sequence[int], count: int) -> list[Dataset]:
    """``count`` datasets of one class; dataset i comes from ``SeedSequence([…, *seeds, i])``.

    Raises:
        ArgumentError: that is more than the class has room for.
    """
    if 2 * count > MAX_QUESTIONS:
        raise ArgumentError(
            f"count={2 * count} is more than the {MAX_QUESTIONS:,} questions of one draw. Ask for fewer."
        )
    drawn: dict[int, Dataset] = {}
    for index in range(count):
        rng = np.random.default_rng(np.random.SeedSequence(stream(name, 2, *seeds, index)))
        for _ in range(MAX_DRAWS):
            number = int(rng.integers(NUMBERS))
            if number in drawn or class_of(name, f"dataset {number}") != group:
                continue
            if dataset := make_dataset(name, world, number):
                drawn[number] = dataset
                break
    return [*drawn.values()]


def draw_items(name: str, world: World, group: Class, seeds: Sequence[int], count: int) -> tuple[Item, ...]:
    """``count`` questions of one class: the two of each dataset, far apart, as one answer may do for both."""
    datasets = draw_datasets(name, world, group, seeds, -(-count // 2))
    half = len(datasets) // 2
    pairs = zip(datasets, [*datasets[half:], *datasets[:half]], strict=True)
    return tuple(Item.of(world, dataset, version) for pair in pairs for version, dataset in enumerate(pair))[:count]
