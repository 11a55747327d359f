"""Whether an editor listens: what its edits are worth under several instructions, on domains of text-to-SQL.

    python -m tests.benchmarks.bench_editor nano-editor --out leaderboard/results/editor.json

Each line has the mean gain of two edits as a share of the oracle's, on 20 domains of the themes for training, and its
difference to the instruction that ships, in pairs, with Student's 95 % interval.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from lse_gym.agents.bench.statistics import over_domains
from lse_gym.envs.editing import INSTRUCTION
from lse_gym.envs.editor.family import EditorFamily
from lse_gym.envs.models import make_model
from lse_gym.envs.session import Session

FIRST, SECOND = INSTRUCTION.split(". ", 1)
INSTRUCTIONS = {
    "as shipped": INSTRUCTION,
    "its first sentence": f"{FIRST}.",
    "its second sentence": SECOND,
    "lines only": "Add a line for every word that the model did not know, and remove lines that are wrong.",
    "one rule": "Write exactly one new rule.",
    "nothing": "",
    "another task": "Write a poem about the sea.",
    "more": f"{INSTRUCTION} Write as many rules as you can.",
}


def main(editor: str, edits: int = 2, out: Annotated[Path | None, typer.Option()] = None) -> None:
    """Measure one editor."""
    domain = EditorFamily(edits=edits, feedback=4, held_out=16).load("text-to-sql")
    session = Session(make_model(editor), max_tokens=256)
    questions = [*domain.splits["held_out"], *domain.splits["feedback"]]
    scores: dict[str, list[float]] = {}
    for name, text in INSTRUCTIONS.items():
        (found,) = session.run([session.evaluate(domain, text, questions)])
        scores[name] = found.scores.tolist()
        difference = over_domains([[value] for value in np.subtract(scores[name], scores["as shipped"]).tolist()])
        print(f"{name:20} {found.scores.mean():.3f}  less as shipped {difference}", flush=True)
    if out:
        out.write_text(json.dumps({"editor": editor, "edits": edits, "scores": scores}, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
