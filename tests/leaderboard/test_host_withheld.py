"""Sealed scores are told when all runs of a play have ended: nobody sees them and then chooses which plays to end."""

import json

import gymnasium as gym
import pytest

from lse_gym.agents.run import complete, evolve, is_finished
from lse_gym.agents.settings import Settings
from lse_gym.leaderboard.host import service
from tests.leaderboard import hosted as hosts

pytestmark = [pytest.mark.extra("host"), pytest.mark.extra("api")]
QUICK = {"domains": ("mill-0", "museum-0"), "env": "LSE/PassageOrder-v1", "budget": {"calls": 2000}}


@pytest.fixture
def hosted(tmp_path, monkeypatch):
    with hosts.hosting(tmp_path, hosts.make_track(tmp_path, **QUICK)) as hosted:
        monkeypatch.setenv("LSE_GYM_TOKEN", hosted.token("a team"))
        yield hosted


def runs(hosted):
    """An env for each run of one play, reset."""
    made = [
        gym.make("LSE/Remote-v0", url=hosted.url, track="small-v1", play="one", domain=domain).unwrapped
        for domain in ("mill-secret-1", "museum-secret-2")
    ]
    for env in made:
        env.reset(seed=1)
    return made


def test_scores_are_told_once_all_runs_have_ended(hosted):
    """The same request gets them then, and a run that ended before tells no number of its test until then."""
    first, second = runs(hosted)
    withheld, _ = first.finish([first.context])
    assert withheld is None
    body = {"number": 1, "contexts": [first.context], "editor": dict.fromkeys(("calls", "tokens", "usd"), 0.0)}
    sent = first.client.post(f"{first._run}/finish", body)
    assert {name for name, value in sent.items() if value is not None} == {"context", "used"}
    play = first.client.get(f"plays/{first._run.split('/')[1]}")
    assert [run["end"] for run in play["runs"]] == [None, None]
    assert second.finish([second.context])[0] is not None
    (scores,), _ = first.finish([first.context])
    (kept,) = [step.answer for step, _ in hosted.store.steps(first._run.split("/")[1], 0) if step.kind == "finish"]
    assert scores.tolist() == kept["best_scores"]
    play = first.client.get(f"plays/{first._run.split('/')[1]}")
    assert play["runs"][0]["end"]["scores"] == [kept["best_scores"]]
    for env in (first, second):
        env.close()


def test_a_play_that_is_ended_but_not_entered_tells_none(hosted, monkeypatch):
    """As where the host is killed in between; started again it enters the play, and tells."""
    monkeypatch.setattr(service.Host, "enter_finished", lambda *_: None)
    first, second = runs(hosted)
    assert [env.finish([env.context])[0] for env in (first, second)] == [None, None]
    monkeypatch.undo()
    monkeypatch.setenv("LSE_GYM_TOKEN", "no longer needed")
    hosted.host.catch_up()
    team = hosted.store.teams()[0]
    (play,) = hosted.store.plays(team.id)
    body = {"contexts": [first.context], "editor": dict.fromkeys(("calls", "tokens", "usd"), 0.0)}
    assert json.loads(hosted.host.act(team, play.id, 0, "finish", 1, body))["scores"]
    for env in (first, second):
        env.close()


def test_a_run_directory_waits_for_its_scores(hosted, tmp_path):
    args = {"url": hosted.url, "track": "small-v1", "play": "two"}
    first, second = (
        Settings(env="LSE/Remote-v0", domain=domain, agent="hill-climb", rounds=1, env_args=args).config()
        for domain in ("mill-secret-1", "museum-secret-2")
    )
    assert "test_n" not in evolve(first, tmp_path / "first")
    assert not is_finished(first, tmp_path / "first")
    assert (tmp_path / "first" / "tree.html").exists()
    assert evolve(second, tmp_path / "second")["test_n"] == 20
    whole = evolve(first, tmp_path / "again")
    end = hosted.host.state(team := hosted.store.teams()[0], hosted.store.plays(team.id)[0].id)["runs"][0]["end"]
    assert complete(tmp_path / "first", end["scores"], end["used"]) == whole
    assert (tmp_path / "first" / "curve.svg").read_text() == (tmp_path / "again" / "curve.svg").read_text()
    assert is_finished(first, tmp_path / "first")
