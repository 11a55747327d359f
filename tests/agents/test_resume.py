"""A run that is killed at any moment goes on to the identical result."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.command import Command, run

COMPARED = (
    "config.json",
    "trajectory.jsonl",
    "responses.jsonl",
    "edits.jsonl",
    "tree.json",
    "tree.svg",
    "tree.html",
    "curve.svg",
    "best_context.txt",
    "summary.json",
)
ROUNDS = "12"


def evolve(out: Path, *more: str) -> Command:
    return Command("evolve", "--rounds", ROUNDS, "--out", out, *more, cwd=".")


def go_on(out: Path) -> Command:
    """Resume the run, or start it where it was killed before there was one."""
    return evolve(out, *["--resume"] * (out / "config.json").exists())


def finish(process: Command) -> str:
    done = process.wait()
    assert done.returncode == 0, done.stderr
    return done.stderr + done.stdout


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    out = tmp_path_factory.mktemp("runs") / "whole"
    run("--version", cwd=".")  # from here on processes fork at once
    started = time.monotonic()
    finish(evolve(out))
    return out, time.monotonic() - started


def contents(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in COMPARED}


def wait_for(trajectory: Path, rounds: int, process: Command) -> None:
    """Wait until so many rounds are done, or the process is."""
    while process.poll() is None and (trajectory.read_bytes().count(b"\n") if trajectory.exists() else 0) < rounds:
        time.sleep(0.001)


def kill_and_resume(uninterrupted: tuple[Path, float], out: Path, moments: int, seed: int) -> None:
    expected, rng = contents(uninterrupted[0]), random.Random(seed)
    cut = 0
    for number in range(moments):
        run = out / str(number)
        process = evolve(run)
        wait_for(run / "trajectory.jsonl", rng.randrange(int(ROUNDS)), process)
        time.sleep(rng.uniform(0, 0.02))
        process.kill()
        process.wait()
        cut += (run / "trajectory.jsonl").exists() and not (run / "summary.json").exists()
        finish(go_on(run))
        assert contents(run) == expected
    assert cut, "no kill came in the middle of a run"


def test_killed_runs_resume_to_the_identical_result(uninterrupted, tmp_path):
    kill_and_resume(uninterrupted, tmp_path, moments=4, seed=0)


@pytest.mark.long
def test_thirty_killed_runs_resume_to_the_identical_result(uninterrupted, tmp_path):
    kill_and_resume(uninterrupted, tmp_path, moments=30, seed=1)


def test_a_run_killed_again_and_again_still_ends_the_same(uninterrupted, tmp_path):
    whole, seconds = uninterrupted
    rng = random.Random(2)
    for _ in range(4):
        process = go_on(tmp_path / "run")
        time.sleep(seconds * rng.uniform(0.2, 0.8))
        process.kill()
        process.wait()
    finish(go_on(tmp_path / "run"))
    assert contents(tmp_path / "run") == contents(whole)


@pytest.mark.parametrize("name", ["trajectory.jsonl", "responses.jsonl", "edits.jsonl"])
def test_a_half_written_line_is_mended(uninterrupted, tmp_path, name):
    from lse_gym.agents.run import evolve
    from lse_gym.agents.settings import Config

    whole, _ = uninterrupted
    run = tmp_path / "run"
    run.mkdir()
    for file in COMPARED[:4]:
        (run / file).write_bytes((whole / file).read_bytes())
    data = (run / name).read_bytes()
    (run / name).write_bytes(data[: len(data) * 2 // 3])
    evolve(Config.of(rounds=int(ROUNDS)), run, resume=True)
    assert contents(run) == contents(whole)


def test_interrupt_draws_the_tree_and_says_how_to_go_on(uninterrupted, tmp_path):
    _, seconds = uninterrupted
    run = tmp_path / "run"
    process = evolve(run, "--rounds", "2000")
    deadline = time.monotonic() + 30 + seconds
    while time.monotonic() < deadline:
        time.sleep(0.05)
        if (run / "trajectory.jsonl").exists() and (run / "trajectory.jsonl").read_bytes().count(b"\n") > 2:
            break
    os.kill(process.pid, signal.SIGINT)
    done = process.wait(60)
    output = done.stdout + done.stderr
    assert done.returncode == 130, output
    assert "--resume" in output
    assert "Traceback" not in output
    assert (run / "tree.svg").read_text().startswith("<svg")
