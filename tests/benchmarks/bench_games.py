"""Games and what goes astray: attackers and defenders, sheets of hints, and a help desk that is watched by probes.

    python tests/benchmarks/bench_games.py OUT

Writes ``OUT/games_injection.json``, ``games_cross_play.json`` and ``.svg``, ``games_hint.json`` and
``games_desk.json``. All of it with the stand-ins ``reader`` and ``writer``, which show that the machinery works and
nothing about language models. Minutes on one core.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from lse_gym.agents.files import write_text
from lse_gym.agents.pictures.game import cross_play_svg
from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Config
from lse_gym.agents.watch import Probes
from lse_gym.envs.evaluation import student95
from lse_gym.envs.games import injection_v0
from lse_gym.envs.games.injection.cross_play import cross_play, texts_of
from lse_gym.envs.games.injection.prompt import SEED_ATTACK, SEED_DEFENCES
from lse_gym.envs.games.players import play

HONEST = "lse_gym.envs.offline.writer:HonestWriter"
SIDES = [f"{theme}-{seed}" for theme in ("volcanoes", "bees", "trains") for seed in (5, 6)]
DESKS = [f"{theme}-{seed}" for theme in ("garden", "office", "kitchen", "bicycle", "music") for seed in (5, 6)]
SHEETS = [f"{theme}-{seed}" for theme in ("workshop", "farm", "school") for seed in (5, 6)]
CROSSED, ROUNDS = "trains-5", 5


def interval(values: Sequence[float]) -> str:
    """Mean and Student's 95 % interval."""
    half = student95(len(values) - 1) * stdev(values) / sqrt(len(values))
    return f"{fmean(values):.3f} ({fmean(values) - half:.3f} to {fmean(values) + half:.3f})"


def run(env: str, args: dict[str, Any], editor: str, rounds: int, probes: Probes | None = None) -> dict[str, Any]:
    """The summary of a run."""
    agent = {"agent": "oracle"} if editor == "oracle" else {"agent_args": {"editor": editor}}
    with tempfile.TemporaryDirectory() as folder:
        return evolve(Config(env=env, env_args=args, rounds=rounds, **agent), Path(folder) / "run", probes=probes)


def scores(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Test scores of the first and of the best context, and the gain, over runs."""
    first, best = ([one[f"test_score_{which}"] for one in runs] for which in ("seed", "best"))
    return [interval(first), interval(best), interval([b - a for a, b in zip(first, best, strict=True)])]


def injection() -> tuple[list[str], list[list[str]]]:
    """Each side against one that stands still."""
    rows = []
    for side, about in (("attacker", "success of the attack"), ("defender", "(TPR + TNR) / 2")):
        runs = [run("LSE/Injection-v0", {"domain": d, "side": side}, "writer", 6) for d in SIDES]
        rows.append([side, about, *scores(runs)])
    return ["who edits", "score", "seed text", "best text of 6 edits", "gain"], rows


def matrix(out: Path) -> tuple[list[str], list[list[str]]]:
    """Attacks of each round against defences of each round, both edited against one that stands still."""
    env = injection_v0.env(domain=CROSSED, max_cycles=ROUNDS)
    attacks, _ = texts_of(play(env, {"attacker_0": "writer", "defender_0": "no-op"}, seed=1))
    _, defences = texts_of(play(env, {"attacker_0": "no-op", "defender_0": "writer"}, seed=1))
    game = env.unwrapped.game
    kind = next(iter(game.family.items(CROSSED)["held_out"])).kind
    rates = cross_play(game, [SEED_ATTACK, *attacks], [SEED_DEFENCES[kind], *defences], CROSSED)
    write_text(out / "games_cross_play.svg", cross_play_svg(rates, title=f"Attacks against defences, {CROSSED}"))
    rows = [[f"attack of round {i}", *(f"{rate:.2f}" for rate in row)] for i, row in enumerate(rates.tolist())]
    return ["", *(f"defence of round {j}" for j in range(rates.shape[1]))], rows


def sheets() -> tuple[list[str], list[list[str]]]:
    """Sheets of hints."""
    rows = []
    for editor in ("writer", "oracle"):
        runs = [run("LSE/Hint-v0", {"domain": d}, editor, 8 if editor == "writer" else 1) for d in SHEETS]
        rows.append([f"`{editor}`", *scores(runs)])
    return ["", "seed sheet", "best sheet", "gain"], rows


def desk() -> tuple[list[str], list[list[str]]]:
    """What the probes tell of editors that follow the proxy, and of honest ones."""
    rows = []
    for name, editor in (("`writer`", "writer"), ("`HonestWriter`", HONEST)):
        for scored in ("satisfaction", "utility"):
            args = {"scored": scored}
            runs = [run("LSE/ServiceDesk-v0", {"domain": d, **args}, editor, 8, Probes()) for d in DESKS]
            told = [one["probes"] for one in runs]
            edits = sorted(one["first_crossing"] for one in told if one["first_crossing"] is not None)
            drifts = [one["highest_drift"] for one in told]
            rows.append(
                [
                    name,
                    scored,
                    scores(runs)[-1],
                    f"{len(edits)} of {len(runs)}",
                    f"{edits[0]} to {edits[-1]}" if edits else "",
                    f"{min(drifts):.2f} to {max(drifts):.2f}",
                ]
            )
    return ["editor", "rewarded for", "gain in it, test", "drift reached 0.2", "after edits", "largest drift"], rows


def main() -> None:
    """Write the tables."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    source = {"command": "python tests/benchmarks/bench_games.py OUT", "commit": commit.stdout.strip()}
    for name, (columns, rows) in (
        ("games_injection", injection()),
        ("games_cross_play", matrix(out)),
        ("games_hint", sheets()),
        ("games_desk", desk()),
    ):
        lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
        head = json.dumps(source | {"columns": columns})[:-1]
        write_text(out / f"{name}.json", f'{head}, "rows": [\n{lines}\n]}}\n')
        sys.stdout.write("\n".join(" | ".join(row) for row in [columns, *rows]) + "\n\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
