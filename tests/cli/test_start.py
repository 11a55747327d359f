"""The first seconds of a command: what is wrong is told before any work, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
import time

import gymnasium as gym
import pytest

import lse_gym
from lse_gym.agents.files import check_out, write_text
from lse_gym.agents.run import evolve, has_run
from lse_gym.agents.settings import Config, Settings
from lse_gym.cli import evolve as evolve_cli
from lse_gym.cli.about import UNTAUGHT, limits
from lse_gym.envs.editing import editor_prompt
from lse_gym.envs.errors import ArgumentError, ProviderError, RunDirectoryError, UnknownNameError
from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import TaskModel
from lse_gym.envs.models.chat_api import check_url
from lse_gym.envs.offline.writer import Writer
from lse_gym.envs.offline.writer.prompt import read_task
from lse_gym.leaderboard.errors import SubmissionError
from lse_gym.leaderboard.submission import find_runs
from tests.custom.questions import write_questions
from tests.envs.specs import arguments


def run(*arguments, cwd, **env):
    return subprocess.run(
        [sys.executable, "-m", "lse_gym", *map(str, arguments)],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "100", **env},
    )


class Broken(TaskModel):
    """Never answers."""

    name, revision = "tests.cli.test_start:Broken", "1"

    def complete(self, requests):
        raise ProviderError("no answer")

    def count_tokens(self, text):
        return len(text)


@pytest.mark.parametrize("command", ["evolve", "evaluate", "bench"])
def test_the_id_of_an_env_by_itself_is_told_its_option(tmp_path, command):
    done = run(command, "LSE/ToolUse-v0", cwd=tmp_path)
    assert done.returncode == 2
    assert "Pass --env LSE/ToolUse-v0." in done.stderr.decode()
    assert os.listdir(tmp_path) == []


def test_an_ascii_terminal_is_enough(tmp_path):
    done = run("evolve", "--rounds", 2, "--editor", "writer", cwd=tmp_path, LC_ALL="C", PYTHONUTF8="0", LANG="C")
    assert done.returncode == 0, done.stderr
    shown = (done.stdout + done.stderr).decode("ascii")
    assert "test score, n = " in shown
    told = done.stderr.decode()
    for fact in ("domain clinic-0", "reader, a scripted stand-in", "writer, a scripted stand-in", "2 edits", "no caps"):
        assert told.index(fact) < told.index("round   0")


def test_a_run_is_resumed_by_its_folder_alone(tmp_path):
    folder = "my run"
    done = run("evolve", "--rounds", 1, "--agent", "hill-climb", "--seed", 3, "--out", folder, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run("evolve", "--out", folder, "--resume", "--rounds", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert b"hill-climb, 2 edits, seed 3" in done.stderr


def test_a_run_has_a_folder_of_its_own_whatever_its_agent_and_domain_are_called(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for agent, domain, name in (
        ("lse", "clinic-0", "clinic-0-lse"),
        ("lse_gym.agents.noop:NoOpAgent", "law/EU 2", "law_EU_2-lse_gym.agents.noop_NoOpAgent"),
    ):
        folder = evolve_cli._new_folder(Settings(agent=agent, domain=domain).config())
        assert folder.parts == ("runs", f"TextToSQL-v1-{name}-0")


def test_ctrl_c_at_any_moment_of_the_start_is_no_traceback(tmp_path):
    for seconds in (0.5, 1.0, 1.5):
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import lse_gym.__main__ as m; print(flush=True); m.main()",
                "evolve",
                "--rounds",
                "0",
            ],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[1].decode()
        assert "Traceback" not in told
        assert process.returncode in (0, 1, 130, -signal.SIGINT), told  # the last: as Python itself was ending


def test_version_and_short_help(tmp_path):
    assert run("--version", cwd=tmp_path).stdout.decode() == f"lse-gym {lse_gym.__version__}\n"


@pytest.mark.parametrize(("given", "taken"), [({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")])
def test_threads_of_a_command_sleep_while_they_wait(monkeypatch, given, taken):
    code = "import os; from lse_gym.cli.shell import run\ntry: run()\nfinally: print(os.environ['OMP_WAIT_POLICY'])"
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    done = subprocess.run([sys.executable, "-c", code, "--version"], capture_output=True, env=os.environ | given)
    assert done.stdout.decode().split()[-1] == taken


def test_a_full_disk_in_any_command_is_one_line(tmp_path):
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from lse_gym.agents.bench.result import Result\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "import lse_gym.cli.bench as bench\n"
        "bench.read_results = lambda path: []\n"
        "bench.report = lambda *_: 'x' * 5000\n"
        "sys.argv = ['lse-gym', 'report', 'results.jsonl']\n"
        "from lse_gym.__main__ import main\nmain()\n"
    )
    full = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert full.returncode == 1
    assert re.fullmatch(r"error: File too large.*\n", full.stderr)


@pytest.mark.parametrize("make", ["file", "below a file", "read-only"])
def test_what_cannot_be_written_is_told_first(tmp_path, make, monkeypatch):
    (tmp_path / "file").write_text("")
    if make == "read-only":
        tmp_path.chmod(0o500)
        if os.access(tmp_path, os.W_OK):
            tmp_path.chmod(0o700)
            pytest.skip("this user may write anywhere")
    out = {"file": tmp_path / "file", "below a file": tmp_path / "file" / "a" / "b"}.get(make, tmp_path / "new" / "run")
    with pytest.raises(RunDirectoryError, match="cannot be written"):
        check_out(out)
    with pytest.raises(RunDirectoryError, match="cannot be written"):
        evolve(Config.of(env="LSE/None-v0"), out)  # before anything else is looked at
    tmp_path.chmod(0o700)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_checking_leaves_nothing(tmp_path):
    check_out(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("there", [False, True])
def test_a_start_that_fails_leaves_no_folder(tmp_path, there):
    out = tmp_path / "runs" / "first"
    if there:
        out.mkdir(parents=True)
    with pytest.raises(ProviderError):
        evolve(Config.of(task_model=Broken.name), out)
    with pytest.raises(ArgumentError, match="does not pay"):
        evolve(Config.of(budget_calls=3), out)
    assert not has_run(out)
    assert [*tmp_path.rglob("*")] == ([out.parent, out] if there else [])


def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path, monkeypatch):
    def full(self, *_, **__):
        raise OSError(28, "No space left on device")  # as writing tells it: without a name

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*index\.html'"):
        write_text(tmp_path / "index.html", "a page")
    assert not list(tmp_path.iterdir())


def test_a_run_that_was_not_finished_says_how_to_finish_it(tmp_path):
    with pytest.raises(OSError, match="No space"):
        evolve(Config.of(), tmp_path / "my run", on_node=lambda *_: (_ for _ in ()).throw(OSError(28, "No space")))
    with pytest.raises(SubmissionError, match=r"lse-gym evolve --out '.*my run' --resume"):
        find_runs(tmp_path / "my run")
    with pytest.raises(SubmissionError, match=r"lse-gym evolve --out .*nothing"):
        find_runs(tmp_path / "nothing")


def test_stand_ins_say_what_they_cannot_do(tmp_path):
    towns = "Paris Lima Rome Madrid Santiago Tokyo Nairobi Havana Tehran Baghdad Cairo Oslo".split()
    rows = "".join(f"Capital of land {i}?,{town}\n" for i, town in enumerate(towns))
    (tmp_path / "towns.csv").write_text("question,answer\n" + rows)
    done = run("evolve", "--questions", "towns.csv", "--rounds", 1, "--editor", "writer", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    before, after = done.stderr.decode().split("round   0")
    assert "reader is a stand-in that knows nothing of the world" in before
    assert "--task-model openai:MODEL" in before
    assert "Nothing was gained by 1 edit" in after
    assert "--editor openai:MODEL" in before
    assert "is a stand-in" not in after  # once is enough


def test_a_comparison_says_what_its_stand_ins_cannot_do_and_names_its_models(tmp_path):
    rows = "".join(f"Capital of land {i}?,town {i}\n" for i in range(12))
    (tmp_path / "towns.csv").write_text("question,answer\n" + rows)
    given = ("bench", "--questions", "towns.csv", "--rounds", 1, "--seeds", 1, "--agent", "no-op", "--agent", "lse")
    done = run(*given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = done.stderr.decode()
    assert told.count("reader is a stand-in that knows nothing of the world") == 1
    assert "task model  reader, a scripted stand-in" in told
    assert "Task model: reader; editor: writer." in (tmp_path / "bench" / "report.md").read_text()


def test_where_the_budget_ends_a_run_it_is_told(tmp_path):
    done = run("evolve", "--rounds", 8, "--budget-calls", 200, "--out", "run", cwd=tmp_path)
    told = done.stderr.decode()
    assert "2 edits of 8: no other fits into --budget-calls 200" in told, told
    none = run("evolve", "--rounds", 8, "--budget-calls", 70, "--out", "none", cwd=tmp_path).stderr.decode()
    assert "0 edits of 8: no other fits" in none
    assert "Nothing was gained" not in none
    more = run("evolve", "--budget-calls", 300, "--resume", "--out", "run", cwd=tmp_path)
    assert more.returncode == 2
    assert "what the response cache holds of that run is not paid again" in more.stderr.decode()
    whole = run("evolve", "--rounds", 2, "--budget-calls", 200, "--out", "whole", cwd=tmp_path).stderr.decode()
    assert "fits into" not in whole


def test_the_id_of_a_hub_is_told_its_prefix():
    with pytest.raises(UnknownNameError, match='is "hf:HuggingFaceTB/SmolLM2-135M-Instruct"'):
        make_model("HuggingFaceTB/SmolLM2-135M-Instruct")


def test_a_wrong_address_is_told_before_anything_is_asked(tmp_path):
    for address in ("nowhere", "ftp://host/v1", "http://"):
        with pytest.raises(ArgumentError, match="OPENAI_BASE_URL"):
            check_url(address)
    done = run("evolve", "--task-model", "openai:m", cwd=tmp_path, OPENAI_BASE_URL="nowhere")
    assert done.returncode == 2
    assert done.stderr.decode().count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_what_was_paid_for_is_kept(tmp_path):
    def stop(*_):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        evolve(Config.of(), tmp_path / "run", on_node=stop)
    assert has_run(tmp_path / "run")
    assert (tmp_path / "run" / "responses.jsonl").stat().st_size


def test_edits_that_change_nothing_are_told_with_what_the_editor_said(tmp_path):
    write_questions(tmp_path / "my.jsonl")
    mine = ["--questions", "my.jsonl", "--feedback", "error", "--editor", "writer", "--rounds", 2, "--out", "run"]
    done = run("evolve", *mine, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stderr.decode().split())
    assert "Every edit left the context as it was." in told
    assert "last word: The report shows no correct answer to learn from." in told
    assert "worked examples are kept" in (kept := learnt(tmp_path)), kept


def learnt(folder):
    """What the writer says of the same questions where it is shown the answers."""
    done = run("evolve", "--questions", "my.jsonl", "--editor", "writer", "--rounds", 1, "--out", "more", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "Answer: " in (folder / "more" / "trajectory.jsonl").read_text().splitlines()[1]
    return (folder / "more" / "edits.jsonl").read_text()


@pytest.mark.parametrize("name", UNTAUGHT)
def test_where_the_writer_finds_no_rules_is_told(name, tmp_path):
    id_, args = arguments((name, ""), tmp_path)
    seen, _ = gym.make(id_, **args).reset(seed=0)
    task = read_task(editor_prompt(seen["context"], seen["feedback"], 8000))
    assert Writer().revise(task, 0).context == seen["context"]
    assert [UNTAUGHT[name] in line for line in limits(Config(env=name, agent_args={"editor": "writer"}))] == [True]
    assert not [*limits(Config(env=name, agent_args={"editor": "apprentice"}))]


def test_a_shorter_context_that_did_as_well_is_told(monkeypatch):
    told = []
    monkeypatch.setattr(evolve_cli, "say", lambda text, _: told.append(text))
    rows = [{"round_idx": i, "context": "x" * i, "performance": score} for i, score in enumerate((0.0, 0.5, 0.0, 0.5))]
    evolve_cli._tell_shorter({"best_held_out_score": 0.5, "best_context_chars": 3}, rows)
    evolve_cli._tell_shorter({"best_held_out_score": 0.5, "best_context_chars": 1}, rows)
    assert len(told) == 1
    assert "That of round 1 has 1 character instead of 3" in told[0]
