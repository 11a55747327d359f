"""Tracks mean the same for ever, and none can be fooled by what fooled others."""

import json
from dataclasses import asdict, replace

import gymnasium as gym
import pytest
from typer.testing import CliRunner

from lse_gym.cli.main import app
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.domain import Outcome
from lse_gym.envs.errors import MissingExtraError, UnknownNameError
from lse_gym.envs.models import make_model
from lse_gym.envs.sql.domain import SQLDomain
from lse_gym.envs.sql.procedural.family import ProceduralFamily
from lse_gym.leaderboard.attacks import attack_the_door
from lse_gym.leaderboard.errors import BoardError, SubmissionError
from lse_gym.leaderboard.leaks import Leaks
from lse_gym.leaderboard.selfcheck import attack_track
from lse_gym.leaderboard.submission import About, Run, pack
from lse_gym.leaderboard.track import TRACKS, all_tracks, base_name, check_suite, find_track, read_track, write_track

ALL = all_tracks()


@pytest.mark.parametrize("track", ALL.values(), ids=ALL)
def test_a_track_asks_what_it_was_made_with(track):
    check_suite(track)
    assert track.id.rpartition("-v")[2].isdigit()
    assert track.offline == ("reader" in track.models)
    assert all(revision for revision in track.models.values())


SHIPPED = [(track.id, name) for track in ALL.values() if track.offline for name in track.models]


@pytest.mark.parametrize(
    ("track", "name"), [pytest.param(*one, marks=[pytest.mark.extra("hf")] * (one[1] != "reader")) for one in SHIPPED]
)
def test_offline_tracks_are_about_the_models_that_ship(track, name):
    assert make_model(name).revision.startswith(ALL[track].models[name])


def test_another_suite_is_another_track():
    track = ALL["sql-clinic-reader-1300-v2"]
    with pytest.raises(BoardError, match="made for a suite"):
        check_suite(replace(track, domains=("lab-0",)))


def test_names_and_files_of_tracks(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean"):
        find_track(ALL, "sql-reader-500-v3")
    (tmp_path / "a-v1.json").write_text("{}")
    with pytest.raises(BoardError, match="is no track"):
        read_track(tmp_path / "a-v1.json")
    (tmp_path / "a-v1.json").write_text((TRACKS / "sql-reader-500-v2.json").read_text())
    with pytest.raises(BoardError, match="Name the file"):
        read_track(tmp_path / "a-v1.json")
    assert base_name("vllm:Qwen/Qwen3-4B") == base_name("hf:Qwen/Qwen3-4B@abc") == "Qwen/Qwen3-4B"
    assert base_name("nano") == "nano"


class ContainsGold(SQLDomain):
    """A scorer with the hole of many: a response that contains the gold answer is right."""

    def score(self, questions, responses):
        found = (float(question.gold in text) for question, text in zip(questions, responses, strict=True))
        return [Outcome(score, "") for score in found]


class TrustsTheResponse(SQLDomain):
    """A scorer that believes what a response says of itself."""

    def score(self, questions, responses):
        right = super().score(questions, responses)
        return [Outcome(1.0, "") if "1.0" in text else o for o, text in zip(right, responses, strict=True)]


class EmptyIsRight(SQLDomain):
    """A scorer for which a missing answer equals a missing row."""

    def score(self, questions, responses):
        right = super().score(questions, responses)
        return [o if text.strip() else Outcome(1.0, "") for o, text in zip(right, responses, strict=True)]


class NeverRight(SQLDomain):
    """A scorer that fails, which would make every agent a zero."""

    def score(self, questions, responses):
        return [Outcome(0.0, "") for _ in responses]


class BrokenFamily(ProceduralFamily):
    broken: type[SQLDomain]

    def load(self, name):
        return self._as_broken(super().load(name))

    def sealed(self, name, secret, count):
        return self._as_broken(super().sealed(name, secret, count))

    def _as_broken(self, domain):
        made = self.broken.__new__(self.broken)
        vars(made).update(vars(domain))
        return made


BROKEN = {
    ContainsGold: "all choices",
    TrustsTheResponse: "injection into the scorer",
    EmptyIsRight: "empty answer",
    NeverRight: "gold answers that do not score",
}


@pytest.mark.parametrize(("scorer", "attack"), BROKEN.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_selfcheck_fails_on_a_broken_track(monkeypatch, tmp_path, scorer, attack):
    class BrokenEnv(ContextEnv):
        def __init__(self, domain=None, split_seed=0, scoring="set", **options):
            family = BrokenFamily(split_seed, scoring)
            family.broken = scorer
            super().__init__(family, domain=domain, **options)

    monkeypatch.setitem(gym.registry, "LSE/Broken-v0", gym.envs.registration.EnvSpec("LSE/Broken-v0", BrokenEnv))
    facts = asdict(ALL["sql-clinic-reader-1300-v2"]) | {"id": "broken-v1", "env": "LSE/Broken-v0", "sealed_items": 20}
    (tmp_path / "broken-v1.json").write_text(json.dumps(facts))
    attacks = {found.name: found for found in attack_track(read_track(tmp_path / "broken-v1.json"))}
    assert not attacks[attack].holds


def test_selfcheck_passes_on_a_shipped_track():
    assert [attack for attack in attack_track(ALL["sql-clinic-reader-1300-v2"]) if not attack.holds] == []


OFFLINE = [one for one in ALL.values() if (one.offline and "-ladder-" not in one.id) or "-ladder-170-" in one.id]


@pytest.mark.long
@pytest.mark.parametrize("track", OFFLINE, ids=lambda track: track.id)  # rungs of a ladder differ in the budget alone
def test_selfcheck_passes_on_every_offline_track(track):
    assert [attack for attack in attack_track(track) if not attack.holds] == []


def test_selfcheck_tells_what_it_cannot_check_here(monkeypatch, tmp_path):
    def without_torch(track):
        if "nano" in track.models and track.task_model == "nano":
            raise MissingExtraError("A model of Hugging Face needs torch: pip install 'lse-gym[hf]'")
        return []

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lse_gym.cli.leaderboard.attack_track", without_torch)
    told = CliRunner().invoke(app, ["leaderboard", "selfcheck"])
    assert told.exit_code == 0
    assert "sql-reader-500-v2" in told.output
    assert "sql-nano-500-v2 is not checked." in told.output
    assert "pip install 'lse-gym[hf]'" in told.output


DOORS = {
    "dumps of test questions": ("attacks.find_leaks", lambda *_: Leaks(0, 0, 0)),
    "the oracle's context": ("copies.MAX_OF_ORACLE", 1.0),
    "contexts of another team": ("copies.MAX_OF_OTHERS", 1.1),
    "names that hide": ("attacks.alike", str.__eq__),
}


@pytest.mark.parametrize("name", DOORS)
def test_selfcheck_sees_a_door_that_is_open(monkeypatch, name):
    place, replacement = DOORS[name]
    monkeypatch.setattr(f"lse_gym.leaderboard.{place}", replacement)
    open_ones = [attack.name for attack in attack_the_door(ALL["sql-clinic-reader-1300-v2"], 7, 20) if not attack.holds]
    assert [one.startswith(name) for one in open_ones] == [True]


def test_selfcheck_sees_sealed_questions_that_are_public(monkeypatch):
    track = ALL["sql-clinic-reader-1300-v2"]
    family = type(track.core("reader").family)
    monkeypatch.setattr(family, "sealed", lambda self, name, secret, count: self.load(name))
    open_ones = {attack.name: attack.score for attack in attack_the_door(track, 7, 20) if not attack.holds}
    assert open_ones == {"sealed questions that are public, test questions in other feedback": 1.0}


def test_a_track_of_ones_own_is_written_with_its_digest_and_never_over_another(tmp_path):
    like = ALL["tools-reader-1500-v1"]
    path = write_track(replace(like, id="one-v1", domains=("bikes-0",), seeds=1), tmp_path)
    made = read_track(path)
    assert made.suite_sha256 != like.suite_sha256
    check_suite(made)
    with pytest.raises(BoardError, match="another id"):
        write_track(made, tmp_path)


def test_runs_that_fit_no_track_are_told_what_those_of_their_env_want(tmp_path):
    run = Run(tmp_path, {"env": "LSE/ToolUse-v0", "task_model": "reader", "agent": "lse", "max_chars": 1}, {}, [])
    with pytest.raises(SubmissionError) as told:
        pack([run], ALL, About(team="a team"))
    others = sum(track.env != "LSE/ToolUse-v0" for track in ALL.values())
    assert "tools-reader-1500-v1: it has" in str(told.value)
    assert f"{others} tracks are about other environments or task models" in str(told.value)
    assert "sql-" not in str(told.value)
