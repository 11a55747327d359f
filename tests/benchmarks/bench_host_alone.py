"""What a host itself costs a step, in processor time: its own work and that of its client, without the run's.

python -m tests.benchmarks.bench_host_alone
"""

import asyncio
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.host.app import make_app
from lse_gym.leaderboard.host.run import LiveRun
from lse_gym.leaderboard.host.service import Host
from lse_gym.leaderboard.host.store import STORE, PlayStore
from lse_gym.leaderboard.host.tokens import new_token
from tests.leaderboard.hosted import make_track

STEPS, WARM = 400, 20


async def measure(folder: Path) -> tuple[list[float], list[float]]:
    """Milliseconds of each step: the run's own work, and the rest."""
    (folder / "host.json").write_text('{"requests_per_s": 1e5, "burst": 100000}')
    track, worked = make_track(folder, domains=("brewing-0",), budget={"calls": 10**6}), []
    execute = LiveRun.execute

    def timed(*arguments):
        began = time.process_time()
        try:
            return execute(*arguments)
        finally:
            worked.append(1000 * (time.process_time() - began))

    LiveRun.execute = timed
    with Board(folder, create=True) as board, PlayStore(folder / STORE) as store:
        token, team = new_token("alone")
        store.add_team(team)
        transport = httpx.ASGITransport(make_app(Host(board, store, [track])))
        headers, whole = {"Authorization": f"Bearer {token}"}, []
        async with httpx.AsyncClient(transport=transport, base_url="http://host", headers=headers) as http:
            play = (await http.post("/v1/plays", json={"track": track.id, "name": "alone"})).json()["play"]
            run = f"/v1/plays/{play}/runs/0"
            await http.post(f"{run}/reset", json={"number": 0, "seed": 1})
            for number in range(1, WARM + STEPS):
                began = time.process_time()
                body = {"number": number, "action": f"Answer with a letter.\nStep {number}."}
                (await http.post(f"{run}/step", json=body)).raise_for_status()
                whole.append(1000 * (time.process_time() - began))
    return worked[1 + WARM :], [
        all_ms - run_ms for all_ms, run_ms in zip(whole[WARM:], worked[1 + WARM :], strict=True)
    ]


def main() -> None:
    """Run it and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        worked, own = asyncio.run(measure(Path(folder)))
    for name, row in (("run", worked), ("host and client", own)):
        print(f"{name}: mean {np.mean(row):.2f} ms, p50 {np.percentile(row, 50):.2f}, p99 {np.percentile(row, 99):.2f}")


if __name__ == "__main__":
    main()
