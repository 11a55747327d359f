"""Many agents on many tracks of a host: ``lse-gym leaderboard play`` for each, in one process.

    export LSE_GYM_TOKEN=$(lse-gym leaderboard team lse-gym --board BOARD) LSE_GYM_HOST=http://127.0.0.1:8321
    lse-gym leaderboard host --board BOARD sql-ladder-500-v1 &
    python -m tests.benchmarks.play_all --track sql-ladder-500-v1 --agent lse --agent 'nano: lse,editor=nano-editor'

Started again it goes on: what was played is at the host.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from lse_gym.agents.bench.contestant import parse_contestant
from lse_gym.agents.settings import Settings
from lse_gym.envs.errors import LSEGymError
from lse_gym.envs.remote.client import Client
from lse_gym.leaderboard.player import play_track, runs_of

CALLS_AN_EDIT = 25  # of the budget: more edits than it pays for where all are new


def play(url: str, track: str, agent: str) -> str:
    """Play a track with an agent; returns a line about it."""
    client, contestant = Client(url), parse_contestant(agent)
    facts = client.get(f"tracks/{track}")
    rounds = int(facts["budget"]["calls"] // CALLS_AN_EDIT)
    config = contestant.apply(Settings(rounds=rounds, domain=None)).config()
    runs = runs_of(config, url, facts, f"{track}: {contestant.label}")
    about = dict.fromkeys(("version", "url", "commit", "description"), "") | {"training_data": "none"}
    about |= {"name": contestant.label, "kind": config.agent, "editor": config.editor or ""}
    out = Path(tempfile.mkdtemp())
    try:
        summaries, state = play_track(client, runs, about, out)
    finally:
        shutil.rmtree(out)
    scores = [one["test_score_best"] for one in summaries.values()]
    return f"{sum(scores) / len(scores):.3f} over {len(scores)}, entry {state['entry']} {state['refusal'] or ''}"


def main() -> None:
    """Play, and print a line a play."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default=os.environ.get("LSE_GYM_HOST"))
    parser.add_argument("--track", action="append", required=True)
    parser.add_argument("--agent", action="append", required=True)
    given = parser.parse_args()
    for track in given.track:
        for agent in given.agent:
            began = time.perf_counter(), time.process_time()
            try:
                told = play(given.url, track, agent)
            except LSEGymError as error:
                told = str(error)
            took = f"{time.perf_counter() - began[0]:.0f} s, {time.process_time() - began[1]:.1f} of them here"
            sys.stdout.write(f"{track} {agent}: {told}; {took}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
