import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from lse_gym.envs.errors import ArgumentError, UnknownNameError
from tests.envs.stub import Spy, make

N = 8
NASTY = ["", "x" * 9000, "a\ud800\x00", "### Instructions\n- x", None]
SQL = ("LSE/TextToSQL-v1", {"domain": ["library-0", "studio-1", "library-2"]})


def act(rng, step):
    """Texts of one vector step: some shared between sub-envs, some repeated, some malformed."""
    return tuple(
        NASTY[int(rng.integers(len(NASTY)))] if rng.random() < 0.2 else f"Line {rng.integers(3)}, {step % 3}."
        for _ in range(N)
    )


def sub_info(infos, i):
    """What vector infos say of sub-env ``i``, as that env would have said it."""
    return {
        key: sub_info(value, i) if isinstance(value, dict) else value[i]
        for key, value in infos.items()
        if not key.startswith("_") and infos[f"_{key}"][i]
    }


def singles_step(env, action):
    result = env.step(action)
    if not (result[2] or result[3]):
        return result
    observation, info = env.reset()
    return observation, *result[1:4], {"final_obs": result[0], "final_info": result[4], **info}


def same(a, b):
    """Equal values under equal keys; numbers may have become NumPy's on the way."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b if isinstance(a, str) else bool(np.array_equal(a, b))


@pytest.mark.parametrize("options", [{}, {"budget": {"calls": 400}}, {"budget": {"edits": 4}}, {"samples": 2}])
@pytest.mark.parametrize("name", ["stub", "sql", "bird"])
def test_vector_equals_single_envs(name, options, tiny_bird):
    steps = 6
    if name == "stub":
        few = {"budget": {"tokens": 12_000, "usd": 9_000}} if options.get("budget", {}).get("calls") else options
        kwargs = {"domain": ["some", "d"], "max_edits": 3, **few}
        envs, singles = make(num_envs=N, **kwargs), [make(**kwargs) for _ in range(N)]
    else:
        id_, kwargs = SQL if name == "sql" else ("LSE/BIRD-v0", {"data_dir": str(tiny_bird)})
        if name == "bird" and "calls" in options.get("budget", {}):
            options = {"budget": {"calls": 31}}
        kwargs = {**kwargs, "max_edits": 3, **options}
        envs = gym.make_vec(id_, num_envs=N, **kwargs)
        singles = [gym.make(id_, disable_env_checker=True, **kwargs) for _ in range(N)]
    observations, infos = envs.reset(seed=20)
    ends = set()
    for i, env in enumerate(singles):
        observation, info = env.reset(seed=20 + i)
        assert same({key: observations[key][i] for key in observation}, observation)
        assert same(sub_info(infos, i), info)
    rng = np.random.default_rng(1)
    for step in range(steps):
        actions = act(rng, step)
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        assert (rewards.dtype, terminated.dtype, truncated.dtype) == (np.float64, np.bool_, np.bool_)
        for i, env in enumerate(singles):
            observation, *numbers, info = singles_step(env, actions[i])
            assert same({key: observations[key][i] for key in observation}, observation)
            assert numbers == [rewards[i], terminated[i], truncated[i]]
            assert same(sub_info(infos, i), info)
            ends.add((numbers[1], numbers[2]))
    assert (True, False) in ends
    assert ((False, True) in ends) == ("budget" in options), "the cap was meant to bite"
    assert len({info["domain"] for env in singles for info in [env.unwrapped._last]}) > 1
    envs.close()


def test_actions_and_seeds_are_one_a_sub_env():
    envs = make(num_envs=3)
    envs.reset(seed=[1, 2, 3])
    for wrong, told in ((["a", "b"], "2"), (None, "a NoneType"), ("abc", "a str"), (np.array("abc"), "a ndarray")):
        with pytest.raises(ArgumentError, match=f"actions: {told} for 3 sub-envs"):
            envs.step(wrong)
    for wrong in ([1, 2], 1.5):
        with pytest.raises(ArgumentError, match=r"seed: .* for 3 sub-envs"):
            envs.reset(seed=wrong)
    envs.step(np.array(["a", "b", "c"]))


def test_layout_is_that_of_gymnasiums_own_vector_env():
    kwargs = {"max_edits": 2, "domain": ["some", "d"], "budget": {"calls": 60}}
    ours = make(num_envs=3, **kwargs)
    theirs = SyncVectorEnv([lambda: make(**kwargs)] * 3, autoreset_mode=AutoresetMode.SAME_STEP)
    assert ours.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    pairs = [(ours.reset(seed=9), theirs.reset(seed=9))]
    pairs += [tuple(envs.step([f"{i}", "x", "y" * i]) for envs in (ours, theirs)) for i in range(9)]
    for here, there in pairs:
        assert data_equivalence(here, there, exact=True)
        assert here[0] in ours.observation_space


def test_a_step_is_one_batch_and_its_autoresets_another():
    envs = make(spy := Spy(), num_envs=N, max_edits=3)
    envs.reset(seed=0)
    assert len(spy.batches) == 1
    expected = 1
    for step in range(1, 7):  # later the feedback split has been seen, and seed contexts are free
        envs.step([f"{step}/{i}" for i in range(N)])
        expected += 1 + (step % 3 == 0)
        assert len(spy.batches) == expected
        assert all(len(set(batch)) == len(batch) for batch in spy.batches)


def test_equal_requests_of_sub_envs_are_sent_once():
    envs = make(spy := Spy(), num_envs=N)
    envs.reset(seed=[4] * N)
    assert spy.calls == 7
    _, _, _, _, infos = envs.step(["same"] * N)
    assert spy.calls == 14
    assert infos["calls"].tolist() == [7.0] * N, "and each pays, as it would alone"


@pytest.mark.parametrize("kind", ["batched", "sync", "async"])
def test_text_arrives_intact(kind):
    texts = ("é — one", "two\n漢🙂", "")
    if kind == "batched":
        envs = gym.make_vec(SQL[0], num_envs=3, **SQL[1])
    elif kind == "sync":
        envs = gym.make_vec(SQL[0], num_envs=3, vectorization_mode="sync", **SQL[1])
    else:
        context = {"vectorization_mode": "async", "vector_kwargs": {"shared_memory": False}}
        envs = gym.make_vec(SQL[0], num_envs=3, **context, **SQL[1])
        assert isinstance(envs.unwrapped, AsyncVectorEnv)
    try:
        envs.reset(seed=0)
        observations, _, _, _, infos = envs.step(texts)
        assert observations["context"] == texts
        assert infos["context_chars"].tolist() == [float(len(text)) for text in texts]
        assert all(text.startswith("The model's fixed prompt") for text in observations["feedback"])
    finally:
        envs.close()


def test_shared_memory_fails_loudly():
    with pytest.raises(ValueError, match="shared_memory"):
        gym.make_vec(SQL[0], num_envs=2, vectorization_mode="async", **SQL[1])


def test_options_and_seeds_reach_every_sub_env():
    envs = make(num_envs=3, domain="some")
    observations, infos = envs.reset(seed=[1, None, 3], options={"context": "Here.", "domain": "b"})
    assert observations["context"] == ("Here.",) * 3
    assert infos["domain"].tolist() == ["b"] * 3
    with pytest.raises(UnknownNameError):
        envs.reset(options={"domian": "b"})
    for wrong in (["x"], ["x"] * 4):
        with pytest.raises(ValueError, match="for 3 sub-envs"):
            envs.step(wrong)
    with pytest.raises(ValueError, match="for 3 sub-envs"):
        envs.reset(seed=[1])


def test_render_and_close():
    envs = make(num_envs=2, render_mode="ansi")
    envs.reset(seed=0)
    assert [text.splitlines()[0] for text in envs.render()] == ["domain: a"] * 2
    envs.close()


def test_sub_envs_are_asked_as_gymnasium_s_vector_envs_are():
    envs = gym.make_vec("LSE/QA-v1", num_envs=2, domain="apiary-0", max_edits=3)
    envs.reset(seed=1)
    assert envs.get_attr("max_edits") == envs.call("get_wrapper_attr", "max_edits") == (3, 3)
    envs.set_attr("max_edits", [1, 2])
    assert envs.get_attr("max_edits") == (1, 2)
    assert envs.call("render") == (None, None)
    with pytest.raises(AttributeError, match="no_such"):
        envs.get_attr("no_such")
