"""How far agents come apart under the settings of a row of the ladder, or others: rows are chosen by it.

    python -m tests.benchmarks.choose_rung hints --calls 500 --agent no-op --agent lse --agent gepa
    python -m tests.benchmarks.choose_rung hints --calls 500 --max-chars 450 --env-args '{"difficulty": "hard"}' ...

The domains are public ones of the same themes, with seeds from 1 on; their test questions stand for sealed ones, and
ranks are told as for entries that were played.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace

from lse_gym.agents.bench.contestant import parse_contestant
from lse_gym.agents.run import evolve
from lse_gym.leaderboard.ladder import LADDERS, track_of
from lse_gym.leaderboard.statistics import Summary, groups, interval, summarize
from lse_gym.leaderboard.track import Track
from tests.benchmarks.play_all import CALLS_AN_EDIT


def runs(track: Track, agent: str, editor: str | None) -> Summary:
    """The scores of an agent on public domains of a track's themes, as many as the track has runs."""
    rounds, scores = int(track.budget["calls"] // CALLS_AN_EDIT), {}
    for seed in range(1, track.seeds + 1):
        for name in track.domains:
            domain = f"{name.rpartition('-')[0]}-{seed}"
            settings = replace(track.run_settings(domain), rounds=rounds, editor=editor)
            config = parse_contestant(agent).apply(settings).config()
            with tempfile.TemporaryDirectory() as out:
                scores[domain] = [evolve(config, f"{out}/run")["test_scores_best"]]
    return summarize(scores, drawn=True)


def main() -> None:
    """Print a line an agent, best first, with the ranks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("row", choices=sorted({row.name for row in LADDERS}))
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--agent", action="append", required=True)
    parser.add_argument("--editor")
    parser.add_argument("--env-args", type=json.loads)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--max-chars", type=int)
    parser.add_argument("--feedback-size", type=int)
    given = parser.parse_args()
    row = next(row for row in reversed(LADDERS) if row.name == given.row)  # the newest
    changes = {name: getattr(given, name) for name in ("env_args", "seeds", "max_chars", "feedback_size")}
    row = row._replace(**{name: value for name, value in changes.items() if value is not None})
    found = []
    for agent in given.agent:
        began = time.process_time()
        found.append((runs(track_of(row, given.calls), agent, given.editor), agent, time.process_time() - began))
        sys.stderr.write(f"{agent}: {found[-1][0].mean:.3f}, {found[-1][2]:.0f} s\n")
    found.sort(key=lambda one: -one[0].mean)
    for group, (summary, agent, took) in zip(groups([one[0] for one in found]), found, strict=True):
        low, high = interval(summary)
        sys.stdout.write(f"{group}: {agent:22} {summary.mean:.3f} ({low:.3f} to {high:.3f}), {took:.0f} s\n")


if __name__ == "__main__":
    main()
