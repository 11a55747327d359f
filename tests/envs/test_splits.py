"""What is asked where: splits are disjoint, and the test split is sealed."""

import gymnasium as gym
import pytest

from lse_gym.envs.domain import SPLITS
from lse_gym.envs.sql.bird_family import BIRDFamily
from lse_gym.envs.sql.procedural.family import SIZES, ProceduralFamily
from tests.envs.specs import GEOQUERY, needs_geoquery

BATCH = 20  # feedback questions a step


def texts(domain, splits=SPLITS):
    return {question.text for split in splits for question in domain.splits[split]}


def told(seen, texts):
    """Those of the texts that are lines of what was seen, behind a label; or stretches of it, where they have more."""
    lines = {line.partition(": ")[2] for line in seen.splitlines()}
    return {text for text in texts if text in lines or ("\n" in text and text in seen)}


@pytest.mark.parametrize("feedback", ["gold", "error"])
def test_the_test_split_never_shows(made, feedback):
    env = gym.make(made[0], **made[1] | {"feedback_size": BATCH}, feedback=feedback, max_edits=1000)
    observation, info = env.reset(seed=3)
    domain = env.unwrapped.family.load(info["domain"])
    open_golds = {q.gold for split in ("feedback", "held_out") for q in domain.splits[split]}
    sealed = {q.text for q in domain.splits["test"]} | {q.gold for q in domain.splits["test"]} - open_golds
    asked = {q.text for q in domain.splits["feedback"]}
    assert sealed
    shown = set()
    for i in range(2 * -(-len(asked) // BATCH) + 2):  # more than twice round the feedback split
        seen = "\n".join([observation["context"], observation["feedback"], *map(str, info.values())])
        assert not told(seen, sealed)
        shown |= told(seen, asked)
        context = (domain.oracle_context or "Answer.") + f"\n{i}" if i % 2 else f"Answer {i}."
        observation, *_, info = env.step(context)
    assert shown == asked, "every feedback question is shown in the end"


def test_splits_are_disjoint_and_complete():
    family = ProceduralFamily()
    for name in [names[i] for names in family.groups.values() for i in (0, -1)]:
        domain = family.load(name)
        assert {split: len(domain.splits[split]) for split in SPLITS} == dict(SIZES)
        assert len(texts(domain)) == sum(SIZES.values())
        assert len({q.id for split in SPLITS for q in domain.splits[split]}) == sum(SIZES.values())
        assert domain.verify() == []


def test_neighbouring_seeds_share_no_stream():
    # `seed + index` would make item i of seed 1 item i + 1 of seed 0. Equal wordings by chance, over databases of other
    # values and rules, are no leak: short questions about the same nouns.
    family = ProceduralFamily()
    for theme in ("library", "studio"):
        here, there = family.load(f"{theme}-0"), family.load(f"{theme}-1")
        assert here.splits["held_out"] != there.splits["held_out"]
        assert len(texts(here) & texts(there)) < 0.2 * len(texts(here))
        assert here.database != there.database


def test_neighbouring_split_seeds_share_no_stream():
    # Same database, so an equal wording is the same question. The seeds are for repeating an experiment, not for
    # training on one and testing on another; only chance may make questions equal.
    here, there = (ProceduralFamily(split_seed).load("library-0") for split_seed in (0, 1))
    assert here.database == there.database
    assert len(texts(here) & texts(there)) < 0.2 * len(texts(here))


@needs_geoquery
def test_geoquery_splits_are_disjoint_for_every_seed():
    tests = []
    for split_seed in range(4):
        domain = BIRDFamily(GEOQUERY, split_seed=split_seed).load("geography")
        by_split = [texts(domain, [split]) for split in SPLITS]
        assert sum(map(len, by_split)) == len(set().union(*by_split))
        tests.append(frozenset(by_split[-1]))
    assert len(set(tests)) == 4
