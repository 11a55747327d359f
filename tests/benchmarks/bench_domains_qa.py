"""Domains of question answering and passage order: what it costs to make them, to load them again and to reset envs.

    python tests/benchmarks/bench_domains_qa.py

Prints each as seconds and as a ratio to a reference of the same process: deciding the class of as many questions as a
domain needs at least, four for each one that is kept. Medians over domains; the first reset is one measurement, its
reference the same for every domain that it is about. Processor time, so that other work on the machine counts little.
"""

import os
import tempfile
from collections.abc import Callable
from statistics import median
from time import process_time

import gymnasium as gym

import lse_gym  # noqa: F401 - registers the ids
from lse_gym.envs.cache import cache_dir
from lse_gym.envs.domain import Family
from lse_gym.envs.passages import domain as passages_module
from lse_gym.envs.passages.domain import PassageFamily
from lse_gym.envs.qa.procedural import family as qa_module
from lse_gym.envs.qa.procedural.family import ProceduralQAFamily
from lse_gym.envs.splits import CLASSES, class_of

ENVS = 64
MADE_S, LOADED_S, RESET_S = 0.1, 0.01, 5.0  # limits
QUESTION = "Which of these casks has the greatest wort? Alder oak (12, 57, 90, 31) Clover elm (81, 14, 5, 66)"


def seconds(run: Callable[[], object]) -> float:
    """How long it takes."""
    start = process_time()
    run()
    return process_time() - start


def reference(questions: int) -> float:
    """Seconds to class so many questions, times the number of classes."""
    texts = [f"{QUESTION} {i}" for i in range(questions * len(CLASSES))]
    return min(seconds(lambda: [class_of("brewing-0", text) for text in texts]) for _ in range(5))


def load_all(family: Family) -> list[float]:
    """Seconds to load every domain for training, none of them in memory."""
    forget()
    return [seconds(lambda name=name: family.load(name)) for name in family.groups["train"]]


def forget() -> None:
    """Keep no domain in memory."""
    qa_module._load.cache_clear()
    passages_module._load.cache_clear()


def first_reset(env: str) -> float:
    """Seconds of the first reset of many envs, no domain in memory."""
    forget()
    envs = gym.make_vec(env, num_envs=ENVS, domain="train")
    try:
        return seconds(lambda: envs.reset(seed=0))
    finally:
        envs.close()


def main() -> int:
    """Print the table; exit status 1 above a limit."""
    slow = False
    families = {"LSE/QA-v1": ProceduralQAFamily(), "LSE/PassageOrder-v1": PassageFamily()}
    for env, family in families.items():
        names = family.groups["train"]
        base = reference(sum(family.sizes(names[0]).values()))
        print(f"{env}; reference: {1e3 * base:.1f} ms")
        with tempfile.TemporaryDirectory() as folder:
            os.environ["LSE_GYM_CACHE"] = folder
            cache_dir.cache_clear()
            reset = first_reset(env)
        with tempfile.TemporaryDirectory() as folder:
            os.environ["LSE_GYM_CACHE"] = folder
            cache_dir.cache_clear()
            made, again = load_all(family), load_all(family)
        for title, took, unit, limit in (
            ("make a domain", median(made), base, MADE_S),
            ("the slowest one", max(made), base, MADE_S),
            ("load or make it again", median(again), base, LOADED_S),
            (f"first reset of {ENVS} envs, no files", reset, base * len(names), RESET_S),
        ):
            slow |= took > limit
            print(f"  {title}: {took:.4f} s, limit {limit} s, {took / unit:.1f} x")
    return slow


if __name__ == "__main__":
    raise SystemExit(main())
