"""Intervals that cover, and groups that tell apart what can be told apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.envs.evaluation import student95, wilson
from lse_gym.leaderboard.ranking import Row, _ranked
from lse_gym.leaderboard.statistics import apart, difference, groups, interval, summarize

shape = st.tuples(st.integers(1, 4), st.integers(1, 30))


def draw(rng, rate, domains=3, seeds=2, items=50):
    """Scores of an entry whose items have their own difficulty, alike for all its seeds."""
    return {f"d{d}": (rng.random(items) < rate).astype(float)[None].repeat(seeds, 0) for d in range(domains)}


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for rate in (0.1, 0.5, 0.95):
        inside = [low <= rate <= high for low, high in (interval(summarize(draw(rng, rate))) for _ in range(400))]
        assert 0.92 <= np.mean(inside) <= 0.995


def test_seeds_that_disagree_widen_the_interval():
    items = np.zeros(50)
    same, apart_ = ({"d": [items + 0.5, items + 0.5]}, {"d": [items + 0.1, items + 0.9]})
    widths = [high - low for low, high in (interval(summarize(scores)) for scores in (same, apart_))]
    assert widths[1] > 1.5 * widths[0]


def test_one_run_of_one_domain_has_wilsons_interval():
    scores = {"d": [[1.0] * 90 + [0.0] * 10]}
    assert interval(summarize(scores)) == pytest.approx(wilson(0.9, 100), abs=0.01)


@given(st.lists(st.lists(st.floats(0, 1), min_size=5, max_size=5), min_size=1, max_size=4))
def test_interval_holds_its_mean_and_stays_in_range(runs):
    summary = summarize({"a": runs, "b": runs})
    low, high = interval(summary)
    assert 0 <= low <= summary.mean + 1e-9
    assert summary.mean - 1e-9 <= high <= 1


def test_pairs_tell_apart_what_intervals_do_not():
    rng = np.random.default_rng(1)
    base = draw(rng, 0.5, seeds=1)
    better = {d: np.where(rng.random(runs.shape) < 0.15, 1.0, runs) for d, runs in base.items()}
    one, other = summarize(better), summarize(base)
    assert interval(one)[0] < interval(other)[1]  # they overlap
    assert difference(one, other)[1] > 0  # and yet one is better: it has all of the other's right answers, and more


def test_groups_begin_where_the_leader_can_be_told_apart():
    rng = np.random.default_rng(2)
    ranked = sorted((summarize(draw(rng, rate)) for rate in (0.9, 0.9, 0.5, 0.5, 0.1)), key=lambda s: -s.mean)
    assert groups(ranked) == [1, 1, 2, 2, 3]
    assert groups([]) == []
    assert groups([ranked[0]] * 3) == [1, 1, 1]


def test_a_claim_is_apart_only_beyond_chance():
    assert not apart([1.0] * 57 + [0.0] * 3, [1.0] * 90 + [0.0] * 10, 3.29)
    assert apart([1.0] * 60, [1.0] * 60 + [0.0] * 40, 3.29)
    rng = np.random.default_rng(3)
    wrong = sum(apart((rng.random(60) < 0.8).tolist(), (rng.random(100) < 0.8).tolist(), 3.29) for _ in range(1000))
    assert wrong <= 5


def played(means, n=50, seed=0):
    rng = np.random.default_rng(seed)
    return summarize({f"{seed}-{i}": [(rng.random(n) < p).astype(float)] for i, p in enumerate(means)}, drawn=True)


def test_entries_of_different_domains_are_compared_by_how_far_these_are_apart():
    """Equal means: what was drawn from far apart says less, and questions of no other entry are looked up."""
    near, far = played([0.5] * 6, seed=1), played([0.1, 0.9] * 3, seed=2)
    low, high = interval(near)
    assert interval(far)[1] - interval(far)[0] > 1.5 * (high - low)
    found, below, above = difference(near, far)
    assert found == near.mean - far.mean
    assert below < 0 < above
    assert difference(played([0.9] * 6, seed=3), near)[1] > 0


def test_few_domains_widen_an_interval_by_students_t():
    apart_, alike = (0.25, 0.5, 0.75), (0.5, 0.5, 0.5)
    far, near = (summarize({f"d{i}": [[m] * 4] for i, m in enumerate(means)}, True) for means in (apart_, alike))
    found, low, high = difference(far, near)
    assert high - found == pytest.approx(found - low) == pytest.approx(4.3027 * 0.25 / 3**0.5, abs=1e-4)


def test_student_quantiles():
    # W. S. Gosset's table, as in every textbook
    known = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 14: 2.145, 29: 2.045, 1000: 1.962}
    for degrees, value in known.items():
        assert student95(degrees) == pytest.approx(value, abs=4e-3)


def test_intervals_of_played_entries_hold_what_they_promise():
    """Domains of different difficulty, drawn for each entry: 95 % of the intervals hold the mean over all domains."""
    rng, held = np.random.default_rng(0), 0
    for seed in range(300):
        low, high = interval(played(rng.beta(6, 4, size=6), seed=seed))
        held += low <= 0.6 <= high
    assert 0.92 <= held / 300 <= 0.99


def test_two_entries_share_their_degrees_of_freedom():
    """Of equal variances there are 2 (n - 1), as in Welch's paper; of none on one side those of the other."""
    far, near = (0.25, 0.5, 0.75), (0.35, 0.6, 0.85)
    one, other = (summarize({f"d{i}": [[m] * 400] for i, m in enumerate(means)}, True) for means in (far, near))
    found, low, high = difference(other, one)
    assert found == pytest.approx(0.1)
    assert high - found == pytest.approx(found - low) == pytest.approx(2.7764 * (2 * 0.25**2 / 3) ** 0.5, rel=2e-3)


@pytest.mark.parametrize(("one", "other"), [(6, 6), (3, 18), (2, 2)])
def test_intervals_of_differences_hold_what_they_promise_and_are_no_wider(one, other):
    """Two entries of equal skill, of as many domains or not: 95 % hold zero, which Welch's test comes close to."""
    rng, held = np.random.default_rng(1), 0
    for seed in range(600):
        first, second = (played(rng.beta(6, 4, size=n), seed=2 * seed + i) for i, n in enumerate((one, other)))
        _, low, high = difference(first, second)
        held += low <= 0 <= high
    assert 0.93 <= held / 600 <= (0.97 if min(one, other) > 2 else 0.99)


def test_what_was_played_stands_above_what_was_reproduced():
    def row(number, level, score):
        entry = summarize({"a": [[score] * 50], "b": [[score] * 50]}, drawn=level == "played")
        fields = dict.fromkeys(Row._fields, 0.0) | {"id": number, "level": level, "score": score, "summary": entry}
        return Row(**fields)

    rows = [row(1, "reproduced", 0.9), row(2, "played", 0.3), row(3, "replayed", 0.95), row(4, "played", 0.6)]
    assert [(one.id, one.group) for one in _ranked(rows)] == [(4, 1), (2, 2), (3, 3), (1, 4)]
