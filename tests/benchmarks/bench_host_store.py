"""What a played step costs in the store of a host, and whether it costs more where there are many.

Run: python -m tests.benchmarks.bench_host_store [--steps 2000]
Times are of the processor. The steps are those of text-to-SQL: a context, a report and 84 answers each.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import gymnasium as gym
import numpy as np

import lse_gym  # noqa: F401 - registers the ids
from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Config
from lse_gym.leaderboard.host.run import Step
from lse_gym.leaderboard.host.store import Play, PlayStore, Team

STEPS_A_PLAY, ANSWERS, BEGUN = 20, 84, "2026-01-01T00:00:00+00:00"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    count = parser.parse_args().steps
    with tempfile.TemporaryDirectory() as temporary, PlayStore(Path(temporary) / "played.sqlite") as store:
        context, observation, answers = one_step(Path(temporary))
        store.add_team(Team("t", "a team", b"x" * 32, None))
        rng, start = np.random.default_rng(0), time.process_time()
        for number in range(count):
            play = Play(f"p{number // STEPS_A_PLAY}", "t", f"play {number // STEPS_A_PLAY}", "track", "0" * 64, BEGUN)
            if number % STEPS_A_PLAY == 0:
                store.begin(play, count, BEGUN)
            store.add_step(play.id, 0, number % STEPS_A_PLAY, step(context, observation, answers, rng), b"d" * 32, 0.0)
            if number + 1 in (count // 10, count):
                store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                each_ms = (time.process_time() - start) / (number + 1) * 1000
                size = (Path(temporary) / "played.sqlite").stat().st_size / (number + 1)
                print(f"{number + 1:,} steps: {each_ms:.2f} ms and {size:,.0f} bytes each")


def one_step(folder: Path) -> tuple[str, dict, list]:
    """A context, an observation and answers as they are."""
    evolve(Config.of(rounds=4), folder / "run")
    rows = [json.loads(line) for line in (folder / "run" / "trajectory.jsonl").open()]
    lines = [json.loads(line) for line in (folder / "run" / "responses.jsonl").open()]
    env = gym.make("LSE/TextToSQL-v1")
    env.reset(seed=0)
    observation = env.step(rows[-1]["context"])[0]
    plain = {
        name: value if isinstance(value, str) else np.asarray(value).tolist() for name, value in observation.items()
    }
    return rows[-1]["context"], plain, [line for line in lines if isinstance(line, list)][:ANSWERS]


def step(context: str, observation: dict, answers: list, rng: np.random.Generator) -> Step:
    """A step that does not compress better than others because it says the same."""
    words = " ".join(map(str, rng.integers(0, 10**6, 40)))
    answer = {"observation": observation | {"feedback": observation["feedback"] + words}, "reward": 0.1, "info": {}}
    told = [[f"{rng.integers(2**62):x}", *rest] for _, *rest in answers]
    return Step("step", {"action": f"{context}\n{words}"}, answer, told)


if __name__ == "__main__":
    main()
