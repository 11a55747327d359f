"""PettingZoo's own tests on every game, with warnings as errors, and what these leave out."""

from types import SimpleNamespace

import pytest
from gymnasium.utils.env_checker import data_equivalence
from pettingzoo.test import (
    api_test,
    max_cycles_test,
    parallel_api_test,
    parallel_seed_test,
    render_test,
    seed_test,
)
from pettingzoo.test.save_obs_test import test_save_obs as save_obs_test
from pettingzoo.utils import aec_to_parallel, parallel_to_aec

from lse_gym.envs.errors import UnknownNameError
from tests.games.forms import GAMES, maker, strict

per_game = pytest.mark.parametrize("name", GAMES)


@per_game
def test_api(name):
    with strict():
        api_test(maker(name)(), num_cycles=30)
        api_test(maker(name, "raw_env")(), num_cycles=30)


@per_game
def test_parallel_api(name):
    with strict():
        parallel_api_test(maker(name, "parallel_env")(), num_cycles=30)


@per_game
def test_seeds(name):
    with strict():
        seed_test(maker(name), num_cycles=30)
        parallel_seed_test(maker(name, "parallel_env"), num_cycles=30)


@per_game
def test_max_cycles(name):
    """A game without a cycle has no order turn by turn: there it is PettingZoo's conversion of the parallel form."""

    def env(max_cycles):
        if GAMES[name].make_game().cyclic:
            return maker(name, max_cycles=max_cycles)()
        return parallel_to_aec(parallel_env(max_cycles))

    def parallel_env(max_cycles):
        more = {"max_hint_rounds": 20} if name == "hint_v0" else {}
        return maker(name, "parallel_env", max_cycles=max_cycles, **more)()

    max_cycles_test(SimpleNamespace(env=env, parallel_env=parallel_env))


@per_game
def test_rendering(name, capsys):
    with strict():
        render_test(maker(name))
        render_test(maker(name, "raw_env"), {"ansi": lambda text: "\n-> " in text or text == ""})
    assert "\n-> " in capsys.readouterr().out, "human rendering is written"
    with pytest.raises(UnknownNameError, match="ansi"):
        maker(name, render_mode="rgb_array")()


@per_game
def test_what_is_written_does_not_steer_the_terminal(name, capsys, monkeypatch):
    game = maker(name, render_mode="human")()
    game.reset(seed=0)
    monkeypatch.setattr(type(game.unwrapped.game), "transcript", lambda _: "a\x1b[2Jb\u202ec")
    game.render()
    assert capsys.readouterr().out == "abc\n"


@per_game
def test_text_is_not_saved_as_an_image(name, capsys):
    with strict():
        save_obs_test(maker(name)())
    assert "must be Box" in capsys.readouterr().out


def rollout(env, seed, episodes=4):
    """All that some episodes return; PettingZoo's own test of seeds ends after one."""
    seen = []
    for agent in env.possible_agents:
        env.action_space(agent).seed(seed)
    for episode in range(episodes):
        seen.append(env.reset(seed=seed if episode == 0 else None))
        while env.agents:
            told = env.step({agent: env.action_space(agent).sample() for agent in env.agents})
            seen.append([dict(part) for part in told])
    return seen


@per_game
def test_twin_rollouts_agree_and_other_seeds_differ(name):
    one, two, other = (rollout(maker(name, "parallel_env")(), seed) for seed in (3, 3, 4))
    assert data_equivalence(one, two, exact=True)
    assert not data_equivalence(one, other, exact=True)


@per_game
def test_the_conversion_of_pettingzoo_holds_for_cycles_alone(name):
    if not GAMES[name].make_game().cyclic:
        with pytest.raises(AssertionError, match="not generally safe"):
            aec_to_parallel(maker(name)())
        return
    ours, theirs = maker(name, "parallel_env")(), aec_to_parallel(maker(name)())
    assert data_equivalence(rollout(ours, 5), rollout(theirs, 5), exact=True)


@per_game
def test_infos_hold_floats_and_strings_under_the_same_keys(name):
    env = maker(name, "parallel_env")()
    infos = [env.reset(seed=1)[1]]
    for agent in env.possible_agents:
        env.action_space(agent).seed(1)
    while env.agents:
        infos.append(env.step({agent: env.action_space(agent).sample() for agent in env.agents})[-1])
    for agent in env.possible_agents:
        assert len({tuple(info[agent]) for info in infos}) == 1
        assert {type(value) for info in infos for value in info[agent].values()} <= {float, str}


@per_game
def test_nothing_that_is_passed_as_an_action_raises(name):
    env = maker(name, "raw_env")()
    for action in (7, None, [], {"a": 1}, ("a", 3), "lone \ud800", b"bytes", ("\x00",) * 9):
        env.reset(seed=0)
        problems = []
        while not (env.terminations[env.agent_selection] or env.truncations[env.agent_selection]):
            env.step(action)
            problems += [info["problem"] for info in env.infos.values()]
        assert any(problems), action


@per_game
def test_wrappers_of_supersuit_for_rewards_run(name):
    supersuit = pytest.importorskip("supersuit")
    plain = rollout(maker(name, "parallel_env")(), 3)
    with strict():
        clipped = rollout(supersuit.clip_reward_v0(maker(name, "parallel_env")(), -0.1, 0.1), 3)
        doubled = rollout(supersuit.reward_lambda_v0(maker(name, "parallel_env")(), lambda reward: 2 * reward), 3)
    steps = [(one, two, three) for one, two, three in zip(plain, clipped, doubled, strict=True) if len(one) == 5]
    assert steps
    for one, two, three in steps:
        assert two[1] == {agent: min(max(reward, -0.1), 0.1) for agent, reward in one[1].items()}
        assert three[1] == {agent: 2 * reward for agent, reward in one[1].items()}
