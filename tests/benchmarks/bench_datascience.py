"""What a run of a script costs besides its work, and whether attempts use all cores.

    python tests/benchmarks/bench_datascience.py [--runs 20]

The script has ten lines: it imports pandas and scikit-learn, reads a small table, fits a model and saves predictions.
It runs in boxes forked from a warm process, as the scripts of task models do, and in fresh interpreters, by turns. Then
16 attempts that work half a second each go side by side, and as many one after the other.
"""

import argparse
import statistics
import subprocess
import sys
import time
from concurrent.futures import Future, wait
from pathlib import Path
from tempfile import TemporaryDirectory

from lse_gym.envs.datascience.executor import CORES, Bench, Settings

MIN_RATIO = 10.0  # fresh to warm
MIN_SPEED_UP = 0.8  # of 16 attempts side by side, a core: 1.6 on two
ATTEMPTS = 16
SCRIPT = """\
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
train = pd.read_csv("train.csv")
model = make_pipeline(StandardScaler(), Ridge())
model.fit(train[["a", "b"]], train["y"])
predicted = pd.DataFrame({"row_id": train.index, "y": model.predict(train[["a", "b"]])})
predicted.to_csv("prediction.csv", index=False)
print(len(predicted))
"""
WORK = "import time\nwhile time.process_time() < {}: sum(range(1000))\nprint('worked')"
WORK_S = 0.5


def write_table(folder: Path) -> Path:
    """A table of 100 rows."""
    path = folder / "train.csv"
    rows = (f"{i},{i * i % 17},{3 * i + 1}" for i in range(100))
    path.write_text("a,b,y\n" + "\n".join(rows))
    return path


def warm(files: dict[str, Path]) -> float:
    """Seconds of a run in a box, opening, saving and closing included."""
    started = time.perf_counter()
    bench = Bench(files, Settings(), 1 << 20)
    arguments = {"code": SCRIPT, "files_to_load": ["train.csv"], "files_to_save": ["prediction.csv"]}
    told = bench.call("python_executor", arguments)
    assert not isinstance(told, str)
    result = told.result()
    bench.close()
    assert result.startswith("100"), result
    return time.perf_counter() - started


def fresh(folder: Path) -> float:
    """Seconds of the same script in an interpreter of its own, unconfined."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == "100\n"
    return time.perf_counter() - started


def work() -> Future[str]:
    """An attempt that takes ``WORK_S`` of processor time, begun."""
    bench = Bench({}, Settings(), 1 << 20)
    begun = bench.call("", {"code": WORK.format(WORK_S), "files_to_load": [], "files_to_save": []})
    assert not isinstance(begun, str)
    begun.add_done_callback(lambda _: bench.close())
    return begun


def side_by_side() -> tuple[float, float]:
    """Seconds of 16 attempts, one after the other and all at once."""
    started = time.perf_counter()
    for _ in range(ATTEMPTS):
        work().result()
    one_by_one = time.perf_counter() - started
    wait([work() for _ in range(ATTEMPTS)])
    return one_by_one, time.perf_counter() - started - one_by_one


def main() -> int:
    """Measure, print, and fail where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    args = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        files = {"train.csv": write_table(folder)}
        started = time.perf_counter()
        warm(files)
        print(f"start of the warm process: {time.perf_counter() - started:.2f} s, once")
        fresh(folder)
        pairs = [(fresh(folder), warm(files)) for _ in range(args.runs)]
    slow, quick = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"a script of ten lines: {quick * 1e3:.0f} ms in a box, {slow * 1e3:.0f} ms in a fresh interpreter")
    print(f"ratio {slow / quick:.1f}, at least {MIN_RATIO:g} wanted")
    one_by_one, at_once = side_by_side()
    gain, wanted = one_by_one / at_once, MIN_SPEED_UP * CORES
    print(f"{ATTEMPTS} attempts of {WORK_S:g} s: {one_by_one:.1f} s one by one, {at_once:.1f} s side by side")
    print(f"{gain:.2f} times as fast on {CORES} cores, at least {wanted:.2f} wanted")
    return 0 if slow / quick >= MIN_RATIO and gain >= wanted else 1


if __name__ == "__main__":
    sys.exit(main())
