"""Where a training stands, on disk: written whole after every step, so that kill -9 costs a step at most."""

import json
import os
import shutil
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from lse_gym.agents.files import read_object, write_text
from lse_gym.envs.errors import RunDirectoryError

CHECKPOINT, METRICS = "checkpoint.pt", "metrics.jsonl"


def claim(out: Path, facts: Mapping[str, Any], resume: bool, free: Collection[str]) -> None:
    """Write ``config.json``, or check that it is this training's.

    Args:
        out: directory of the training; made when missing.
        facts: everything that the training depends on.
        resume: go on with the training that is there, if any.
        free: names of the facts that may differ then.

    Raises:
        RunDirectoryError: another training is there, or this one and ``resume`` is not set.
    """
    config = out / "config.json"
    if config.exists():
        there = read_object(config)
        same = {**there, **{name: facts[name] for name in free}} == dict(facts)
        if not (resume and same):
            what = "this training already" if same else "another training"
            raise RunDirectoryError(
                f"{str(out)!r} holds {what}. Pass another directory, or resume=True with the same settings; "
                f"{' and '.join(free)} may differ."
            )
    out.mkdir(parents=True, exist_ok=True)
    write_text(config, json.dumps(facts, indent=1) + "\n")


def digest(data: Any) -> str:
    """SHA-256 of data as JSON: a fact of what a training learns from."""
    return sha256(json.dumps(data).encode()).hexdigest()


def read(out: Path) -> dict[str, Any] | None:
    """What :func:`write` wrote last; None of a training that has no whole step. Rows of later steps are dropped."""
    path, metrics, kept = out / CHECKPOINT, out / METRICS, None
    if path.exists():
        import torch

        kept = torch.load(path, weights_only=True, map_location="cpu")
    done = kept["step"] if kept else 0
    lines = metrics.read_text(encoding="utf-8").splitlines(keepends=True) if metrics.exists() else []
    write_text(metrics, "".join(one for one in lines if one.endswith("\n") and json.loads(one)["step"] < done))
    return kept


def write(out: Path, state: Mapping[str, Any]) -> None:
    """Replace the checkpoint.

    Args:
        out: directory of the training.
        state: ``step``, the steps that are done, and whatever else is needed to go on.
    """
    import torch

    temporary = out / ".checkpoint.tmp"
    torch.save(dict(state), temporary)
    os.replace(temporary, out / CHECKPOINT)


def write_folder(folder: Path, save: Callable[[Path], object]) -> None:
    """Let ``save`` write a folder beside, and move it into the place of the one that is there."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    save(temporary)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(temporary, folder)
