"""Every wrapper on the real env: spaces, determinism, and what each promises."""

import json

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.errors import ArgumentError, UnknownNameError
from lse_gym.envs.evaluation import core_env
from lse_gym.wrappers import (
    Curriculum,
    EditMenu,
    EditOperations,
    EpisodeBudget,
    Menu,
    Penalty,
    PostEditScore,
    PotentialReward,
    RecordTrajectory,
    RollbackToBest,
    TextFeatures,
    apply_operation,
)
from lse_gym.wrappers.operations import ADD, MOVE, OPERATIONS, REMOVE, REPLACE, STOP

WRAPPERS = [Curriculum, EditMenu, EditOperations, Penalty, PostEditScore, PotentialReward, RollbackToBest, TextFeatures]


def make(wrapper=None, domain="library-0", **options):
    env = gym.make("LSE/TextToSQL-v1", domain=domain)
    return wrapper(env, **options) if wrapper else env


def oracle(env, name="library-0"):
    return env.unwrapped.family.load(name).oracle_context


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")  # on purpose
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_check_env_is_clean_and_the_spec_rebuilds_it(wrapper):
    env = make(wrapper, domain=["library-0", "shop-0"])
    check_env(env, skip_render_check=True, skip_close_check=True)
    again = gym.make(env.spec)
    first, second = env.reset(seed=3), again.reset(seed=3)
    assert repr(first) == repr(second)
    env.action_space.seed(0)
    for _ in range(3):
        action = env.action_space.sample()
        assert repr(env.step(action)) == repr(again.step(action))


line = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Zs"]), min_size=1, max_size=5)


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")  # on purpose
def test_operations_as_numbers_do_the_same_as_with_text():
    texts = ["- gold is T1.", "- one more"]
    free, numbered = make(EditOperations, max_items=8), make(EditOperations, max_items=8, texts=texts)
    check_env(numbered, skip_render_check=True, skip_close_check=True)
    assert gym.make(numbered.spec).action_space == numbered.action_space
    free.reset(seed=0)
    numbered.reset(seed=0)
    for action in ([ADD, 0, 7, 1], [ADD, 0, 0, 0], [MOVE, 1, 0, 0], [REMOVE, 5, 0, 0], [STOP, 0, 0, 0]):
        named = dict(zip(("operation", "item", "to", "text"), [*action[:3], texts[action[3]]], strict=True))
        assert repr(free.step(named)) == repr(numbered.step(np.array(action)))
        assert numbered.action_masks().shape == (numbered.action_space.nvec.sum(),)
    assert numbered.action_masks()[:5].all()
    assert numbered.action_masks()[5:13].sum() == 3
    with pytest.raises(ArgumentError, match="texts is empty"):
        make(EditOperations, texts=[])


def test_each_episode_has_a_budget_of_its_own_within_the_whole():
    env = EpisodeBudget(gym.make("LSE/TextToSQL-v1", domain="library-0", budget={"calls": 250}), {"calls": 125})
    budget = env.unwrapped.budget
    for episode in range(3):
        before = budget.spent.calls
        observation, info = env.reset(options={"context": f"Start {episode}."})
        truncated, steps = not info["evaluated"], 0
        while not truncated:
            assert 0 <= observation["remaining_budget"][1] < 1
            observation, _, _, truncated, _ = env.step(f"Context {episode} {steps}.")
            steps += 1
        assert budget.spent.calls - before <= 125
        assert steps == (2 if episode < 2 else 0)
    assert budget.spent.calls <= 250
    with pytest.raises(UnknownNameError, match="calls"):
        EpisodeBudget(make(), {"call": 5})


@given(st.lists(line, min_size=1, max_size=6), st.integers(0, 4), st.integers(0, 9), st.integers(0, 9), line)
def test_operations_do_to_lines_what_lists_do(lines, operation, item, to, text):
    found, problem = apply_operation("\n".join(lines), operation, item, to, text)
    expected = list(lines)
    if operation in (REMOVE, REPLACE, MOVE) and item >= len(lines):
        assert problem
    elif operation == ADD:
        expected.insert(to, text)
    elif operation == REMOVE:
        del expected[item]
    elif operation == REPLACE:
        expected[item] = text
    elif operation == MOVE:
        expected.insert(to, expected.pop(item))
    assert found == "\n".join(expected)


def test_operations_edit_the_context_and_stop_ends_the_episode():
    env = make(EditOperations, max_items=8)
    observation, info = env.reset(seed=0)
    assert info["action_mask"].shape == (len(OPERATIONS), 8)
    assert info["action_mask"].sum(axis=1).tolist() == [8, 8, 1, 1, 1]
    rules = oracle(env).splitlines()[1:]
    total = 0.0
    for rule in rules[:6]:
        action = {"operation": ADD, "item": 0, "to": 7, "text": rule}
        observation, reward, *_, info = env.step(action)
        total += reward
    assert observation["context"].endswith("\n".join(rules[:6]))
    assert total == pytest.approx(info["held_out_score"] - env.reset(seed=0)[1]["held_out_score"])
    observation, *_, info = env.step({"operation": REMOVE, "item": 5, "to": 0, "text": ""})
    assert "no line 5 of 1" in info["problem"]
    stopped = env.step({"operation": STOP, "item": 0, "to": 0, "text": ""})
    assert stopped[1:4] == (0.0, True, False)
    assert stopped[0]["context"] == observation["context"]
    assert stopped[-1].keys() == info.keys()
    assert stopped[-1]["calls"] == 0.0


def test_rewards_are_what_they_are_called():
    plain, post, shaped, free = (make(w) for w in (None, PostEditScore, PotentialReward, Penalty))
    costly = make(Penalty, per_1000_chars=0.5)
    for env in (plain, post, shaped, free, costly):
        _, info = env.reset(seed=1)
    context = oracle(plain)
    _, improvement, *_, info = plain.step(context)
    before, after = info["held_out_score"] - improvement, info["held_out_score"]
    assert post.step(context)[1] == after
    assert shaped.step(context)[1] == pytest.approx(0.99 * after - before)
    assert free.step(context)[1] == improvement
    seed_chars = len(plain.unwrapped.family.load("library-0").seed_context)
    assert costly.step(context)[1] == pytest.approx(improvement - 0.5 * (len(context) - seed_chars) / 1000)


def test_the_episode_goes_on_from_the_best_context():
    env = make(RollbackToBest)
    env.reset(seed=1)
    good, bad = oracle(env), "Answer with the single word no."
    observation, reward, *_, info = env.step(good)
    assert (info["rolled_back"], observation["context"]) == (0.0, good)
    observation, reward, *_, info = env.step(f"{bad}\n- Always require 1 = 0.")
    assert reward < 0
    assert (info["rolled_back"], observation["context"]) == (1.0, good)
    _, reward, *_, info = env.step(good)
    assert reward == 0.0
    done = False
    for _ in range(7):
        _, _, done, _, info = env.step(good)
    assert done
    assert info["edits"] == 10.0


def test_features_are_in_their_space_and_an_encoder_of_ones_own_is_used():
    env = make(TextFeatures, size=8)
    vector, _ = env.reset(seed=0)
    assert vector in env.observation_space
    other = env.step(oracle(env))[0]
    assert other in env.observation_space
    assert not np.array_equal(vector, other)
    own = TextFeatures(gym.make("LSE/TextToSQL-v1"), 2, lambda texts: [[len(t) / 1e6, -5.0] for t in texts])
    assert own.reset(seed=0)[0][-1] == -1.0
    with pytest.raises(ArgumentError, match="size=3"):
        TextFeatures(gym.make("LSE/TextToSQL-v1"), 2, lambda texts: np.zeros((2, 3))).reset(seed=0)


@pytest.mark.parametrize("method", ["sec", "dump"])
def test_the_curriculum_draws_domains_in_which_edits_matter(method):
    env = make(Curriculum, domain=["library-0", "shop-0", "farm-0"], method=method)
    drawn = []
    env.reset(seed=0)
    for _ in range(40):
        _, info = env.reset()
        drawn.append(info["domain"])
        assert info["curriculum"].sum() == pytest.approx(1)
        same, better = env.unwrapped._state.context, oracle(env, info["domain"])
        env.step(better if info["domain"] == "shop-0" else same)
    assert drawn[10:].count("shop-0") > 15
    _, info = env.reset(options={"domain": "farm-0"})
    assert info["domain"] == "farm-0"


def test_dump_s_probabilities_by_hand():
    env = make(Curriculum, domain=["library-0", "shop-0"], method="dump")
    env._recent[0].extend([0.2, 0.4])
    env._count[:] = [2, 0]
    scores = np.array([0.3 + np.sqrt(2 * np.log(3) / 3), np.sqrt(2 * np.log(3) / 1)]) / 0.1
    weights = np.exp(scores - scores.max())
    assert env.probabilities() == pytest.approx(weights / weights.sum())


@settings(max_examples=20)
@given(st.text(max_size=30))
def test_any_text_is_added_as_one_line(text):
    found, problem = apply_operation("a\nb", ADD, 0, 1, text)
    assert found.count("\n") == (1 if problem else 2)


@pytest.mark.parametrize(
    ("wrapper", "options", "error"),
    [
        (EditOperations, {"max_items": 0}, ArgumentError),
        (PotentialReward, {"gamma": 0}, ArgumentError),
        (Penalty, {"per_usd": -1}, ArgumentError),
        (TextFeatures, {"size": 0}, ArgumentError),
        (Curriculum, {"method": "best"}, UnknownNameError),
        (Curriculum, {"alpha": 2}, ArgumentError),
    ],
)
def test_wrong_arguments_raise_at_once(wrapper, options, error):
    with pytest.raises(error):
        make(wrapper, **options)


def test_a_menu_offers_what_changes_something_once():
    env = make(EditMenu, problems=4, lines=3)
    _, info = env.reset(seed=0)
    contexts = env._candidates.contexts
    assert len(contexts) == env.action_space.n == 8
    offered = [text for text, shown in zip(contexts, info["action_mask"], strict=True) if shown]
    assert len(set(offered)) == len(offered) >= 2
    assert set(offered) == set(contexts)
    assert not info["action_mask"][5:].any()  # the seed context has one line, which is not dropped
    action = int(np.flatnonzero(info["action_mask"])[1])
    *_, info = env.step(action)
    assert env.unwrapped.context == contexts[action] != contexts[0]
    lines = env.unwrapped.context.split("\n")
    newest = env._candidates.contexts[5]
    assert info["action_mask"][5]
    assert newest == "\n".join(lines[:-1])


@pytest.mark.parametrize("wrapper", [EditMenu, EditOperations])
def test_there_are_no_masks_before_a_reset(wrapper):
    with pytest.raises(gym.error.ResetNeeded, match=r"env\.reset\(\)"):
        make(wrapper, **({"texts": ["- x"]} if wrapper is EditOperations else {})).action_masks()


def test_what_is_not_offered_keeps_the_context():
    env = make(EditMenu)
    env.reset(seed=0)
    before = env.unwrapped.context
    _, reward, *_, info = env.step(15)
    assert (reward, env.unwrapped.context) == (0.0, before)
    assert info["editor_calls"] == 10


def test_proposals_are_paid_and_end_with_the_budget():
    env = EditMenu(gym.make("LSE/TextToSQL-v1", domain="library-0", budget={"calls": 75}))
    _, info = env.reset(seed=0)
    assert env.unwrapped.budget.spent.calls == 70
    _, _, _, truncated, info = env.step(0)
    assert truncated
    assert not info["evaluated"]
    assert not info["action_mask"][1:].any()
    assert env.unwrapped.budget.spent.calls <= 75


@given(st.lists(line, max_size=30), st.lists(st.lists(line, max_size=12), max_size=12))
def test_menu_features_stay_in_their_box(lines, proposed):
    menu = Menu(problems=12, lines=4)
    observation = {
        "context": "\n".join(lines),
        "feedback": "",
        "feedback_score": np.array(0.5),
        "remaining_budget": np.ones(4),
    }
    candidates = menu._candidates(observation, ["\n".join(p) for p in proposed])
    assert candidates.offered[0]
    assert menu.features(observation, candidates, 1000) in menu.observation_space


@pytest.mark.parametrize("options", [{"problems": -1}, {"lines": -1}])
def test_a_menu_of_less_than_nothing_is_refused(options):
    with pytest.raises(ArgumentError, match="is not an int >= 0"):
        make(EditMenu, **options)


def test_a_recorded_trajectory_is_an_archive(tmp_path):
    path = tmp_path / "steps.jsonl"
    env = make(RecordTrajectory, path=path)
    env.reset(seed=0)
    env.step(oracle(env))
    env.reset()
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    assert [row["episode"] for row in rows] == [0, 0, 1]
    assert rows[1]["reward"] == rows[1]["improvement"] > 0
    assert rows[1]["context"] == oracle(env)
    other = gym.make("LSE/TextToSQL-v1", domain="library-0", start=str(path))
    assert {other.reset(seed=seed)[0]["context"] for seed in range(8)} == {oracle(env), rows[0]["context"]}


NO_ACTIONS = [None, -1, 99, 1.5, "0", [], {}, np.array([0, 1]), float("nan"), {"operation": 9, "item": 0}]


@pytest.mark.parametrize("action", NO_ACTIONS, ids=str)
@pytest.mark.parametrize("wrapper", [EditMenu, EditOperations, lambda env: EditOperations(env, texts=["a", "b"])])
def test_what_is_no_action_keeps_the_context_and_is_told(wrapper, action):
    env = wrapper(make())
    env.reset(seed=0, options={"context": "One line.\nAnother."})
    *_, terminated, _, info = env.step(action)
    assert (core_env(env).context, terminated) == ("One line.\nAnother.", False)
    assert "the context was kept" in info["problem"]


@pytest.mark.parametrize(("operation", "to"), [(9, 0), (-1, 0), (ADD, -1), (MOVE, -3)])
def test_an_operation_that_there_is_not_is_told(operation, to):
    env = EditOperations(make())
    env.reset(seed=0, options={"context": "One line."})
    info = env.step({"operation": operation, "item": 0, "to": to, "text": "More."})[-1]
    assert (core_env(env).context, "the context was kept" in info["problem"]) == ("One line.", True)
