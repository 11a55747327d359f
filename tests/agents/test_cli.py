"""The command line as a newcomer meets it: the commands of the README, and the mistakes a person makes."""

import json
import os
import pty
import re
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import gymnasium as gym
import pytest
from typer.testing import CliRunner

from lse_gym.agents.bench.result import read_results, read_sources
from lse_gym.agents.lse.states import State, write_states
from lse_gym.cli.main import app
from lse_gym.envs.custom.make_scorer import SCORERS
from lse_gym.envs.errors import LSEGymError
from lse_gym.envs.extras import extras, missing
from tests.command import Command, run
from tests.qa.layouts import write_redux
from tests.sql.layouts import GEOQUERY


def test_evolve_by_default(tmp_path):
    done = run("evolve", "--rounds", 3, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "test score, n = " in done.stdout
    assert re.search(r"round   3  held-out 0\.\d\d", done.stderr)
    (folder,) = (tmp_path / "runs").iterdir()
    assert str(folder.relative_to(tmp_path)) in done.stdout
    again = run("evolve", "--rounds", 0, cwd=tmp_path)  # a second run never meets the first
    assert again.returncode == 0
    assert len(list((tmp_path / "runs").iterdir())) == 2


@pytest.mark.extra("hf")
@pytest.mark.parametrize(
    ("options", "editor"),
    [
        ([], "writer"),
        (["--editor", "nano-lse"], "nano-lse"),
        (["--set", "editor=nano-editor"], "nano-editor"),
        (["--env", "LSE/QA-v1"], "writer"),
        (["--agent", "hill-climb"], "writer"),
    ],
)
def test_evolve_edits_with_the_writer_unless_another_editor_is_named(tmp_path, options, editor):
    done = run("evolve", "--rounds", 0, "--out", "run", *options, cwd=tmp_path, env={"LSE_GYM_EDITOR": ""})
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run/config.json").read_text())["agent_args"].get("editor", "writer") == editor
    assert ("trained by LSE" in done.stderr) == (editor == "nano-lse")


def test_evolve_on_a_terminal_draws_a_tree(tmp_path):
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "lse_gym", "evolve", "--rounds", "3"],
        cwd=tmp_path,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "50"},
    )
    os.close(follower)
    seen = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        seen += part
    os.close(leader)
    assert process.wait(timeout=60) == 0
    text = seen.decode()
    assert "evolving" in text
    assert "└──" in text
    assert "test score, n = " in text


def test_evaluate_a_context_file(tmp_path):
    (tmp_path / "context.txt").write_text("Return one SQLite statement that answers the question.\n")
    human = run("evaluate", "context.txt", "--domain", "hotel-1", cwd=tmp_path)
    assert re.fullmatch(r"0\.\d{3}  \(95 % interval .*, n = 60, split test\)  hotel-1\n", human.stdout), human.stderr
    machine = run("evaluate", "-", "--domain", "hotel-1", "--json", cwd=tmp_path, stdin="Return one SQLite statement.")
    result = json.loads(machine.stdout)
    assert result["ci95"][0] <= result["score"] <= result["ci95"][1]
    assert f"{result['score']:.3f}" == human.stdout[:5]


@pytest.mark.parametrize("name", ["{}", "-"])
def test_a_context_file_is_read_as_what_evolve_starts_from(name, tmp_path, monkeypatch):
    data = "\ufeffOne statement.\r\nIts end\x07 is \u202e a semicolon.\r\n\r\n".encode()
    path, seen = tmp_path / "context.txt", []
    path.write_bytes(data)
    env = gym.make("LSE/TextToSQL-v1", domain="hotel-1", start=str(path))
    start = env.reset(seed=0)[0]["context"]
    assert start == "One statement.\nIts end\ufffd is \ufffd a semicolon."
    monkeypatch.setattr("lse_gym.cli.evaluate.evaluate_context", lambda env, context, split: seen.append(context))
    CliRunner().invoke(app, ["evaluate", name.format(path), "--domain", "hotel-1"], input=data)
    assert seen == [start]


@pytest.mark.parametrize("command", ["envs", "doctor"])
def test_lists(command, tmp_path):
    done = run(command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "LSE/TextToSQL-v1" in done.stdout


def test_the_domains_of_an_env_are_listed_with_what_became_of_annotated_errors(tmp_path):
    write_redux(tmp_path)
    done = run("envs", "LSE/MMLURedux-v0", "--data-dir", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "world_capitals" in done.stdout
    assert "wrong_groundtruth: 1 corrected" in " ".join(done.stdout.replace("│", " ").split())


@pytest.mark.parametrize("columns", ["60", "120"])
def test_lists_of_domains_are_whole_on_any_terminal(tmp_path, columns):
    write_redux(tmp_path)
    wide = run("envs", "LSE/MMLURedux-v0", "--data-dir", tmp_path, cwd=tmp_path, env={"COLUMNS": columns}).stdout
    assert "world_capitals" in wide
    assert "…" not in wide
    groups = run("envs", "LSE/ToolUse-v0", cwd=tmp_path, env={"COLUMNS": columns}).stdout.splitlines()
    assert all(line.count("│") == 6 for line in groups[3:-1])
    assert [line.split()[-2] for line in groups if "bikes-0" in line or "marina-0" in line] == ["train", "test"]


def test_doctor_says_that_the_package_is_not_installed(monkeypatch):
    def nowhere(name):
        raise metadata.PackageNotFoundError(name)

    extras.cache_clear()
    monkeypatch.setattr(metadata, "requires", nowhere)
    told = CliRunner().invoke(app, ["doctor"], catch_exceptions=False).output
    assert "pip install -e ." in told
    assert "smollm2" in told


def test_doctor_names_the_pip_command(tmp_path):
    extras = run("doctor", cwd=tmp_path).stdout
    for line in extras.splitlines():
        if line.startswith("absent"):
            assert re.search(r"pip install 'lse-gym\[\w+\]'", line)


def test_help_names_every_option_and_choice(tmp_path):
    text = run("evolve", "--help", cwd=tmp_path).stdout
    options = "env agent task-model editor domain data-dir rounds seed budget-calls out resume".split()
    for word in [*(f"--{option}" for option in options), "hill-climb", "reader", "writer", "ucb", "LSE/BIRD-v0"]:
        assert word in text
    assert SCORERS.keys() - {"exact_match"} <= {*re.findall(r"\w+", text)}


def test_questions_of_ones_own_go_to_every_env_that_takes_them(tmp_path):
    rows = (json.dumps({"question": f"What is {n} + 1?", "answer": str(n + 1)}) for n in range(24))
    (tmp_path / "sums.jsonl").write_text("\n".join(rows))
    given = ["--env", "LSE/Hint-v0", "--questions", str(tmp_path / "sums.jsonl"), "--scorer", "numeric"]
    done = CliRunner().invoke(app, ["evolve", *given, "--plan", "--rounds", "0"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "LSE/Hint-v0, domain sums" in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evolve", "--env", "LSE/TextToSQl-v0"], ["LSE/TextToSQL-v1"]),
        (["evolve", "--domain", "clinc-0"], ["'clinic-0'", "Did you mean"]),
        (["evolve", "--task-model", "gpt"], ["'reader'", "'writer'"]),
        (["evolve", "--agent", "hillclimb"], ["Did you mean 'hill-climb'"]),
        (["evolve", "--selection", "usb"], ["Did you mean 'ucb'"]),
        (["evolve", "--env", "LSE/BIRD-v0"], ["--data-dir", "https://bird-bench.github.io"]),
        (["evolve", "--env", "LSE/BIRD-v0", "--data-dir", "nowhere"], ["nowhere"]),
        (["evaluate", "missing.txt"], ["missing.txt"]),
        (["evaluate", ".", "--split", "tset"], ["."]),
        (["evolve", "--rouns", "3"], ["--rounds"]),
        (["evolve", "--resume"], ["--resume needs --out"]),
        (["evolve", "--set", "ucb_c"], ["--set 'ucb_c'"]),
        (["evolve", "--scorer", "exact"], ["LSE/Custom-v1 needs --questions"]),
        (["evolve", "--env", "LSE/QA-v1", "--questions", "my.csv"], ["LSE/QA-v1 takes no questions of your own"]),
        (["evolve", "--env", "LSE/Family-v0"], ["--env-set family=", "envs/EXTENDING.md"]),
        (["train", "x.jsonl", "--method", "dpo", "--steps", "5", "--seed", "1"], ["--method dpo has no --steps."]),
        (["train", "x.jsonl", "--method", "lse", "--beta", "1"], ["--method lse has no --beta."]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes_end_in_one_message(arguments, words, tmp_path):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_full_disk_keeps_what_is_done(tmp_path):
    code = (
        "import resource, signal, sys\n"
        "from lse_gym.envs.sql.procedural.family import ProceduralFamily\n"
        "ProceduralFamily().load('clinic-0').verify()\n"  # its files, and the workers, are there before the limit
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))\n"
        "sys.argv = ['lse-gym', 'evolve', '--rounds', '12', '--out', 'run']\n"
        "from lse_gym.__main__ import main\nmain()\n"
    )
    full = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert full.returncode == 1, full.stderr
    assert "Traceback" not in full.stderr
    assert "--resume" in full.stderr
    assert (tmp_path / "run" / "trajectory.jsonl").stat().st_size > 0
    after = run("evolve", "--rounds", 12, "--out", "run", "--resume", cwd=tmp_path)
    whole = run("evolve", "--rounds", 12, "--out", "whole", cwd=tmp_path)
    assert after.returncode == whole.returncode == 0
    for name in ("trajectory.jsonl", "responses.jsonl", "summary.json"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_options_beside_resume_are_compared_and_no_others(tmp_path):
    told = ("--domain", "shop-0", "--rounds", 2, "--seed", 3, "--feedback", "error", "--set", "temperature=0")
    assert run("evolve", *told, "--out", "run", cwd=tmp_path).returncode == 0
    for again in (("--seed", 3), ("--feedback", "error", "--set", "temperature=0"), told):
        done = run("evolve", "--out", "run", "--resume", *again, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for other, different in (
        (("--seed", 4), "seed: 3 there, 4 now"),
        (("--env-set", "samples=2", "--rounds", 1), "samples: None there, 2 now; rounds: 2 there, 1 now"),
        (("--agent", "no-op"), "agent: 'lse' there, 'no-op' now"),
    ):
        done = run("evolve", "--out", "run", "--resume", *other, cwd=tmp_path)
        assert done.returncode != 0
        assert f"({different}" in done.stderr


@pytest.mark.skipif(not GEOQUERY.exists(), reason="GeoQuery is not beside the repository")
def test_real_questions(tmp_path):
    done = run("evolve", "--env", "LSE/BIRD-v0", "--data-dir", GEOQUERY, "--rounds", 6, "--out", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["domain"] == "geography"
    assert summary["best_context_chars"] <= 8000
    assert summary["test_score_best"] >= summary["test_score_seed"] + 0.25


def test_an_agents_own_argument_is_set(tmp_path):
    done = run("evolve", "--agent", "opro", "--rounds", 1, "--set", "shown=2", "--out", "r", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "r" / "config.json").read_text())["agent_args"] == {"shown": 2, "editor": "writer"}
    done = run("evolve", "--agent", "shinka", "--set", "editors=a,b: c", "--out", "s", cwd=tmp_path)
    assert done.returncode == 2
    assert "'a' is not a known model" in done.stderr
    done = run("evolve", "--agent", "opro", "--set", "showm=2", cwd=tmp_path)
    assert done.returncode == 2
    assert "Did you mean 'shown'?" in done.stderr


def test_a_comparison_and_its_report(tmp_path):
    options = ("--quick", "--agent", "no-op", "--agent", "best: oracle", "--workers", 1)
    done = run("bench", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\| no-op \| 3 \| .* \| 0\.000 \(0\.000 to 0\.000\) ≈ \| -0\.\d+", done.stdout)
    assert "1/6 no-op, clinic-0, seed 0: test 0." in done.stderr, "a pipe is told of every run"
    assert re.search(r"^6/6 best, \S+, seed 0: test 0\.\d+ to [01]\.\d+$", done.stderr, re.MULTILINE)
    again = run("bench", *options, cwd=tmp_path)
    assert again.stdout == done.stdout
    (source,) = read_sources(tmp_path / "bench" / "results.jsonl")
    assert source.command == "lse-gym bench --quick --agent no-op --agent 'best: oracle' --workers 1"
    assert source.commit
    done = run("report", "bench/results.jsonl", "--reference", "no-op", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "gain less that of no-op" in (tmp_path / "report" / "report.md").read_text()
    if find_spec("matplotlib"):
        assert {path.name for path in (tmp_path / "report").iterdir()} == {"report.md", "budget.svg", "length.svg"}
    for command, says in (
        (("report", "nothing.jsonl"), "`lse-gym bench` writes results.jsonl"),
        (("bench", "--agent", "orakle"), "Did you mean 'oracle'?"),
        (("bench", "--agent", "lse,rounds=3"), "the same for all contestants"),
        (("bench", "--agent", "no-op", "--reference", "noop", "--plan"), "Did you mean 'no-op'?"),
        (("bench", "--domains", "clinics-0"), "Did you mean 'clinic-0'?"),
        (("report", "bench/results.jsonl", "--reference", "noop"), "Did you mean 'no-op'?"),
    ):
        done = run(*command, cwd=tmp_path)
        assert done.returncode == 2
        assert says in done.stderr


def test_bench_goes_on_with_further_seeds(tmp_path):
    command = ("bench", "--agent", "no-op", "--domains", "lab-0", "--rounds", 0, "--workers", 1)
    for folder, seeds in (("all", ("--seeds", 2)), ("second", ("--seeds", 1, "--first-seed", 1))):
        done = run(*command, *seeds, "--out", folder, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    every, second = (read_results(tmp_path / folder / "results.jsonl") for folder in ("all", "second"))
    assert second == every[1:]


def test_archive_and_train_say_what_is_missing(tmp_path):
    done = run("archive", "--domains", "library-0,shop-0", "--seeds", 1, "--rounds", 1, "--out", "a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2/2  shop-0, seed 0: held-out" in done.stdout
    assert "4 states in a/states.jsonl" in done.stdout
    done = run("archive", "--domains", "library-0,shops-0", cwd=tmp_path)
    assert done.returncode == 2
    assert "Did you mean 'shop-0'?" in done.stderr
    done = run("train", "a/runs", cwd=tmp_path)
    assert done.returncode == 2
    assert ("pip install 'lse-gym[hf]'" if missing("hf") else "`lse-gym archive` writes one") in done.stderr


@pytest.mark.extra("hf")
@pytest.mark.parametrize(
    ("dev", "held_back", "says"),
    [
        ("test", {"lab-0", "clinic-0"}, ""),
        ("lab-0,train", {"lab-0", "shop-0"}, ""),
        ("lab-0", {"lab-0"}, ""),
        ("labs-0", set(), "Did you mean 'lab-0'?"),
        ("hotel-0", set(), "no state in"),
    ],
)
def test_a_training_holds_back_what_is_named_a_group_too_and_a_wrong_name_is_told(
    tmp_path, monkeypatch, dev, held_back, says
):
    names = ("shop-0", "lab-0", "clinic-0")
    write_states(tmp_path / "states.jsonl", [State(name, "", 0.5, "", 0.5) for name in names])
    learners = []
    monkeypatch.setattr("lse_gym.cli.train._learn", lambda learner: learners.append(learner) or Path("best"))
    words = ["train", str(tmp_path / "states.jsonl"), "--dev", dev, "--out", str(tmp_path / "t")]
    if says:
        with pytest.raises(LSEGymError, match=re.escape(says)):
            CliRunner().invoke(app, words, catch_exceptions=False)
        assert not (tmp_path / "t").exists()
        return
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    (learner,) = learners
    assert {state.domain for state in learner.dev_states} == held_back
    assert {state.domain for state in learner.states} == {*names} - held_back


@pytest.mark.extra("hf")
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path):
    run("archive", "--domains", "library-0,shop-0", "--seeds", 1, "--rounds", 1, "--out", "a", cwd=tmp_path)
    options = ("--steps", 2, "--states-per-step", 1, "--samples", 2, "--max-edit-tokens", 24, "--lr", 1e-3)
    command = ("train", "a/states.jsonl", *options)
    assert run(*command, "--out", "whole", cwd=tmp_path).returncode == 0
    killed = Command(*command, "--out", "cut", cwd=tmp_path)
    killed.wait_for(tmp_path / "cut" / "checkpoint.pt")
    killed.kill()
    killed.wait()
    done = run(*command, "--out", "cut", "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    whole, cut = (tmp_path / name / "best" / "model.safetensors" for name in ("whole", "cut"))
    assert whole.read_bytes() == cut.read_bytes()
    steps = [json.loads(line)["step"] for line in (tmp_path / "cut" / "metrics.jsonl").read_text().splitlines()]
    assert steps == [0, 1]


@pytest.mark.extra("hf")
def test_an_editor_is_trained_and_evolves(tmp_path):
    options = ("--states-per-step", 1, "--samples", 2, "--max-edit-tokens", 120, "--out", "t", "--credit", "line")
    command = ("train", "--domains", "library-0,shop-0", "--length", 2, "--steps", 2, *options)
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "--editor hf:t/best" in done.stdout
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 2
    assert "holds this training already" in done.stderr
    done = run("train", "--out", "u", cwd=tmp_path)
    assert done.returncode == 2
    assert "Pass a file of states or" in done.stderr
    done = run("evolve", "--editor", "hf:t/best", "--rounds", 1, "--out", "r", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
