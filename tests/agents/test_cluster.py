"""Jobs on a Ray cluster: the results and the directories of the process engine, whatever becomes of a node."""

import json
import os
import signal
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from lse_gym.agents.bench.contestant import parse_contestant
from lse_gym.agents.bench.domains import evaluate_domains
from lse_gym.agents.bench.grid import Grid, run_grid
from lse_gym.agents.cluster.changes import Change, Watch, apply
from lse_gym.agents.lse.states import collect
from lse_gym.agents.parallel import make_engine, side_by_side
from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Config, Settings
from lse_gym.envs.errors import ArgumentError, DataError, EngineError, UnknownNameError
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.submission import About, find_runs, pack
from lse_gym.leaderboard.verify import Options, verify

ray = pytest.importorskip("ray", reason="pip install 'lse-gym[ray]'")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own

ENV = "LSE/TextToSQL-v1"
SHARED = Settings(rounds=3, budget_calls=250)
OVERHEAD_S = 0.05  # of a job beyond the first


def report(number, folder):
    """A job: what the folder held, and where it is done; leaves a file there."""
    if number == 13:
        raise KeyError(number)
    before = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    folder.mkdir(exist_ok=True)
    (folder / "found.txt").write_text(f"{number}\n")
    return before, os.getpid()


def nothing(number):
    return number


def die_once(number, folder):
    """A job that loses its worker in the middle of it, when it is done for the first time."""
    if (folder / "half").exists():
        return (folder / "half").read_text()
    folder.mkdir()
    (folder / "half").write_text("what was done before")
    time.sleep(3)  # until it has been sent home
    return os.kill(os.getpid(), signal.SIGKILL)


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def closed_port():
    """A port that nobody listens at, and nobody else is given."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def contents(folder):
    files = [path for path in sorted(folder.rglob("[!.]*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_changes_bring_another_folder_up_to_date(tmp_path):
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    watch = Watch(there)
    assert watch.changes() == []
    journal = there / "trajectory.jsonl"
    journal.write_text("one\n")
    (there / "a").write_text("a")
    (there / ".lock").write_text("")
    changes = watch.changes()
    assert [change.name for change in changes] == ["trajectory.jsonl", "a"]  # the journal is read before all else
    apply(here, changes)
    with journal.open("a") as file:
        file.write("two\n")
    (there / "a").unlink()
    os.replace(there / ".lock", there / "b")
    changes = watch.changes()
    assert {(change.name, change.offset, change.data) for change in changes} == {
        ("trajectory.jsonl", 4, b"two\n"), ("b", 0, b""), ("a", 0, None)
    }  # fmt: skip
    apply(here, changes)
    assert contents(here) == contents(there)
    assert watch.changes() == []


def test_no_name_leads_out_of_a_folder_and_no_link_is_followed(tmp_path):
    secret, folder = tmp_path / "secret", tmp_path / "run"
    folder.mkdir()
    secret.write_text("secret")
    (folder / "link").symlink_to(secret)
    (folder / "own").write_text("own")
    assert [change.name for change in Watch(folder).changes()] == ["own"]
    for name in ("../x", str(tmp_path / "x"), "link"):
        with pytest.raises(DataError, match="not inside"):
            apply(folder, [Change(name, 0, b"x")])
    assert secret.read_text() == "secret"
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (("rai",), UnknownNameError, "Did you mean 'ray'"),
        (("ray", 0), ArgumentError, "workers=0"),
        (("processes", 0), ArgumentError, "workers=0"),
    ],
)
def test_a_wrong_engine_is_told(arguments, error, says):
    with pytest.raises(error, match=says):
        make_engine(*arguments)
    with pytest.raises(ArgumentError, match="for a Ray cluster"):
        make_engine(gpus=1)
    with pytest.raises(ArgumentError, match="cpus_per_worker=-1"):
        make_engine("ray", cpus=-1)
    with closed_port() as port, pytest.raises(EngineError, match="refused"):
        list(side_by_side(nothing, [0], make_engine("ray", address=f"127.0.0.1:{port}")))


@pytest.fixture(scope="module")
def cluster():
    """Three nodes with a processor each; the first is the head."""
    from ray.cluster_utils import Cluster

    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    here = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=here)
    cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
    cluster.third = cluster.add_node(num_cpus=1, object_store_memory=80_000_000)
    cluster.wait_for_nodes()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def engine(cluster):
    engine = make_engine("ray", address=cluster.address)
    yield engine
    engine.close()


@pytest.mark.long
def test_folders_go_to_the_workers_and_come_home(engine, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "kept.txt").write_text("kept")
    jobs = [0, 1, 13, 2]
    found = {n: (r, e) for n, r, e in side_by_side(report, jobs, engine, lambda n: tmp_path / str(n))}
    assert [found[n][0][0] for n in (0, 1, 2)] == [[], ["kept.txt"], []]
    assert isinstance(found[13][1], KeyError)
    assert "in report" in found[13][1].__notes__[0], "where it was raised"
    assert not (tmp_path / "13").exists()
    assert contents(tmp_path) == {
        "0/found.txt": b"0\n", "1/found.txt": b"1\n", "1/kept.txt": b"kept", "2/found.txt": b"2\n"
    }  # fmt: skip
    assert os.getpid() not in {found[n][0][1] for n in (0, 1, 2)}


@pytest.mark.long
def test_a_job_costs_at_most_50_ms_beyond_the_first(engine):
    list(side_by_side(nothing, range(3), engine))
    start = time.perf_counter()
    found = sorted(result for _, result, _ in side_by_side(nothing, range(200), engine))
    each = (time.perf_counter() - start) / 200
    print(f"{each * 1000:.1f} ms a job")  # noqa: T201 - recorded by who runs it
    assert found == [*range(200)]
    assert each < OVERHEAD_S


@pytest.mark.long
def test_a_job_that_loses_its_worker_goes_on_with_what_came_home(engine, tmp_path, monkeypatch):
    monkeypatch.setattr("lse_gym.agents.cluster.HOME_EVERY_S", 0.5)
    ((_, result, error),) = side_by_side(die_once, [0], engine, lambda n: tmp_path / str(n))
    assert (result, error) == ("what was done before", None)
    ((_, result, error),) = side_by_side(die, [0], engine)
    assert result is None
    assert "lost its worker 3 times" in str(error)
    assert [r for _, r, _ in side_by_side(nothing, [5], engine)] == [5]  # the engine is none the worse


@pytest.mark.long
def test_a_node_is_killed_in_the_middle_and_the_results_are_those_of_processes(cluster, engine, tmp_path):
    contestants = [parse_contestant(text) for text in ("lse", "chain: lse,selection=deepest", "no-op", "evoprompt")]
    grid = Grid(contestants, [(ENV, "clinic-0"), (ENV, "lab-0")], (0, 1), SHARED, ("reader",))
    ended = []

    def tell(job, result, error):
        ended.append((job, error))
        if len(ended) == 4:
            cluster.remove_node(cluster.third, allow_graceful=False)

    run_grid(grid, tmp_path / "ray", workers=engine, on_result=tell)
    run_grid(grid, tmp_path / "here", workers=2)
    assert [error for _, error in ended] == [None] * 16
    one, other = ((tmp_path / name / "results.jsonl").read_bytes().splitlines() for name in ("ray", "here"))
    assert sorted(one) == sorted(other)
    assert one == other
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")  # the directories of the runs, too


@pytest.mark.long
def test_a_comparison_goes_on_under_another_engine(engine, tmp_path):
    contestants = [parse_contestant(text) for text in ("lse", "no-op")]
    grid = Grid(contestants, [(ENV, "clinic-0")], (0,), SHARED)
    folder = tmp_path / "out" / "runs" / "lse" / "TextToSQL-v1-clinic-0-0"
    whole = run_grid(grid, tmp_path / "whole")
    config = contestants[0].apply(replace(SHARED, env=ENV, domain="clinic-0")).config()
    evolve(replace(config, rounds=1), folder)  # a run that was ended early, but for the length it was to have
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(json.dumps(json.loads(text) | {"rounds": 3}, indent=1) + "\n")
    (folder / "summary.json").unlink()
    first = (folder / "responses.jsonl").read_bytes()
    assert run_grid(grid, tmp_path / "out", workers=engine) == whole
    assert (folder / "responses.jsonl").read_bytes().startswith(first)
    before = contents(tmp_path / "out")
    assert run_grid(grid, tmp_path / "out", workers=2) == whole
    assert contents(tmp_path / "out") == before


@pytest.mark.long
def test_states_and_evaluations_are_those_of_one_process(engine, tmp_path):
    names = ["clinic-0", "lab-0"]
    one, other = (
        collect(replace(SHARED, domain=None), names, (0,), tmp_path / name, workers=workers)
        for name, workers in (("ray", engine), ("here", 1))
    )
    assert one == other
    config = Config.of(domain=None)
    scores = [evaluate_domains(config, "Dates are text.", names, workers=workers) for workers in (engine, 1)]
    assert [(name, s.mean, s.n) for name, s in scores[0].items()] == [(n, s.mean, s.n) for n, s in scores[1].items()]


@pytest.mark.long
def test_a_board_verifies_what_it_verifies_here(engine, tmp_path):
    evolve(Config.of(rounds=2, budget_calls=1300), tmp_path / "run")
    details = []
    with Board(tmp_path / "board", create=True) as board:
        (document,) = pack(find_runs(tmp_path / "run"), board.tracks, About())
        number = board.submit(json.dumps(document).encode())
        for workers in (engine, 1):
            verdict = verify(board, number, Options(workers, reproduce=True))
            assert (verdict.level, verdict.reason) == ("reproduced", "")
            details.append(verdict.details)
            board.store.db.execute("DELETE FROM scores")
    assert details[0]["scores"] == details[1]["scores"]


@pytest.mark.long
def test_who_ends_the_caller_ends_its_workers(engine):
    found = side_by_side(nothing, range(50), engine)
    next(found)
    threads = threading.active_count()
    found.close()
    assert threading.active_count() < threads
    assert engine._all == []
