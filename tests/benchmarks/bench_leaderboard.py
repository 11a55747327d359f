"""A board that grows: what an entry costs in its store, its checks, its pages, and how that changes with the others.

Run: python -m tests.benchmarks.bench_leaderboard [--entries 1000 3000 10000] [--pages 300 1000] [--out scale.json]
Times are of the processor. The entries have made-up scores and contexts, six runs of 21 rounds each, over ten tracks.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np

from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Config
from lse_gym.leaderboard.board import Board, facts
from lse_gym.leaderboard.copies import copied, index_rows
from lse_gym.leaderboard.pages import Site, build, track_page
from lse_gym.leaderboard.ranking import rank
from lse_gym.leaderboard.statistics import interval, summarize
from lse_gym.leaderboard.store import now
from lse_gym.leaderboard.submission import About, digest, find_runs, pack, text_digest
from lse_gym.leaderboard.track import Track, all_tracks, write_track
from lse_gym.leaderboard.verify import Options, verify

LIKE, CLINIC = "sql-reader-1300-v2", "sql-clinic-reader-1300-v2"
TRACKS, TEAMS, LINES = 10, 1000, 12
WORDS = (
    "date rate region member status order amount since paid first active value code level branch room test dose".split()
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, nargs="+", default=[1000, 3000, 10_000])
    parser.add_argument("--pages", type=int, nargs="*", default=[100, 300])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        evolve(Config.of(rounds=20, budget_calls=1300), folder / "run")
        rows.append(verification(folder))
        with Board(folder / "board", create=True) as board:
            tracks = write_tracks(board)
        with Board(folder / "board") as board:
            document = six_runs(folder, board.tracks[LIKE])
            there = 0
            for count in sorted({*arguments.entries, *arguments.pages}):
                fill(board, document, tracks, there, count)
                there = count
                rows.append(measured(folder, board, document, tracks, count, pages=count in arguments.pages))
                print(json.dumps(rows[-1]), flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps({"command": " ".join(sys.argv), "rows": rows}, indent=1) + "\n")


def verification(folder: Path) -> dict:
    """A real entry of one run: submitted, verified anew, and verified from what was kept."""
    with Board(folder / "real", create=True) as board:
        (document,) = pack(find_runs(folder / "run"), board.tracks, About(), CLINIC)
        data = json.dumps(document).encode()
        (number, submit_s) = timed(lambda: board.submit(data))
        (_, verify_s), (_, again_s) = (timed(lambda: verify(board, number, Options())) for _ in range(2))
        (scores,) = board.store.db.execute("SELECT SUM(LENGTH(key) + LENGTH(value)) FROM scores").fetchone()
    found = {"what": "one run", "submit_s": submit_s, "verify_s": verify_s, "again_s": again_s, "scores_bytes": scores}
    print(json.dumps(found), flush=True)
    return found


def measured(folder: Path, board: Board, document: dict, tracks: list[Track], count: int, pages: bool) -> dict:
    board.store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    mine = contexts_of(document, np.random.default_rng(-1 % 2**32))
    mine["team"]["name"] = "a new team"
    (_, copies_s) = timed(lambda: copied(mine, tracks[0], board.store.db))
    (ranking, rank_s) = timed(lambda: rank(board))
    (page, page_s) = timed(lambda: track_page(Site(board), tracks[0], ranking[tracks[0].id]))
    (_, log_s) = timed(board.store.check_log)
    found = {
        "entries": count,
        "store_bytes": (board.path / "board.sqlite").stat().st_size,
        "copies_s": copies_s,
        "rank_s": rank_s,
        "track_page_s": page_s,
        "track_page_bytes": len(page.encode()),
        "check_log_s": log_s,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if pages:
        (written, build_s), (_, again_s) = (timed(lambda: build(board, folder / "site")) for _ in range(2))
        size = sum(path.stat().st_size for path in (folder / "site").rglob("*.*"))
        found |= {"build_s": build_s, "build_again_s": again_s, "pages": written, "site_bytes": size}
    return found


def timed(work):
    """What a function returns, and the seconds of the processor that it took."""
    start = time.process_time()
    found = work()
    return found, round(time.process_time() - start, 4)


def write_tracks(board: Board) -> list[Track]:
    like = all_tracks()[LIKE]
    made = [replace(like, id=f"sql-{number:02}-v1", title=f"Track {number}") for number in range(TRACKS)]
    for one in made:
        write_track(one, board.path / "tracks")
    return made


def six_runs(folder: Path, track: Track) -> dict:
    """A document with a run on each domain of the track, each like the one that was made."""
    (document,) = pack(find_runs(folder / "run"), all_tracks(), About(), CLINIC)
    (run,) = document["runs"]
    document["runs"] = [deepcopy(run) | {"domain": domain} for domain in track.domains]
    return document


def contexts_of(document: dict, rng: np.random.Generator) -> dict:
    """The document with other best contexts: lines that nobody else has, and one that many have."""
    found = deepcopy(document)
    for run in found["runs"]:
        lines = ["Return one SQLite statement.", f"Dates are text {rng.integers(20)}."]
        lines += [" ".join(rng.choice(WORDS, 9)) + f" {rng.integers(10**6)}." for _ in range(LINES)]
        text = "\n".join(lines)
        found["contexts"][text_digest(text)] = text
        run["trajectory"][run["best"]]["context"] = text_digest(text)
    return found


def fill(board: Board, like: dict, tracks: list[Track], start: int, end: int) -> None:
    """Entries with made-up scores and contexts, straight into the store."""
    with board.store.writing():
        for number in range(start, end):
            rng = np.random.default_rng(number)
            document = contexts_of(like, rng)
            track = tracks[number % TRACKS]
            document["agent"]["name"], document["team"]["name"] = f"agent {number}", f"team {number % TEAMS}"
            document["track"] = track.id
            document["sha256"] = digest(document)
            row = {"sha256": document["sha256"], "track": track.id, "team": document["team"]["name"]}
            row |= {"agent": document["agent"]["name"], "submitted": now(), "facts": json.dumps(facts(document, track))}
            entry = board.store.add_entry(row, json.dumps(document).encode(), index_rows(0, document))
            board.store.log(entry, "submitted", document["sha256"])
            scores = {name: [(rng.random(100) < rng.random()).astype(float).tolist()] for name in track.domains}
            summary = summarize(scores)
            details = {"score": summary.mean, "ci95": interval(summary), "seed": 0.2, "items": 600, "scores": scores}
            details |= {"transfer": {}, "shuffled": 0.0}
            found = {"entry": entry, "at": now(), "level": "replayed", "reason": "", "details": json.dumps(details)}
            board.store.db.table("verifications").insert(found)
            board.store.log(entry, "replayed", "")


if __name__ == "__main__":
    os.environ["LSE_GYM_RESPONSE_CACHE"] = "off"
    main()
