"""Kill -9 of the host loses no answered step: players go on, to the results of an undisturbed run."""

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import data_equivalence

from lse_gym.leaderboard.host.run import LiveRun
from lse_gym.leaderboard.host.secret import draw, public_names, secret_env
from tests.leaderboard.hosted import hosting, make_track
from tests.leaderboard.killed_host import play_under_kills

pytestmark = [pytest.mark.extra("host"), pytest.mark.extra("api")]


def check(folder, players, steps, kills):
    track = make_track(folder, env="LSE/PassageOrder-v1", domains=("mill-0",), budget={"calls": 100_000})
    seen, local, record = play_under_kills(folder, track, players, steps, kills, seed=1)
    for one, other in zip(seen, local, strict=True):
        assert data_equivalence(one, other, exact=True)
    assert record == [[*range(1 + steps + (steps + 3) // 7 + steps // 7)]] * players


def test_runs_that_are_not_in_memory_are_made_again(tmp_path, monkeypatch):
    """Room for one run and two that take turns: each step is the first after a start, for all that it can tell."""
    (tmp_path / "host.json").write_text('{"live_runs": 1}')
    track = make_track(tmp_path, env="LSE/PassageOrder-v1", domains=("mill-0", "museum-0"))
    made = []
    monkeypatch.setattr(LiveRun, "go_through", lambda run, steps, go=LiveRun.go_through: made.append(go(run, steps)))
    with hosting(tmp_path, track) as hosted:
        token = hosted.token("a team")
        envs = [
            gym.make("LSE/Remote-v0", url=hosted.url, track=track.id, token=token, play="one", domain=name)
            for name in public_names(track)
        ]
        seen = [[env.reset(seed=1)] for env in envs]
        for number in range(5):
            for env, rows in zip(envs, seen, strict=True):
                rows.append(env.step(f"Line {number}."))
        assert len(hosted.host._live) == 1
        assert len(made) == 2 * 6
        play = envs[0].unwrapped._run.split("/")[1]
        for run, (env, name) in enumerate(zip(envs, public_names(track), strict=True)):
            twin = secret_env(track, draw(hosted.host._secrets[track.id], track, play, run), name)
            assert data_equivalence(seen[run], [twin.reset(seed=1), *(twin.step(f"Line {i}.") for i in range(5))])
            env.close()


@pytest.mark.long
def test_players_do_not_notice_a_kill(tmp_path):
    check(tmp_path, players=2, steps=40, kills=1)


@pytest.mark.long
def test_players_do_not_notice_20_kills(tmp_path):
    check(tmp_path, players=8, steps=100, kills=20)
