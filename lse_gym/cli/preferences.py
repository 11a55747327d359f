"""``lse-gym pairs``, and what ``lse-gym train --method dpo`` and ``sft`` do."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lse_gym.agents.lse.preference_settings import DPO, PreferenceArgs
from lse_gym.agents.lse.preferences import PAIR_RULES, PairArgs, pairs_of, read_pairs, write_pairs
from lse_gym.agents.lse.siblings import FORMS, tree_siblings
from lse_gym.agents.lse.states import State, read_states, select_states
from lse_gym.cli.common import app, err_console, say, writable
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.errors import ArgumentError, DataError
from lse_gym.envs.extras import require

Margin = Annotated[
    float, typer.Option(help="Least improvement of a chosen edit, and least lead of it.", rich_help_panel="Pairs")
]
MostRejected = Annotated[
    float,
    typer.Option(help="Most improvement of a rejected edit; 1 where all improve.", rich_help_panel="Pairs"),
]
Rule = Annotated[
    str, typer.Option(help=f"Which worse sibling is rejected: {', '.join(PAIR_RULES)}.", rich_help_panel="Pairs")
]
EditForm = Annotated[
    str,
    typer.Option(help=f"{' or '.join(FORMS)}: an edit of a tree as lines, or as written.", rich_help_panel="Pairs"),
]


@app.command("pairs")
def pairs_command(
    archive: Annotated[Path, typer.Argument(help="A run directory, or a folder of them as `lse-gym archive` writes.")],
    margin: Margin = DPO.margin,
    most_rejected: MostRejected = DPO.most_rejected,
    pair_rule: Rule = DPO.pair_rule,
    form: EditForm = "lines",
    seed: Annotated[int, typer.Option(min=0, help="Seed.", rich_help_panel="Pairs")] = 0,
    out: Annotated[Path, typer.Option(help="File to write.", rich_help_panel="Output")] = Path("pairs.jsonl"),
) -> None:
    """Export preference pairs of sibling edits from evolution trees, as JSON lines (ExCoT for editors)."""
    args = PairArgs(margin, most_rejected, pair_rule, seed)  # ty: ignore[invalid-argument-type] - it is checked there
    writable(out.parent)
    pairs, told = pairs_of(tree_siblings(archive, form), args)  # ty: ignore[invalid-argument-type] - checked there
    write_pairs(out, pairs)
    say(f"{_told(told)}. Written to {out}.")


def train_by_preferences(
    source: Path,
    editor: str,
    core: ContextEnv,
    out: Path,
    args: PreferenceArgs,
    *,
    held_back: Sequence[str],
    dev_size: int,
    min_potential: float,
    form: str,
    resume: bool,
) -> Path:
    """Train by the pairs or states in ``source``; returns the folder of the best weights."""
    require("trl", "trl", "Preference learning")
    from lse_gym.agents.lse.dpo import PreferenceLearner

    found, path = _sources(source, form)
    found = {name: [row for row in rows if row.domain not in held_back] for name, rows in found.items()}
    everything, dev = states_and_dev(path, held_back, dev_size, args.seed) if path else ([], [])
    states = select_states(everything, min_potential=min_potential)
    learner = PreferenceLearner(editor, core, out, args, **found, states=states, dev_states=dev, resume=resume)
    try:
        with err_console.status("training") as status:
            return learner.learn(lambda row: say(_told(row)), lambda told: status.update(told))
    except KeyboardInterrupt:
        err_console.print("Interrupted. Go on with the same command and --resume.", highlight=False)
        raise typer.Exit(130) from None


def states_and_dev(path: Path, held_back: Sequence[str], size: int, seed: int) -> tuple[list[State], list[State]]:
    """The states in a file, and apart from them some of the domains that are held back.

    Raises:
        DataError: domains are held back, and no state is of one of them.
    """
    everything = read_states(path)
    if held_back and not any(state.domain in held_back for state in everything):
        raise DataError(f"no state in {str(path)!r} is of a domain to choose weights by: {', '.join(held_back)}.")
    dev = select_states([state for state in everything if state.domain in held_back], order="random", seed=seed)
    return [state for state in everything if state.domain not in held_back], dev[:size]


def _sources(source: Path, form: str) -> tuple[dict[str, Any], Path | None]:
    """The siblings or pairs of an off-policy round, and the file of states for the on-policy ones."""
    if source.is_dir():
        states = source / "states.jsonl"
        groups = tree_siblings(source, form)  # ty: ignore[invalid-argument-type] - it is checked there
        return {"groups": groups}, states if states.exists() else None
    try:
        with source.open(encoding="utf-8") as file:
            first = json.loads(file.readline())
    except (OSError, ValueError) as error:
        raise ArgumentError(
            f"{str(source)!r} is neither a folder of runs nor a file of pairs or states: {error}."
        ) from None
    if isinstance(first, dict) and "chosen" in first:
        return {"pairs": read_pairs(source)}, None
    return {}, source


def _told(counts: Mapping[str, Any]) -> str:
    shown = {name: f"{value:.3f}" if isinstance(value, float) else value for name, value in counts.items()}
    return ", ".join(f"{name} {value}" for name, value in shown.items())
