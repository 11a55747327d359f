"""What a sandbox costs: an empty box, and a script in a warm box against the same one in a fresh interpreter.

    python tests/benchmarks/bench_sandbox.py [--repeats 20]

The script reads a table with pandas and fits a model of scikit-learn to it. It runs in a box that is opened for it,
from a warm process that has imported both; in a fresh interpreter, as a user would run it; and in sixteen boxes one
after the other and at once. The sides alternate, so that a noisy machine disturbs both.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lse_gym.envs.sandbox import Limits, Sandbox

TARGET_EMPTY_MS = 10.0
TARGET_RATIO = 10.0  # a fresh interpreter's time over a warm box's
TARGET_PARALLEL = 0.75  # of the cores
BOXES = 16

SCRIPT = """
import pandas as pd
from sklearn.linear_model import LogisticRegression
table = pd.read_csv("train.csv")
test = pd.read_csv("test.csv")
columns = ["a", "b", "c"]
model = LogisticRegression().fit(table[columns], table["label"])
test["label"] = model.predict(test[columns])
test[["row", "label"]].to_csv("prediction.csv", index=False)
print(len(test), test["label"].mean())
"""
MODULE = "def run(source):\n    exec(compile(source, 'script.py', 'exec'), {'__name__': '__main__'})\n"


def table(rows: int) -> bytes:
    """A table of numbers with a label."""
    lines = [f"{n},{n * 7 % 101},{n * 13 % 97},{n * 29 % 89},{n * 7 % 101 > 50:d}" for n in range(rows)]
    return "\n".join(["row,a,b,c,label", *lines, ""]).encode()


def in_box(sandbox: Sandbox, files: dict[str, bytes]) -> bytes | None:
    """Run the script in a box of its own."""
    with sandbox.open(files) as box:
        result = box.call("bench_sandbox_program:run", SCRIPT).result()
        assert not result.failure, result
        return box.file("prediction.csv")


def fresh(folder: Path) -> bytes:
    """Run the script in an interpreter of its own."""
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return (folder / "prediction.csv").read_bytes()


def empty(repeats: int) -> list[float]:
    """Milliseconds of opening, calling and closing a box of a sandbox that has imported nothing."""
    times = []
    with Sandbox(["operator"]) as sandbox:
        for _ in range(repeats):
            start = time.perf_counter()
            with sandbox.open() as box:
                assert box.call("operator:neg", 1).result().value == -1
            times.append(1000 * (time.perf_counter() - start))
    return times


def timed(action, *arguments) -> tuple[float, bytes]:
    """Seconds, and what came of it."""
    start = time.perf_counter()
    result = action(*arguments)
    return time.perf_counter() - start, result


def main() -> int:
    """Print one line for each target; 1 if one is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    files = {"train.csv": table(400), "test.csv": table(100)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        (folder / "bench_sandbox_program.py").write_text(MODULE, encoding="utf-8")
        sys.path.insert(0, name)
        milliseconds = empty(5 * repeats)
        preload = ["pandas", "sklearn.linear_model", "bench_sandbox_program"]
        with Sandbox(preload, limits=Limits(memory_bytes=1 << 30)) as sandbox:
            print(f"confined by {sandbox.description}")
            pairs = [(timed(in_box, sandbox, files), timed(fresh, folder)) for _ in range(repeats + 1)][1:]
            assert len({prediction for pair in pairs for _, prediction in pair}) == 1
            sixteen = [at_once(sandbox, files) for _ in range(3)]
    ratios = [alone / box for (box, _), (alone, _) in pairs]
    boxes = [1000 * box for (box, _), _ in pairs]
    cores = len(os.sched_getaffinity(0))
    speedup = statistics.median(sixteen)
    print(f"an empty box: {statistics.median(milliseconds):.1f} ms (target {TARGET_EMPTY_MS:g})")
    print(f"a script in a warm box: {statistics.median(boxes):.0f} ms")
    print(f"a fresh interpreter: {statistics.median(ratios):.1f} times as long (target {TARGET_RATIO:g})")
    print(f"{BOXES} boxes at once: {speedup:.2f} times as fast as one after the other, on {cores} cores")
    reached = statistics.median(milliseconds) <= TARGET_EMPTY_MS and statistics.median(ratios) >= TARGET_RATIO
    return 0 if reached and speedup >= TARGET_PARALLEL * min(cores, BOXES) else 1


def at_once(sandbox: Sandbox, files: dict[str, bytes]) -> float:
    """How many times as fast sixteen boxes at once are as one after the other."""
    work = "import time\nwhile time.process_time() < 0.15: pass\n" + SCRIPT
    start = time.perf_counter()
    for _ in range(BOXES):
        with sandbox.open(files) as box:
            assert not box.call("bench_sandbox_program:run", work).result().failure
    middle = time.perf_counter()
    boxes = [sandbox.open(files) for _ in range(BOXES)]
    futures = [box.call("bench_sandbox_program:run", work) for box in boxes]
    assert not any(future.result().failure for future in futures)
    end = time.perf_counter()
    for box in boxes:
        box.close()
    return (middle - start) / (end - middle)


if __name__ == "__main__":
    sys.exit(main())
