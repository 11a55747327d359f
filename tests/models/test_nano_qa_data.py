"""The multiple-choice samples that `nano` may be trained on: like the shipped subjects, in other words."""

import re

import numpy as np
import pytest

from lse_gym.envs.models.nano.lexicon import strings
from lse_gym.envs.models.nano.qa_data import DRILL, GUESS, UNTOLD, draw_qa_sample, draw_subject, edited, shipped
from lse_gym.envs.offline.reader.choice import read_lines
from lse_gym.envs.offline.reader.choice.question import understand
from lse_gym.envs.offline.reader.choice.rules import parse_rule
from lse_gym.envs.offline.reader.choice.solve import solve
from lse_gym.envs.offline.writer.choice.book import sentences
from lse_gym.envs.prompt import CONTEXT_HEADER
from lse_gym.envs.qa.answer import extract_choice
from lse_gym.envs.qa.procedural.forms import plural
from lse_gym.envs.qa.procedural.rules import oracle_rules
from lse_gym.envs.qa.procedural.themes import TRAIN_THEMES
from lse_gym.envs.qa.procedural.world import draw_world


def test_subjects_use_no_shipped_word():
    for seed in range(100):
        assert not {word.lower() for word in strings(draw_subject(np.random.default_rng(seed)))} & shipped()


def test_subjects_have_the_words_and_units_that_the_shipped_ones_have():
    themes = [draw_subject(np.random.default_rng(seed)) for seed in range(60)]
    assert any(term.endswith("s") for theme in themes for term in theme.terms)  # propolis
    assert any(plural(unit.large).endswith("es") for theme in themes for unit in theme.units)  # watches
    assert max(unit.factor for theme in themes for unit in theme.units) >= 60  # minutes
    assert any(a.name == f"{a.adjective}ness" for theme in themes for a in theme.attributes)  # hardness
    assert all(not unit.small.endswith(("s", "x", "sh", "ch")) for theme in themes for unit in theme.units)


def test_sample_is_reproducible_and_differs_by_stream():
    assert draw_qa_sample((1, 2)) == draw_qa_sample((1, 2)) != draw_qa_sample((1, 3))


def test_the_edited_wording_is_that_of_the_offline_editor():
    worlds = [draw_world(draw_subject(rng), rng) for rng in map(np.random.default_rng, range(40))]
    pairs = [(f"- {rule}", world.theme) for world in worlds for rule in oracle_rules(world).values()]
    written = ["\n".join(f"- {sentence}" for sentence in sentences(parse_rule(rule))) for rule, _ in pairs]
    same = np.mean([edited(*pair) == text for pair, text in zip(pairs, written, strict=True)])
    assert same > 0.99  # some invented words, such as "taxis", the editor itself misreads
    shipped_worlds = [draw_world(theme, np.random.default_rng(1)) for theme in TRAIN_THEMES]
    for world in shipped_worlds:
        for rule in oracle_rules(world).values():
            told = [f"- {sentence}" for sentence in sentences(parse_rule(f"- {rule}"))]
            assert edited(f"- {rule}", world.theme).split("\n") == told


def test_an_answer_quotes_the_context_and_is_what_a_reader_of_it_finds():
    quoted = 0
    for index in range(60):
        sample = draw_qa_sample((8, index))
        context = sample.system.partition(f"{CONTEXT_HEADER}\n")[2]
        for user, response in sample.turns:
            lines = [line for line in response.split("\n") if line.startswith("- ")]
            assert set(lines) <= set(context.split("\n"))
            letter = extract_choice(response)
            quoted += len(lines)
            if UNTOLD in response:
                assert letter == GUESS
                continue
            asked = understand(user.removeprefix("Question: "))
            assert asked
            assert letter in solve(asked, read_lines(tuple(context.split("\n"))))
    assert quoted > 300


@pytest.mark.parametrize("drills", [0.0, 1.0])
def test_every_equation_in_the_working_is_true(drills):
    equations = 0
    for index in range(60):
        for _, response in draw_qa_sample((10, index), drills=drills).turns:
            for chain in re.findall(r"(?<![\w])-?\d+(?: [-+x] \d+)*(?: = -?\d+(?: [-+x] \d+)*)+", response):
                values = [eval(side.replace("x", "*")) for side in chain.split(" = ")]  # noqa: S307 - digits and signs
                assert len(set(values)) == 1, chain
                equations += 1
    assert equations > 1000


def test_single_steps_are_those_of_answers_and_look_ups_are_in_the_prompt():
    looked_up = 0
    for index in range(40):
        sample = draw_qa_sample((11, index), drills=1.0)
        for user, response in sample.turns:
            if sample.system == DRILL:
                assert response
                continue
            for line in response.split("\n"):
                if "\nA)" not in user:
                    assert not line.startswith("- ") or line in sample.system.split("\n")
                    looked_up += line.startswith("- ")
                    continue
                for letter, *what in map(str.split, line.split(", ")):
                    choice = next(row for row in user.split("\n") if row.startswith(f"{letter})"))
                    assert f" {' '.join(what)}" in choice
                    looked_up += 1
    assert looked_up > 500


@pytest.mark.extra("hf")
def test_prompts_fit_the_window():
    import transformers

    from lse_gym.envs.models import NANO

    tokenizer = transformers.AutoTokenizer.from_pretrained(NANO)
    for index in range(30):
        sample = draw_qa_sample((9, index))
        assert len(tokenizer(sample.system + "".join(max(sample.turns))).input_ids) < 3000
