"""Whether agents find an instruction that an editor works better by: the instruction of ``apprentice`` evolved.

    python -m tests.benchmarks.bench_apprentice --out leaderboard/results/apprentice.json

An agent searches on ``LSE/Editor-v0``, a family at a time, with ``apprentice`` as the editor whose instruction it edits
and as its own editor. What it found is scored on ten domains that it has not seen: the share of the oracle's gain under
the instruction as shipped and under the one found, and the difference in pairs, a domain the mean over the seeds.
"""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from lse_gym.agents.bench.result import this_source
from lse_gym.agents.bench.statistics import over_domains
from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Settings
from lse_gym.envs.editor.family import FAMILIES
from lse_gym.envs.offline.apprentice import ADVICE

AGENTS = ("lse", "self-evolve", "evoprompt", "mcts")
COLUMNS = ["family", "agent", "as shipped", "as found", "difference", "found by most seeds"]


def main(seeds: int = 3, rounds: int = 16, edits: int = 2, out: Annotated[Path | None, typer.Option()] = None) -> None:
    """Measure every agent on every family."""
    rows = []
    for family in FAMILIES:
        for agent in AGENTS:
            found = [search(family, agent, seed, rounds, edits) for seed in range(seeds)]
            before, after = (np.array([summary[name] for summary, _ in found]) for name in SCORES)
            difference = over_domains((after - before).T.tolist())
            often = [advice for advice in ADVICE if 2 * sum(advice in context for _, context in found) > seeds]
            told = f"{difference}{' ≈' if difference.is_zero else ''}"
            rows.append([family, f"`{agent}`", f"{before.mean():.3f}", f"{after.mean():.3f}", told, " ".join(often)])
            print(*rows[-1], sep=" | ", flush=True)
    if out:
        kept = {"columns": COLUMNS, "rows": rows, **this_source()._asdict()}
        kept["command"] = "python -m tests.benchmarks.bench_apprentice"
        out.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


SCORES = ("test_scores_seed", "test_scores_best")


def search(family: str, agent: str, seed: int, rounds: int, edits: int) -> tuple[dict, str]:
    """One run: its summary, and the instruction that it found."""
    settings = Settings(
        env="LSE/Editor-v0",
        domain=family,
        env_args={"edits": edits},
        agent=agent,
        task_model="apprentice",
        editor="apprentice",
        rounds=rounds,
        seed=seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        summary = evolve(settings.config(), Path(folder) / "run")
        return summary, (Path(folder) / "run" / "best_context.txt").read_text(encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
