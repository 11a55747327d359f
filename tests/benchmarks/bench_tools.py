"""What tools cost besides the task model: 64 attempts in one batch, wall clock against the time in the model.

    python tests/benchmarks/bench_tools.py [--batch-s 0.25] [--repeats 5]

The task model is `reader`, and takes as long for a batch as a served model might; everything else is real: prompts,
calls read from text, a database copied for each attempt, the difference at its end. The ratio has to stay below 1.3.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence

from lse_gym.envs.domain import SPLITS, Domain
from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Request, Response, TaskModel
from lse_gym.envs.session import Session
from lse_gym.envs.tools.procedural.family import OfficeFamily

ATTEMPTS, LIMIT = 64, 1.3


class Served(TaskModel):
    """A model that takes its time for every batch, and tells how much."""

    def __init__(self, model: TaskModel, batch_s: float):
        self.model, self.batch_s = model, batch_s
        self.name, self.revision = model.name, model.revision
        self.seconds, self.batches = 0.0, 0

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        started = time.perf_counter()
        responses = self.model.complete(requests)
        time.sleep(self.batch_s)
        self.seconds += time.perf_counter() - started
        self.batches += 1
        return responses

    def count_tokens(self, text: str) -> int:
        return self.model.count_tokens(text)


def measure(domain: Domain, model: Served) -> tuple[float, float, int]:
    """Seconds that an evaluation of 64 questions takes, those in the model, and calls."""
    session = Session(model)
    questions = [question for split in SPLITS for question in domain.splits[split]][:ATTEMPTS]
    model.seconds, started = 0.0, time.perf_counter()
    evaluation = session.run([session.evaluate(domain, domain.oracle_context or "", questions)])[0]
    return time.perf_counter() - started, model.seconds, evaluation.usage.calls


def main() -> int:
    """Print the ratio; 1 if it is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-s", type=float, default=0.25, help="seconds that the model takes for a batch")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    model, domain = Served(make_model("reader"), args.batch_s), OfficeFamily().load("marina-0")
    runs = [measure(domain, model) for _ in range(args.repeats)]
    ratio = statistics.median(wall / inside for wall, inside, _ in runs)
    wall, inside, calls = runs[-1]
    print(f"{ATTEMPTS} attempts, {calls:.0f} calls: {wall:.3f} s, {inside:.3f} s of it in the model; ratio {ratio:.3f}")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
