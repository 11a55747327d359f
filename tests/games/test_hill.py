"""HiLL's formulas against its own test vectors, every gate, and what replaces what."""

from math import exp, log

import pytest

from lse_gym.envs.errors import UnknownNameError
from lse_gym.envs.games.hill import (
    KINDS,
    best_hint,
    gate_of,
    hint_in,
    hint_reward,
    is_hard,
    leaks,
    mean_reliance,
    non_deg,
    outcome_reliance,
    prob_term,
    reliance,
    success,
    transfer_weight,
    variance,
)


@pytest.mark.parametrize(
    ("right", "expected"),
    [(0, 0.0), (1, 0.656391), (2, 0.899872), (3, 0.976326), (4, 0.992188), (6, 0.899872), (7, 0.656391), (8, 0.0)],
)
def test_non_degeneracy_of_eight(right, expected):
    assert non_deg(right / 8, 8) == pytest.approx(expected, abs=5e-7)


def test_non_degeneracy_is_the_chance_of_a_mixed_group():
    p, n = 0.3, 3
    groups = [[p if bit else 1 - p for bit in (g & 1, g & 2, g & 4)] for g in range(1, 7)]
    assert non_deg(p, n) == pytest.approx(sum(a * b * c for a, b, c in groups), abs=1e-12)
    assert (variance(0.25), variance(0.0), variance(1.0)) == (0.1875, 0.0, 0.0)


@pytest.mark.parametrize(("mean", "expected"), [(-0.1, 0.716531), (-0.5, 0.188876), (0.0, 1.0), (2.0, 1.0)])
def test_weight_of_transfer(mean, expected):
    assert transfer_weight(mean) == pytest.approx(expected, abs=5e-7)


def test_reliance_is_negative_where_the_hint_was_needed():
    assert reliance([-2.0, -4.0], [-1.0, -1.0]) == -2.0
    assert reliance([-1.0], [-3.0]) == 2.0
    assert reliance([], []) == 0.0
    assert mean_reliance([-1.0, -9.0, -2.0], [1.0, 0.0, 1.0]) == -1.5, "wrong responses do not count"
    assert mean_reliance([-1.0], [0.0]) is None
    assert outcome_reliance(0, 3, 8) == pytest.approx(log(1 / 10) - log(4 / 10))
    assert outcome_reliance(4, 4, 8) == 0.0


def test_reward_by_kind():
    given = {"p": 2 / 8, "n": 8, "mean": -0.1}
    term, weight = 0.899872, 0.716531
    expected = [0.1875, term, 0.1875 * weight, term * weight]
    assert [hint_reward(**given, kind=kind) for kind in KINDS] == pytest.approx(expected, abs=1e-6)
    assert hint_reward(**given) == hint_reward(**given, kind="transfer_weighted_non_deg")
    assert hint_reward(**given, temperature=1.0) == pytest.approx(term * exp(-0.1), abs=1e-6)
    with pytest.raises(UnknownNameError, match="non_deg"):
        prob_term(0.5, 8, "nondeg")


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_a_group_of_one_colour_earns_nothing(p):
    assert hint_reward(p, 8, None if p == 0 else -0.1) == 0.0


def test_what_is_no_better_than_the_original_group_is_clamped():
    assert hint_reward(1 / 8, 8, 0.0, original=non_deg(1 / 8, 8)) == 0.0
    assert hint_reward(1 / 8, 8, 0.0, original=non_deg(2 / 8, 8)) == 0.0
    assert hint_reward(2 / 8, 8, 0.0, original=non_deg(1 / 8, 8)) == non_deg(2 / 8, 8)


@pytest.mark.parametrize("gate", ["no hint", "leak", "too long"])
def test_a_failed_gate_costs_the_same_whatever_else(gate):
    assert hint_reward(0.5, 8, 0.0, gate=gate, original=1.0) == -0.2


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("<analysis>a</analysis><hint> Halve it. </hint>", "Halve it."),
        ("<hint>one</hint> no: <hint>two</hint>", "two"),
        ("Halve it.", ""),
        ("<hint> \n</hint>", ""),
        ("<hint>never closed", ""),
    ],
)
def test_the_hint_is_what_is_in_its_tags(text, hint):
    assert hint_in(text) == hint


def test_gates_in_their_order():
    assert gate_of("", "144", 900, 10) == "no hint"
    assert gate_of("It is 144.", "144", 900, 10) == "leak", "a leak is told before the length"
    assert gate_of("Halve it.", "144", 11, 10) == "too long"
    assert gate_of("Halve it.", "144", 10, 10) == ""
    assert gate_of("Halve it.", "144", 10**9) == ""


@pytest.mark.parametrize(
    ("hint", "gold", "leak"),
    [
        ("so \\boxed{7}.", "7", True),
        ("so \\boxed{ x+1 }", "x+1", True),
        ("x = 7, so add", "7", True),
        ("The answer is 7.", "7", True),
        ("The answer is $7$.", "7", True),
        ("answer: 7", "7", True),
        ("That equals 18", "18", True),
        ("He works 7 days a week.", "7", False),
        ("There is 70 left.", "7", False),
        ("it is 7.5 litres", "7", False),
        ("Each is 7th in line", "7", False),
        ("Think of 1440 minutes", "144", True),
        ("Remember PARIS here", "Paris", True),
        ("Halve the number.", "144", False),
        ("Anything", "", False),
    ],
)
def test_leaks(hint, gold, leak):
    assert leaks(hint, gold) is leak


def test_only_all_wrong_groups_are_hard():
    assert is_hard([0.0, 0.49, 0.0])
    assert not is_hard([0.0, 0.5, 0.0])
    assert success([1.0, 0.0, 0.5, 0.2]) == 0.5
    assert success([]) == 0.0


def test_the_best_hint_with_a_positive_term_replaces():
    assert best_hint([-0.2, 0.3, 0.5], [0.0, 0.7, 0.6]) == 2
    assert best_hint([0.9, 0.0], [0.0, 0.1]) == 1, "a reward without a term replaces nothing"
    assert best_hint([0.4, 0.4], [0.5, 0.5]) == 0, "the first of equals"
    assert best_hint([-0.2, 0.0], [0.0, 0.0]) is None
    assert best_hint([], []) is None
