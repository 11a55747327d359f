import os
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest

import lse_gym  # noqa: F401 - registers the ids
from lse_gym.envs.domain import SPLITS
from lse_gym.envs.errors import UnknownNameError
from lse_gym.envs.evaluation import evaluate_context
from lse_gym.envs.models.nano.lexicon import strings
from lse_gym.envs.offline.reader.choice import read_lines
from lse_gym.envs.offline.reader.choice.question import understand
from lse_gym.envs.offline.reader.choice.solve import solve
from lse_gym.envs.qa.procedural.draw import SIZES, draw_questions, few_forms, topics
from lse_gym.envs.qa.procedural.family import THEMES, ProceduralQAFamily, make_world, stream
from lse_gym.envs.qa.procedural.forms import OPS, draw_form, key, wordings
from lse_gym.envs.qa.procedural.rules import oracle_context
from lse_gym.envs.qa.procedural.themes import TEST_THEMES, TRAIN_THEMES
from lse_gym.envs.qa.procedural.world import hidden_kinds

FAMILY = ProceduralQAFamily()
NAMES = [f"{theme}-{seed}" for theme in THEMES for seed in (1, 2)]
DIGEST = """
import hashlib, sys
from lse_gym.envs.qa.procedural.family import ProceduralQAFamily
for name in sys.argv[1:]:
    d = ProceduralQAFamily().load(name)
    print(hashlib.sha256(repr([d.system(d.oracle_context), *d.splits.items(), *d.items.items()]).encode()).hexdigest())
"""


def questions(domain):
    return [question for split in SPLITS for question in domain.splits[split]]


def answers(domain, context):
    knowledge = read_lines(tuple(context.splitlines()))
    return [solve(asked, knowledge) for q in questions(domain) if (asked := understand(q.text))]


@pytest.mark.parametrize("name", NAMES)
def test_golds_are_what_a_careful_reader_of_the_oracle_finds(name):
    domain = FAMILY.load(name)
    assert answers(domain, domain.oracle_context) == [[question.gold] for question in questions(domain)]
    assert domain.verify() == []


@pytest.mark.parametrize("theme", THEMES)
def test_words_alone_never_settle_a_question(theme):
    domain = FAMILY.load(f"{theme}-1")
    worlds = [make_world(f"{theme}-{seed}") for seed in range(40, 60)]
    others = [answers(domain, oracle_context("", world)) for world in worlds]
    for i, question in enumerate(questions(domain)):
        assert any(other[i] != [question.gold] for other in others), question


@pytest.mark.parametrize("name", NAMES)
def test_there_is_much_to_learn_and_all_of_it_can_be_learnt(name):
    kinds = hidden_kinds(make_world(name))
    assert len(kinds) >= 12
    assert len(set(kinds)) >= 6
    drawn = draw_questions(name, make_world(name), stream(name, 0))
    heard = {topic for _, form in drawn["feedback"] for topic in topics(form)}
    assert heard.issuperset(topic for split in SPLITS for _, form in drawn[split] for topic in topics(form))
    assert len({form.op for _, form in drawn["feedback"]}) >= 8


def test_sealed_questions_are_about_what_can_be_learnt_too():
    drawn = draw_questions("apiary-1", make_world("apiary-1"), stream("apiary-1", 0), sealed=(5, 200))
    heard = {topic for _, form in drawn["feedback"] for topic in topics(form)}
    assert heard.issuperset(topic for _, form in drawn["test"] for topic in topics(form))
    assert {form.op for _, form in drawn["test"]} == {*OPS}
    assert [item for item, _ in drawn["test"]] == [*FAMILY.sealed("apiary-1", 5, 200).items.values()][-200:]


def test_wording_and_order_make_no_other_question_and_all_else_does():
    world, rng = make_world("glasswork-1"), np.random.default_rng(0)
    theme = world.theme
    for op in OPS:
        keys = set()
        for _ in range(20):
            form = draw_form(op, world, rng)
            keys.add(key(form, theme))
            other = form._replace(things=form.things[::-1], parts=form.parts[::-1])
            assert key(other, theme) == key(form, theme)
            assert len({*wordings(form, theme), *wordings(other, theme)}) >= len(wordings(form, theme))
        assert len(keys) >= (5 if op in few_forms(world) else 18), op
    for forms in few_forms(world).values():
        assert len({key(form, theme) for form in forms}) == len(forms)
    assert {op: len(forms) for op, forms in few_forms(world).items()} == {"convert": 44, "rank": 10}


def test_the_few_are_all_that_are_drawn():
    world, rng = make_world("glasswork-1"), np.random.default_rng(0)
    for op, forms in few_forms(world).items():
        drawn = {key(draw_form(op, world, rng), world.theme) for _ in range(1000)}
        assert drawn == {key(form, world.theme) for form in forms}


def words_of(theme) -> set[str]:
    names = (*theme.names, theme.name, theme.place, theme.thing)
    return {word.lower() for word in strings(theme)} - {name.lower() for name in names}


def test_train_and_test_themes_share_no_word_that_a_rule_is_about():
    train = set().union(*map(words_of, TRAIN_THEMES))
    assert {theme.name: train & words_of(theme) for theme in TEST_THEMES} == {t.name: set() for t in TEST_THEMES}


def test_splits_are_disjoint_complete_and_without_a_favourite_letter():
    letters = []
    for name in NAMES:
        domain = FAMILY.load(name)
        assert {split: len(domain.splits[split]) for split in SPLITS} == dict(SIZES)
        assert len({q.text for q in questions(domain)}) == sum(SIZES.values())
        assert all(len({*item.choices}) == 4 for item in domain.items.values())
        letters += [q.gold for q in questions(domain)]
    for letter in "ABCD":
        assert 0.22 < letters.count(letter) / len(letters) < 0.28


def test_neighbouring_seeds_share_no_stream():
    for one, two in ((FAMILY.load("brewing-0"), FAMILY.load("brewing-1")), _split_seeds("apiary-0")):
        texts = [{q.text for q in questions(domain)} for domain in (one, two)]
        assert len(texts[0] & texts[1]) < 0.2 * len(texts[0])


def _split_seeds(name):
    one, two = (ProceduralQAFamily(split_seed).load(name) for split_seed in (0, 1))
    assert one.oracle_context == two.oracle_context
    return one, two


def test_domains_are_equal_in_every_process():
    command = [sys.executable, "-c", DIGEST, "orchard-3", "observatory-2"]
    runs = [
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True)
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout
    assert len(set(runs[0].stdout.split())) == 2


@pytest.mark.parametrize(
    "bad", ["brewing", "brewing-", "brewing--1", "brewing-" + 40 * "1", "moon-1", "", "apiary-0\n", 3]
)
def test_unknown_domains_are_refused(bad):
    with pytest.raises(UnknownNameError, match="brewing-17"):
        FAMILY.load(bad)


def test_reader_does_badly_without_conventions_and_well_with_all():
    env = gym.make("LSE/QA-v1")
    names = FAMILY.groups["test"]
    seeds = [evaluate_context(env, FAMILY.load(name).seed_context, "test", name).mean for name in names]
    oracles = [evaluate_context(env, FAMILY.load(name).oracle_context or "", "test", name).mean for name in names]
    assert len(names) == 15
    assert 0.1 <= sum(seeds) / len(seeds) <= 0.40
    assert sum(oracles) / len(oracles) >= 0.95
    assert min(oracles) >= 0.93, dict(zip(names, oracles, strict=True))
