"""Make every model that ships again.

    python -m lse_gym.envs.models.nano.rebuild --plan                # the stages, and how long they took
    python -m lse_gym.envs.models.nano.rebuild --out rebuild         # all; after a kill, the same command goes on
    python -m lse_gym.envs.models.nano.rebuild --only nano-lse       # one, from the weights that ship
    python -m lse_gym.envs.models.nano.rebuild --ship                # put what is finished in place of what ships
    python -m lse_gym.envs.models.nano.rebuild --check               # which weights were made by other scripts

A stage that is finished is not made again, unless its sources, its settings or the weights that it starts from have
changed. ``manifest.json`` beside the weights tells of each what it was made of.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lse_gym.envs.errors import ArgumentError, unknown
from lse_gym.envs.extras import needs
from lse_gym.envs.models.nano.stages import ENVS, HERE, STAGES, Stage, lse_commands, sources
from lse_gym.envs.models.nano.train import Size, data_digest, train

with needs("hf", "Training nano"):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, logging

MANIFEST = HERE / "manifest.json"
SMOKE = Size(texts=30, measured=0, width=32, layers=2)
SMOKE_STEPS = 2
WEIGHTS, DONE, BEGUN = "model.safetensors", "stage.json", "begun.json"
KEPT = ("checkpoint.pt", "archive", "training")  # of a stage, until it is done


def digest(path: Path) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def digests(paths: Sequence[Path]) -> dict[str, str]:
    """Digests of files of this package, by their path in it."""
    return {path.relative_to(ENVS.parent).as_posix(): digest(path) for path in paths}


def inputs(stage: Stage, out: Path, smoke: bool) -> dict[str, Any]:
    """Everything that the result of a stage is a function of, besides the machine and its libraries."""
    start = _folder(stage.start, out, smoke) if stage.start else None
    told: dict[str, Any] = {"made": made(stage), "smoke": smoke, "start": start and digest(start / WEIGHTS)}
    if stage.lessons is None and not smoke:
        told["task_model"] = digest(_folder("nano", out, smoke) / WEIGHTS)
    return told | {"sources": digests(sources(stage))}


def made(stage: Stage) -> Any:
    """The settings of a stage, as JSON has them."""
    return stage.lessons._asdict() if stage.lessons else lse_commands(Path("start"), "nano", Path("out"), False)


def run_stage(stage: Stage, out: Path, *, smoke: bool = False) -> str:
    """Make a stage in ``out``, from where it was stopped; returns what there was to do: "is there", "made" …

    Raises:
        ArgumentError: the stage that it goes on from is neither there nor ships.
    """
    start, folder = _folder(stage.start, out, smoke) if stage.start else None, out / stage.name
    now = inputs(stage, out, smoke)
    done = _read(folder / DONE)
    if done.get("inputs") == now:
        return "is there"
    begun = _read(folder / BEGUN)
    said = "goes on" if begun == now else "made"
    if begun and begun != now:
        shutil.rmtree(folder)
        said = "made again, as its scripts, settings or start have changed"
    _write(folder / BEGUN, now)
    if stage.lessons is None:
        _reinforce(start, "reader" if smoke else f"hf:{_folder('nano', out, smoke)}", folder, smoke)
    else:
        lessons = stage.lessons._replace(steps=SMOKE_STEPS, stop=None) if smoke else stage.lessons
        train(folder, lessons, start, size=SMOKE if smoke else Size(), on_note=_say)
    for name in KEPT:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    _write(folder / DONE, {"inputs": now, "weights": digest(folder / WEIGHTS)})
    return said


def _folder(name: str, out: Path, smoke: bool) -> Path:
    """Where a stage's weights are: in this rebuild, or else among those that ship."""
    done = _read(out / name / DONE)
    if done and done["inputs"]["smoke"] == smoke:
        return out / name
    if (ships := STAGES[name].ships) is None:
        raise ArgumentError(f"stage {name!r} is not in {str(out)!r}, and its weights do not ship. Make it first.")
    return HERE / ships


def _reinforce(start: Path | None, task_model: str, folder: Path, smoke: bool) -> None:
    """``nano-lse``: an archive, then training by LSE; the weights are those of the last step, in bfloat16."""
    assert start is not None
    for words in lse_commands(start, task_model, folder, smoke):
        subprocess.run([sys.executable, "-m", "lse_gym", *words], check=True)
    best = folder / "training" / "best"
    AutoModelForCausalLM.from_pretrained(best, dtype=torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(best).save_pretrained(folder)
    shutil.copy(folder / "training" / "metrics.jsonl", folder / "training_log.jsonl")


def ship(out: Path, manifest: Path = MANIFEST) -> list[str]:
    """Put the finished models in ``out`` in place of those that ship, with their logs; returns their names."""
    told, shipped = _read(manifest), []
    for stage in STAGES.values():
        done = _read(out / stage.name / DONE)
        if not stage.ships or not done or done["inputs"]["smoke"]:
            continue
        target = manifest.parent / stage.ships
        for file in (out / stage.name).iterdir():
            if file.name not in (DONE, BEGUN, "training_log.jsonl"):
                target.mkdir(exist_ok=True)
                shutil.copy(file, target)
        if stage.log:
            parts = [out / other.name / "training_log.jsonl" for other in STAGES.values() if other.log == stage.log]
            text = "".join(part.read_text(encoding="utf-8") for part in parts if part.exists())
            (manifest.parent / stage.log).write_text(text, encoding="utf-8")
        lessons = {"lessons": data_digest(stage.lessons)} if stage.lessons else {}
        settings, files = done["inputs"]["made"], done["inputs"]["sources"]
        told[stage.name] = {"weights": done["weights"], **lessons, "made": settings, "sources": files}
        shipped.append(stage.name)
    _write(manifest, told)
    return shipped


def check(manifest: Path = MANIFEST) -> list[str]:
    """One line for each model that ships and does not come from the scripts as they are; none where all do."""
    told, lines = _read(manifest), []
    for stage in STAGES.values():
        if stage.ships:
            found = _changes(stage, told.get(stage.name, {}), manifest.parent / stage.ships / WEIGHTS)
            lines += [f"{stage.name}: {'; '.join(found)}"] if found else []
    return lines


def _changes(stage: Stage, then: dict[str, Any], weights: Path) -> list[str]:
    if digest(weights) != then.get("weights"):
        return ["these weights are not those that the manifest tells of"]
    now, found = digests(sources(stage)), []
    before = then["sources"]
    changed = sorted(name for name in now.keys() | before.keys() if now.get(name) != before.get(name))
    if "made" in then and then["made"] != json.loads(json.dumps(made(stage))):
        found.append("made with other settings")
    if changed:
        found.append(f"made by other versions of {', '.join(changed)}")
    if stage.lessons and (found or not changed):
        same = then.get("lessons") == data_digest(stage.lessons)
        found += [] if same and not changed else [f"the lessons that are drawn are {'the same' if same else 'others'}"]
    return found


def plan(out: Path, only: Sequence[str], smoke: bool = False) -> list[str]:
    """One line for each stage: where it starts, steps, how long it took, and whether it is there."""
    lines, total = [], 0.0
    for name in only or STAGES:
        stage = STAGES[name]
        steps = "LSE" if stage.lessons is None else f"{stage.lessons.stop or stage.lessons.steps:,} steps"
        there = (out / name / DONE).exists()
        total += 0 if there else stage.minutes
        cores = f"{stage.cores} core{'s' * (stage.cores > 1)}"
        parts = (name, f"from {stage.start or 'scratch'}", steps, f"{stage.minutes:g} min on {cores}")
        lines.append("  ".join(f"{part:<22}" for part in parts) + ("there" if there else ""))
    return [*lines, f"to do: about {total / 60:.1f} hours" + (", at full size" if smoke else "")]


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _write(path: Path, told: dict[str, Any]) -> None:
    """Write JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("rebuild"))
    parser.add_argument("--only", action="append", default=[], metavar="STAGE", help="repeatable")
    parser.add_argument("--threads", type=int, default=1, help="other numbers of threads may round otherwise")
    parser.add_argument("--smoke", action="store_true", help="next to nothing of everything, to see that it runs")
    for name, told in (("plan", "only say"), ("check", "compare what ships"), ("ship", "replace what ships")):
        parser.add_argument(f"--{name}", action="store_true", help=told)
    given = parser.parse_args(arguments)
    for name in given.only:
        if name not in STAGES:
            raise unknown("stage", name, STAGES)
    if given.check:
        lines = check()
        _say("\n".join(lines or ["every model that ships comes from the scripts as they are"]))
        sys.exit(bool(lines))
    if given.plan:
        _say("\n".join(plan(given.out, given.only, given.smoke)))
        return
    if given.ship:
        _say(f"shipped: {', '.join(ship(given.out)) or 'nothing, as no model is finished'}")
        return
    torch.set_num_threads(given.threads)
    logging.disable_progress_bar()
    for name in given.only or STAGES:
        _say(f"{name}: {run_stage(STAGES[name], given.out, smoke=given.smoke)}")


if __name__ == "__main__":
    main()
