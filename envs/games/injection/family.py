"""The embedded texts to grade and to sort, made from a theme and a seed, half of them attacked."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from lse_gym.envs.arguments import Seed, checked
from lse_gym.envs.domain import SPLITS, Family, Split
from lse_gym.envs.errors import DataError
from lse_gym.envs.games.injection.domain import AttackerDomain, DefenderDomain
from lse_gym.envs.games.injection.prompt import SEED_ATTACK, Item, Side
from lse_gym.envs.games.injection.themes import CANARY_FIRST, CANARY_SECOND, TEST, THEMES, TRAIN, Theme
from lse_gym.envs.names import check_drawn
from lse_gym.envs.splits import Class, check_draw, class_of

FAMILY_STREAM = 21  # first entry of every seed, so that no stream is one of another family
SIZES: Mapping[Split, int] = {"feedback": 60, "held_out": 50, "test": 100}
P_TRAP = 0.6  # chance that a text has an innocent sentence with words that attacks use, too
Items = Mapping[Split, Sequence[Item]]


class InjectionFamily(Family):
    """Domains ``<theme>-<seed>``: any seed of at most 39 digits, the groups "train" and "test" with different themes.

    Args:
        side: whose text is the context, "attacker" or "defender".
        opponent: the text of the other side, or the path of a file with it; "seed" is what it starts from in the game.
        split_seed: another seed draws other texts about the same subjects.
    """

    groups: Mapping[str, Sequence[str]] = {
        "train": [f"{theme.name}-{seed}" for theme in TRAIN for seed in range(8)],
        "test": [f"{theme.name}-{seed}" for seed in range(5) for theme in TEST],
    }

    @checked
    def __init__(self, side: Side = "defender", opponent: str = "seed", split_seed: Seed = 0):
        self.side, self.split_seed = side, split_seed
        self.opponent = _text_of(opponent)

    def check(self, name: str) -> None:
        """Raise :class:`UnknownNameError` unless ``name`` is ``<theme>-<seed>`` of a known theme."""
        check_drawn(name, THEMES, self.groups)

    def load(self, name: str) -> DefenderDomain | AttackerDomain:
        """Draw the domain, or take its items from memory."""
        return self._domain(name, self.items(name))

    def items(self, name: str) -> Items:
        """The texts of a domain."""
        self.check(name)
        return _draw_all(name, self.split_seed)

    def sizes(self, name: str) -> Mapping[Split, int]:
        """The same of every domain."""
        self.check(name)
        return SIZES

    def sealed(self, name: str, secret: int, count: int) -> DefenderDomain | AttackerDomain:
        """The domain with ``count`` other test texts, which only who has the secret can know."""
        self.check(name)
        check_draw(secret, count)
        return self._domain(name, _draw_all(name, self.split_seed, (secret, count)))

    def _domain(self, name: str, items: Items) -> DefenderDomain | AttackerDomain:
        if self.side == "attacker":
            return AttackerDomain(name, items, self.opponent)
        return DefenderDomain(name, items, self.opponent or SEED_ATTACK)


def _text_of(opponent: str) -> str:
    """The text of the other side; "" for its own beginning."""
    if opponent == "seed":
        return ""
    if opponent.endswith(".txt") and "\n" not in opponent:
        try:
            return Path(opponent).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"opponent={opponent!r} cannot be read: {error}. Pass a text, or a file with one."
            ) from None
    return opponent


@lru_cache(maxsize=64)
def _draw_all(name: str, split_seed: int, sealed: tuple[int, int] | None = None) -> Items:
    theme, seed = name.rsplit("-", 1)
    stream = [FAMILY_STREAM, list(THEMES).index(theme), int(seed), split_seed]
    drawn = {s: _draw(name, s, SIZES[s], [*stream, number]) for number, s in enumerate(SPLITS)}
    if sealed:
        secret, count = sealed
        drawn["test"] = _draw(name, "sealed", count, [*stream, len(SPLITS), secret])
    return drawn


def _draw(name: str, kind: Class, size: int, stream: Sequence[int]) -> tuple[Item, ...]:
    """Draw texts of one class; every second one is attacked."""
    rng = np.random.default_rng(np.random.SeedSequence(stream))
    theme, drawn, seen = THEMES[name.rsplit("-", 1)[0]], [], set()
    while len(drawn) < size:
        item = _item(rng, theme, f"{kind}-{len(drawn)}", attacked=len(drawn) % 2 == 0)
        key = " ".join(item.parts)
        if key not in seen and class_of(name, key) == kind:
            seen.add(key)
            drawn.append(item)
    return tuple(drawn)


def _item(rng: np.random.Generator, theme: Theme, name: str, attacked: bool) -> Item:
    def pick(options: Sequence[str]) -> str:
        return options[int(rng.integers(len(options)))]

    topics = [*theme.topics]
    graded = theme.kind == "grading"
    count = int(rng.integers(len(topics) + 1)) if graded else 1
    made = [topics[int(i)] for i in sorted(rng.permutation(len(topics))[:count])]
    extra = [theme.fillers[int(i)] for i in rng.permutation(len(theme.fillers))[: int(rng.integers(1, 4))]]
    if rng.random() < P_TRAP:
        extra.append(pick(theme.traps))
    sentences = [*(pick(theme.topics[topic]) for topic in made), *extra]
    sentences = [sentences[int(i)] for i in rng.permutation(len(sentences))]
    cut = int(rng.integers(len(sentences) + 1))
    parts = " ".join(sentences[:cut]), " ".join(sentences[cut:])
    canary = f"{pick(CANARY_FIRST)}-{pick(CANARY_SECOND)}-{int(rng.integers(10, 100))}"
    answers = tuple(map(str, range(len(topics) + 1))) if graded else tuple(topics)
    answer = str(len(made)) if graded else made[0]
    return Item(name, theme.kind, ", ".join(topics), parts, answer, answers, canary, attacked)
