"""Drawing the questions of a domain: all different, and each of the class that its split may hold."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product

import numpy as np

from lse_gym.envs.domain import SPLITS, Split
from lse_gym.envs.qa.procedural.forms import (
    AMOUNTS,
    Form,
    Op,
    Reading,
    answer,
    choice_text,
    draw_choices,
    draw_form,
    draw_op,
    explain,
    key,
    say,
)
from lse_gym.envs.qa.procedural.world import World
from lse_gym.envs.qa.prompt import Item
from lse_gym.envs.splits import Class, class_of

SIZES: Mapping[Split, int] = {"feedback": 60, "held_out": 50, "test": 60}
GUESSABLE = 0.2  # share of questions that everyday knowledge gets right, of those that it has a say in
GUESSED: tuple[Op, ...] = ("adjective", "convert", "enter", "entry", "count")  # the kinds that it has a say in
MAX_ATTEMPTS = 200  # at a question of one kind, guessable or not; then any question will do
MAX_NAMES = 20  # that things are given, until the question is of the class that is wanted

Topic = tuple[str, ...]
Drawn = tuple[Item, Form]


def draw_questions(
    name: str, world: World, stream: Sequence[int], sealed: tuple[int, int] | None = None
) -> dict[Split, list[Drawn]]:
    """Draw the three splits of a domain, each question with its form.

    Item i of split s comes from ``SeedSequence([*stream, s, i])``. Held-out and test questions are about nothing that
    the feedback questions are not about: what nobody could learn is not asked. With ``sealed``, a secret and a count,
    the test questions are of the class "sealed" instead, from ``SeedSequence([*stream, 3, secret, i])``.
    """
    draw = _Draw(name, world)
    drawn: dict[Split, list[Drawn]] = {}
    for number, split in enumerate(SPLITS):
        if sealed and split == "test":
            secret, size = sealed
            drawn[split] = draw.items("sealed", size, [*stream, len(SPLITS), secret])
        else:
            drawn[split] = draw.items(split, SIZES[split], [*stream, number])
        draw.heard = draw.heard or {topic for _, form in drawn[split] for topic in topics(form)}
    return drawn


class _Draw:
    """Draws questions that were not drawn yet.

    Attributes:
        heard: the topics that questions may be about; any, where there are none.
    """

    def __init__(self, name: str, world: World):
        self.name, self.world = name, world
        self.truth, self.everyday = Reading(world), Reading(world, everyday=True)
        self.few = few_forms(world)
        self.heard: set[Topic] = set()
        self.taken: set[str] = set()
        self.vain: set[tuple[Op, bool | None]] = set()  # what this world does not have, of what there is much

    def items(self, kind: Class, size: int, stream: Sequence[int]) -> list[Drawn]:
        """As many questions of a class, each from its own stream."""
        rngs = (np.random.default_rng(np.random.SeedSequence([*stream, index])) for index in range(size))
        return [self._item(kind, f"{kind}-{index}", rng) for index, rng in enumerate(rngs)]

    def _item(self, kind: Class, name: str, rng: np.random.Generator) -> Drawn:
        found = self._find(kind, draw_op(rng), bool(rng.random() < GUESSABLE), rng)
        while not found:  # there is no end of some kinds of questions
            found = self._find(kind, draw_op(rng), None, rng)
        form, choices = found
        self.taken.add(key(form, self.world.theme))
        shown = tuple(choice_text(choice, form, self.world.theme) for choice in choices)
        gold = answer(form, self.truth, choices)
        assert gold
        explanation = explain(form, self.world, gold, choices)
        return Item(name, say(form, self.world.theme, rng), shown, choices.index(gold), explanation), form

    def _find(
        self, kind: Class, op: Op, guessable: bool | None, rng: np.random.Generator
    ) -> tuple[Form, list[str]] | None:
        """A question with its choices, which everyday knowledge gets right, or wrong; None where there is none."""
        if (op, guessable) in self.vain:
            return None
        for form in self._candidates(op, rng):
            if self._is_asked(form, guessable):
                new = next((other for other in self._renamed(form, rng) if self._is_new(other, kind)), None)
                if new and (choices := draw_choices(new, self.world, rng)):
                    return new, choices
        if op not in self.few:
            self.vain.add((op, guessable))
        return None

    def _candidates(self, op: Op, rng: np.random.Generator) -> Iterator[Form]:
        """Forms of a kind, the parts in any order: all of them where there are few."""
        if op in self.few:
            for i in rng.permutation(len(self.few[op])).tolist():
                form = self.few[op][i]
                yield form._replace(parts=tuple(form.parts[j] for j in rng.permutation(len(form.parts)).tolist()))
        else:
            yield from (draw_form(op, self.world, rng) for _ in range(MAX_ATTEMPTS))

    def _is_asked(self, form: Form, guessable: bool | None) -> bool:
        """Whether a question has one answer, about what was heard, and is guessable or not; None is for either."""
        if self.heard and not self.heard.issuperset(topics(form)):
            return False
        gold = answer(form, self.truth, [part for part, _ in form.parts])
        guess = answer(form, self.everyday) if form.op in GUESSED and guessable is not None else None
        return bool(gold) and (guess is None or guessable == (guess == gold))

    def _renamed(self, form: Form, rng: np.random.Generator) -> Iterator[Form]:
        """The form, and where there are things to choose from, the same with other names, which is another question."""
        yield form
        names = self.world.theme.names
        for _ in range(MAX_NAMES if form.op in ("adjective", "both", "term") else 0):
            order = rng.permutation(len(names)).tolist()
            things = (thing._replace(name=names[i]) for thing, i in zip(form.things, order, strict=False))
            yield form._replace(things=tuple(things))

    def _is_new(self, form: Form, kind: Class) -> bool:
        same = key(form, self.world.theme)
        return same not in self.taken and class_of(self.name, same) == kind


def few_forms(world: World) -> dict[Op, list[Form]]:
    """All there is of the kinds of which there are few, the parts in no order."""
    units = product((unit.large for unit in world.theme.units), ("", world.theme.occasion), AMOUNTS)
    ranks = product((True, False), combinations(world.theme.ranks, 4))
    return {
        "convert": [Form("convert", large, occasion=occasion, number=n) for large, occasion, n in units],
        "rank": [Form("rank", most=most, parts=tuple((rank, 0) for rank in four)) for most, four in ranks],
    }


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
