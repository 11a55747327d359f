"""Code bases with conventions of their own, made from a theme and a seed."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from lse_gym.envs.arguments import Seed, checked
from lse_gym.envs.domain import SPLITS, Family, Question, Split
from lse_gym.envs.names import check_drawn
from lse_gym.envs.repair.domain import Bug, RepairDomain, Rules
from lse_gym.envs.repair.functions import SHAPES, Shape, call, function
from lse_gym.envs.repair.idioms import IDIOMS, forms_in, rewritten
from lse_gym.envs.repair.testing import UnitTests
from lse_gym.envs.splits import Class, Lazy, check_draw, class_of

FAMILY_STREAM = 24  # first entry of every seed, so that no stream is one of another family
SIZES: Mapping[Split, int] = {"feedback": 60, "held_out": 40, "test": 60}
TESTS = 8  # of a function
P_WRONG = 0.6  # chance that a matter of a function is not as the code base has it
SLOT = re.compile(r"<(\w+)>")
DOC_END = '"""\n    '  # of a function, before its body


class Theme(NamedTuple):
    """What a code base is about: its modules, and nouns with their plurals."""

    name: str
    modules: tuple[str, ...]
    nouns: Mapping[str, str]


def _nouns(words: str) -> Mapping[str, str]:
    return {word: f"{word}s" for word in words.split()}


TRAIN = (
    Theme("parking", ("billing", "gates", "permits"), _nouns("car van ticket badge slot meter ramp driver")),
    Theme("library", ("loans", "fines", "shelves"), _nouns("book loan reader branch_desk shelf_row fine card author")),
    Theme("farm", ("milk", "fields", "sales"), _nouns("cow field crop tank order sack lorry barn")),
)
TEST = (
    Theme("hotel", ("rooms", "kitchen", "invoices"), _nouns("room guest meal invoice key floor booking suite")),
    Theme("museum", ("tickets", "exhibits", "shop"), _nouns("ticket exhibit visitor hall tour guide poster loan")),
)
THEMES = {theme.name: theme for theme in (*TRAIN, *TEST)}


class RepairFamily(Family):
    """Domains ``<theme>-<seed>``: any seed of at most 39 digits, the groups "train" and "test" with different themes.

    Args:
        split_seed: another seed draws other functions of the same code bases.
    """

    groups: Mapping[str, Sequence[str]] = {
        "train": [f"{theme.name}-{seed}" for theme in TRAIN for seed in range(8)],
        "test": [f"{theme.name}-{seed}" for seed in range(5) for theme in TEST],
    }

    @checked
    def __init__(self, split_seed: Seed = 0):
        self.split_seed = split_seed

    def check(self, name: str) -> None:
        """Raise :class:`UnknownNameError` unless ``name`` is ``<theme>-<seed>`` of a known theme."""
        check_drawn(name, THEMES, self.groups)

    def load(self, name: str) -> RepairDomain:
        """Draw the domain, or take it from memory."""
        self.check(name)
        return _load(name, self.split_seed)

    def sizes(self, name: str) -> Mapping[Split, int]:
        """The same of every domain."""
        self.check(name)
        return SIZES

    def sealed(self, name: str, secret: int, count: int) -> RepairDomain:
        """The domain with ``count`` other test functions, which only who has the secret can know."""
        self.check(name)
        check_draw(secret, count)
        return _load(name, self.split_seed, (secret, count))


@lru_cache(maxsize=64)
def _load(name: str, split_seed: int, sealed: tuple[int, int] | None = None) -> RepairDomain:
    kind, seed = name.rsplit("-", 1)
    theme, world = THEMES[kind], [FAMILY_STREAM, list(THEMES).index(kind), int(seed)]
    rng = np.random.default_rng(np.random.SeedSequence(world))
    rules = {
        (module, matter): [*idiom.forms][int(rng.integers(len(idiom.forms)))]
        for module in theme.modules
        for matter, idiom in IDIOMS.items()
    }
    stream = [*world, split_seed]

    def draw(split: Split) -> list[Bug]:
        if split == "test" and sealed:
            secret, count = sealed
            return _draw(name, theme, rules, "sealed", count, [*stream, len(SPLITS), secret])
        return _draw(name, theme, rules, split, SIZES[split], [*stream, SPLITS.index(split)])

    return RepairDomain(name, rules, Lazy(draw))


def _draw(name: str, theme: Theme, rules: Rules, kind: Class, size: int, stream: Sequence[int]) -> list[Bug]:
    """Draw functions of one class."""
    rng = np.random.default_rng(np.random.SeedSequence(stream))
    drawn: dict[str, Bug] = {}
    for _ in range(500 * size):
        text, gold, shape = _function(rng, theme, rules)
        if text == gold or text in drawn or class_of(name, text) != kind:
            continue
        tests = _tests(rng, text, gold, shape)
        if tests is not None:
            drawn[text] = Bug(Question(f"{kind}-{len(drawn)}", text, gold), tests)
        if len(drawn) == size:
            break
    return [*drawn.values()]


def _function(rng: np.random.Generator, theme: Theme, rules: Rules) -> tuple[str, str, Shape]:
    """A function with bugs, the same repaired, and its shape under its own name."""
    shape = SHAPES[int(rng.integers(len(SHAPES)))]
    noun = [*theme.nouns][int(rng.integers(len(theme.nouns)))]
    module = theme.modules[int(rng.integers(len(theme.modules)))]
    words = {"noun": noun, "plural": theme.nouns[noun]}
    shape = shape._replace(name=shape.name.format(**words), purpose=shape.purpose.format(**words))
    right = {matter: rules[module, matter] for matter in SLOT.findall(shape.body)}
    wrong = dict(right)
    for matter, form in right.items():
        if rng.random() < P_WRONG:
            others = [other for other in IDIOMS[matter].forms if other != form]
            wrong[matter] = others[int(rng.integers(len(others)))]
    texts = [_source(module, shape, forms) for forms in (wrong, right)]
    return texts[0], texts[1], shape


def _source(module: str, shape: Shape, forms: Mapping[str, str]) -> str:
    body = SLOT.sub(lambda slot: IDIOMS[slot[1]].forms[forms[slot[1]]].code, shape.body)
    parameters = ", ".join(shape.arguments)
    return f'# module: {module}\ndef {shape.name}({parameters}):\n    """{shape.purpose}{DOC_END}{body}'


def _tests(rng: np.random.Generator, text: str, gold: str, shape: Shape) -> UnitTests | None:
    """Tests that tell the repaired function from the other and from all with one bug left; None if none are drawn."""
    before, after = forms_in(text), forms_in(gold)
    bugs = [matter for matter in after if before[matter] != after[matter]]
    codes = [gold, text, *(rewritten(gold, {matter: before[matter]}) for matter in bugs)]
    right, *others = (function(shape.arguments, code.partition(DOC_END)[2]) for code in codes)
    for _ in range(20):
        calls = [call(rng, shape) for _ in range(TESTS)]
        given = [(*arguments.values(),) for arguments in calls]
        wanted = [right(*one) for one in given]
        if all(any(other(*one) != known for one, known in zip(given, wanted, strict=True)) for other in others):
            base = sum(others[0](*one) == known for one, known in zip(given, wanted, strict=True))
            return UnitTests(shape.name, calls, wanted, base)
    return None
