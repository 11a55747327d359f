"""Drawing what is asked with its passages: right ones, rivals that say otherwise, and ones about something else."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lse_gym.envs.passages.bias import best_order, evidence, sigma
from lse_gym.envs.passages.prompt import STRENGTHS, Passage

SEED_RANGE, LEAST_OPTIMUM = (0.2, 0.6), 0.85  # chances of a right answer in the retriever's and in the best order
# Scores of the retriever, mean and spread: it finds what is about the question, and cannot tell right from wrong.
RELEVANT, RIVAL, RELATED, UNRELATED = (0.70, 0.12), (0.76, 0.10), (0.62, 0.12), (0.45, 0.12)


class Fact(NamedTuple):
    """Something that happened in a year: ``said`` of a subject with the year, and ``asked``."""

    said: str
    asked: str


class Topic(NamedTuple):
    """What questions may be about: facts, the earliest first, and something ``else_said`` of a subject."""

    noun: str
    facts: tuple[Fact, ...]
    else_said: str


def _were(*done: str) -> list[Fact]:
    return [Fact(f"was {what} in", f"when was {{}} {what}, in") for what in done]


OPENED, MOVED = Fact("opened in", "when did {} open, in"), Fact("moved in", "when did {} move, in")
BURNED = Fact("burned down in", "when did {} burn down, in")
TOPICS = {
    "bridge": Topic("Bridge", (OPENED, *_were("widened", "repaired", "sold")), "cost less than planned, by"),
    "tower": Topic("Tower", (*_were("completed", "heightened", "restored", "sold"),), "has a number of steps, namely"),
    "school": Topic("School", (*_were("founded", "enlarged", "renamed", "rebuilt"),), "has room for pupils, up to"),
    "mine": Topic("Mine", (*_were("surveyed", "flooded", "sold", "closed"),), "had workers at its height,"),
    "mill": Topic("Mill", (*_were("built", "sold"), BURNED, *_were("rebuilt")), "ground sacks a day, about"),
    "museum": Topic("Museum", (OPENED, MOVED, *_were("robbed", "renamed")), "shows pieces at a time,"),
    "harbour": Topic("Harbour", (*_were("charted", "dredged", "walled", "sold"),), "takes ships at once, up to"),
}
TRAIN, TEST = ("bridge", "tower", "school", "mine"), ("mill", "museum", "harbour")
NAMES = "Harlow Tenby Orford Calder Winslow Aldham Brinton Castor Dunmere Elston Farley Gorsey".split()
TITLES = (
    "County archive;Town gazette;Traveller's handbook;Local history forum;Survey report;School project;Parish notes;"
    "Museum leaflet;Trade directory;Old postcard;Engineer's diary;Visitor's blog;Almanac;Council minutes;Map legend;"
    "Lecture notes;Radio transcript;Family letters;Insurance file;Encyclopedia"
).split(";")
OPENINGS = (
    ";Please tell me: ;A quick question: ;For a quiz: ;We could not agree at home: ;My teacher asks: ;I forgot: ;"
    "For the guided tour: ;Before I print it: ;For the record: ;A reader writes: ;Just to be sure: ;One more: ;"
    "For the caption: ;Settle a bet: ;Before we go there: ;A child asked me: ;For my notes: ;Somebody has to know: ;"
    "From the visitors' book: ;For the timeline: ;Help me out: ;A letter asks: ;To fill a gap: "
).split(";")
CLOSINGS = (
    ";Thank you.;A short answer will do.;Take your time.;It is for a leaflet.;I have to know today.;Many thanks.;"
    "The year is enough.;We go to print soon.;Nobody here knows.;It is for a plaque.;I am curious.;No hurry.;"
    "I looked in vain.;My notes are lost.;It is for school.;The editor insists.;I want to get it right.;"
    "It will be carved in stone.;There is a prize.;Two friends disagree.;It is for the archive.;Please look closely.;"
    "The guide did not know."
).split(";")
WORDINGS = len(OPENINGS) * len(CLOSINGS)  # of a question about a fact
MAX_PASSAGES = len(TITLES)


class World(NamedTuple):
    """A subject with passages in the retriever's order, and what the reader makes of each (``utilities``).

    ``right`` and ``rivals`` are the two answers to every fact of the topic. A passage is right about all or wrong about
    all of them, so the best order is the same whatever is asked.
    """

    subject: str
    topic: Topic
    right: tuple[str, ...]
    rivals: tuple[str, ...]
    passages: tuple[Passage, ...]
    utilities: tuple[float, ...]


class Asked(NamedTuple):
    """A question about a fact of the topic, by its number: what it says before and after the two answers it offers."""

    fact: int
    asked: str
    closing: str

    def text(self, first: str, second: str) -> str:
        """The question, offering two answers in this order."""
        return f"{self.asked} {first} or {second}? {self.closing}".strip()


def draw_world(topic: Topic, count: int, rng: np.random.Generator) -> World:
    """Draw until the retriever's order does badly and the best one well; ``count`` passages, at least 4."""
    while True:
        world = _draw(topic, count, rng)
        seed, best = (sigma(evidence(o, world.utilities)) for o in (range(count), best_order(world.utilities)))
        if SEED_RANGE[0] <= seed <= SEED_RANGE[1] and best >= LEAST_OPTIMUM:
            return world


def _draw(topic: Topic, count: int, rng: np.random.Generator) -> World:
    here, elsewhere = (f"the {NAMES[int(i)]} {topic.noun}" for i in rng.permutation(len(NAMES))[:2])
    years, facts = [str(1700 + int(year)) for year in rng.permutation(300)], len(topic.facts)
    right, rivals = (tuple(sorted(drawn)) for drawn in (years[:facts], years[facts : 2 * facts]))
    kinds = [RELEVANT] * max(2, round(count * 3 / 8)) + [RIVAL] * round(count * 3 / 8)
    kinds += [RELATED if i % 2 else UNRELATED for i in range(count - len(kinds))]
    titles = [TITLES[int(i)] for i in rng.permutation(len(TITLES))]
    drawn = []
    for kind, title in zip(kinds, titles, strict=False):
        opening = list(STRENGTHS)[int(rng.integers(len(STRENGTHS)))]
        values = rivals if kind is RIVAL or (kind is UNRELATED and rng.random() < 0.5) else right
        subject = elsewhere if kind is UNRELATED else here
        says = f"{topic.else_said} {int(rng.integers(20, 400))}" if kind is RELATED else _story(topic, values)
        score = float(np.clip(rng.normal(*kind), 0.01, 0.99))
        utility = STRENGTHS[opening] * {RELEVANT: 1, RIVAL: -1}.get(kind, 0)
        drawn.append((Passage(title, f"{opening} that {subject} {says}.", round(score, 2)), utility))
    drawn.sort(key=lambda pair: (-pair[0].score, pair[0].title))
    passages, utilities = zip(*drawn, strict=True)
    return World(here, topic, right, rivals, passages, utilities)


def _story(topic: Topic, years: Sequence[str]) -> str:
    *first, last = (f"{fact.said} {year}" for fact, year in zip(topic.facts, years, strict=True))
    return f"{', '.join(first)} and {last}"


def question(world: World, number: int) -> Asked:
    """One of the ``len(world.topic.facts) * WORDINGS`` questions about the subject: a fact in one of its wordings."""
    fact, wording = divmod(number, WORDINGS)
    opening, closing = OPENINGS[wording // len(CLOSINGS)], CLOSINGS[wording % len(CLOSINGS)]
    asked = world.topic.facts[fact].asked.format(world.subject)
    return Asked(fact, f"{opening}{asked}" if opening else asked[0].upper() + asked[1:], closing)
