"""Finished plays and the board: what is no entry is told and left out, and the host starts again."""

import json

import httpx
import pytest

from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.host import service
from lse_gym.leaderboard.host.entry import entry_of
from lse_gym.leaderboard.pages import build
from lse_gym.leaderboard.ranking import rank
from tests.leaderboard import hosted as hosts

pytestmark = [pytest.mark.extra("host"), pytest.mark.extra("api")]
QUICK = {"domains": ("mill-0",), "env": "LSE/PassageOrder-v1", "budget": {"calls": 2000}}


class Player:
    """A team that speaks to a host by itself, one run a play."""

    def __init__(self, hosted, team="a team"):
        self.url, self.head = f"{hosted.url}/v1", {"Authorization": f"Bearer {hosted.token(team)}"}

    def begin(self, name):
        return self.post("plays", track="small-v1", name=name).json()["play"]

    def post(self, path, **body):
        return httpx.post(f"{self.url}/{path}", json=body, headers=self.head, timeout=60)

    def act(self, play, kind, number, **body):
        return self.post(f"plays/{play}/runs/0/{kind}", number=number, **body)

    def state(self, play):
        return httpx.get(f"{self.url}/plays/{play}", headers=self.head).json()


@pytest.fixture
def track(tmp_path):
    return hosts.make_track(tmp_path, **QUICK)


def test_numbers_that_are_no_entry_are_refused_at_the_door(tmp_path, track):
    beyond = [("reset", {"batch": number}) for number in (2**53 - 1, 100_001)]
    beyond += [("finish", {"editor": {name: 1e15}}) for name in ("calls", "tokens", "usd")]
    with hosts.hosting(tmp_path, track) as hosted:
        player = Player(hosted)
        play = player.begin("one")
        assert player.act(play, "reset", 0, seed=1).status_code == 200
        for kind, body in beyond:
            refused = player.act(play, kind, 1, **body)
            assert refused.status_code == 422
            assert "less than or equal to 100" in refused.json()["error"]
        assert player.act(play, "reset", 1, batch=100_000).status_code == 200
        assert player.act(play, "step", 2, action="A.").status_code == 200
        most = {"calls": 1e14, "tokens": 1e14, "usd": 1e14}
        assert player.act(play, "finish", 3, editor=most).status_code == 200
        assert player.state(play)["entry"] == 1


def test_a_play_that_cannot_be_entered_does_not_stop_the_host(tmp_path, track, monkeypatch):
    """As recorded by a host whose door let it in, and as an error of the package."""
    with hosts.hosting(tmp_path, track) as hosted:
        bad, good = Player(hosted, "a bad team"), Player(hosted, "good")
        with monkeypatch.context() as patch:
            patch.setattr(service.Host, "enter_finished", lambda *_: None)  # killed before
            plays = [(player, player.begin("one")) for player in (bad, good)]
            for player, play in plays:
                player.act(play, "reset", 0, seed=1)
                editor = {"calls": 1e15 if player is bad else 0.0, "tokens": 0.0, "usd": 0.0}
                team = next(t for t in hosted.store.teams() if t.id == hosted.store.play(play).team)
                hosted.host.act(team, play, 0, "finish", 1, {"contexts": [], "editor": editor})
    for _ in range(2):
        with hosts.hosting(tmp_path, track) as hosted:
            assert hosted.store.play(plays[1][1]).entry == 1
            state = hosted.host.state(hosted.store.team(hosted.store.play(plays[0][1]).team), plays[0][1])
            assert state["entry"] is None
            assert "greater than the maximum" in state["refusal"]
            assert [what for _, what, _ in hosted.store.history(plays[0][1])].count("not entered") == 1
    with monkeypatch.context() as patch:
        patch.setattr(service, "enter", lambda *_: {}["a fault"])
        with hosts.hosting(tmp_path, track):
            pass


def test_a_best_context_beyond_the_track_is_no_entry(tmp_path):
    track = hosts.make_track(tmp_path, **QUICK, max_context_tokens=50)
    with hosts.hosting(tmp_path, track) as hosted:
        player, long = Player(hosted), "Answer with a letter. " * 300
        play = player.begin("one")
        player.act(play, "reset", 0, seed=1)
        player.act(play, "step", 1, action=long)
        assert player.act(play, "finish", 2, contexts=[long]).status_code == 200
        state = player.state(play)
        assert state["entry"] is None
        assert "tokens; the track ranks up to 50." in state["refusal"]
        with Board(tmp_path) as board:
            assert board.store.entries() == []


def test_what_nobody_sees_is_no_part_of_a_context(tmp_path, track):
    with hosts.hosting(tmp_path, track) as hosted:
        player = Player(hosted)
        play = player.begin("one")
        player.act(play, "reset", 0, seed=1)
        answer = player.act(play, "step", 1, action="Sort\u202e \u2066\U000e0041them.").json()
        assert answer["context"] == "Sort\ufffd \ufffd\ufffdthem."
        assert "unprintable" in answer["info"]["problem"]


def test_an_entry_tells_how_many_plays_were_begun(tmp_path, track):
    with hosts.hosting(tmp_path, track) as hosted:
        player = Player(hosted)
        Player(hosted, "another team").begin("other")
        plays = [player.begin(f"try {number}") for number in range(3)]
        player.act(plays[1], "reset", 0, seed=1)
        player.act(plays[1], "finish", 1)
    with Board(tmp_path) as board:
        (row,) = rank(board)["small-v1"]
        assert row.details["plays_begun"] == 3
        build(board, tmp_path / "site")
    assert "had begun 3 plays of this track" in (tmp_path / "site" / "entry" / "1.html").read_text()
    assert json.loads((tmp_path / "site" / "entry" / "1.json").read_text())["agent"]["name"] == "try 1"


def test_an_entry_tells_what_its_contexts_do_elsewhere(tmp_path):
    """Another task model that is the same one answers the same; what earlier hosts have not measured stays empty."""
    track = hosts.make_track(tmp_path, **QUICK, models={"reader": "1", "lse_gym.envs.offline.reader:Reader": "1"})
    with hosts.hosting(tmp_path, track) as hosted:
        player = Player(hosted)
        play = player.begin("one")
        first = player.act(play, "reset", 0, seed=1).json()["context"]
        turned = "\n".join(reversed(first.splitlines()))
        player.act(play, "step", 1, action=turned)
        ended = player.act(play, "finish", 2, contexts=[turned]).json()
        assert ended["transfer"]["lse_gym.envs.offline.reader:Reader"] == [ended["seed_scores"], ended["best_scores"]]
        assert ended["unseen"] != [ended["seed_scores"], ended["best_scores"]]
        team = hosted.store.team(hosted.store.play(play).team)
        _, before = entry_of(NoMeasures(hosted.store), track, hosted.store.play(play), team)
    assert (before["transfer"], before["unseen"], before["retention"]) == ({}, None, None)
    with Board(tmp_path) as board:
        (row,) = rank(board)["small-v1"]
        build(board, tmp_path / "site")
    (other,) = row.transfer.values()
    assert other["score"] == row.score
    assert row.unseen["seed"] != row.seed
    assert 0 <= row.retention <= 1
    assert 0 < row.area < 1
    page = (tmp_path / "site" / "track" / "small-v1.html").read_text()
    assert "<dt>retention</dt><dd>score of the best context on the feedback questions" in page
    assert "<dt>test score</dt>" not in page  # nobody claims one here


class NoMeasures:
    """A store as hosts of earlier versions left it."""

    def __init__(self, store):
        self.store = store

    def steps(self, play, run):
        for step, at in self.store.steps(play, run):
            answer = {
                name: value for name, value in step.answer.items() if name not in ("transfer", "unseen", "retention")
            }
            yield step._replace(answer=answer), at
