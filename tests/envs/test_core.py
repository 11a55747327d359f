import json
import math

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from lse_gym.envs.errors import DataError, UnknownNameError
from lse_gym.envs.evaluation import evaluate_context
from lse_gym.envs.report import FEEDBACK_MODES
from lse_gym.envs.retention import retained
from tests.envs.specs import rollout
from tests.envs.stub import Spy, StubFamily, make

TEXTS = ["One.", "Two.", "", "One.", "Three lines\nof text\n."]


def held_out_score(env, context):
    return evaluate_context(env, context, split="held_out").mean


def test_reward_is_held_out_after_minus_before(made):
    env = gym.make(made[0], **made[1])
    observation, info = env.reset(seed=4)
    before = held_out_score(env, observation["context"])
    assert info["held_out_score"] == before
    oracle = env.unwrapped.family.load(info["domain"]).oracle_context
    for text in [*TEXTS, oracle or "Answer."]:
        _, reward, _, _, info = env.step(text)
        after = held_out_score(env, text)
        assert (reward, info["held_out_score"]) == (after - before, after)
        before = after


@pytest.mark.long
def test_every_env_tells_what_is_retained(made):
    env = gym.make(made[0], **made[1])
    visited = [
        {"performance": info["held_out_score"], "batch": info["batch"]} | observation
        for observation, info in (env.reset(seed=4), env.step("Answer.")[::4])
    ]
    found = retained(env, visited)
    assert found.shown == {visited[0]["batch"]: visited[0]["feedback_score"]}
    assert 0 <= found.retention <= 1
    assert found.backward_transfer == pytest.approx(found.retention - visited[0]["feedback_score"])
    assert found.without_context >= 0


def test_oracle_context_earns_and_test_score_follows():
    env = gym.make("LSE/TextToSQL-v1", domain="library-1")
    env.reset(seed=0)
    oracle = env.unwrapped.family.load("library-1").oracle_context
    seed_score = evaluate_context(env, "Answer.", split="test").mean
    _, reward, *_ = env.step(oracle)
    assert reward > 0.4
    assert evaluate_context(env, oracle, split="test").mean - seed_score > 0.4


def test_rewards_of_an_episode_telescope():
    env = make(max_edits=50)
    _, start = env.reset(seed=2)
    rewards, end = [], start
    for i in range(50):
        _, reward, terminated, _, end = env.step(f"Line {i}.")
        rewards.append(reward)
    assert terminated
    assert any(rewards)
    assert math.isclose(sum(rewards), end["held_out_score"] - start["held_out_score"], abs_tol=1e-12)


@pytest.mark.parametrize("max_edits", [1, 3])
def test_max_edits_terminate(max_edits):
    env = make(max_edits=max_edits)
    for _ in range(2):
        env.reset(seed=1)
        ends = [env.step("x")[2:4] for _ in range(max_edits)]
        assert ends == [(False, False)] * (max_edits - 1) + [(True, False)]
        assert all(end is True or end is False for pair in ends for end in pair)


def test_a_step_after_the_end_goes_on_and_says_so_once():
    env = make(max_edits=1)
    for _ in range(2):
        env.reset(seed=1)
        env.step("x")
        with pytest.warns(UserWarning, match=r"after the end of the episode .* env\.reset\(\)"):
            env.step("y")
        env.step("z")  # warnings are errors here


def test_step_before_reset_says_so():
    with pytest.raises(gym.error.ResetNeeded, match=r"env\.reset\(\)"):
        make().step("x")


def infos_of(seen):
    return [entry[-1] for entry in seen]


def test_infos_are_floats_and_strings_under_the_same_keys(made):
    seen = rollout(gym.make(made[0], **made[1], max_edits=3, budget={"edits": 5}), seed=8)
    infos = infos_of(seen)
    assert {tuple(info) for info in infos} == {tuple(infos[0])}
    assert "episode" not in infos[0]
    assert all(type(value) in (float, str) for info in infos for value in info.values())
    assert all(math.isfinite(value) for info in infos for value in info.values() if type(value) is float)
    assert {info["evaluated"] for info in infos} == {0.0, 1.0}, "the caps were meant to bite"


def test_observations_lie_in_the_space_and_nothing_is_shared():
    env = make(max_edits=2, budget={"calls": 40})
    seen = rollout(env, seed=8)
    assert all(entry[0] in env.observation_space for entry in seen)
    parts = [part for entry in seen for part in (entry[0], entry[-1])]
    held = [id(value) for part in parts for value in (part, *part.values()) if isinstance(value, (dict, np.ndarray))]
    assert len(set(held)) == len(held), "every call returns objects of its own"


@pytest.mark.parametrize("mode", FEEDBACK_MODES)
def test_feedback_modes_show_what_they_should(mode):
    env = gym.make("LSE/TextToSQL-v1", domain="studio-1", feedback=mode)
    feedback = env.reset(seed=0)[0]["feedback"]
    shown = [feedback.count(label) for label in ("\nQuestion: ", "\nModel's SQL: ", "\nCorrect SQL: ")]
    assert shown == {"gold": [10, 10, 10], "error": [10, 10, 0], "score": [10, 0, 0]}[mode]
    assert ("\nError: " in feedback) == (mode != "score")


def test_feedback_batches_cover_the_split_in_turn():
    env = make(feedback_size=3)
    observation, info = env.reset(seed=5)
    first, asked = int(info["batch"]), []
    for i in range(7):
        asked.append([line.split(":")[0] for line in observation["feedback"].splitlines()])
        assert info["batch"] == first + i
        observation, *_, info = env.step("same")
    pool = [q.text for q in StubFamily().load("a").splits["feedback"]]
    assert asked == [[pool[(3 * (first + i) + j) % 7] for j in range(3)] for i in range(7)]


def test_a_jump_costs_nothing_and_shows_the_same():
    env = gym.make("LSE/TextToSQL-v1", domain="train", max_edits=99)
    visits = [env.reset(seed=1)]
    visits += [(observation, info) for observation, *_, info in (env.step(text) for text in TEXTS)]
    following = visits[-1][1]["batch"] + 1
    for observation, info in [*visits, *reversed(visits)]:
        options = {"context": observation["context"], "domain": info["domain"], "batch": int(info["batch"])}
        again, told = env.reset(options=options)
        assert data_equivalence(again, observation, exact=True)
        assert (told["calls"], told["tokens"], told["evaluated"]) == (0.0, 0.0, 1.0)
        assert told["held_out_score"] == info["held_out_score"]
    assert env.step("new")[-1]["batch"] == following, "a jump takes no new feedback batch"


def test_reset_options_choose_context_and_domain():
    env = make(domain=["some", "d"])
    assert env.reset(seed=0, options={"domain": "d"})[1]["domain"] == "d"
    observation, info = env.reset(options={"context": "Mine.\x00"})
    assert (observation["context"], info["domain"]) == ("Mine.\ufffd", "d"), "a jump to a context stays in its domain"
    assert "replaced" in info["problem"]
    assert {env.reset()[1]["domain"] for _ in range(60)} == {"a", "b", "c", "d"}


def test_archive_starts(tmp_path):
    rows = [
        {"domain": "a", "context": "Line\u2028two."},
        {"domain": "b", "context": "B."},
        {"domain": "z", "context": ""},
    ]
    path = tmp_path / "trajectory.jsonl"
    path.write_text("\n".join(json.dumps({**row, "score": 1}, ensure_ascii=False) for row in rows) + "\n\n", "utf-8")
    env = make(domain="some", start=str(path))
    drawn = {(info["domain"], observation["context"]) for observation, info in (env.reset() for _ in range(40))}
    assert drawn == {("a", "Line\u2028two."), ("b", "B.")}
    assert env.reset(options={"domain": "c"})[0]["context"] == "Seed of c."


@pytest.mark.parametrize(
    "text", ["", "{}", '{"domain": "a"}', '{"domain": "a", "context": 3}', "[" * 99_999, "\xff", "7"]
)
def test_a_damaged_archive_is_refused(tmp_path, text):
    path = tmp_path / "archive.jsonl"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"archive\.jsonl"):
        make(start=str(path))


def test_samples_are_averaged_and_paid():
    spy = Spy()
    env = make(spy, samples=5, temperature=0.7)
    _, info = env.reset(seed=0)
    assert info["calls"] == spy.calls == (4 + 3) * 5
    assert {(request.sample, request.temperature) for request in spy.batches[0]} == {(i, 0.7) for i in range(5)}
    scores = {env.step(f"{i}")[-1]["held_out_score"] for i in range(9)}
    assert any(score * 4 % 1 for score in scores), "no mean over samples among them"
    assert all(abs(score * 20 - round(score * 20)) < 1e-9 for score in scores)


def test_memory_ends_with_a_seeded_reset_only():
    env = make()
    assert [env.reset(seed=3)[1]["calls"], env.step("x")[-1]["calls"]] == [7.0, 7.0]
    assert env.step("x")[-1]["calls"] == 3.0, "only the new batch"
    assert env.reset()[1]["calls"] < 7.0
    assert env.reset(seed=3)[1]["calls"] == 7.0


def test_an_archive_of_one_session_does_not_bias_seeds():
    env = make(domain="some")
    env.reset(seed=1)
    draws = [env.reset()[1]["domain"] for _ in range(5)]
    env.step("x")
    env.reset(seed=1)
    assert [env.reset()[1]["domain"] for _ in range(5)] == draws


def test_render_ansi():
    with pytest.raises(UnknownNameError, match="known: 'ansi'"):
        make(render_mode="human")
    env = make(render_mode="ansi")
    env.reset(seed=0)
    env.step("The context.")[-1].clear()
    assert env.render().startswith("domain: a\n")
    assert env.render().endswith("\n\nThe context.")
    assert make().render() is None


@pytest.mark.parametrize(
    ("action", "context", "problem"),
    [
        (None, "Before.", "the action was of type NoneType, not str"),
        (b"bytes", "Before.", "the action was of type bytes, not str"),
        (3, "Before.", "the action was of type int, not str"),
        (np.zeros(3), "Before.", "the action was of type ndarray, not str"),
        (["x"], "Before.", "the action was of type list, not str"),
        ("x" * 9001, "x" * 8000, "9001 characters were cut to 8000"),
        ("a\ud800b\x00\r", "a\ufffdb\ufffd\ufffd", "unprintable"),
        ("\x9b31m\x85", "\ufffd31m\ufffd", "unprintable"),
        ("one\r\ntwo\tthree", "one\ntwo\tthree", ""),
        (np.str_("numpy"), "numpy", ""),
        ("é — 漢🙂", "é — 漢🙂", ""),
        ("", "", ""),
    ],
)
def test_malformed_actions_are_scored_and_told(action, context, problem):
    env = make()
    env.reset(seed=0, options={"context": "Before."})
    observation, reward, _, truncated, info = env.step(action)
    assert (observation["context"], truncated, info["evaluated"], info["edits"]) == (context, False, 1.0, 1.0)
    assert problem in info["problem"]
    assert bool(problem) == bool(info["problem"])
    assert (reward == 0.0) or context != "Before."
    observation["context"].encode()
