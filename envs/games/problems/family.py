"""The embedded word problems: stories of several steps, alike in every process, graded by how hard the steps are."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from lse_gym.envs.arguments import Seed, checked
from lse_gym.envs.custom.domain import CustomDomain
from lse_gym.envs.custom.scorers import Item, Numeric
from lse_gym.envs.domain import SPLITS, Family, Question, Split
from lse_gym.envs.errors import unknown
from lse_gym.envs.games.problems.wording import ASKS, FORMS, OVERVIEW, START, Step, apply, line
from lse_gym.envs.names import check_drawn
from lse_gym.envs.splits import Class, check_draw, class_of

FAMILY_STREAM = 20  # first entry of every seed, so that no stream is one of another family
SIZES: Mapping[Split, int] = {"feedback": 60, "held_out": 50, "test": 100}
LARGEST = 999  # number of things
Difficulty = Literal["easy", "medium", "hard"]
# the levels of the steps of a problem, in any order
LEVELS: Mapping[str, tuple[int, ...]] = {"easy": (1, 2), "medium": (1, 2, 3), "hard": (2, 3, 3, 2)}


class Theme(NamedTuple):
    """What the stories of a domain are about."""

    name: str
    subject: str
    things: str
    packs: str
    places: str
    others: tuple[str, ...]


TRAIN = (
    Theme("bakery", "the bakery", "loaves", "trays", "shelves", ("The mill", "The cafe", "The inn")),
    Theme("garden", "the gardener", "tulips", "crates", "beds", ("The florist", "The park", "The nursery")),
    Theme("harbour", "the fisherman", "herrings", "barrels", "boats", ("The cannery", "The ferry", "The pier")),
    Theme("museum", "the museum", "coins", "cabinets", "rooms", ("The bank", "The collector", "The mint")),
)
TEST = (
    Theme("workshop", "the joiner", "screws", "boxes", "drawers", ("The factory", "The smith", "The ironmonger")),
    Theme("farm", "the farmer", "eggs", "cartons", "baskets", ("The market", "The dairy", "The grocer")),
    Theme("school", "the teacher", "pencils", "bundles", "classes", ("The library", "The stationer", "The office")),
)
THEMES = {theme.name: theme for theme in (*TRAIN, *TEST)}


class Problem(NamedTuple):
    """A problem before it is worded: the number at first, and the steps."""

    start: int
    steps: tuple[Step, ...]

    @property
    def key(self) -> str:
        """What makes it this problem, however it is worded."""
        return " ".join([str(self.start), *(f"{s.kind} {s.a} {s.b}" for s in self.steps)])

    def solution(self) -> tuple[str, int]:
        """A worked solution with the method of each step, and the number that it comes to."""
        value, lines = self.start, []
        for number, step in enumerate(self.steps, 1):
            working, value = apply(step, value)
            lines += [f"{line(number, working, value)} ({FORMS[step.kind].method})"]
        return "\n".join(lines), value


class ProblemFamily(Family):
    """Domains ``<theme>-<seed>``: any seed of at most 39 digits, the groups "train" and "test" with different themes.

    A third of each split is "easy", "medium" and "hard" (:attr:`lse_gym.envs.domain.Question.difficulty`). No gold
    stands in its question.

    Args:
        split_seed: another seed draws other questions about the same things.
        difficulty: only problems so hard; None for all.
    """

    groups: Mapping[str, Sequence[str]] = {
        "train": [f"{theme.name}-{seed}" for theme in TRAIN for seed in range(8)],
        "test": [f"{theme.name}-{seed}" for seed in range(5) for theme in TEST],
    }

    @checked
    def __init__(self, split_seed: Seed = 0, difficulty: Difficulty | None = None):
        if difficulty not in (None, *LEVELS):
            raise unknown("difficulty", difficulty, LEVELS, "None is a third of each.")
        self.split_seed, self.difficulty = split_seed, difficulty

    def check(self, name: str) -> None:
        """Raise :class:`UnknownNameError` unless ``name`` is ``<theme>-<seed>`` of a known theme."""
        check_drawn(name, THEMES, self.groups)

    def load(self, name: str) -> CustomDomain:
        """Draw the domain, or take it from memory."""
        self.check(name)
        return _load(name, self.split_seed, self.difficulty)

    def sizes(self, name: str) -> Mapping[Split, int]:
        """The same of every domain."""
        self.check(name)
        return SIZES

    def sealed(self, name: str, secret: int, count: int) -> CustomDomain:
        """The domain with ``count`` other test questions, which only who has the secret can know."""
        self.check(name)
        check_draw(secret, count)
        return _load(name, self.split_seed, self.difficulty, (secret, count))


@lru_cache(maxsize=128)
def _load(
    name: str, split_seed: int, difficulty: Difficulty | None, sealed: tuple[int, int] | None = None
) -> CustomDomain:
    theme, seed = name.rsplit("-", 1)
    stream = [FAMILY_STREAM, list(THEMES).index(theme), int(seed), split_seed]
    levels = [difficulty] if difficulty else [*LEVELS]
    drawn = {s: _draw(name, s, SIZES[s], levels, [*stream, number]) for number, s in enumerate(SPLITS)}
    if sealed:
        secret, count = sealed
        drawn["test"] = _draw(name, "sealed", count, levels, [*stream, len(SPLITS), secret])
    items = {item.question.id: item for split in SPLITS for item in drawn[split]}
    splits = {split: tuple(item.question for item in drawn[split]) for split in SPLITS}
    domain = CustomDomain(name, items, splits, Numeric(tags=True), OVERVIEW)
    domain.oracle_context = "\n".join(["Do one step at a time.", *(f"{form.method}." for form in FORMS.values())])
    return domain


def _draw(name: str, kind: Class, size: int, levels: Sequence[str], stream: Sequence[int]) -> list[Item]:
    """Draw problems of one class, the difficulties in turn."""
    rng = np.random.default_rng(np.random.SeedSequence(stream))
    theme, items, keys = THEMES[name.rsplit("-", 1)[0]], [], set()
    while len(items) < size:
        difficulty = levels[len(items) % len(levels)]
        problem = _problem(rng, LEVELS[difficulty])
        if problem is None or problem.key in keys or class_of(name, problem.key) != kind:
            continue
        solution, value = problem.solution()
        text = _text(rng, theme, problem)
        if str(value) in re.findall(r"\d+", text):
            continue
        keys.add(problem.key)
        question = Question(f"{kind}-{len(items)}", text, str(value), difficulty=difficulty)
        doc = {"solution": f"{solution}\n#### {value}", "kinds": sorted(step.kind for step in problem.steps)}
        items.append(Item(question, (question.gold,), doc=doc))
    return items


def _problem(rng: np.random.Generator, levels: Sequence[int]) -> Problem | None:
    """A problem with steps of these levels; None where a number would not be whole, or too large."""

    def pick(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    value = start = pick(12, 90)
    steps: list[Step] = []
    for place in rng.permutation(len(levels)).tolist():
        kinds = [
            kind for kind, form in FORMS.items() if form.level == levels[place] and kind not in {s[0] for s in steps}
        ]
        kind = kinds[pick(0, len(kinds) - 1)]
        step = _step(kind, value, pick)
        if step is None:
            return None
        _, value = apply(step, value)
        if not 2 <= value <= LARGEST:
            return None
        steps.append(step)
    return Problem(start, tuple(steps))


def _step(kind: str, value: int, pick) -> Step | None:
    match kind:
        case "packs":
            return Step(kind, pick(2, 9), pick(3, 12))
        case "times":
            return Step(kind, pick(2, 5))
        case "share" | "fraction":
            divisors = [a for a in range(2, 10) if value % a == 0]
            return Step(kind, divisors[pick(0, len(divisors) - 1)]) if divisors else None
        case "percent":
            shares = [a for a in (5, 10, 15, 20, 25, 30, 40, 50, 60, 75, 80, 90) if value * a % 100 == 0]
            return Step(kind, shares[pick(0, len(shares) - 1)]) if shares else None
        case "lose":
            return Step(kind, pick(2, value - 2)) if value > 4 else None
    return Step(kind, pick(3, 40))


def _text(rng: np.random.Generator, theme: Theme, problem: Problem) -> str:
    words = {"subject": theme.subject, "things": theme.things, "packs": theme.packs, "places": theme.places}
    sentences = [START.format(a=problem.start, **words)]
    for step in problem.steps:
        wordings = FORMS[step.kind].wordings
        wording = wordings[int(rng.integers(len(wordings)))]
        other = theme.others[int(rng.integers(len(theme.others)))]
        sentences.append(wording.format(a=step.a, b=step.b, other=other, **words))
    asks = ASKS[int(rng.integers(len(ASKS)))]
    return " ".join([*sentences, asks.format(**words)])
