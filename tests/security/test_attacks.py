"""What a day of attacks found open besides: runs of strangers, a ledger that comes back, models that pay back."""

import json
import multiprocessing
import os
import pickle
import shutil
import sqlite3
import time
from pathlib import Path

import gymnasium as gym
import pytest
from typer.testing import CliRunner

from lse_gym.agents.run import RunDirectory
from lse_gym.agents.settings import Config
from lse_gym.cli.main import app
from lse_gym.envs.budget import Budget, Usage
from lse_gym.envs.errors import ArgumentError, ProviderError, RunDirectoryError
from lse_gym.envs.evaluation import core_env
from lse_gym.leaderboard import submission
from lse_gym.leaderboard.errors import BoardError, SubmissionError
from lse_gym.leaderboard.pages import build
from lse_gym.leaderboard.ranking import rank
from lse_gym.leaderboard.submission import About, find_runs, pack
from lse_gym.leaderboard.track import all_tracks
from lse_gym.leaderboard.verify import Options, verify
from lse_gym.wrappers import EpisodeBudget
from tests.envs.stub import Spy, make
from tests.leaderboard.conftest import TRACK, sent
from tests.models.chat_server import serve
from tests.patience import STALL_S


@pytest.fixture
def copy(run_folder, tmp_path) -> Path:
    """A run directory as a stranger may have sent it."""
    return Path(shutil.copytree(run_folder, tmp_path / "sent"))


def flat(config: dict) -> dict:
    """A ``config.json`` as earlier versions wrote it: all settings side by side."""
    rest = {name: value for name, value in config.items() if name not in ("env_args", "agent_args", "budget")}
    return rest | {
        "domain": "clinic-0",
        "task_model": "reader",
        "split_seed": 0,
        "budget_calls": 1300.0,
        **config["agent_args"],
    }


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """A module that tells when it is imported."""
    (tmp_path / "evil_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    return "evil_module:Agent"


@pytest.mark.parametrize("form", [dict, flat])
def test_the_agent_that_a_run_directory_names_is_not_imported(copy, evil, form, board):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(form(config) | {"agent": evil}))
    (document,) = pack(find_runs(copy), all_tracks(), About())
    assert document["agent"]["kind"] == evil
    board.submit(sent(document))
    assert rank(board)[TRACK]
    with pytest.raises(RunDirectoryError, match="agent: 'evil_module:Agent' there, 'lse' now"):
        RunDirectory(copy, config).__enter__()
    with pytest.raises(SystemExit):
        __import__("evil_module")


def endless(path):
    path.unlink()
    path.symlink_to("/dev/zero")


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def huge(path):
    with path.open("ab") as file:
        file.truncate(submission.MAX_JOURNAL_BYTES + 1)


@pytest.mark.skipif(os.name != "posix", reason="has no devices and pipes in its file system")
@pytest.mark.parametrize("harm", [endless, pipe, huge])
@pytest.mark.parametrize("name", ["config.json", "summary.json", "trajectory.jsonl"])
def test_a_run_of_endless_files_is_refused_at_once(copy, harm, name):
    harm(copy / name)
    start = time.perf_counter()
    with pytest.raises(SubmissionError, match=r"is no regular file|has more than [\d,]+ bytes"):
        find_runs(copy)
    assert time.perf_counter() - start < 5 + STALL_S


def test_a_submission_that_is_no_regular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    for path in (str(tmp_path / "pipe.json"), "/dev/zero"):
        told = CliRunner().invoke(app, ["leaderboard", "submit", path, "--board", str(tmp_path / "board")])
        assert told.exit_code == 1


def test_a_ledger_that_was_let_go_comes_back_as_it_was():
    budget = Budget({"calls": 100})
    data = pickle.dumps(budget)
    budget.charge(Usage(calls=60))
    del budget  # nobody holds it any more
    assert pickle.loads(data).remaining.calls == 40  # noqa: S301 - our own


def _left(data: bytes, answers) -> None:
    first, second = pickle.loads(data), pickle.loads(data)  # noqa: S301 - our own
    answers.put((first.remaining.calls, first is second))


def test_a_pickle_in_another_process_has_what_was_left_and_once():
    budget = Budget({"calls": 10})
    budget.charge(Usage(calls=4))
    spawn = multiprocessing.get_context("spawn")
    answers = spawn.Queue()
    process = spawn.Process(target=_left, args=(pickle.dumps(budget), answers))
    process.start()
    assert answers.get(timeout=60) == (6, True)
    process.join()


def test_one_episode_budget_does_not_lift_another():
    env = EpisodeBudget(gym.make("LSE/TextToSQL-v1", domain="clinic-0"), {"calls": 1000})
    for wrapped in (env, gym.wrappers.OrderEnforcing(env)):
        with pytest.raises(ArgumentError, match="Pass all caps to one"):
            EpisodeBudget(wrapped, {"calls": 130})


@pytest.mark.parametrize("count", [-1000, float("nan"), "5", None, 10**400, 5.5])
@pytest.mark.parametrize("place", ["prompt_tokens", "completion_tokens", "cached_tokens"])
def test_a_model_cannot_pay_back_what_was_spent(count, place):
    class Pays(Spy):
        def complete(self, requests):
            first, *rest = super().complete(requests)
            return [first._replace(**{place: count}), *rest]

    env = make(Pays(), budget={"tokens": 10_000_000})
    core = core_env(env)
    with pytest.raises(ProviderError, match="counts of tokens"):
        env.reset(seed=0)
    spent = core.budget.spent
    assert spent.calls > 1, "the other questions were answered, and are paid for"
    assert 0 < spent.tokens < 10_000_000
    assert core.budget.affords(core.budget.remaining), "no reservation is left behind"


def test_a_server_that_repeats_sealed_questions_puts_none_on_record(board, document, monkeypatch, tmp_path):
    def echo(handler, number):
        asked = handler.server.payloads[number]["messages"][-1]["content"]
        return handler.reply(400, {"error": {"message": f"cannot answer: {asked}", "code": "bad"}})

    number = board.submit(sent(document))
    with serve(echo) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        found = verify(board, number, Options(backends={"reader": "openai:x"}))
    assert "cannot answer" in found.reason, "its owner is told"
    build(board, tmp_path / "site")
    written = [*(tmp_path / "site").rglob("*.html"), board.path / "board.sqlite", board.path / "board.sqlite-wal"]
    assert not [path for path in written if path.exists() and b"cannot answer" in path.read_bytes()]
    assert board.store.history(number)[-1]["details"].startswith("openai:x on clinic-0: ProviderError")


STORE = {
    "a level of its own": ("verifications", "level", "bogus"),
    "a team that is no text": ("entries", "team", b"\xff"),
    "no time": ("entries", "submitted", b"x"),
    "a track that is no text": ("entries", "track", b"x"),
}


@pytest.mark.parametrize("name", STORE)
def test_a_store_that_was_edited_is_told(board, document, name):
    table, column, value = STORE[name]
    number = board.submit(sent(document))
    board.store.add_verification(number, "rejected", "why", {})
    with sqlite3.connect(board.path / "board.sqlite") as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute("PRAGMA ignore_check_constraints = 1")
        db.execute(f"UPDATE {table} SET {column} = ?", [value])
    with pytest.raises(BoardError, match="damaged: entry 1 has no"):
        rank(board)


@pytest.mark.parametrize("command", ["verify", "withdraw", "admit"])
def test_an_entry_of_no_board_is_told(board, command):
    reason = [] if command == "verify" else ["--reason", "x"]
    told = CliRunner().invoke(app, ["leaderboard", command, "9" * 30, "--board", str(board.path), *reason])
    assert isinstance(told.exception, BoardError)


def test_old_configs_are_read_without_their_agent(evil):
    config = {"env": "LSE/TextToSQL-v1", "agent": evil, "task_model": "reader", "ucb_c": 2.5, "feedback_size": 5}
    assert Config.from_json(config) == Config(
        env_args={"domain": "clinic-0", "feedback_size": 5}, agent=evil, agent_args={"ucb_c": 2.5}
    )
