"""Drawing a question with its passages: right ones, rivals that say otherwise, and ones about something else."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from lse_gym.envs.passages.bias import best_order, evidence, sigma
from lse_gym.envs.passages.prompt import STRENGTHS, Passage

SEED_RANGE, LEAST_OPTIMUM = (0.2, 0.6), 0.85  # chances of a right answer in the retriever's and in the best order
# Scores of the retriever, mean and spread: it finds what is about the question, and cannot tell right from wrong.
RELEVANT, RIVAL, RELATED, UNRELATED = (0.70, 0.12), (0.76, 0.10), (0.62, 0.12), (0.45, 0.12)


class Topic(NamedTuple):
    """What a question may be about: ``said`` of a subject with a value, ``asked``, and something ``else_said``."""

    noun: str
    said: str
    asked: str
    else_said: str


TOPICS = {
    "bridge": Topic("Bridge", "opened in", "when did {} open, in", "cost less than planned, by"),
    "tower": Topic("Tower", "was completed in", "when was {} completed, in", "has a number of steps, namely"),
    "school": Topic("School", "was founded in", "when was {} founded, in", "has room for pupils, up to"),
    "mine": Topic("Mine", "was closed in", "when was {} closed, in", "had workers at its height,"),
    "mill": Topic("Mill", "burned down in", "when did {} burn down, in", "ground sacks a day, about"),
    "museum": Topic("Museum", "moved in", "when did {} move, in", "shows pieces at a time,"),
    "harbour": Topic("Harbour", "was dredged in", "when was {} dredged, in", "takes ships at once, up to"),
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
    "For the caption: ;Settle a bet: ;Before we go there: "
).split(";")
CLOSINGS = ";Thank you.;A short answer will do.;Take your time.;It is for a leaflet.;I have to know today.".split(";")
MAX_PASSAGES = len(TITLES)


class World(NamedTuple):
    """A question with its passages in the retriever's order, and what the reader makes of each (``utilities``)."""

    subject: str
    topic: Topic
    right: str
    rival: str
    passages: tuple[Passage, ...]
    utilities: tuple[float, ...]


def draw_world(topic: Topic, count: int, rng: np.random.Generator) -> World:
    """Draw until the retriever's order does badly and the best one well; ``count`` passages, at least 4."""
    while True:
        world = _draw(topic, count, rng)
        seed, best = (sigma(evidence(o, world.utilities)) for o in (range(count), best_order(world.utilities)))
        if SEED_RANGE[0] <= seed <= SEED_RANGE[1] and best >= LEAST_OPTIMUM:
            return world


def _draw(topic: Topic, count: int, rng: np.random.Generator) -> World:
    here, elsewhere = (f"the {NAMES[int(i)]} {topic.noun}" for i in rng.permutation(len(NAMES))[:2])
    right, rival = (str(1700 + int(year)) for year in rng.permutation(300)[:2])
    kinds = [RELEVANT] * max(2, round(count * 3 / 8)) + [RIVAL] * round(count * 3 / 8)
    kinds += [RELATED if i % 2 else UNRELATED for i in range(count - len(kinds))]
    titles = [TITLES[int(i)] for i in rng.permutation(len(TITLES))]
    drawn = []
    for kind, title in zip(kinds, titles, strict=False):
        opening = list(STRENGTHS)[int(rng.integers(len(STRENGTHS)))]
        value = rival if kind is RIVAL or (kind is UNRELATED and rng.random() < 0.5) else right
        subject = elsewhere if kind is UNRELATED else here
        says = f"{topic.else_said} {int(rng.integers(20, 400))}" if kind is RELATED else f"{topic.said} {value}"
        score = float(np.clip(rng.normal(*kind), 0.01, 0.99))
        utility = STRENGTHS[opening] * {RELEVANT: 1, RIVAL: -1}.get(kind, 0)
        drawn.append((Passage(title, f"{opening} that {subject} {says}.", round(score, 2)), utility))
    drawn.sort(key=lambda pair: (-pair[0].score, pair[0].title))
    passages, utilities = zip(*drawn, strict=True)
    return World(here, topic, right, rival, passages, utilities)


def wordings(world: World, rng: np.random.Generator) -> Sequence[str]:
    """Every wording of the question, each offering both answers, in a random order."""
    asked = world.topic.asked.format(world.subject)
    offers = (f"{world.right} or {world.rival}", f"{world.rival} or {world.right}")
    texts = []
    for opening, closing, offer in product(OPENINGS, CLOSINGS, offers):
        core = asked if opening else asked[0].upper() + asked[1:]
        texts.append(f"{opening}{core} {offer}? {closing}".strip())
    return [texts[int(i)] for i in rng.permutation(len(texts))]
