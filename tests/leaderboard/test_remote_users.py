"""Who uses envs uses one at a host unchanged: a comparison, a policy that is trained, a loop."""

import json

import gymnasium as gym
import pytest
from typer.testing import CliRunner

from lse_gym.agents.bench.result import read_results
from lse_gym.cli.main import app
from lse_gym.envs.errors import ArgumentError
from lse_gym.wrappers import EditMenu
from tests.leaderboard import hosted as hosts

pytestmark = [pytest.mark.extra("host"), pytest.mark.extra("api")]


@pytest.fixture(scope="module")
def hosted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    changes = {"env": "LSE/PassageOrder-v1", "domains": ("mill-0", "museum-0"), "budget": {"calls": 10_000}}
    alone = hosts.make_track(folder, id="alone-v1", **{**changes, "domains": ("mill-0",)})
    with hosts.hosting(folder, hosts.make_track(folder, **changes), alone) as hosted:
        yield hosted


@pytest.fixture(autouse=True)
def token(hosted, request, monkeypatch):
    monkeypatch.setenv("LSE_GYM_TOKEN", hosted.token(request.node.name[:60]))


def bench(hosted, out, *more):
    place = ["--env", "LSE/Remote-v0", "--env-set", f"url={hosted.url}", "--env-set", "track=small-v1"]
    grid = ["--agent", "lse", "--seeds", "2", "--rounds", "1"]
    return CliRunner().invoke(
        app, ["bench", *place, *grid, "--workers", "1", "--out", str(out), *more], catch_exceptions=False
    )


def test_a_comparison_at_a_host(hosted, tmp_path):
    """The runs of an agent and a seed are a play, and so an entry; the same command again asks for nothing."""
    before = hosted.store._rows("SELECT COUNT(*) FROM plays")[0][0]
    done = bench(hosted, tmp_path / "out")
    assert done.exit_code == 0, done.output
    results = read_results(tmp_path / "out" / "results.jsonl")
    assert {(one.label, one.domain, one.seed) for one in results} == {
        ("lse", domain, seed) for domain in ("mill-secret-1", "museum-secret-2") for seed in (0, 1)
    }
    assert all(len(one.test_scores_best) == 20 for one in results)
    plays, steps = (hosted.store._rows(f"SELECT COUNT(*) FROM {table}")[0][0] for table in ("plays", "steps"))
    assert plays == before + 2
    assert hosted.store._rows("SELECT COUNT(*) FROM plays WHERE entry IS NULL AND name LIKE '________________'") == [
        (0,)
    ]
    again = bench(hosted, tmp_path / "out")
    assert again.exit_code == 0, again.output
    assert hosted.store._rows("SELECT COUNT(*) FROM steps")[0][0] == steps


def test_a_comparison_on_some_domains_is_told_that_its_scores_stay_at_the_host(hosted, tmp_path):
    done = bench(hosted, tmp_path / "out", "--domains", "mill-secret-1", "--seeds", "1")
    assert done.exit_code == 1
    assert "once all runs of its play have ended" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--plan"], "leaderboard play TRACK --plan"),
        (["--score-with", "openai:other"], "has 'reader'"),
        (["--budget-calls", "7"], "the track has its own"),
    ],
)
def test_what_no_host_does_is_told_before_anything_runs(hosted, tmp_path, more, told):
    before = hosted.store._rows("SELECT COUNT(*) FROM plays")
    with pytest.raises(ArgumentError, match=told):
        bench(hosted, tmp_path / "out", *more)
    assert hosted.store._rows("SELECT COUNT(*) FROM plays") == before


@pytest.mark.extra("rl")
def test_a_policy_is_trained_at_a_host(hosted):
    from stable_baselines3 import PPO

    env = EditMenu(gym.make("LSE/Remote-v0", url=hosted.url, track="small-v1", max_edits=3))
    model = PPO("MlpPolicy", env, n_steps=8, batch_size=8, n_epochs=1, seed=0, device="cpu").learn(8)
    observation, _ = env.reset(seed=1)
    action, _ = model.predict(observation, deterministic=True)
    _, reward, _, truncated, info = env.step(action)
    assert reward == info["improvement"]
    assert not truncated
    ((steps,),) = hosted.store._rows("SELECT COUNT(*) FROM steps WHERE play = ?", env.unwrapped._run.split("/")[1])
    assert steps > 8
    env.close()


@pytest.mark.long
@pytest.mark.extra("rl")
def test_a_policy_is_trained_on_several_envs_at_a_host(hosted, tmp_path):
    from lse_gym.agents.sb3.training import train_policy

    options = {"env": "LSE/Remote-v0", "url": hosted.url, "track": "small-v1", "max_edits": 4}
    train_policy("maskable-ppo", tmp_path, total_timesteps=80, num_envs=2, **options)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 80 // 4


def test_a_plain_loop_at_a_host(hosted):
    env = gym.make("LSE/Remote-v0", url=hosted.url, track="alone-v1", max_edits=3)
    observation, info = env.reset(seed=0)
    start, total, done = info["held_out_score"], 0.0, False
    while not done:
        observation, reward, terminated, truncated, info = env.step(observation["context"] + "\nAnswer briefly.")
        total, done = total + reward, terminated or truncated
    assert info["edits"] == 3
    assert info["held_out_score"] == pytest.approx(start + total)
    (scores,), _ = env.unwrapped.finish([observation["context"]])
    assert len(scores) == 20
    env.close()
