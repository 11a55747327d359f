"""Questions asked otherwise: seeded, the same under every context, with golds and rewards untouched."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.envs.errors import ArgumentError, UnknownNameError
from lse_gym.envs.games.problems.family import ProblemFamily
from lse_gym.wrappers import TraitBasis
from lse_gym.wrappers.traits import TRAITS, perturbed


@pytest.mark.parametrize("trait", TRAITS)
def test_a_trait_changes_the_question_and_nothing_else(trait):
    domain = ProblemFamily().load("farm-0")
    one, two, other = perturbed(domain, trait), perturbed(domain, trait), perturbed(domain, trait, seed=1)
    questions = domain.splits["held_out"]
    asked = [one.user(q) for q in questions]
    assert asked == [two.user(q) for q in questions]
    assert sum(text != domain.user(q) for text, q in zip(asked, questions, strict=True)) > 0.6 * len(questions)
    assert trait == "terse" or asked != [other.user(q) for q in questions]
    assert domain.user(questions[0]) == f"Question: {questions[0].text}", "the domain itself is as it was"
    assert one.system("x") == domain.system("x")
    assert one.splits == domain.splits
    mild = perturbed(domain, trait, strength=0.1)
    changed = sum(mild.user(q) != domain.user(q) for q in questions)
    assert changed < sum(text != domain.user(q) for text, q in zip(asked, questions, strict=True))


@given(st.text(max_size=80), st.sampled_from(sorted(TRAITS)), st.floats(0.01, 1.0))
def test_any_text_can_be_changed_and_numbers_stay(text, trait, strength):
    changed = TRAITS[trait](text, np.random.default_rng(0), strength)
    digits = [c for c in text if c.isdecimal()]
    assert [c for c in changed if c.isdecimal()] == digits
    assert changed or not text


def test_scores_are_told_and_rewards_are_untouched():
    plain, wrapped = gym.make("LSE/TextToSQL-v1", domain="library-0"), gym.make("LSE/TextToSQL-v1", domain="library-0")
    wrapped = TraitBasis(wrapped)
    oracle = plain.unwrapped.family.load("library-0").oracle_context
    for one, two in ((plain.reset(seed=0), wrapped.reset(seed=0)), (plain.step(oracle), wrapped.step(oracle))):
        assert data_equivalence(one[:-1], two[:-1], exact=True)
        info = two[-1]
        scores = [info[f"score_{trait}"] for trait in TRAITS]
        assert info["robustness"] == min(scores) - info["held_out_score"]
        assert all(0 <= score <= 1 and type(score) is float for score in scores)
    assert info["robustness"] < -0.1, "slips and gaps hurt"
    assert info["score_doubtful"] > 0.5
    assert wrapped.unwrapped.budget.spent == plain.unwrapped.budget.spent


def test_its_budget_is_its_own_and_its_spec_rebuilds_it():
    env = TraitBasis(gym.make("LSE/QA-v1", domain="brewing-0"), traits=("noisy",), budget={"calls": 60})
    first = env.reset(seed=0)[1]["score_noisy"]
    info = env.step("Choose well.")[-1]
    assert info["evaluated"] == 1.0
    assert info["score_noisy"] == first, "what cannot be paid is told as it was"
    again = gym.make(env.spec)
    assert again.reset(seed=0)[1]["score_noisy"] == first
    for arguments, error in [
        ({"traits": ("rude",)}, UnknownNameError),
        ({"traits": ()}, ArgumentError),
        ({"strength": 0}, ArgumentError),
    ]:
        with pytest.raises(error):
            TraitBasis(gym.make("LSE/QA-v1", domain="brewing-0"), **arguments)
