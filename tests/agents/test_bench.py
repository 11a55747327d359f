"""The comparison: contestants and runs; it resumes, and who fails stops nobody."""

import json
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from lse_gym.agents.bench import grid as grid_module
from lse_gym.agents.bench.contestant import parse_contestant
from lse_gym.agents.bench.grid import KEPT, Grid, default_domains, error_file, jobs_of, run_grid
from lse_gym.agents.bench.report import (
    report,
)
from lse_gym.agents.bench.result import Result, read_results
from lse_gym.agents.settings import Settings
from lse_gym.cli.main import app
from lse_gym.envs.errors import ArgumentError, RunDirectoryError, UnknownNameError

ENV = "LSE/TextToSQL-v1"
OWN = """
from lse_gym.agents.search import SearchAgent


class Shouting(SearchAgent):
    name = "shouting"

    def edit(self, observation, step, deterministic=False):
        if step == 1 and self.args.seed == 1:
            raise RuntimeError("no more ideas")
        return observation["context"] + "!"
"""


@pytest.fixture
def grid():
    shared = Settings(rounds=3, budget_calls=250)
    contestants = [parse_contestant(text) for text in ("chain: lse,selection=deepest", "no-op")]
    return Grid(contestants, [(ENV, "clinic-0"), (ENV, "lab-0")], (0, 1), shared, ("reader",))


def test_a_grid_runs_once_and_is_the_same_again(grid, tmp_path):
    told = []
    found = run_grid(grid, tmp_path, on_result=lambda job, result, error: told.append(error))
    assert [(r.label, r.domain, r.seed) for r in found] == [
        (label, domain, seed) for label in ("chain", "no-op") for domain in ("clinic-0", "lab-0") for seed in (0, 1)
    ]
    assert told == [None] * 8
    assert all(r.calls <= 250 and r.curve[-1][0] <= 250 for r in found)
    assert all(r.gain == 0 and r.start == r.transfer["reader"][0] == r.transfer["reader"][1] for r in found[4:])
    assert all(r.gain > 0 for r in found[:4])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("trajectory.jsonl")}
    assert run_grid(grid, tmp_path) == found == read_results(tmp_path / "results.jsonl")
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("trajectory.jsonl")}
    assert all(r.diversity == r.backward_transfer == 0 and r.without_context == 1 for r in found[4:])
    assert all(r.diversity > 0 and r.retention > 0.5 > r.without_context for r in found[:4])
    assert [[*r.unseen] for r in found[:4]] == [["lab-0"]] * 2 + [["clinic-0"]] * 2
    assert found[0].unseen["lab-0"][0] == found[2].start
    text = report(found)
    assert "| no-op | 4 |" in text
    assert "| contestant | diversity | retention |" in text
    assert "scored with" in text


def test_what_an_earlier_version_kept_is_measured_again_and_not_run_again(grid, tmp_path, monkeypatch):
    few = replace(grid, contestants=grid.contestants[:1], seeds=(0,), others=())
    found = run_grid(few, tmp_path)
    for kept in (tmp_path / "runs").rglob(KEPT):
        row = json.loads(kept.read_text())
        kept.write_text(json.dumps({key: value for key, value in row.items() if key not in Result._field_defaults}))
        (old,) = read_results(kept)
        assert (old.diversity, old.unseen) == (None, None)
        assert "diversity" not in report([old])
    monkeypatch.setattr(grid_module, "evolve", None)
    paid = {path: path.read_bytes() for path in tmp_path.rglob("responses.jsonl")}
    assert run_grid(few, tmp_path) == found
    assert paid == {path: path.read_bytes() for path in tmp_path.rglob("responses.jsonl")}, "what a run paid for"


def test_processes_give_the_same_results(grid, tmp_path):
    few = replace(grid, seeds=(0,), others=())
    assert run_grid(few, tmp_path / "two", workers=2) == run_grid(few, tmp_path / "one")


def test_another_budget_is_not_mixed_in(grid, tmp_path):
    few = replace(grid, contestants=grid.contestants[1:], seeds=(0,), others=())
    run_grid(few, tmp_path)
    other = replace(few, shared=replace(few.shared, budget_calls=300))
    told = []
    with pytest.raises(RunDirectoryError, match="calls: 250 there, 300 now"):
        run_grid(other, tmp_path, on_result=lambda *job: told.append(job))
    assert not told
    longer = replace(few, shared=replace(few.shared, rounds=4))
    assert all(found.rounds == 4 for found in run_grid(longer, tmp_path))


def test_what_is_no_run_is_told_first_and_a_damaged_one_stops_nobody(grid, tmp_path):
    few = replace(grid, contestants=grid.contestants[1:], seeds=(0,), others=())
    folder = tmp_path / "runs" / "no-op" / "TextToSQL-v1-lab-0-0"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"task": "train"}')
    with pytest.raises(RunDirectoryError, match="another configuration"):
        run_grid(few, tmp_path)
    (folder / "config.json").write_text("{")
    errors = []
    assert len(run_grid(few, tmp_path, on_result=lambda job, result, error: errors.append(error))) == 1
    assert "Restore it" in str(errors[1])


def test_an_agent_of_ones_own_joins_and_its_failure_stops_nobody(grid, tmp_path, monkeypatch):
    (tmp_path / "my_agents.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    own = replace(grid, contestants=[parse_contestant("my_agents:Shouting"), grid.contestants[1]], others=())
    errors, files = [], []

    def tell(job, result, error):
        errors.append(error)
        files.extend([error_file(job)] if error else [])

    found = run_grid(own, "out", workers=2, on_result=tell)
    assert [(r.label, r.seed) for r in found if r.domain == "lab-0"] == [
        ("my_agents:Shouting", 0), ("no-op", 0), ("no-op", 1)
    ]  # fmt: skip
    assert sorted(str(error) for error in errors if error) == ["no more ideas"] * 2
    assert all('my_agents.py", line 10, in edit' in file.read_text() for file in files)
    (tmp_path / "my_agents.py").write_text(OWN.replace("step == 1", "step == 100"))
    monkeypatch.delitem(sys.modules, "my_agents")
    run_grid(own, "out")
    assert not any(file.exists() for file in files)


def test_another_version_of_ones_own_agent_is_not_taken_for_the_one_that_ran(grid, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    (tmp_path / "mine.py").write_text(OWN)
    own = replace(grid, contestants=[parse_contestant("mine:Shouting")], seeds=(0,), others=())
    ran = []

    def run(text):
        (tmp_path / "mine.py").write_text(text)
        monkeypatch.delitem(sys.modules, "mine", raising=False)
        ran.clear()
        return run_grid(own, "out", on_result=lambda job, result, error: ran.append(error))

    first = run(OWN)
    assert run(OWN) == first
    assert run(f"# {OWN}") == first, "the same edits by another text"
    assert not run(OWN.replace('"!"', '"?"'))
    assert "comes out otherwise" in str(ran[-1])


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("lse,domain=lab-0", ArgumentError, "the same for all"),
        ("lse,budget_calls=9", ArgumentError, "the same for all"),
        ("lse,split_seed=7", ArgumentError, "the same for all"),
        ("lse,scoring=strict", ArgumentError, "the same for all"),
        ("lse,feedback=score", ArgumentError, "the same for all"),
        ("lse,max_chars=9", ArgumentError, "the same for all"),
        ("lse,selection", ArgumentError, "no key=value"),
        ("lse,ucbc=1", UnknownNameError, "Did you mean 'ucb_c'"),
        ("lse,record=x", UnknownNameError, "not a known argument"),
        ("lsee", UnknownNameError, "Did you mean 'lse'"),
        ("nowhere:Agent", ArgumentError, "cannot be imported"),
        ("json:JSONDecoder", ArgumentError, "no subclass"),
    ],
)
def test_a_wrong_contestant_is_told(text, error, says):
    with pytest.raises(error, match=says):
        parse_contestant(text)


def test_where_all_runs_of_the_reference_failed_the_others_are_told_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "loud_agents.py").write_text(OWN.replace("step == 1 and self.args.seed == 1", "True"))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    agents = ["--agent", "no-op", "--agent", "loud: loud_agents:Shouting", "--reference", "loud"]
    options = ["--domains", "lab-0", "--seeds", "1", "--rounds", "1", "--workers", "1", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, ["bench", *agents, *options], catch_exceptions=False)
    assert done.exit_code == 1
    assert "no more ideas" in done.output
    assert "gain less that of no-op" in (tmp_path / "out" / "report.md").read_text()


def test_an_agents_own_argument_reaches_it(tmp_path):
    contestant = parse_contestant("evoprompt,variant=de")
    assert contestant.settings == {"agent": "evoprompt", "agent_args": {"variant": "de"}}
    config = contestant.apply(Settings(rounds=1)).config()
    assert config.make_agent(config.make_env()).args.variant == "de"


def test_labels_must_differ(grid, tmp_path):
    with pytest.raises(ArgumentError, match="same label"):
        run_grid(replace(grid, contestants=[grid.contestants[0]] * 2), tmp_path)
    assert not any(tmp_path.iterdir())


def test_default_domains():
    assert len(default_domains(ENV, Settings())) == 15
    assert default_domains(ENV, Settings(), ["lab-3"]) == [(ENV, "lab-3")]


def test_domains_that_name_folders_stay_within_a_comparison(tmp_path, monkeypatch):
    """Names come from the files of others: each is one folder of its own, under the one that was asked for."""
    names = ["../../out", "/tmp/out", "..", "a/b", "a_b", "x" * 300]
    rows = [{"question": f"{name} {i}?", "answer": str(i), "domain": name} for name in names for i in range(12)]
    shared = Settings(rounds=1, env_args={"questions": rows})
    found = Grid([parse_contestant("no-op")], [("LSE/Custom-v1", name) for name in names], (0,), shared)
    out = tmp_path / "one" / "out"
    folders = [job.folder for job in jobs_of(found, out)]
    assert len(set(folders)) == len(names)
    assert {folder.resolve().parent for folder in folders} == {(out / "runs" / "no-op").resolve()}
    assert max(len(folder.name) for folder in folders) < 130


def test_questions_that_were_edited_under_the_same_name_are_not_those_that_ran(tmp_path):
    rows = [{"question": f"What is {i} and 1?", "answer": str(i + 1)} for i in range(40)]
    file = tmp_path / "sums.jsonl"

    def run():
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        shared, told = Settings(rounds=1, env_args={"questions": str(file)}), []
        grid = Grid([parse_contestant("no-op")], [("LSE/Custom-v1", "sums")], (0,), shared)
        return run_grid(grid, tmp_path / "out", on_result=lambda job, result, error: told.append(error)), told

    first, told = run()
    assert (len(first), told) == (1, [None])
    assert run() == (first, [None])
    rows[0]["answer"] = "2"
    found, told = run()
    assert found == []
    assert "data_sha256" in str(told[0]) or "questions" in str(told[0])


def test_seeds_are_compared_where_an_env_takes_no_split_seed(tmp_path):
    domains = [("LSE/Family-v0", "a")]
    shared = Settings(rounds=1, env_args={"family": "tests.envs.several_turns:RingFamily"}, feedback_size=2)
    told = []
    grid = Grid([parse_contestant("no-op")], domains, (0, 1), shared)
    found = run_grid(grid, tmp_path, on_result=lambda job, result, error: told.append(error))
    assert (told, [result.seed for result in found]) == ([None, None], [0, 1])
