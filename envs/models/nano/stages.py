"""How each shipped model is made: stages, each going on from another's weights, and the sources that each depends on.

The numbers are those of the trainings that made the weights that ship, whose logs are beside them. Those trainings were
ended by the clock or by hand; here a stage has as many steps as they came to, so that it does not depend on the clock.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lse_gym.envs.extras import needs

with needs("hf", "Making the shipped models"):
    from lse_gym.envs.models.nano.train import Lessons

HERE = Path(__file__).parent
ENVS = HERE.parents[1]


class Stage(NamedTuple):
    """One step on the way to a model that ships.

    ``lessons`` is None for reinforcement learning by LSE; ``start`` is the stage that it goes on from; ``minutes`` is
    what it took, on as many ``cores``; ``ships`` is the folder of this package that its weights belong in, and ``log``
    the file beside it that its log is part of.
    """

    name: str
    lessons: Lessons | None
    minutes: float
    cores: int = 1
    start: str | None = None
    ships: str | None = None
    log: str | None = None


def _qa() -> Iterator[Stage]:
    """The stages of ``nano-qa``: seed, peak, steps of the schedule, where it was stopped by hand, minutes.

    Where a stage was stopped by hand, the steps of its schedule are estimated from the minutes that it was given.
    """
    rows = (
        (6, 0.6, 7588, 3000, 38),
        (7, 0.5, 6974, 1000, 10),
        (8, 0.5, 5042, 2000, 22),
        (9, 0.45, 3709, None, 41),
        (11, 0.8, 11086, 3000, 29),
        (12, 0.8, 8132, 1000, 10),
        (13, 0.7, 6124, 1000, 10),
        (14, 0.6, 4757, None, 55),
        (15, 0.4, 1400, None, 18),
    )
    for number, (seed, peak, steps, stop, minutes) in enumerate(rows, 1):
        lessons = Lessons(seed, steps, 0.0, 1.0, peak, stop, respelled=number in (5, 7))
        name, start = f"nano-qa-{number}", f"nano-qa-{number - 1}" if number > 1 else "nano"
        if number < len(rows):
            yield Stage(name, lessons, minutes, 2, start, log="qa_training_log.jsonl")
        else:
            yield Stage("nano-qa", lessons, minutes, 2, start, "qa", "qa_training_log.jsonl")


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("nano", Lessons(0, 14_892), 101, 2, None, "weights", "training_log.jsonl"),
        Stage("nano-editor-1", Lessons(3, 4_696, 0.8, peak=0.4), 27, 1, "nano", log="editor_training_log.jsonl"),
        Stage(
            "nano-editor",
            Lessons(4, 2_464, 1.0, peak=0.5),
            30,
            start="nano-editor-1",
            ships="editor",
            log="editor_training_log.jsonl",
        ),
        Stage("nano-lse", None, 56, start="nano-editor", ships="lse"),
        Stage("pico", Lessons(1, 7_907, 0.0, width=96), 68, ships="pico", log="pico_training_log.jsonl"),
        *_qa(),
    )
}

ARCHIVE = "--seeds 1 --feedback-size 4 --rounds 8".split()
TRAIN = (
    "--states-per-step 8 --samples 4 --temperature 0.7 --advantage grpo --lr 3e-4 --steps 100 --patience 100".split()
)
SMOKE_ARCHIVE = "--seeds 1 --feedback-size 4 --rounds 0".split()
SMOKE_TRAIN = "--states-per-step 1 --samples 2 --advantage grpo --steps 1".split()
THEMES = "library shop transit farm studio".split()


def lse_commands(start: Path, task_model: str, out: Path, smoke: bool) -> list[list[str]]:
    """The commands of ``lse-gym`` that make ``nano-lse`` from the weights in ``start``; each goes on where it stopped.

    Args:
        start: folder of the editor to train.
        task_model: what answers in training.
        out: where ``archive`` and ``training`` are written.
        smoke: do next to nothing.
    """
    archive, training = out / "archive", out / "training"
    tokens = "8" if smoke else "256"
    models = (
        "--task-model",
        task_model,
        "--max-tokens",
        tokens,
        "--max-edit-tokens",
        tokens,
        "--editor",
        f"hf:{start}",
    )
    domains = ["library-0"] if smoke else [f"{theme}-{seed}" for seed in range(3) for theme in THEMES]
    resume = ["--resume"] if (training / "config.json").exists() else []
    collect = ("archive", "--domains", ",".join(domains), *models, "--out", str(archive))
    learn = ("train", str(archive / "states.jsonl"), *models, "--out", str(training), *resume)
    return [[*collect, *(SMOKE_ARCHIVE if smoke else ARCHIVE)], [*learn, *(SMOKE_TRAIN if smoke else TRAIN)]]


def sources(stage: Stage) -> list[Path]:
    """The files of this package that the result of a stage depends on, besides its start."""
    sql = [ENVS / "prompt.py", ENVS / "sql" / "prompt.py", *(ENVS / "sql" / "procedural").glob("*.py")]
    texts = [ENVS / "editing.py", ENVS / "report.py"]
    if stage.lessons is None:
        names = "advantage learner policy reward settings states".split()
        return sorted([*sql, *texts, *(ENVS.parent / "agents" / "lse" / f"{name}.py" for name in names)])
    found = [*sql, *(HERE / f"{name}.py" for name in "data lexicon optimizer packed tokenizer train".split())]
    if stage.lessons.edits:
        found += [HERE / "demonstrations.py", *texts]
    if stage.lessons.qa:
        qa = ENVS / "qa"
        found += [HERE / "qa_data.py", HERE / "qa_steps.py", qa / "prompt.py", *(qa / "procedural").glob("*.py")]
    return sorted(found)
