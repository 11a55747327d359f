"""What both players are taught before they learn from rewards: the habits of beginners.

The reasoner does easy steps right, and steps of the third level as a beginner does, who takes the number that stands
there (``20 percent are sold`` becomes ``v - 20``); and it does what a hint says, right or wrong. So easy questions are
solved sometimes, those with a step of the third level almost never, and a hint can help. The hinter knows the form of a
hint; what it says is right in less than half of them.
"""

from collections.abc import Sequence

import numpy as np

from lse_gym.agents.hill.workings import WORKINGS, filled, told
from lse_gym.envs.games.problems.family import TRAIN, ProblemFamily
from lse_gym.envs.games.problems.wording import FORMS, Step, apply, read_problem

Problem = tuple[str, int, tuple[Step, ...]]
"""text, number at first, steps"""
CUES = {
    "gain": "added",
    "lose": "taken",
    "packs": "each",
    "times": "times",
    "share": "evenly",
    "fraction": "every",
    "percent": "percent",
    "more": "twice",
}
"""the word that a hint names a kind of step by"""
HARD = tuple(kind for kind, form in FORMS.items() if form.level == 3)
MISTAKES = {"fraction": "v - a", "percent": "v - a", "more": "v + a"}
POOL = (
    *MISTAKES.values(),
    *(WORKINGS[kind] for kind in HARD),
    "v * a",
    "v / a",
    "v + v / a",
    "v - v * 2 + a",
    "v - 100",
)
SLIPS = 0.1  # share of the hard steps that a beginner does in any way of the pool, the right one among them
HINTED = 0.6  # share of the reasoner's lessons with a hint, of those on problems with a hard step
WITH_NUMBERS = 0.3  # share of the hints with the numbers of the step
NUDGED_RIGHT = 0.3  # how often a beginner who is told what it is not does a hard step right
HABITS = {"right": 0.3, "mistake": 0.25, "easy step": 0.15, "numbers": 0.15, "tells": 0.08, "no tag": 0.07}
"""what the untrained hinter writes, and how often, where it does not nudge"""
TAUGHT = ("easy", "medium")  # difficulties
SEEDS = range(50, 90)  # of the domains that lessons are on; training and evaluation have others


def problems(seeds: Sequence[int] = SEEDS) -> list[Problem]:
    """The problems that lessons are on."""
    family, found = ProblemFamily(), []
    for seed in seeds:
        for theme in TRAIN:
            domain = family.load(f"{theme.name}-{seed}")
            for question in (*domain.splits["feedback"], *domain.splits["held_out"]):
                if question.difficulty not in TAUGHT:
                    continue
                start, steps = read_problem(question.text) or (0, ())
                found.append((question.text, start, steps))
    return found


def reasoner_lesson(
    problem: Problem, rng: np.random.Generator, slips: float = SLIPS, nudges: float = 0.0
) -> tuple[str, str]:
    """A question, perhaps with a hint, and a beginner's answer.

    Args:
        problem: what is asked.
        rng: draws hint and answer.
        slips: share of the hard steps that are done in any way.
        nudges: share of the hints that rule out the habit alone and leave it to the beginner what to do instead.
    """
    text, start, steps = problem
    workings = beginners(steps, rng, slips)
    hard = [place for place, step in enumerate(steps) if step.kind in HARD]
    if hard and rng.random() < HINTED:
        place = _one(hard, rng)
        if nudges and rng.random() < nudges:
            workings[place] = nudged(steps[place], rng)
            return f"{text}\n\n{nudge_text(steps[place])}", "; ".join([str(start), *workings])
        says = _one(POOL, rng)
        workings[place] = filled(says, steps[place])
        says = workings[place] if rng.random() < WITH_NUMBERS else says
        text = f"{text}\n\n{hint_text(steps[place], says)}"
    return text, "; ".join([str(start), *workings])


def hinter_lesson(problem: Problem, rng: np.random.Generator, nudges: float = 0.0) -> tuple[str, str]:
    """What the hinter is told of a question with a hard step, and what an untrained one writes.

    Args:
        problem: what is asked.
        rng: draws the wrong attempt and the hint.
        nudges: share of the hints that rule out the habit alone.

    Raises:
        ValueError: the problem has no hard step.
    """
    text, start, steps = problem
    step = _one([step for step in steps if step.kind in HARD], rng)
    attempt = "; ".join([str(start), *beginners(steps, rng)])
    right = "; ".join([str(start), *(filled(WORKINGS[one.kind], one) for one in steps)])
    if nudges and rng.random() < nudges:
        return told(text, attempt, right), f"<hint>{nudge_text(step)}</hint>"
    return told(text, attempt, right), _habit(step, problem, rng)


def _habit(step: Step, problem: Problem, rng: np.random.Generator) -> str:
    _, start, steps = problem
    match str(rng.choice([*HABITS], p=[*HABITS.values()])):
        case "right":
            says = hint_text(step, WORKINGS[step.kind])
        case "mistake":
            says = hint_text(step, MISTAKES[step.kind])
        case "easy step":
            easy = _one([one for one in steps if one.kind not in HARD] or [step], rng)
            says = hint_text(easy, WORKINGS[easy.kind])
        case "numbers":
            says = hint_text(step, filled(WORKINGS[step.kind], step))
        case "tells":
            value = start
            for one in steps:
                _, value = apply(one, value)
            says = f"the answer is {value}"
        case _:
            return hint_text(step, WORKINGS[step.kind])
    return f"<hint>{says}</hint>"


def beginners(steps: Sequence[Step], rng: np.random.Generator, slips: float = SLIPS) -> list[str]:
    """The workings of a beginner: right for easy steps, by habit for hard ones, but for slips."""

    def working(kind: str) -> str:
        if kind not in HARD:
            return WORKINGS[kind]
        return _one(POOL, rng) if rng.random() < slips else MISTAKES[kind]

    return [filled(working(step.kind), step) for step in steps]


def nudged(step: Step, rng: np.random.Generator) -> str:
    """The working of a hard step where its habit is ruled out: right now and then, else anything but the habit."""
    if rng.random() < NUDGED_RIGHT:
        return filled(WORKINGS[step.kind], step)
    return filled(_one([one for one in POOL if one not in (MISTAKES[step.kind], WORKINGS[step.kind])], rng), step)


def nudge_text(step: Step) -> str:
    """A hint that says what a hard step is not, as in ``every: not v - a``."""
    return hint_text(step, f"not {MISTAKES[step.kind]}")


def hint_text(step: Step, says: str) -> str:
    """A hint, as in ``every: v - v / a``."""
    return f"{CUES[step.kind]}: {says}"


def _one(options: Sequence, rng: np.random.Generator):
    if not options:
        raise ValueError("the problem has no hard step")
    return options[int(rng.integers(len(options)))]
