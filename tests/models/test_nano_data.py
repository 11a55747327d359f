"""The worlds that `nano` is trained on: made like the shipped ones, and disjoint from them."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from lse_gym.envs.editing import parse_edit
from lse_gym.envs.models.nano.data import draw_sample, draw_theme, keyed_rules, schema_of
from lse_gym.envs.models.nano.demonstrations import draw_demonstration
from lse_gym.envs.models.nano.invented import STREAM
from lse_gym.envs.models.nano.lexicon import english, shipped, words_of
from lse_gym.envs.prompt import CONTEXT_HEADER
from lse_gym.envs.sql.procedural.family import THEMES, ProceduralFamily
from lse_gym.envs.sql.procedural.rules import oracle_rules
from lse_gym.envs.sql.procedural.world import draw_world
from lse_gym.envs.sql.prompt import extract_sql, frozen_part

# What every invented business shares with the shipped ones: units and the small words of questions.
SHARED = frozenset(
    "event person thing place names date on at name base id by of from in for with using who signed up brought "
    "set down out over off taken carried put dollar dollars euro euros pound pounds hour hours litre litres "
    "kilometre kilometres kilogram kilograms tonne tonnes millilitre millilitres".split()
)


def test_words_of_training_are_not_shipped():
    assert not set(english()) & shipped()
    used = set()
    for seed in range(200):
        theme = draw_theme(np.random.default_rng(seed))
        used |= {word for word in words_of(theme._replace(name="")) if len(word) > 2}
    assert not (used & shipped()) - SHARED


def test_no_invented_word_is_one_of_sql():
    """`foreign` was the name of a column of one of the 480 invented domains."""
    for number in range(480):
        rng = np.random.default_rng(np.random.SeedSequence([STREAM, number]))
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.executescript(schema_of(draw_world(draw_theme(rng), rng)))


def test_sample_is_reproducible_and_differs_by_stream():
    assert draw_sample((1, 2)) == draw_sample((1, 2)) != draw_sample((1, 3))


@pytest.mark.parametrize(("number", "name"), list(enumerate(THEMES)))
def test_schema_and_rules_are_those_of_the_family(number, name):
    domain = ProceduralFamily().load(f"{name}-1")
    world = draw_world(THEMES[name], np.random.default_rng(np.random.SeedSequence([number, 1])))
    assert domain.system("") == f"{frozen_part(schema_of(world))}### Instructions\n"
    assert list(keyed_rules(world).values()) == oracle_rules(world)


def test_an_answer_quotes_lines_of_the_context_and_then_answers():
    quoted = 0
    for index in range(60):
        sample = draw_sample((8, index))
        context = sample.system.partition(CONTEXT_HEADER)[2]
        for _, answer in sample.turns:
            *thoughts, statement = answer.split("\n")
            assert all(thought in context for thought in thoughts)
            assert extract_sql(answer) == statement.removeprefix("<answer>").removesuffix("</answer>")
            assert statement.startswith("<answer>SELECT ")
            quoted += len(thoughts)
    assert quoted > 600


def test_demonstrations_are_edits_of_mixed_quality():
    changed = removed = 0
    turns = [turn for index in range(40) for turn in draw_demonstration((9, index)).turns]
    for prompt, answer in turns:
        task = prompt.data
        assert 1 <= len(task.report.problems) <= 10
        if "<add>" not in answer:
            continue
        edit = parse_edit(answer, task.context)
        assert edit is not None
        gone = [line for line in task.context.split("\n") if line not in edit.split("\n")]
        assert answer.count("<remove>") >= len(gone)
        removed += len(gone)
        changed += edit != task.context
    assert changed > 60
    assert removed > 5
