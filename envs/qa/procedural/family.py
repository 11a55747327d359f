"""The embedded family: questions and golds made from a theme and a seed, alike in every process."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count

import numpy as np

from lse_gym.envs.domain import SPLITS, Family, Split
from lse_gym.envs.errors import unknown
from lse_gym.envs.qa.domain import QADomain
from lse_gym.envs.qa.procedural.forms import (
    Form,
    Reading,
    answer,
    choice_text,
    draw_choices,
    draw_form,
    draw_op,
    explain,
    say,
)
from lse_gym.envs.qa.procedural.rules import oracle_context
from lse_gym.envs.qa.procedural.themes import TEST_THEMES, TRAIN_THEMES
from lse_gym.envs.qa.procedural.world import World, draw_world
from lse_gym.envs.qa.prompt import SEED_CONTEXT, Item

SIZES: Mapping[Split, int] = {"feedback": 60, "held_out": 50, "test": 60}
THEMES = {theme.name: theme for theme in (*TRAIN_THEMES, *TEST_THEMES)}
GUESSABLE = 0.2  # share of questions that everyday knowledge gets right, of those that it has a say in
MAX_ATTEMPTS = 300  # at a question of one kind, guessable or not; then any question will do
FAMILY_STREAM = 6  # first entry of every seed, so that no stream is one of the text-to-SQL family
NAME = re.compile(r"([a-z]+)-(\d{1,6})")


class ProceduralQAFamily(Family):
    """Domains ``<theme>-<seed>``: any seed from 0 to 999999, the group "train" and the group "test".

    Themes of the two groups share no word that a convention is about, so nothing but skill carries over.

    Args:
        split_seed: another seed draws other questions about the same worlds.
    """

    groups: Mapping[str, Sequence[str]] = {
        "train": [f"{theme.name}-{seed}" for theme in TRAIN_THEMES for seed in range(8)],
        "test": [f"{theme.name}-{seed}" for seed in range(5) for theme in TEST_THEMES],
    }

    def __init__(self, split_seed: int = 0):
        self.split_seed = split_seed

    def check(self, name: str) -> None:
        """Raise :class:`UnknownNameError` unless ``name`` is ``<theme>-<seed>`` of a known theme."""
        match = NAME.fullmatch(name) if isinstance(name, str) else None
        if match is None or match[1] not in THEMES:
            advice = "Any other seed works too, e.g. 'brewing-17'."
            raise unknown("domain", name, [*(f"{theme}-0" for theme in THEMES), *self.groups], advice)

    def load(self, name: str) -> QADomain:
        """Make the domain, or take it from memory."""
        self.check(name)
        return _load(name, self.split_seed)


@lru_cache(maxsize=64)
def _load(name: str, split_seed: int) -> QADomain:
    world = make_world(name)
    drawn = draw_questions(world, [*_stream(name), split_seed])
    splits = {split: [item for item, _ in drawn[split]] for split in SPLITS}
    return QADomain(name, world.theme.name, splits, oracle_context(SEED_CONTEXT, world))


def _stream(name: str) -> list[int]:
    theme, seed = name.rsplit("-", 1)
    return [FAMILY_STREAM, list(THEMES).index(theme), int(seed)]


def make_world(name: str) -> World:
    """The hidden conventions of a domain."""
    rng = np.random.default_rng(np.random.SeedSequence(_stream(name)))
    return draw_world(THEMES[name.rsplit("-", 1)[0]], rng)


def draw_questions(world: World, stream: Sequence[int]) -> dict[Split, list[tuple[Item, Form]]]:
    """Draw the three splits, disjoint by text, each question with its form.

    Item i of split s comes from ``SeedSequence([*stream, s, i])``. Held-out and test questions are about nothing that
    the feedback questions are not about: what nobody could learn is not asked.
    """
    taken: set[str] = set()
    heard: set[tuple[str, ...]] = set()
    splits: dict[Split, list[tuple[Item, Form]]] = {}
    for number, split in enumerate(SPLITS):
        splits[split] = [
            draw_question(world, f"{split}-{index}", [*stream, number, index], taken, heard)
            for index in range(SIZES[split])
        ]
        heard = heard or {topic for _, form in splits[split] for topic in topics(form)}
    return splits


def draw_question(
    world: World, name: str, stream: Sequence[int], taken: set[str], heard: set[tuple[str, ...]]
) -> tuple[Item, Form]:
    """Draw one question whose text is not ``taken`` and whose topics, if there are any, were ``heard``."""
    rng = np.random.default_rng(np.random.SeedSequence(stream))
    op = draw_op(rng)
    guessable = rng.random() < GUESSABLE
    for attempt in count():
        if attempt >= MAX_ATTEMPTS:
            op = draw_op(rng)
        form = draw_form(op, world, rng)
        choices = draw_choices(form, world, rng)
        if not choices or (heard and not heard.issuperset(topics(form))):
            continue
        gold = answer(form, Reading(world), choices)
        guess = answer(form, Reading(world, everyday=True), choices) if _has_everyday_answer(form) else None
        if not gold or (guess and attempt < MAX_ATTEMPTS and guessable != (guess == gold)):
            continue
        theme = world.theme
        shown = tuple(choice_text(choice, form, theme) for choice in choices)
        explanation = explain(form, world, gold, choices)
        item = Item(name, say(form, theme, rng), shown, choices.index(gold), explanation)
        if item.question.text not in taken:
            taken.add(item.question.text)
            return item, form
    raise AssertionError("unreachable: the count has no end")


def _has_everyday_answer(form: Form) -> bool:
    return form.op in ("adjective", "convert", "enter", "entry", "count")


def topics(form: Form) -> list[tuple[str, ...]]:
    """What a question is about, as far as a convention could be: what has to be learnt to answer it."""
    match form.op:
        case "adjective":
            return [("definition", form.word)]
        case "term":
            return [("term", form.term)]
        case "both":
            return [("definition", form.word), ("term", form.term)]
        case "convert":
            return [("unit", form.word, form.occasion)]
        case "enter":
            return [("unit", form.word, ""), ("rounding", form.document)]
        case "entry":
            return [("rounding", form.document)]
        case "count":
            return [("count", state) for state, _ in form.parts]
        case "source":
            sources = sorted(source for source, _ in form.parts)
            return [("source", a, b) for i, a in enumerate(sources) for b in sources[i + 1 :]]
        case "rank":
            return [("rank", rank) for rank, _ in form.parts]
