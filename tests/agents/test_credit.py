"""Credit by lines, and chains that grow with the editor."""

import gymnasium as gym
import numpy as np
import pytest

from lse_gym.agents.lse.chains import LONGEST, Chains
from lse_gym.agents.lse.credit import line_credits, spans, token_values, what_adds
from lse_gym.agents.lse.reward import scores_after
from lse_gym.agents.lse.states import State
from lse_gym.envs.editing import MIN_EDIT_CHARS, parse_edit
from lse_gym.envs.models.nano.invented import InventedFamily

FAMILY = "lse_gym.envs.models.nano.invented:InventedFamily"


@pytest.fixture(scope="module")
def env():
    return gym.make("LSE/Family-v0", family=FAMILY, domain="invented-0").unwrapped


def edit(*lines):
    return "\n".join(f"<add>{line}</add>" for line in lines)


def test_credits_add_up_to_the_improvement_and_tell_true_lines_from_false_ones(env):
    domain = env.family.load("invented-0")
    seed, *rules = domain.oracle_context.split("\n")
    code = next(rule for rule in rules if " = " in rule)
    false = code[: code.index(" = ")] + " = 'nothing'."
    true = [rule for rule in rules if rule != code]
    before = scores_after(env, [State("invented-0", seed, 0.0, "", 0.0)], [f"<prompt>{seed}</prompt>"])[0]
    state = State("invented-0", seed, float(before), "", 0.0)
    answers = [edit(*true, false, *rules[:1]), "no edit", f"<prompt>{domain.oracle_context}</prompt>", edit(code)]
    after, credits = line_credits(lambda s, a: scores_after(env, s, a), [state] * 4, answers)
    assert [len(found) for found in credits] == [len(true) + 2, 0, 0, 1]
    for whole, found in zip(after[[0, 3]], (credits[0], credits[3]), strict=True):
        assert found.sum() == pytest.approx(whole - before)
    assert np.isnan(after[1])
    assert after[0] > before + 0.3
    assert credits[0][len(true)] <= 0 < np.median(credits[0])


def test_a_line_that_helps_only_beside_another_shares_its_gain_with_it():
    def score(states, answers):
        return np.array([1.0 if "a" * 12 in text and "b" * 12 in text else 0.0 for text in answers])

    _, credits = line_credits(score, [State("", "", 0.0, "", 0.0)], [edit("a" * 12, "c" * 12, "b" * 12)])
    assert credits[0].tolist() == [0.5, 0.0, 0.5]


def test_tokens_have_the_credit_of_their_line():
    pieces = ["<add>", "one", "</add>\n<", "add>two", "</add>", " then", ""]
    values = token_values(pieces, np.array([0.4, -0.2]), 0.1)
    assert values == pytest.approx([0.3, 0.3, -0.3, -0.3, -0.1, -0.1, -0.1])
    assert token_values(["<prompt>", "x</prompt>", ""], np.zeros(0), 0.0).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("end", "value"), [("</add>", 0.0), ("</add>\n<add>", -0.2)])
def test_a_good_line_is_no_reason_to_stop(end, value):
    """It was: the end of a line had its credit, so training by lines taught brevity."""
    pieces = ["<add>one", end, *([] if end == "</add>" else ["two</add>"]), ""]
    worth = np.array([0.4, -0.2][: len(pieces) - 2])
    assert token_values(pieces, worth, 0.0)[:2].tolist() == [0.4, value]


def test_what_is_learnt_of_the_best_edit_is_what_adds_something():
    answer = edit("first of two", "no good", "first of two", "second of two")
    assert what_adds(answer, np.array([0.2, 0.0, 0.1, 0.1])) == edit("first of two", "second of two")
    assert what_adds("none", np.zeros(0)) == ""


def test_a_part_of_an_edit_is_an_edit():
    answer = "<remove>- b is long</remove>\nwhy\n<add>- c is long</add>"
    parts = [answer[start:end] for start, end in spans(answer)]
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
