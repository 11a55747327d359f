"""Invented businesses as domains: as many as a training needs, in words that no shipped domain uses.

An editor that is trained on five themes learns their words; on a new business in every run it can learn nothing but
its job. ``lse-gym archive --env LSE/Family-v0 --env-set family=lse_gym.envs.models.nano.invented:InventedFamily``.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from lse_gym.envs.models.nano.data import draw_theme
from lse_gym.envs.models.nano.lexicon import invent
from lse_gym.envs.names import NAME
from lse_gym.envs.sql.domain import Scoring, SQLDomain
from lse_gym.envs.sql.procedural.family import ProceduralFamily, domain_of, make_record
from lse_gym.envs.sql.procedural.theme import Theme
from lse_gym.envs.sql.procedural.themes import TRAIN_THEMES

INVENTED = "invented"
STREAM = 11  # apart from the streams of the training samples of ``nano``
LABEL_WORDS = 8  # first and second words of the things' names, as the shipped themes have
HELD_BACK = "studio"  # the theme of the group "dev": none of its words is met in training
SEEDS = range(8, 28)  # of the shipped training themes; those before are the group "train" of the embedded family


class InventedFamily(ProceduralFamily):
    """The embedded family, and ``invented-<number>``: a business of its own for every number.

    Group "train": 480 invented businesses and 80 domains of four training themes. Group "dev": eight of the fifth.
    """

    groups: Mapping[str, Sequence[str]] = {
        "train": [
            *(f"{INVENTED}-{number}" for number in range(480)),
            *(f"{theme.name}-{seed}" for theme in TRAIN_THEMES if theme.name != HELD_BACK for seed in SEEDS),
        ],
        "dev": [f"{HELD_BACK}-{seed}" for seed in range(8)],
    }

    def check(self, name: str) -> None:
        """As the embedded family does; ``invented-<number>`` is known as well."""
        match = NAME.fullmatch(name) if isinstance(name, str) else None
        if match is None or match[1] != INVENTED:
            super().check(name)

    def load(self, name: str) -> SQLDomain:
        """Make the domain, or take it from memory."""
        self.check(name)
        theme, number = name.rsplit("-", 1)
        return _load(int(number), self.split_seed, self.scoring) if theme == INVENTED else super().load(name)


@lru_cache(maxsize=64)
def _load(number: int, split_seed: int, scoring: Scoring) -> SQLDomain:
    name, stream = f"{INVENTED}-{number}", [STREAM, number]
    rng = np.random.default_rng(np.random.SeedSequence(stream))
    return domain_of(name, make_record(name, _with_labels(draw_theme(rng), rng), stream, split_seed), scoring)


def _with_labels(theme: Theme, rng: np.random.Generator) -> Theme:
    """The theme with words that the names of its things are made of."""

    def words() -> tuple[str, ...]:
        found: dict[str, None] = {}
        while len(found) < LABEL_WORDS:
            found[invent(rng).capitalize()] = None
        return tuple(found)

    return theme._replace(thing_words=(words(), words()))
