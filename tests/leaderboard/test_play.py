"""Tracks are played: by every agent, through the command line, after a kill, and onto the board."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from hashlib import sha256

import gymnasium as gym
import pytest
from typer.testing import CliRunner

from lse_gym.agents import AGENTS
from lse_gym.agents.files import held_file
from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Config, Settings
from lse_gym.cli.main import app
from lse_gym.envs.errors import ArgumentError, ProviderError
from lse_gym.envs.remote import client
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.errors import BoardError
from lse_gym.leaderboard.host import server
from lse_gym.leaderboard.host.store import STORE, PlayStore
from lse_gym.leaderboard.host.tokens import token_team
from lse_gym.leaderboard.pages import build
from lse_gym.leaderboard.ranking import rank
from lse_gym.leaderboard.verify import Options, pending, verify
from tests.leaderboard import hosted as hosts
from tests.patience import STALL_S

pytestmark = [pytest.mark.extra("host"), pytest.mark.extra("api")]

QUICK = {"domains": ("mill-0",), "env": "LSE/PassageOrder-v1", "budget": {"calls": 2000}}


@pytest.fixture(scope="module")
def hosted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    tracks = [
        hosts.make_track(folder, **QUICK),
        hosts.make_track(folder, id="two-v1", **{**QUICK, "domains": ("mill-0", "museum-0")}),
    ]
    with hosts.hosting(folder, *tracks) as hosted:
        yield hosted


@pytest.fixture(autouse=True)
def token(hosted, request, monkeypatch):
    monkeypatch.setenv("LSE_GYM_TOKEN", hosted.token(request.node.name[:60]))


def config(hosted, agent, **settings):
    args = {"url": hosted.url, "track": "small-v1"}
    return Settings(env="LSE/Remote-v0", domain=None, agent=agent, env_args=args, **settings).config()


SLOW = {  # seconds to import
    "textgrad-package": [pytest.mark.extra("textgrad"), pytest.mark.long],
    "dspy-bootstrap": [pytest.mark.extra("dspy"), pytest.mark.long],
    "dspy-mipro": [pytest.mark.extra("dspy"), pytest.mark.long],
    "gepa": pytest.mark.extra("gepa"),
}


@pytest.mark.parametrize(
    "agent", [pytest.param(one, marks=SLOW.get(one, ())) for one in AGENTS if one not in ("oracle", "sb3")]
)
def test_every_agent_plays_unchanged(hosted, agent, tmp_path):
    summary = evolve(config(hosted, agent, rounds=2), tmp_path / "run")
    assert summary["test_n"] == 20
    assert summary["task_model_calls"] == summary["calls"] - summary["editor_calls"] > 0
    play = json.loads((tmp_path / "run" / "responses.jsonl").read_text())["play"]
    assert [play] == [one.name for one in hosted.store.plays(team_id())]


def team_id():
    return os.environ["LSE_GYM_TOKEN"].split("_")[1]


def test_an_oracle_is_refused_before_a_play_begins(hosted, tmp_path):
    with pytest.raises(ArgumentError, match="no oracle"):
        evolve(config(hosted, "oracle", rounds=2), tmp_path / "run")
    refused = CliRunner().invoke(app, command(hosted, "--agent", "oracle", "--out", str(tmp_path / "out")))
    assert refused.exit_code != 0
    assert hosted.store.plays(team_id()) == []
    assert not (tmp_path / "out").exists()


def test_who_has_not_begun_is_told_no_line_to_go_on_with(hosted, tmp_path, monkeypatch):
    monkeypatch.setenv("LSE_GYM_TOKEN", "")
    refused = CliRunner().invoke(app, command(hosted, "--out", str(tmp_path / "out")))
    assert "LSE_GYM_TOKEN" in str(refused.exception)
    assert "go on with" not in refused.output
    assert not (tmp_path / "out").exists()


def test_a_host_says_what_it_plays_and_where_it_keeps_it(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "serve", lambda *given: given[-1]("http://here"))
    told = CliRunner().invoke(app, ["leaderboard", "host", "sql-reader-500-v2", "--board", str(tmp_path / "board")])
    assert "tracks sql-reader-500-v2; board" in told.output
    assert str(tmp_path / "board") in told.output.replace("\n", "")


def test_a_board_has_one_host(tmp_path):
    Board(tmp_path, create=True).store.close()
    with held_file(tmp_path / server.LOCK, KeyError()), pytest.raises(BoardError, match="another host runs on"):
        server.serve(tmp_path, [], "127.0.0.1", 0, pytest.fail)
    assert not (tmp_path / STORE).exists()


def test_another_token_is_told_to_be_another(tmp_path):
    words = ["leaderboard", "team", "a team", "--board", str(tmp_path)]
    first, other = (CliRunner().invoke(app, words, catch_exceptions=False) for _ in range(2))
    assert first.stderr == ""
    assert "The token that the team had before is good for nothing" in other.stderr
    assert first.stdout.split() != other.stdout.split()
    assert len(other.stdout.split()) == 1


def command(hosted, *more):
    return ["leaderboard", "play", "two-v1", "--url", hosted.url, "--agent", "lse", "--rounds", "3", *more]


def test_a_play_becomes_an_entry_above_what_was_reproduced(hosted, tmp_path):
    out = tmp_path / "out"
    plan = CliRunner().invoke(app, command(hosted, "--out", str(out), "--plan"), catch_exceptions=False)
    assert "2, one a domain: mill-secret-1, museum-secret-2" in plan.output
    assert "20 sealed questions a run" in plan.output
    own = ["--agent", "shinka", "--set", "attempts=2", "--set", "editors=writer,reader", "--editor", "writer"]
    plan = CliRunner().invoke(app, command(hosted, *own, "--plan"), catch_exceptions=False)
    assert "writer, reader: at most 12 calls in all" in plan.output  # 2 attempts, 3 rounds, 2 domains
    listed = CliRunner().invoke(app, ["leaderboard", "list", "--tracks", "--board", str(hosted.board)])
    assert next(line.split()[-2:] for line in listed.output.splitlines() if "two-v1" in line) == ["2", "20"]
    assert hosted.store.plays(team_id()) == []
    done = CliRunner().invoke(app, command(hosted, "--out", str(out), "--name", "mine"), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (play,) = hosted.store.plays(team_id())
    assert f"entry {play.entry} of the board, level played" in done.output
    heads = [done.output.index(f"\n{name}\n") for name in ("mill-secret-1, run 1 of 2", "museum-secret-2, run 2 of 2")]
    assert done.output.count("\nround   0", *heads) == done.output.count("\nround   0", heads[1]) == 1
    again = CliRunner().invoke(app, command(hosted, "--out", str(out), "--name", "other"), catch_exceptions=False)
    assert again.exit_code == 0, again.output
    assert len(hosted.store.plays(team_id())) == 1
    with Board(hosted.board) as board:
        (row,) = rank(board)["two-v1"]
        assert (row.agent, row.level, row.group, row.kind) == ("mine", "played", 1, "lse")
        summaries = [json.loads(path.read_text()) for path in sorted(out.glob("*/summary.json"))]
        assert row.score == pytest.approx(sum(one["test_score_best"] for one in summaries) / 2)
        assert row.calls == max(one["calls"] for one in summaries)
        assert row.ci95[0] < row.score < row.ci95[1]
        assert row.id not in pending(board, again=True)
        assert verify(board, row.id, Options()).level == "played"
        build(board, tmp_path / "site")
    page = (tmp_path / "site" / "entry" / f"{row.id}.html").read_text()
    assert "mill-secret-1" in page
    assert "It was played" in page
    assert "by the submitter, on public test questions" not in page
    hosted.store.check_log()
    assert [action for _, action, _ in hosted.store.history(play.id)].count("run finished") == 2


def test_the_line_that_says_how_to_go_on_can_be_run_as_it_is(hosted, tmp_path, monkeypatch):
    """After a failure in the middle of a play, with options that have values of several words."""
    monkeypatch.chdir(tmp_path)
    model, answered = hosted.host._models["two-v1"]["reader"].model, []

    def failing(requests, complete=model.complete):
        answered.append(complete(requests))
        if len(answered) > 2:
            raise ProviderError("it is gone")
        return answered[-1]

    options = ["--set", "temperature=0", "--set", "selection=ucb", "--name", "an 'agent'", "--yes"]
    with monkeypatch.context() as broken:
        broken.setattr(model, "complete", failing)
        broken.setattr(client, "PATIENCE_S", 0.0)
        ended = CliRunner().invoke(app, command(hosted, *options), catch_exceptions=False)
    assert ended.exit_code == 1
    words = shlex.split(ended.output.partition("go on with: ")[2])
    assert words[0] == "lse-gym"
    done = CliRunner().invoke(app, words[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (play,) = hosted.store.plays(team_id())
    assert f"entry {play.entry} of the board" in done.output
    assert json.loads(play.about)["name"] == "an 'agent'"


def test_a_killed_player_goes_on_to_the_result_of_an_undisturbed_one(hosted, tmp_path):
    """Killed in the middle of a run; the same play, so the same domain, gone through from the start."""
    out = tmp_path / "out"
    started = [sys.executable, "-m", "lse_gym", *command(hosted, "--rounds", "12", "--out", str(out))]
    child = subprocess.Popen(started, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal, deadline = out / "mill-secret-1" / "trajectory.jsonl", time.monotonic() + 20 + STALL_S
    while not (journal.exists() and journal.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    done = CliRunner().invoke(app, command(hosted, "--rounds", "12", "--out", str(out)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (play,) = hosted.store.plays(team_id())
    numbers = [row[0] for row in hosted.store._rows("SELECT number FROM steps WHERE play = ? AND run = 0", play.id)]
    assert sorted(numbers) == [*range(len(numbers))]
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [row["id"] for row in rows] == [*range(13)]
    assert Config.from_json(json.loads((journal.parent / "config.json").read_text())).env_args["play"] == play.name


def test_another_token_takes_the_place_of_the_first(tmp_path):
    path = tmp_path / "board"
    tokens = [
        CliRunner().invoke(app, ["leaderboard", "team", "us", "--board", str(path)]).output.split()[-1] for _ in "12"
    ]
    with PlayStore(path / STORE) as store:
        (team,) = store.teams()
        assert {token_team(token) for token in tokens} == {team.id}
        assert team.token_sha256 == sha256(tokens[1].encode()).digest()
        assert store.team(token_team(tokens[1])) == team


def test_the_budget_of_the_track_may_be_given(hosted):
    env = gym.make("LSE/Remote-v0", url=hosted.url, track="two-v1", budget=QUICK["budget"])
    assert env.unwrapped.budget is not None
    env.close()
    with pytest.raises(ArgumentError, match="the track has its own"):
        gym.make("LSE/Remote-v0", url=hosted.url, track="two-v1", budget={"calls": 7})
