"""The run directory: what it holds, and what it refuses."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from lse_gym.agents.run import RunDirectory, evolve
from lse_gym.agents.settings import Config
from lse_gym.envs.errors import ArgumentError, RunDirectoryError, UnknownNameError

FILES = {
    ".lock",
    "best_context.txt",
    "config.json",
    "curve.svg",
    "edits.jsonl",
    "responses.jsonl",
    "summary.json",
    "trajectory.jsonl",
    "tree.html",
    "tree.json",
    "tree.svg",
}
SUMMARY = {
    *("env_id", "domain", "agent", "task_model", "editor", "seed", "rounds", "calls", "tokens", "seed_score"),
    *("best_held_out_score", "test_score_seed", "test_score_best", "test_n", "test_ci95"),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    return out, evolve(Config.of(rounds=4), out)


def snapshot(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_and_summary(run):
    out, summary = run
    assert {path.name for path in out.iterdir()} == FILES
    assert json.loads((out / "summary.json").read_text()) == summary
    assert set(summary) >= SUMMARY
    assert summary["calls"] - summary["task_model_calls"] == 4, "one call of the editor a round"
    assert 0 < summary["task_model_tokens"] < summary["tokens"]
    assert summary["test_score_best"] > summary["test_score_seed"]
    assert summary["test_ci95"][0] <= summary["test_score_best"] <= summary["test_ci95"][1]
    rows = [json.loads(line) for line in (out / "trajectory.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == list(range(5))
    assert rows[-1]["spent"]["calls"] == summary["calls"]
    tree = json.loads((out / "tree.json").read_text())
    assert tree["format_version"] == 1
    assert tree["next_id"] == len(tree["nodes"]) == 5
    best = max(rows, key=lambda row: row["performance"])["performance"]
    assert summary["best_held_out_score"] == best


def test_the_calls_of_the_summary_are_those_of_the_records(run):
    out, summary = run
    recorded = sum((out / name).read_bytes().count(b"\n[") for name in ("responses.jsonl", "edits.jsonl"))
    assert summary["test_calls"] == 2 * summary["test_n"] == summary["test_calls_cap"], "outside of the budget"
    assert recorded == summary["calls"] + summary["test_calls"]


def test_another_configuration_is_refused_and_nothing_is_overwritten(run):
    out, _ = run
    before = snapshot(out)
    with pytest.raises(RunDirectoryError, match="seed: 0 there, 1 now"):
        evolve(Config.of(rounds=4, seed=1), out, resume=True)
    with pytest.raises(RunDirectoryError, match="--resume"):
        evolve(Config.of(rounds=4), out)
    assert snapshot(out) == before


def test_a_finished_run_is_made_longer_to_what_it_would_have_been(run, tmp_path):
    out, _ = run
    shutil.copytree(out, tmp_path / "longer")
    longer = evolve(Config.of(rounds=6), tmp_path / "longer", resume=True)
    assert longer == evolve(Config.of(rounds=6), tmp_path / "at once")
    for name in ("trajectory.jsonl", "config.json", "tree.json"):
        assert (tmp_path / "longer" / name).read_bytes() == (tmp_path / "at once" / name).read_bytes()
    with pytest.raises(RunDirectoryError, match="rounds: 6 there, 4 now"):
        evolve(Config.of(rounds=4), tmp_path / "longer", resume=True)


def test_nothing_to_resume_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(RunDirectoryError, match="no run to resume"):
        evolve(Config.of(rounds=1), tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RunDirectoryError, match="neither empty nor a run directory"):
        evolve(Config.of(rounds=1), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {"thesis.txt", ".lock"}
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_two_processes_cannot_share_a_run(tmp_path):
    code = (
        "import sys\nfrom lse_gym.agents.run import RunDirectory\n"
        "with RunDirectory(sys.argv[1], {}) as run:\n    print('in', flush=True)\n    sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout.readline() == b"in\n"
        with pytest.raises(RunDirectoryError, match="another process"), RunDirectory(tmp_path / "run", {}, True):
            pass
    finally:
        holder.communicate(b"")
    with RunDirectory(tmp_path / "run", {}, resume=True):
        pass


def test_a_changed_journal_is_noticed(run, tmp_path):
    out, _ = run
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in out.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    journal = (copy / "trajectory.jsonl").read_text().replace('"performance": 0.', '"performance": 0.9', 1)
    (copy / "trajectory.jsonl").write_text(journal)
    with pytest.raises(RunDirectoryError, match="round 0"):
        evolve(Config.of(rounds=4), copy, resume=True)


@pytest.mark.parametrize(
    "change",
    [
        {"agent": "lsee"},
        {"task_model": "raeder"},
        {"editor": "writers"},
        {"domain": "clinc-0"},
        {"selection": "ucbb"},
        {"order": "papre"},
        {"scoring": "sett"},
        {"feedback": "golden"},
    ],
    ids=str,
)
def test_unknown_names_list_the_valid_ones_and_write_nothing(change, tmp_path):
    (value,) = change.values()
    with pytest.raises(UnknownNameError, match=f"{value!r} is not a known .*Did you mean"):
        evolve(Config.of(rounds=1, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_bad_numbers_raise(tmp_path):
    with pytest.raises(ArgumentError, match="rounds=-1"):
        evolve(Config.of(rounds=-1), tmp_path / "run")
    with pytest.raises(ArgumentError, match=r"does not pay for the first evaluation.* 60 calls"):
        evolve(Config.of(rounds=1, budget_calls=59), tmp_path / "run")


def test_what_the_budget_does_not_pay_for_is_told_before_anything_else(tmp_path):
    with pytest.raises(ArgumentError, match="first evaluation, of 60 questions"):
        evolve(Config.of(budget_calls=5), tmp_path / "run", on_start=lambda: pytest.fail("it began"))
    assert not (tmp_path / "run").exists()


def test_another_configuration_is_told_by_the_names_of_what_differs(tmp_path):
    evolve(Config.of(rounds=0), tmp_path / "run")
    with pytest.raises(RunDirectoryError) as caught:
        evolve(Config.of(rounds=0, domain="hotel-0"), tmp_path / "run", resume=True)
    assert "(domain: 'clinic-0' there, 'hotel-0' now)" in str(caught.value)  # and no digests, which follow from it
    config = tmp_path / "run" / "config.json"
    config.write_text(re.sub(r'("data_sha256": ")\w+', r"\g<1>0", config.read_text()))
    with pytest.raises(RunDirectoryError, match=r"\(the questions or their answers have changed\)"):
        evolve(Config.of(rounds=0), tmp_path / "run", resume=True)


@pytest.mark.parametrize("cap", [60, 61, 121, 200, 333])
def test_the_budget_of_a_run_is_hard(cap, tmp_path):
    summary = evolve(Config.of(rounds=6, budget_calls=cap), tmp_path / "run")
    assert summary["calls"] <= cap
    assert summary["rounds"] < 6


def test_zero_rounds_evaluate_the_seed_context(tmp_path):
    summary = evolve(Config.of(rounds=0), tmp_path / "run")
    assert summary["rounds"] == 0
    assert summary["test_score_best"] == summary["test_score_seed"]
