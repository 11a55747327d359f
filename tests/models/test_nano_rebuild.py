"""What makes the shipped models again: stages, what a kill costs, what it tells of what ships. Needs the extra `hf`."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lse_gym.envs.errors import ArgumentError, UnknownNameError
from lse_gym.envs.models import SHIPPED
from lse_gym.envs.models.nano import rebuild
from lse_gym.envs.models.nano import train as training
from lse_gym.envs.models.nano.stages import STAGES, Stage, sources
from lse_gym.envs.models.nano.train import Lessons, Size, data_digest, train

TINY = Size(texts=20, measured=0, width=32, layers=2)


def rows(folder):
    read = [json.loads(line) for line in (folder / "training_log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in ("seconds", "hours")} for row in read]


def test_a_training_that_was_interrupted_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "data_digest", lambda lessons: "")
    lessons, seen = Lessons(5, 6, 0.5), []

    def stop(line):
        seen.append(json.loads(line))
        if seen[-1]["step"] == 4:  # before the checkpoint of step 4 is written
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", lessons, size=TINY, evaluate_every=2, on_note=stop)
    (tmp_path / "cut" / ".checkpoint.tmp").write_bytes(b"half a checkpoint")
    for name in ("cut", "whole"):
        train(tmp_path / name, lessons, size=TINY, evaluate_every=2)
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("cut", "whole"))
    assert all(torch.equal(one[name], other[name]) for name in other)
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")
    assert [row.get("step") for row in rows(tmp_path / "whole")] == [0, 2, 4, 6, None]


def test_every_shipped_model_has_a_stage_and_every_stage_a_start_and_sources():
    assert {stage.name: stage.ships for stage in STAGES.values() if stage.ships} == {
        name: Path(folder).name for name, folder in SHIPPED.items()
    }
    names = [*STAGES]
    for stage in STAGES.values():
        assert stage.start is None or names.index(stage.start) < names.index(stage.name)
        assert all(path.exists() for path in sources(stage))
    assert {stage.start for stage in STAGES.values()} - {None} <= {*names}
    scripts = {path.name for path in sources(STAGES["nano-qa"])}
    assert {"qa_data.py", "train.py", "draw.py"} <= scripts
    assert "demonstrations.py" not in scripts


@pytest.fixture
def made(monkeypatch):
    """Stages that take no time: what each was asked to train."""
    calls = []

    def fake(out, lessons, start, *, size, on_note):
        calls.append((out.name, lessons, start))
        for name in ("model.safetensors", "checkpoint.pt", "training_log.jsonl"):
            (out / name).write_text(f"{lessons} {name}")

    monkeypatch.setattr(rebuild, "train", fake)
    return calls


def run(name, out):
    return rebuild.run_stage(STAGES[name], out)


def test_a_stage_is_made_once_and_again_when_what_it_depends_on_has_changed(tmp_path, made, monkeypatch):
    assert [run("pico", tmp_path) for _ in range(2)] == ["made", "is there"]
    assert not (tmp_path / "pico" / "checkpoint.pt").exists()
    monkeypatch.setattr(rebuild, "digests", lambda paths: {"train.py": "other"})
    assert run("pico", tmp_path).startswith("made again")
    (tmp_path / "pico" / "stage.json").unlink()  # as if it had been stopped
    assert run("pico", tmp_path) == "goes on"
    monkeypatch.setattr(rebuild, "digests", lambda paths: {"train.py": "changed while it was stopped"})
    (tmp_path / "pico" / "stage.json").unlink()
    assert run("pico", tmp_path).startswith("made again")
    assert len(made) == 4


def test_a_stage_goes_on_from_this_rebuild_or_else_from_what_ships(tmp_path, made):
    run("nano-qa-1", tmp_path)
    assert made[-1] == ("nano-qa-1", STAGES["nano-qa-1"].lessons, Path(SHIPPED["nano"]))
    run("nano", tmp_path)
    assert run("nano-qa-1", tmp_path).startswith("made again")
    assert made[-1][2] == tmp_path / "nano"
    with pytest.raises(ArgumentError, match="'nano-qa-3' is not in"):
        run("nano-qa-4", tmp_path)
    assert not (tmp_path / "nano-qa-4").exists()


def test_what_is_finished_ships_with_its_logs_and_what_it_was_made_of(tmp_path, made, monkeypatch):
    monkeypatch.setattr(rebuild, "data_digest", lambda lessons: str(lessons.seed))
    out, manifest = tmp_path / "out", tmp_path / "nano" / "manifest.json"
    for folder in SHIPPED.values():
        shutil.copytree(folder, manifest.parent / Path(folder).name)
    assert rebuild.ship(out, manifest) == []
    for name in ("nano", "nano-editor-1", "nano-editor"):
        run(name, out)
    assert rebuild.ship(out, manifest) == ["nano", "nano-editor"]
    assert (manifest.parent / "weights" / "model.safetensors").read_text().startswith("Lessons(seed=0")
    log = (manifest.parent / "editor_training_log.jsonl").read_text()
    assert log.index("seed=3") < log.index("seed=4")  # both stages of the editor, in their order
    told = rebuild.check(manifest)
    assert [line.partition(":")[0] for line in told] == ["nano-lse", "pico", "nano-qa"]
    assert all("not those that the manifest tells of" in line for line in told)
    seen = rebuild.digests
    monkeypatch.setattr(rebuild, "digests", lambda paths: seen(paths) | {"envs/models/nano/train.py": "other"})
    told = rebuild.check(manifest)
    assert "made by other versions of envs/models/nano/train.py; the lessons that are drawn are the same" in told[0]
    monkeypatch.setattr(rebuild, "data_digest", lambda lessons: "other")
    assert rebuild.check(manifest)[0].endswith("the lessons that are drawn are others")


def test_the_command_line_plans_and_knows_its_stages(tmp_path, made, capsys):
    run("pico", tmp_path)
    rebuild.main(["--plan", "--out", str(tmp_path), "--only", "pico", "--only", "nano-lse"])
    told = capsys.readouterr().out.splitlines()
    assert told[0].split() == "pico from scratch 7,907 steps 68 min on 1 core there".split()
    assert told[2] == "to do: about 0.9 hours"
    with pytest.raises(UnknownNameError, match="Did you mean 'nano-editor'"):
        rebuild.main(["--only", "nano-edito"])
    rebuild.main(["--only", "pico", "--out", str(tmp_path)])
    assert capsys.readouterr().out == "pico: is there\n"


@pytest.mark.long
def test_other_lessons_have_another_digest():
    assert data_digest(Lessons(0, 1, 0.0)) != data_digest(Lessons(1, 1, 0.0))


@pytest.mark.long
def test_every_stage_runs_from_scratch(tmp_path):
    rebuild.main(["--smoke", "--out", str(tmp_path)])
    for stage in STAGES.values():
        kept = {path.name for path in (tmp_path / stage.name).iterdir()}
        assert {"model.safetensors", "tokenizer.json", "training_log.jsonl", "stage.json"} <= kept
        assert not kept & {*rebuild.KEPT}
        weights = load_file(tmp_path / stage.name / "model.safetensors").values()
        assert {tensor.dtype for tensor in weights} == {torch.bfloat16}
    assert rebuild.run_stage(Stage(*STAGES["nano-lse"]), tmp_path, smoke=True) == "is there"
    assert rebuild.ship(tmp_path, tmp_path / "manifest.json") == []  # it is no model
