"""One round of preference learning by TRL's ``DPOTrainer``, or of supervised learning by its ``SFTTrainer``."""

import json
import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lse_gym.agents.checkpoint import write_folder
from lse_gym.agents.files import write_text
from lse_gym.agents.lse.preference_settings import PreferenceArgs
from lse_gym.agents.lse.preferences import Pair
from lse_gym.envs.errors import DataError
from lse_gym.envs.extras import needs
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.chat_template import prompt_ids
from lse_gym.envs.models.huggingface import few_threads

with needs("trl", "Preference learning"):
    import datasets
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
    from transformers.trainer_utils import get_last_checkpoint
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

WHOLE = "trainer_state.json"  # what Transformers writes last into a checkpoint


def training_config(out: Path, args: PreferenceArgs, **changes: Any) -> DPOConfig | SFTConfig:
    """ExCoT's settings as TRL takes them: in float32 on a CPU, in bfloat16 with gradient checkpoints elsewhere."""
    gpu = torch.cuda.is_available()
    values: dict[str, Any] = {
        "output_dir": str(out),
        "learning_rate": args.lr,
        "lr_scheduler_type": "linear",
        "warmup_steps": args.warmup,  # below 1 it is a share of all steps
        "num_train_epochs": args.epochs,
        "weight_decay": args.weight_decay,
        "per_device_train_batch_size": 1,  # prompts differ much in length, and padding costs
        "gradient_accumulation_steps": args.batch,
        "max_length": args.max_length,
        "bf16": gpu,
        "use_cpu": not gpu,
        "gradient_checkpointing": gpu,
        "save_strategy": "steps",
        "save_steps": args.save_every,
        "save_total_limit": 2,
        "logging_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
        "seed": args.seed,
    }
    if args.method == "sft":
        return SFTConfig(**values | {"completion_only_loss": True} | changes)
    return DPOConfig(**values | {"beta": args.beta, "label_smoothing": 0.0} | changes)


def train_round(
    model: str, pairs: Sequence[Pair], folder: Path, args: PreferenceArgs, on_work: Callable[[str], None]
) -> dict[str, Any]:
    """Train ``model`` on pairs into ``folder/model``, from the last whole checkpoint there.

    Returns:
        What it came to: pairs dropped and truncated for their length, steps, first and last loss, and for DPO the share
        of pairs of the last step that the model tells apart.

    Raises:
        DataError: every prompt is too long.
    """
    tokenizer = AutoTokenizer.from_pretrained(model)
    rows, told = tokenized(pairs, tokenizer, args)
    checkpoints = folder / "trainer"
    config = training_config(checkpoints, args)
    with _without_bars():
        trainer = _trainer(model, rows, config, tokenizer)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_Progress(on_work))
    with few_threads(trainer.model.num_parameters(), trainer.model.device.type):
        trainer.train(resume_from_checkpoint=last_checkpoint(checkpoints))
    write_folder(folder / "model", lambda into: _save(trainer, into))
    history = [row for row in trainer.state.log_history if "loss" in row]
    write_text(folder / "log.jsonl", "".join(json.dumps(row) + "\n" for row in history))
    shutil.rmtree(checkpoints, ignore_errors=True)
    last = {"accuracy": history[-1]["rewards/accuracies"]} if args.method == "dpo" else {}
    return {**told, "steps": trainer.state.global_step, "loss": [history[0]["loss"], history[-1]["loss"]], **last}


def tokenized(
    pairs: Sequence[Pair], tokenizer: Any, args: PreferenceArgs
) -> tuple[list[dict[str, list[int]]], dict[str, int]]:
    """Pairs as token ids: a prompt exactly as the editor is shown it, an answer and its end after it.

    Chat templates are not trusted with this: a token that spans the border of the two would never be seen in use.

    Returns:
        The pairs whose prompt leaves room for an answer; how many are dropped, and how many answers lose their end.

    Raises:
        DataError: none is left.
    """
    end = [tokenizer.eos_token_id]
    names = {"chosen": "chosen_ids", "rejected": "rejected_ids"} if args.method == "dpo" else {"chosen": "chosen_ids"}
    rows = []
    for pair in pairs:
        row = {"prompt_ids": prompt_ids(tokenizer, [Request(pair.system, pair.prompt)])[0]}
        for name, column in names.items():
            row[column] = tokenizer(getattr(pair, name), add_special_tokens=False).input_ids + end
        rows.append(row)
    kept = [row for row in rows if len(row["prompt_ids"]) < args.max_length]
    cut = [len(row["prompt_ids"]) + len(row[column]) > args.max_length for row in kept for column in names.values()]
    if not kept:
        raise DataError(f"every prompt of {len(pairs)} has {args.max_length} tokens or more. Raise max_length.")
    return kept, {"dropped": len(rows) - len(kept), "truncated": sum(cut)}


class _DPOTrainer(DPOTrainer):
    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset  # tokenized already


def _trainer(model: str, rows: list[dict[str, list[int]]], config: Any, tokenizer: Any) -> Any:
    if isinstance(config, SFTConfig):
        rows = [
            {"input_ids": r["prompt_ids"] + r["chosen_ids"], "completion_mask": mask(r["prompt_ids"], r["chosen_ids"])}
            for r in rows
        ]
    return (SFTTrainer if isinstance(config, SFTConfig) else _DPOTrainer)(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        args=config,
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tokenizer,
    )


def mask(prompt: Sequence[int], answer: Sequence[int]) -> list[int]:
    """1 where a token is learnt."""
    return [0] * len(prompt) + [1] * len(answer)


def last_checkpoint(folder: Path) -> str | None:
    """The last whole checkpoint; those that a kill cut short are removed."""
    for broken in folder.glob("checkpoint-*"):
        if not (broken / WHOLE).exists():
            shutil.rmtree(broken)
    return get_last_checkpoint(str(folder)) if folder.is_dir() else None


@contextmanager
def _without_bars() -> Generator[None]:
    """No progress bars of ``datasets`` inside."""
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _save(trainer: Any, folder: Path) -> None:
    trainer.save_model(str(folder))
    (folder / "training_args.bin").unlink(missing_ok=True)


class _Progress(TrainerCallback):
    def __init__(self, on_work: Callable[[str], None]):
        self._tell = on_work

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self._tell(f"step {state.global_step} of {state.max_steps}")
