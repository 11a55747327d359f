"""Many players at one host: what is lost, doubled or beyond the budget, and what the host itself takes of a request.

    python tests/benchmarks/bench_host.py --players 50 --steps 200

The host is a process of its own; the players are one other, without an env, so that two cores are enough. What the host
takes is told by its header ``Server-Timing``: from the first byte of a request to the answer, less the run's own work.
These are times of the clock, which a busy machine stretches; what its processor took is told beside them.
"""

import argparse
import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np

from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.host.store import STORE, PlayStore
from lse_gym.leaderboard.host.tokens import new_token
from lse_gym.leaderboard.track import all_tracks, read_track, write_track
from tests.leaderboard.killed_host import HostProcess

CAP = 6000  # calls: what 200 steps want is twice as much


async def play(url: str, token: str, track: str, steps: int, seen: list, took: list) -> str:
    """Play one run to the end; what was answered and what it took are appended."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=600, trust_env=False) as http:
        begun = (await http.post("/v1/plays", json={"track": track, "name": "bench"})).json()
        run = f"/v1/plays/{begun['play']}/runs/0"
        for number in range(steps + 1):
            began = time.perf_counter()
            if number == 0:
                answer = await http.post(f"{run}/reset", json={"number": 0, "seed": 1})
            else:
                action = f"Answer with a letter.\n{begun['play'][:6]}, step {number}."
                answer = await http.post(f"{run}/step", json={"number": number, "action": action})
            answer.raise_for_status()
            timing = dict(part.strip().split(";dur=") for part in answer.headers["Server-Timing"].split(","))
            took.append((time.perf_counter() - began, float(timing["host"]) / 1000, float(timing["run"]) / 1000))
            seen.append((begun["play"], answer.json()))
        return begun["play"]


def check(folder: Path, plays: list[str], steps: int, seen: list) -> dict[str, int]:
    """What is on record beside what was answered."""
    wrong = dict.fromkeys(("lost", "doubled", "otherwise", "over budget"), 0)
    with PlayStore(folder / STORE) as store:
        for play in plays:
            answers = [answer for one, answer in seen if one == play]
            kept = [step for step, _ in store.steps(play, 0)]
            numbers = [n for (n,) in store._rows("SELECT number FROM steps WHERE play = ?", play)]
            wrong["lost"] += len({*range(steps + 1)} - {*numbers})
            wrong["doubled"] += len(numbers) - len({*numbers})
            wrong["otherwise"] += sum(one != step.answer for one, step in zip(answers, kept, strict=True))
            paid = sum(answer["info"]["calls"] for answer in answers)
            wrong["over budget"] += answers[-1]["spent"][1] > CAP or paid != answers[-1]["spent"][1]
    return wrong


async def main() -> None:
    """Run it and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--players", type=int, default=50)
    parser.add_argument("--steps", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Board(folder, create=True).store.close()
        like = all_tracks()["sql-clinic-reader-1300-v2"]
        changes = {"id": "bench-v1", "env": "LSE/QA-v1", "domains": ("brewing-0",), "settings": {}}
        changes |= {"budget": {"calls": CAP}, "models": {"reader": "1"}}
        track = read_track(write_track(replace(like, **changes), folder / "tracks"))
        tokens = []
        with PlayStore(folder / STORE) as store:
            for number in range(given.players):
                token, team = new_token(f"team {number}")
                store.add_team(team)
                tokens.append(token)
        host, seen, took, began = HostProcess(folder, [track.id]), [], [], time.perf_counter()
        try:
            each = (play(host.url, token, track.id, given.steps, seen, took) for token in tokens)
            plays = await asyncio.gather(*each)
            seconds = time.perf_counter() - began
        finally:
            host.stop()
        wrong = check(folder, plays, given.steps, seen)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        size = sum(path.stat().st_size for path in folder.glob("played.sqlite*"))
    all_ms, own_ms, run_ms = 1000 * np.array(took).T
    rows = {
        "requests": len(took),
        "requests / s": round(len(took) / seconds, 1),
        **wrong,
        **{f"host alone, ms, p{p}": round(float(np.percentile(own_ms, p)), 2) for p in (50, 99)},
        **{f"run, ms, p{p}": round(float(np.percentile(run_ms, p)), 2) for p in (50, 99)},
        **{f"whole, ms, p{p}": round(float(np.percentile(all_ms, p)), 2) for p in (50, 99)},
        "host, its start and all runs, processor ms / request": round(1000 * sum(used[:2]) / len(took), 2),
        "load of the machine": [round(one, 1) for one in os.getloadavg()],
        "kB on the disk / step": round(size / len(took) / 1000, 2),
    }
    print(json.dumps(rows, indent=1))
    sys.exit(any(wrong.values()))


if __name__ == "__main__":
    asyncio.run(main())
