"""What a step costs besides the task model and SQL, in microseconds a question.

    python tests/benchmarks/bench_step.py [--steps 200]

The task model answers at once and no SQL runs: responses and results come from dictionaries filled beforehand. A step
has 10 feedback and 50 held-out questions over the clinic database, under a new context of about 1,000 characters. The
reference in the same process is the least that any implementation must do: build the 60 prompts and look them up.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence

import gymnasium as gym

from lse_gym.envs.evaluation import core_env
from lse_gym.envs.models.base import Request, Response, TaskModel

LIMIT_US = 20.0  # a question; LSE's reference code spends about 4,000
QUESTIONS = 60


class Instant(TaskModel):
    """Answers every question with its gold, found by the question's text."""

    name, revision = "instant", "1"

    def __init__(self, answers: dict[str, Response]):
        self.answers = answers
        self.seconds = 0.0

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        started = time.perf_counter()
        responses = [self.answers[request.user] for request in requests]
        self.seconds += time.perf_counter() - started
        return responses

    def count_tokens(self, text: str) -> int:
        return len(text) // 4


def measure(steps: int) -> tuple[list[float], list[float]]:
    """Microseconds a question of every step, and of the reference."""
    env = gym.make("LSE/TextToSQL-v1", domain="clinic-0", max_edits=10**9).unwrapped
    core = core_env(env)
    domain = core.family.load("clinic-0")
    questions = [q for split in ("feedback", "held_out") for q in domain.splits[split]]
    answers = {domain.user(q): Response(domain.gold_response(q), 100, 20) for q in questions}
    model = Instant(answers)
    core.session.metered.model = model
    env.reset(seed=0)
    domain.score(questions, [domain.gold_response(q) for q in questions])  # every result is known now
    ours, plain = [], []
    contexts = [f"{domain.oracle_context}\n- Note {step}." for step in range(steps + 10)]
    for context in contexts:
        model.seconds, started = 0.0, time.perf_counter()
        env.step(context)
        ours.append((time.perf_counter() - started - model.seconds) / QUESTIONS * 1e6)
        started = time.perf_counter()
        prompts = [(domain.system(context), domain.user(q)) for q in questions[:QUESTIONS]]
        _ = [answers[user] for _, user in prompts]
        plain.append((time.perf_counter() - started) / QUESTIONS * 1e6)
    return ours[10:], plain[10:]


def main() -> int:
    """Print the figures; exit status 1 above the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200)
    ours, plain = measure(parser.parse_args().steps)
    median, reference = statistics.median(ours), statistics.median(plain)
    print(
        f"step: median {median:.1f} µs a question (min {min(ours):.1f}, max {max(ours):.1f}, n={len(ours)}), "
        f"limit {LIMIT_US:.0f}; reference {reference:.1f} µs, ratio {median / reference:.1f}"
    )
    return median > LIMIT_US


if __name__ == "__main__":
    sys.exit(main())
