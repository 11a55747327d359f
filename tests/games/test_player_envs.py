"""One player of a game as a Gymnasium env: what holds of every registered env holds of it, though it has no context."""

import copy
import inspect
import json
import pickle
import re
import warnings
from ast import literal_eval
from inspect import signature

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.wrappers import PassiveEnvChecker

from lse_gym.envs.errors import ArgumentError, DataError, ProviderError, UnknownNameError
from lse_gym.envs.games.hill import NUM_SAMPLES
from lse_gym.envs.games.hint.envs import HintEnv
from lse_gym.envs.games.hint.game import HintGame
from lse_gym.envs.games.hint.menu import DEFAULT
from lse_gym.envs.games.hint.player import HintPlayerEnv
from lse_gym.envs.models.base import Response, TaskModel
from lse_gym.envs.options import argument_rows
from tests.envs.specs import rollout
from tests.envs.test_registry import SECTIONS

CASES = {
    "hinter": {"num_samples": 4, "max_hint_rounds": 3},
    "menu": {"num_samples": 4, "actions": "menu", "difficulty": "hard"},
    "reasoner": {"num_samples": 2, "side": "reasoner"},
    "random": {"num_samples": 2, "opponent": "random"},
}
per_case = pytest.mark.parametrize("case", CASES)


class Moody(TaskModel):
    """Never right; fails whenever it is told to."""

    name, revision = "moody", "1"
    fails = False

    def complete(self, requests):
        if Moody.fails:
            raise ProviderError("not now")
        return [Response("<answer>-1</answer>", 1, 1) for _ in requests]

    def count_tokens(self, text):
        return len(text)


def make(case, **more):
    return gym.make("LSE/Hint-v0", **{"opponent": "reader", **CASES[case], **more}).unwrapped


@per_case
def test_gymnasium_check_passes(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(make(case))


@per_case
def test_passive_checker_is_content(case):
    env = PassiveEnvChecker(make(case, render_mode="ansi"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rollout(env, 3, steps=5)
        assert isinstance(env.render(), str)


@per_case
def test_twin_rollouts_agree_and_a_seeded_reset_forgets(case):
    env = make(case)
    one, two, again = rollout(env, 11, 6), rollout(make(case), 11, 6), rollout(env, 11, 6)
    assert data_equivalence(one, two, exact=True)
    assert data_equivalence(one, again, exact=True)
    assert not data_equivalence(one, rollout(make(case), 12, 6), exact=True)


@per_case
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])  # noqa: S301
def test_a_copy_continues_identically(case, duplicate):
    env = make(case).unwrapped
    rollout(env, seed=7, steps=2)
    env.reset()
    twin = duplicate(env)
    actions = [env.action_space.sample() for _ in range(2)]
    twin.action_space.seed(0)
    seen = []
    for one in (env, twin):
        for agent, space in one.game.action_spaces.items():
            space.seed(len(agent))  # of random opponents
        seen.append([one.step(action) for action in actions] + [one.reset()])
    assert data_equivalence(*seen, exact=True)


def test_docstring_and_arguments_are_complete():
    doc = inspect.cleandoc(HintPlayerEnv.__doc__)
    assert re.findall(r"^## (.*)$", doc, re.MULTILINE) == SECTIONS
    real = {name: p.default for name, p in inspect.signature(HintPlayerEnv).parameters.items()}
    told = {name: literal_eval(default) for name, _, default, *_ in argument_rows(HintPlayerEnv.__doc__)}
    assert [*told] == [*real]
    assert told == real


@per_case
def test_infos_are_floats_and_strings_under_the_same_keys(case):
    infos = [entry[-1] for entry in rollout(make(case), 8, 8)]
    assert len({tuple(info) for info in infos}) == 1
    assert {type(value) for info in infos for value in info.values()} <= {float, str}


def test_as_many_answers_are_a_group_with_a_sheet_and_without():
    declared = (signature(one).parameters["num_samples"].default for one in (HintEnv, HintPlayerEnv, HintGame))
    assert [*declared] == [NUM_SAMPLES] * 3


@pytest.mark.parametrize(
    ("action", "told"),
    [("an answer", "a str"), (("one",), "a tuple of 1"), (("1", "2", "3"), "a tuple of 3"), (7, "a int")],
)
def test_a_wrong_number_of_answers_is_told_as_every_bad_action_is(action, told):
    env = make("reasoner")
    env.reset(seed=0)
    info = env.step(action)[-1]
    assert info["problem"] == f"{told} is not a tuple of 2 texts: what is missing was played as empty"


def test_text_arrives_intact_in_a_vector_env():
    envs = gym.vector.SyncVectorEnv([lambda: HintPlayerEnv(num_samples=2, opponent="no-op")] * 2)
    observations, _ = envs.reset(seed=0)
    assert len(observations["question"]) == 2
    hints = ("<hint>é — one</hint>", "<hint>two</hint>")
    envs.step(hints)
    assert [env.unwrapped.game.moves[1].texts[0] for env in envs.envs] == [*hints]


def test_a_hint_is_rewarded_as_in_the_game():
    env = make("hinter", difficulty="hard", max_hint_rounds=1, opponent="reader", num_samples=8)
    found = []
    for seed in range(12):
        observation, info = env.reset(seed=seed)
        assert observation["phase"] == "hint"
        assert "####" in observation["solution"]
        assert info["hard"] == 1.0
        _, reward, terminated, _, info = env.step(f"<hint>{' '.join(DEFAULT)}</hint>")
        assert terminated
        found.append(reward)
        assert reward == pytest.approx(info["prob_term"] * info["weight"] if info["success"] < 1 else 0.0)
    assert max(found) > 0.5
    assert info["reliance_from"] == "log-probabilities"
    _, reward, *_ = env.step("nothing more")
    assert reward == 0.0, "the episode is over"
    env.reset(seed=0)
    assert env.step("no hint at all")[1] == -0.2


def test_the_reasoner_answers_and_gets_hints():
    env = make("reasoner", difficulty="hard")
    observation, _ = env.reset(seed=0)
    assert observation["phase"] == "no hint"
    assert observation["solution"] == ""
    observation, reward, terminated, *_ = env.step(("<answer>-1</answer>", "no idea"))
    assert (reward, terminated, observation["phase"]) == (0.0, False, "hinted")
    assert observation["hint"]
    gold = env.unwrapped.game.state.question.gold
    _, reward, terminated, _, info = env.step((f"<answer>{gold}</answer>", "no idea"))
    assert (reward, terminated, info["replaced"], info["reliance_from"]) == (0.5, True, 1.0, "outcomes")


def test_a_menu_is_discrete_and_its_numbers_tell_good_hints_from_bad():
    env = make("menu")
    assert env.action_space == gym.spaces.Discrete(len(DEFAULT))
    assert env.observation_space.shape == (1 + 4 * len(DEFAULT),)

    def mean(choose):
        rewards = []
        for seed in range(40):
            observation, _ = env.reset(seed=seed)
            rewards.append(env.step(choose(observation[1:].reshape(-1, 4)))[1])
        return np.mean(rewards)

    rng = np.random.default_rng(0)
    by_solution = mean(lambda each: int(np.argmax(each[:, 2])))
    assert by_solution > mean(lambda each: int(rng.integers(len(each)))) + 0.05
    env.reset(seed=0)
    assert env.unwrapped.step(99)[1] == -0.2, "no action of the menu is no hint"
    own = HintPlayerEnv(actions="menu", menu=["Think.", "Think twice."])
    assert own.action_space.n == 2


@pytest.mark.extra("rl")
def test_stable_baselines3_learns_from_a_menu():
    from stable_baselines3 import PPO

    env = make("menu", num_samples=2)
    model = PPO("MlpPolicy", env, n_steps=16, batch_size=16, n_epochs=1, seed=0, device="cpu")
    model.learn(32)
    action, _ = model.predict(env.reset(seed=0)[0], deterministic=True)
    assert env.action_space.contains(int(action))


def test_the_budget_ends_an_episode():
    env = make("hinter", difficulty="hard", budget={"calls": 10})
    for seed in range(9):
        _, info = env.reset(seed=seed)
        if info["problem"]:
            break
        env.step("<hint>Percent means of each hundred.</hint>")
    assert "do not fit into the budget" in info["problem"]
    _, reward, terminated, truncated, info = env.step("<hint>more</hint>")
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert env.unwrapped.game.session.budget.spent.calls <= 10


def test_a_failing_opponent_changes_nothing():
    env = make("hinter", opponent="tests.games.test_player_envs:Moody", max_hint_rounds=2).unwrapped
    with pytest.raises(gym.error.ResetNeeded):
        env.step("x")
    env.reset(seed=0)
    twin = copy.deepcopy(env)
    Moody.fails = True
    try:
        with pytest.raises(ProviderError):
            env.step("<hint>Take care.</hint>")
    finally:
        Moody.fails = False
    assert env.game.moves == twin.game.moves
    seen = [[one.step("<hint>Take care.</hint>"), one.reset()] for one in (env, twin)]
    assert data_equivalence(*seen, exact=True)


def test_a_record_is_played_again(tmp_path):
    for side in ("hinter", "reasoner"):
        record = tmp_path / f"{side}.jsonl"
        one, two = (rollout(HintPlayerEnv(side=side, num_samples=2, record=str(record)), 1, 4) for _ in range(2))
        assert data_equivalence(one, two, exact=True)
        assert record.exists()


def test_a_wrong_argument_says_what_is_right(tmp_path):
    for arguments, told in [
        ({"side": "hint"}, "reasoner"),
        ({"actions": "numbers"}, "menu"),
        ({"actions": "menu", "side": "reasoner"}, "text"),
        ({"opponent": "raeder"}, "reader"),
        ({"actions": "menu", "questions": [{"question": "1?", "answer": "1"}]}, "menu="),
        ({"difficulty": "easy", "num_samples": 0}, "num_samples"),
    ]:
        with pytest.raises((UnknownNameError, ArgumentError), match=told):
            HintPlayerEnv(**arguments)
    with pytest.raises(UnknownNameError, match="question"):
        make("hinter").reset(options={"questions": "x"})
    with pytest.raises(DataError):
        HintPlayerEnv(questions=str(tmp_path / "none.jsonl"))
    easy = [{"question": f"What is {i}?", "answer": "-1"} for i in range(12)]
    with pytest.raises(ArgumentError, match="none was hard"):
        HintPlayerEnv(questions=easy, opponent="tests.games.test_player_envs:Moody").reset(seed=0)


def test_an_opponent_takes_arguments_by_name_and_batches_by_vector_envs_of_gymnasium():
    with pytest.raises(UnknownNameError, match="max_hint_rounds"):
        gym.make("LSE/Hint-v0", opponent="reader", max_edits=3)
    with pytest.raises(ArgumentError, match="by name"):
        HintEnv("farm-0", opponent="reader")
    with pytest.raises(ArgumentError, match="vectorization_mode='sync'"):
        gym.make_vec("LSE/Hint-v0", num_envs=2, opponent="reader")
    several = gym.make_vec("LSE/Hint-v0", num_envs=2, vectorization_mode="sync", opponent="no-op", num_samples=2)
    assert len(several.reset(seed=0)[0]["question"]) == 2
    assert isinstance(gym.make("LSE/Hint-v0", opponent=None).unwrapped, HintEnv)


def test_questions_of_your_own_in_an_env(tmp_path):
    file = tmp_path / "gsm8k.jsonl"
    rows = [{"question": f"What is {i} + 1?", "answer": f"{i} + 1\n#### {i + 1}"} for i in range(20)]
    file.write_text("\n".join(map(json.dumps, rows)))
    env = HintPlayerEnv(questions=str(file), opponent="tests.games.test_player_envs:Moody", num_samples=2)
    observation, _ = env.reset(seed=0)
    assert "####" in observation["solution"]
