"""Jobs side by side: every one is accounted for, and no worker outlives its owner."""

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lse_gym.agents.parallel import side_by_side
from lse_gym.envs.errors import ArgumentError

OWNER = """
import os, sys, time
from lse_gym.agents.parallel import side_by_side
from tests.agents.test_parallel import tell_and_wait

if __name__ == "__main__":
    list(side_by_side(tell_and_wait, [sys.argv[1]] * 2, 2))
"""


def tell_and_wait(folder):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(600)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("workers", [1, 2])
def test_each_job_comes_with_its_result_or_its_error(workers):
    found = {job: (result, str(error or "")) for job, result, error in side_by_side(math.sqrt, [4, -1, 9], workers)}
    assert found == {4: (2.0, ""), -1: (None, "math domain error"), 9: (3.0, "")}


def test_there_is_at_least_one_worker():
    with pytest.raises(ArgumentError, match="workers=0"):
        list(side_by_side(math.sqrt, [0], 0))


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc: processes are not seen")
def test_no_worker_outlives_an_owner_that_was_killed(tmp_path):
    (tmp_path / "told").mkdir()
    (tmp_path / "owner.py").write_text(OWNER)
    owner = subprocess.Popen(
        [sys.executable, tmp_path / "owner.py", tmp_path / "told"],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    deadline = time.monotonic() + 60
    while len(workers := os.listdir(tmp_path / "told")) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(workers) == 2
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, workers))
