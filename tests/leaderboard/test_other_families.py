"""Tracks on families other than text-to-SQL: sealed questions are drawn, contexts are replayed, attacks fail."""

import json
from dataclasses import asdict

import pytest

from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Config
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.errors import SubmissionError
from lse_gym.leaderboard.leaks import find_leaks
from lse_gym.leaderboard.ranking import rank
from lse_gym.leaderboard.replay import Unit, replay
from lse_gym.leaderboard.selfcheck import attack_track
from lse_gym.leaderboard.store import Store
from lse_gym.leaderboard.submission import About, find_runs, pack
from lse_gym.leaderboard.track import Track, check_suite, suite_digest
from lse_gym.leaderboard.verify import Options, verify
from tests.leaderboard.conftest import sent

SECRET = 2**100 + 1


def track_of(env, *domains, items=60):
    name = env.partition("/")[2].partition("-")[0].lower()
    facts = {
        "id": f"{name}-reader-1300-v1",
        "title": name,
        "env": env,
        "domains": domains,
        "seeds": 1,
        "models": {"reader": "1"},
        "budget": {"calls": 1300},
        "max_context_tokens": 2000,
        "sealed_items": items,
        "settings": {"env_args": {}, "feedback": "gold", "feedback_size": 10, "max_chars": 8000, "max_tokens": 512},
    }
    return Track(**facts, suite_sha256=suite_digest(Track(**facts, suite_sha256="")))


TRACKS = [
    track_of("LSE/QA-v1", "glasswork-0", "apiary-0"),
    track_of("LSE/PassageOrder-v1", "mill-0", "museum-0"),
    track_of("LSE/ToolUse-v0", "marina-0"),
    track_of("LSE/DataScience-v0", "ferry-0", items=24),
]
NEEDS = {"LSE/DataScience-v0": "ds"}
each_track = pytest.mark.parametrize(
    "track",
    [
        pytest.param(track, marks=[pytest.mark.extra(NEEDS[track.env])] if track.env in NEEDS else [])
        for track in TRACKS
    ],
    ids=lambda track: track.id,
)


@each_track
def test_contexts_are_replayed_on_sealed_questions(track, tmp_path):
    check_suite(track)
    family = track.core().family
    contexts = {name: (d.seed_context, d.oracle_context) for name in track.domains for d in [family.load(name)]}
    units = [Unit(name, 0, "reader", "sealed", context) for name in track.domains for context in contexts[name]]
    with Store(tmp_path / "board.sqlite") as store:
        found, failures = replay(store, track, SECRET, units)
        assert (failures, [*found]) == ([], units)
        assert replay(store, track, SECRET, units) == (found, [])
        other, _ = replay(store, track, SECRET + 1, units)
    for name, (seed, oracle) in contexts.items():
        low, high = (found[Unit(name, 0, "reader", "sealed", context)] for context in (seed, oracle))
        assert len(low["scores"]) == len(high["scores"]) == track.sealed_items
        assert sum(high["scores"]) > sum(low["scores"]) + 10
        assert high["shuffled"] < 0.15
    assert found != other


@each_track
def test_no_known_attack_scores(track):
    assert [attack for attack in attack_track(track) if not attack.holds] == []


@each_track
def test_an_answer_that_is_right_everywhere_shows(track, tmp_path, monkeypatch):
    family = track.core().family
    domain = family.load(track.domains[0])
    kind = type(domain)
    fooled = kind.score

    def score(self, questions, responses):
        return [outcome._replace(score=1.0) for outcome in fooled(self, questions, responses)]

    monkeypatch.setattr(kind, "score", score)
    monkeypatch.setattr(kind, "verify", lambda self: [])  # which would see it when sealed questions are drawn
    unit = Unit(track.domains[0], 0, "reader", "sealed", "")
    with Store(tmp_path / "board.sqlite") as store:
        found, _ = replay(store, track, SECRET, [unit])
    assert found[unit]["shuffled"] == 1.0 - domain.guess


def test_sealed_questions_in_a_context_are_a_leak():
    family = TRACKS[0].core().family
    public, sealed = family.load("glasswork-0"), family.sealed("glasswork-0", SECRET, 60)
    dump = "\n".join(f"Q: {q.text} Answer: {q.gold}" for q in sealed.splits["test"])
    assert find_leaks(dump, [public, sealed]).problem()
    assert not find_leaks(public.oracle_context, [public, sealed]).problem()


def test_a_run_with_tools_is_submitted_replayed_and_executed_again(tmp_path):
    track = track_of("LSE/ToolUse-v0", "marina-0")
    run = tmp_path / "run"
    evolve(Config.of(env=track.env, domain="marina-0", agent="hill-climb", rounds=2, budget_calls=1300), run)
    (tmp_path / "board/tracks").mkdir(parents=True)
    (tmp_path / "board/tracks" / f"{track.id}.json").write_text(json.dumps(asdict(track)))
    with Board(tmp_path / "board", create=True) as board:
        (document,) = pack(find_runs(run), board.tracks, About(team="a team"))
        found = verify(board, board.submit(json.dumps(document).encode()), Options(reproduce=True))
        assert (found.level, found.reason) == ("reproduced", ""), found.details
        assert found.details["items"] == 60
        assert [row.level for row in rank(board)[track.id]] == ["reproduced"]
        document["runs"][0]["config"]["env_args"] = {"max_turns": 30}
        with pytest.raises(SubmissionError, match=r"its config has env_args=\{'max_turns': 30\}; this track"):
            board.submit(sent(document))
