"""The leaderboard with 10,000 entries: how long its table takes to build and to filter, and a verification from cache.

Run: python -m tests.benchmarks.bench_leaderboard [--entries 10000]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Config
from lse_gym.leaderboard.board import Board, facts
from lse_gym.leaderboard.pages import Site, build, track_page
from lse_gym.leaderboard.ranking import rank
from lse_gym.leaderboard.statistics import interval, summarize
from lse_gym.leaderboard.store import now
from lse_gym.leaderboard.submission import About, digest, find_runs, pack
from lse_gym.leaderboard.verify import Options, verify
from tests.leaderboard.browser import look

TRACK = "sql-clinic-reader-1300-v2"
SEARCHES = ("agent 7", "team 12", "lse", "nobody", "")
DRIVER = """
const times = [];
for (const words of SEARCHES) {
  for (let again = 0; again < 5; again++) {
    const start = performance.now();
    at("filter").value = words;
    at("filter").dispatchEvent(new Event("input"));
    document.body.offsetHeight;  // laid out
    times.push(performance.now() - start);
  }
}
const start = performance.now();
heads[4].firstElementChild.click();
document.body.offsetHeight;
tell([times, performance.now() - start, at("count").textContent]);
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000)
    entries = parser.parse_args().entries
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        evolve(Config.of(rounds=4, budget_calls=1300), folder / "run")
        with Board(folder / "board", create=True) as board:
            (document,) = pack(find_runs(folder / "run"), board.tracks, About())
            number = board.submit(json.dumps(document).encode())
            verify(board, number, Options())
            start = time.perf_counter()
            verify(board, number, Options())
            print(f"verification from cache: {time.perf_counter() - start:.2f} s")
            fill(board, document, entries - 1)
            start = time.perf_counter()
            page = track_page(Site(board), board.tracks[TRACK], rank(board)[TRACK])
            print(f"table page of {entries:,} entries: {time.perf_counter() - start:.1f} s, {len(page) / 1e6:.1f} MB")
            (folder / "track.html").write_text(page, encoding="utf-8")
            start = time.perf_counter()
            written = build(board, folder / "site")
            print(f"whole site, {written:,} pages: {time.perf_counter() - start:.0f} s")
            start = time.perf_counter()
            build(board, folder / "site")
            print(f"whole site again: {time.perf_counter() - start:.0f} s")
        driver = f"const SEARCHES = {json.dumps(SEARCHES)};\n{DRIVER}"
        times, sort, count = look(folder, folder / "track.html", driver).told
        print(f"filter: median {np.median(times):.0f} ms, slowest {max(times):.0f} ms of {len(times)}; {count}")
        print(f"sort: {sort:.0f} ms")


def fill(board: Board, document: dict, count: int) -> None:
    """Entries with made-up scores, straight into the store."""
    rng = np.random.default_rng(0)
    with board.store.writing():
        for number in range(count):
            document["agent"]["name"], document["team"]["name"] = f"agent {number}", f"team {number % 500}"
            document["sha256"] = digest(document)
            row = {"sha256": document["sha256"], "track": TRACK, "team": document["team"]["name"]}
            row |= {"agent": document["agent"]["name"], "submitted": now(), "facts": json.dumps(facts(document))}
            entry = board.store.add_entry(row, json.dumps(document).encode())
            scores = {"clinic-0": [(rng.random(100) < rng.random()).astype(float).tolist()]}
            summary = summarize(scores)
            details = {"score": summary.mean, "ci95": interval(summary), "seed": 0.2, "items": 100, "scores": scores}
            details |= {"transfer": {}, "shuffled": 0.0}
            found = {"entry": entry, "at": now(), "level": "replayed", "reason": "", "details": json.dumps(details)}
            board.store.db.table("verifications").insert(found)


if __name__ == "__main__":
    main()
