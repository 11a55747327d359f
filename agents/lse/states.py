"""States to train on: every context that evolution runs have visited (LSE, arXiv 2603.18620, appendix A).

A file of states is an archive as well: envs start from it with ``start=``.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from lse_gym.agents.files import check_out, own_folder, read_rows, write_rows
from lse_gym.agents.parallel import Engine, side_by_side
from lse_gym.agents.run import evolve, has_run
from lse_gym.agents.settings import Config, Settings
from lse_gym.envs.errors import DataError, unknown

StateOrder = Literal["potential", "random", "reverse_potential"]
STATE_ORDERS: tuple[StateOrder, ...] = ("potential", "random", "reverse_potential")


class State(NamedTuple):
    """A context with what an editor is shown of it.

    ``performance`` is its held-out score in [0, 1]; ``potential`` how far the best context of its run is ahead of it.
    """

    domain: str
    context: str
    performance: float
    feedback: str
    potential: float


def states_of(folder: str | os.PathLike[str]) -> list[State]:
    """The states of one run directory, in the order they were visited.

    Raises:
        DataError: it is not the directory of a finished run.
    """
    folder = Path(folder)
    try:
        config = Config.from_json(json.loads((folder / "config.json").read_text(encoding="utf-8")))
        nodes = json.loads((folder / "tree.json").read_text(encoding="utf-8"))["nodes"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{str(folder)!r} is not the directory of a finished run: {error}.") from None
    nodes = [node for node in nodes if isfinite(node["performance"])]
    best = max((node["performance"] for node in nodes), default=0.0)
    return [
        State(config.domain or "", n["context"], n["performance"], n["feedback"], best - n["performance"])
        for n in nodes
    ]


def select_states(
    states: Sequence[State], *, min_potential: float = 0.0, order: StateOrder = "potential", seed: int = 0
) -> list[State]:
    """Drop states without room for improvement and those that read alike, and order the rest.

    Args:
        states: of any number of runs.
        min_potential: least potential that is kept (released code: 0.0).
        order: "potential" (most first, the released code's default), "random" or "reverse_potential".
        seed: of the random order.
    """
    if order not in STATE_ORDERS:
        raise unknown("order of states", order, STATE_ORDERS)
    alike = {(s.domain, s.context, s.feedback): s for s in reversed(states) if s.potential >= min_potential}
    kept = [*reversed(alike.values())]
    if order == "random":
        return [kept[int(i)] for i in np.random.default_rng(seed).permutation(len(kept))]
    return sorted(kept, key=lambda s: s.potential, reverse=order == "potential")


def collect(
    settings: Settings,
    domains: Sequence[str],
    seeds: Sequence[int],
    out: str | os.PathLike[str],
    *,
    workers: int | Engine = 1,
    on_run: Callable[[Settings, dict[str, Any]], None] | None = None,
) -> list[State]:
    """Evolve every domain with every seed, side by side, and write ``out/states.jsonl``; returns the states.

    Each run has a directory of its own under ``out/runs``. What is there already is not done again, so an interrupted
    collection goes on where it stopped.

    Args:
        settings: the run; domain and seed are replaced.
        domains: names of domains.
        seeds: seeds of the search.
        out: the directory to write.
        workers: processes, >= 1, or an engine (:func:`lse_gym.agents.parallel.make_engine`).
        on_run: called with the configuration and the summary of every run as it ends.
    """
    out = Path(out)
    check_out(out)
    runs = [replace(settings, domain=domain, seed=seed) for domain in domains for seed in seeds]

    def folder(one: Settings) -> Path:
        return out / "runs" / own_folder(f"{one.domain}-{one.seed}")

    for one in runs[:1]:
        config = one.config()
        config.make_agent(config.make_env())  # a wrong argument is told once, and here
    for one, summary, error in side_by_side(_evolve, runs, workers, folder):
        if error is not None:
            raise error
        if on_run:
            on_run(one, summary)
    states = [state for one in runs for state in states_of(folder(one))]
    write_states(out / "states.jsonl", states)
    return states


def _evolve(settings: Settings, folder: Path) -> dict[str, Any]:
    return evolve(settings.config(), folder, resume=has_run(folder))


def write_states(path: str | os.PathLike[str], states: Sequence[State]) -> None:
    """Write states as JSON lines."""
    write_rows(path, states)


def read_states(path: str | os.PathLike[str]) -> list[State]:
    """Read what :func:`write_states` wrote.

    Raises:
        DataError: the file cannot be read, or a line is no state.
    """
    told = "a context that is no text, or a score that is no number"
    return read_rows(path, State, lambda s: "" if _is_sound(s) else told, "states", "lse-gym archive")


def _is_sound(state: State) -> bool:
    return isinstance(state.context, str) and isfinite(state.performance)
