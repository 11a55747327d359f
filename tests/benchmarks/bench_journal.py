"""What it costs to write a round: round 1,000 against round 10 of the same run.

    python tests/benchmarks/bench_journal.py [--rounds 1000]

Writing is everything that a run does to its directory between two rounds: responses, edits and the journal row. The
contexts are 2,000 characters long and 60 responses are new in every round.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import gymnasium as gym

from lse_gym.agents.noop import NoOpAgent
from lse_gym.agents.run import RunDirectory
from lse_gym.agents.tree import Tree
from lse_gym.envs.models.base import Request, Response, TaskModel
from lse_gym.envs.models.recorded import RecordedModel

WINDOW = 21  # rounds around each of the two that are compared
LIMIT = 1.0  # GEPA's run directory grows from 7 to 26 ms a round
TOLERANCE = 0.25  # of a median on a noisy machine


class Echo(TaskModel):
    """Answers with a fixed statement."""

    name, revision = "echo", "1"

    def complete(self, requests):
        return [Response("<answer>SELECT COUNT(*) FROM visits</answer>", 300, 10) for _ in requests]

    def count_tokens(self, text: str) -> int:
        return len(text) // 4


def measure(rounds: int) -> list[float]:
    """Milliseconds of writing in every round."""
    times = []
    with tempfile.TemporaryDirectory() as folder, RunDirectory(Path(folder) / "run", {"env": "bench"}) as run:
        model = RecordedModel(Echo(), Path(run.file("responses.jsonl")))
        editor = RecordedModel(Echo(), Path(run.file("edits.jsonl")))
        tree, parent = Tree("deepest"), None
        agent = NoOpAgent(gym.make("LSE/TextToSQL-v1", domain="clinic-0"))
        for index in range(rounds + WINDOW):
            context = f"Round {index}. ".ljust(2000, "x")
            fields = {"round_idx": index, "feedback": "", "feedback_score": 0.5, "batch": index}
            parent = tree.add(parent, context, 0.5, **fields)
            requests = [Request(context, f"question {number}") for number in range(60)]
            started = time.perf_counter()
            model.complete(requests)
            editor.complete([Request("", context)])
            run.record(agent, parent, {"domain": "bench", "problem": ""})
            times.append((time.perf_counter() - started) * 1e3)
    return times


def main() -> int:
    """Print the figures; exit status 1 when a late round costs more than an early one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1000)
    rounds = parser.parse_args().rounds
    times = measure(rounds)
    early, late = statistics.median(times[10 : 10 + WINDOW]), statistics.median(times[rounds : rounds + WINDOW])
    print(f"journal: round 10 {early:.2f} ms, round {rounds} {late:.2f} ms, ratio {late / early:.2f}, limit {LIMIT}")
    return late / early > LIMIT + TOLERANCE


if __name__ == "__main__":
    sys.exit(main())
