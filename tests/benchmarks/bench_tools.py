"""What tools cost besides the task model: 64 attempts in one batch, against the time in the model.

    python tests/benchmarks/bench_tools.py [--batch-s 0.25] [--repeats 5]

The task model is `reader`, and takes as long for a batch as a served model might; everything else is real: prompts,
calls read from text, a database copied for each attempt, the difference at its end. The ratio has to stay below 1.3:
by the processor time outside of the model, which is the wall clock's on free cores; on busy ones that counts others.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

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
        self.seconds = self.cpu_s = 0.0

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        started, cpu = time.perf_counter(), time.process_time()
        responses = self.model.complete(requests)
        time.sleep(self.batch_s)
        self.seconds += time.perf_counter() - started
        self.cpu_s += time.process_time() - cpu
        return responses

    def count_tokens(self, text: str) -> int:
        return self.model.count_tokens(text)


class Run(NamedTuple):
    """One evaluation, in seconds: by the clock, in the model, and of the processor outside of it; and its calls."""

    wall_s: float
    model_s: float
    work_s: float
    calls: float


def measure(domain: Domain, model: Served) -> Run:
    """Evaluate 64 questions."""
    session = Session(model)
    questions = [question for split in SPLITS for question in domain.splits[split]][:ATTEMPTS]
    model.seconds = model.cpu_s = 0.0
    started, cpu = time.perf_counter(), time.process_time()
    evaluation = session.run([session.evaluate(domain, domain.oracle_context or "", questions)])[0]
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    return Run(wall_s, model.seconds, cpu_s - model.cpu_s, evaluation.usage.calls)


def main() -> int:
    """Print the ratios; 1 if that by processor time is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-s", type=float, default=0.25, help="seconds that the model takes for a batch")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    model, domain = Served(make_model("reader"), args.batch_s), OfficeFamily().load("marina-0")
    runs = [measure(domain, model) for _ in range(args.repeats)]
    ratio = statistics.median(1 + run.work_s / run.model_s for run in runs)
    by_clock = statistics.median(run.wall_s / run.model_s for run in runs)
    each_ms = statistics.median(run.work_s / run.calls for run in runs) * 1000
    print(f"{ATTEMPTS} attempts, {runs[0].calls:.0f} calls of the model, {each_ms:.2f} ms of work after each")
    print(f"ratio {ratio:.3f}, by the clock {by_clock:.3f}")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
