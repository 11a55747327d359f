"""Credit by lines, and chains that grow with the editor."""

import gymnasium as gym
import numpy as np
import pytest

from lse_gym.agents.lse.chains import LONGEST, Chains
from lse_gym.agents.lse.credit import (
    CUT,
    DONE,
    MISSED,
    REPEATED,
    SCALE,
    advantages_of_lines,
    lines,
    missed,
    new_lines,
    token_values,
    what_adds,
    worths,
)
from lse_gym.envs.editing import MIN_EDIT_CHARS, parse_edit
from lse_gym.envs.models.nano.invented import InventedFamily

ATTENTIVE = "lse_gym.envs.offline.reader:AttentiveReader"
FAMILY = "lse_gym.envs.models.nano.invented:InventedFamily"


@pytest.fixture(scope="module")
def env():
    return gym.make("LSE/Family-v0", family=FAMILY, domain="invented-0", task_model=ATTENTIVE).unwrapped


def edit(*lines):
    return "\n".join(f"<add>{line}</add>" for line in lines)


def test_lines_are_judged_beside_what_is_still_to_be_learnt(env):
    """A false line does harm beside the true one, and one of two that a question needs gains beside the other."""
    chains = Chains(env, ["invented-0"], 1, reports=(4, 4))
    (state,) = chains.batch()
    _, *rules = env.family.load("invented-0").oracle_context.split("\n")
    code = next(rule for rule in rules if " = " in rule)
    false = code[: code.index(" = ")] + " = 'nothing'."
    true = [edit(rule) for rule in rules]
    gains = chains.gains([state] * (len(true) + 3), [*true, edit(false), edit("no rule at all"), "no edit"])
    assert gains[-2:].tolist() == [0.0, 0.0]
    assert np.median(gains[: len(true)]) > 0 > gains[-3]
    alone = chains.scores_after([state] * len(true), true) - state.performance
    assert (gains[: len(true)] > 0).sum() > (alone > 0).sum()
    assert chains.gains([state], true[:1])[0] == gains[0]


def test_new_lines_are_those_that_change_the_context():
    answers = [
        edit("- a is long", "- b is long"),
        edit("- b is long"),
        "<remove>- a is long</remove>",
        "<prompt>x</prompt>",
    ]
    assert new_lines("seed\n- a is long", answers) == [edit("- b is long"), "<remove>- a is long</remove>"]
    assert new_lines("seed", answers) == [edit("- a is long"), edit("- b is long")]


def test_worths_and_what_is_missed():
    one, two, three = edit("one"), edit("two"), edit("three")
    gains = {one: 0.05, two: -0.01, three: 0.03}
    answer = "\n".join([one, two, one, edit("known")])
    assert worths(answer, gains, 0.01).tolist() == pytest.approx([0.04, -0.02, REPEATED, REPEATED])
    assert missed(answer, gains, 0.01) == pytest.approx(0.02)
    assert missed("\n".join([one, three]), gains, 0.01) == 0
    found = advantages_of_lines(worths(answer, gains, 0.01), 0.02, ended=True)
    assert found.tolist() == pytest.approx([1.0, -1.0, REPEATED / SCALE, REPEATED / SCALE, DONE - MISSED])
    assert advantages_of_lines(np.zeros(0), 0.0, ended=True).tolist() == [DONE]
    assert advantages_of_lines(np.zeros(0), 0.0, ended=False).tolist() == [CUT]


def test_tokens_have_the_advantage_of_their_line():
    pieces = ["<add>", "one", "</add>\n<", "add>two", "</add>", " then", ""]
    assert token_values(pieces, np.array([0.4, -0.2, 0.1])).tolist() == [0.4, 0.4, -0.2, -0.2, 0.1, 0.1, 0.1]
    assert token_values(["<prompt>", "x</prompt>", ""], np.array([0.1])).tolist() == [0.1] * 3


@pytest.mark.parametrize(("end", "value"), [("</add>", -0.6), ("</add>\n<add>", -0.2)])
def test_a_good_line_is_no_reason_to_stop(end, value):
    """It was: the end of a line had its credit, so training by lines taught brevity."""
    pieces = ["<add>one", end, *([] if end == "</add>" else ["two</add>"]), ""]
    found = np.array([0.4, *[-0.2][: len(pieces) - 3], -0.6])
    assert token_values(pieces, found)[:2].tolist() == [0.4, value]


def test_what_is_learnt_of_the_best_edit_is_what_adds_something():
    one, two, bad = edit("first of two"), edit("second of two"), edit("no good")
    gains = {one: 0.2, two: 0.1, bad: 0.0}
    assert what_adds("\n".join([one, bad, one, two]), gains) == "\n".join([one, two])
    assert what_adds("none", {}) == ""


def test_a_part_of_an_edit_is_an_edit():
    answer = "<remove>- b is long</remove>\nwhy\n<add>- c is long</add>"
    parts = lines(answer)
    assert [parse_edit(part, "- a is long\n- b is long") for part in parts] == [
        "- a is long",
        "- a is long\n- b is long\n- c is long",
    ]
    assert len("- a is long") >= MIN_EDIT_CHARS


def test_chains_grow_by_children_that_are_not_worse_and_begin_anew(env):
    chains = Chains(env, ["invented-0", "invented-1"], 3, lengths=(2, 2), reports=(1, 4), seed=7)
    first = chains.batch()
    assert {state.context for state in first} == {env.family.load("invented-0").seed_context}
    assert all(1 <= state.feedback.count("\nProblem ") <= 4 for state in first)
    answers = [[edit("- worse line"), edit("- better line")], ["nothing", "nothing"], [edit("x" * LONGEST)] * 2]
    before = [state.performance for state in first]
    after = np.array([[before[0] - 0.1, before[0] + 0.1], [np.nan, np.nan], [before[2] + 0.1] * 2])
    chains.grow(first, answers, after)
    second = chains.batch()
    assert second[0].context == first[0].context + "\n- better line"
    assert second[1].context == first[1].context
    assert second[1].feedback != first[1].feedback
    assert second[2].context == first[2].context  # too long to go on
    copy = Chains(env, ["invented-0", "invented-1"], 3, lengths=(2, 2), reports=(1, 4), seed=7)
    copy.load_state_dict(chains.state_dict())
    assert copy.batch() == chains.batch()
    chains.grow(second, [["none"]] * 3, np.full((3, 1), np.nan))
    assert chains.kept[0][1] == first[0].context  # its two states are used up


def test_invented_domains_share_no_word_with_the_shipped_ones_and_can_be_learnt(env):
    family = InventedFamily()
    domain, other = family.load("invented-3"), family.load("invented-4")
    assert domain.schema != other.schema
    assert {len(domain.splits[split]) for split in ("feedback", "test")} == {60}
    assert InventedFamily().load("invented-3").oracle_context == domain.oracle_context
    session = env.session.isolated()
    tasks = [
        session.evaluate(domain, c, domain.splits["held_out"]) for c in (domain.seed_context, domain.oracle_context)
    ]
    low, high = (float(evaluation.scores.mean()) for evaluation in session.run(tasks))
    assert low < 0.4 < 0.7 < high
    assert not set(family.groups["train"]) & set(family.groups["dev"])
    assert all(int(name.rsplit("-", 1)[1]) < 100 for name in family.groups["train"] if "invented" not in name)
