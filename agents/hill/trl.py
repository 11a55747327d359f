"""HiLL with models of real sizes: TRL trains the reasoner, and the hinter learns beside it.

    LSE_GYM_DEVICE=cuda:1 python -m lse_gym.agents.hill.trl --questions sage_train.jsonl --use-vllm --out hill

Needs the extra ``trl``. The questions are a file as the game of hints takes it (``problem``, ``solution``, ``answer``;
GSM8K), or the embedded word problems. Both models are in one process; the hinter has the device of ``hf:``.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lse_gym.agents.hill.baseline import GroupBaseline
from lse_gym.agents.hill.learner import descend, told
from lse_gym.agents.hill.player import ModelPlayer, Trainee
from lse_gym.agents.hill.rounds import play_round
from lse_gym.agents.hill.settings import HillArgs
from lse_gym.agents.hill.task import Exercise, GameTask, Task, read_exercises
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.extras import needs
from lse_gym.envs.games.hint.questions import make_exercises
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.huggingface import HuggingFaceModel

with needs("trl", "Training with TRL"):
    import torch
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

REASONER, HINTER = "Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen3-4B-Instruct-2507"
PAPER = HillArgs(questions=128, lr=1e-6, hinter_lr=1e-6)
MINI_BATCH = 64  # questions of an update
STEPS = 500  # generations, of PAPER.questions each


class TrainerPlayer:
    """The policy of a trainer as a player: it is sampled as the trainer does, with vLLM where that is on."""

    def __init__(self, trainer: GRPOTrainer):
        self.trainer = trainer
        self.tokenizer: Any = trainer.processing_class

    def prompt_ids(self, request: Request) -> list[int]:
        """The token ids of a request."""
        found = self.tokenizer.apply_chat_template(request.messages, add_generation_prompt=True, return_dict=True)
        return list(found["input_ids"])

    def write(self, requests: Sequence[Request]) -> list[list[int]]:
        """Answer each request, at the trainer's temperature and length."""
        prompts = [self.prompt_ids(request) for request in requests]
        return self.trainer._generate_single_turn(prompts, None, {}, 1)[0] if prompts else []

    def text(self, ids: Sequence[int]) -> str:
        """The text of an answer."""
        return self.tokenizer.decode(ids, skip_special_tokens=True)

    def row_logprobs(self, request: Request, rows: Sequence[list[int]]) -> list[list[float]]:
        """Log-probability of each token of each answer, in nats, at the trainer's temperature."""
        prompt, longest = self.prompt_ids(request), max(map(len, rows))
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([prompt + row + [pad] * (longest - len(row)) for row in rows])
        mask = torch.tensor([[1] * (len(prompt) + len(row)) + [0] * (longest - len(row)) for row in rows])
        trainer, device = self.trainer, self.trainer.accelerator.device
        size = trainer.args.per_device_train_batch_size
        with torch.no_grad():
            found = trainer._get_per_token_logps_and_entropies(
                trainer.model, ids.to(device), mask.to(device), longest, batch_size=size
            )[0]
        return [one[: len(row)].tolist() for one, row in zip(found, rows, strict=True)]


class HillRollouts:
    """TRL's ``rollout_func``: answers, hints where all are wrong, replaced groups; then the hinter's own step.

    The trainer normalises the rewards of the mixed batch as GRPO does. Both models are sampled before either learns, so
    it makes no difference that the hinter's step comes first.

    Args:
        task: the texts of both.
        exercises: the questions, to be found by their prompts.
        hinter: the hinter.
        args: the settings.
        metrics: a line a generation is added to this file.
    """

    def __init__(self, task: Task, exercises: Sequence[Exercise], hinter: Trainee, args: HillArgs, metrics: Path):
        self.task, self.hinter, self.args, self.metrics = task, hinter, args, metrics
        self.by_prompt = {_key(task.ask(exercise, "").messages): exercise for exercise in exercises}
        self._baseline, self._number = GroupBaseline(), 0

    def dataset(self) -> Dataset:
        """The questions as TRL takes them."""
        return Dataset.from_list([{"prompt": json.loads(prompt)} for prompt in self.by_prompt])

    def __call__(self, prompts: Sequence[Any], trainer: GRPOTrainer) -> dict[str, Any]:
        """TRL's signature: prompts, each as often as it has answers; returns ids, and ``score`` for the reward."""
        if trainer.accelerator.num_processes > 1:
            raise ArgumentError("the hinter learns in one process. Run without accelerate, and use vLLM for speed.")
        n = self.args.samples
        exercises = [self.by_prompt[_key(prompt)] for prompt in prompts[::n]]
        player = TrainerPlayer(trainer)
        played = play_round(self.task, player, self.hinter, exercises, self.args, self._number, self._hints)
        row = {"generation": self._number, "calls": played.calls} | told(played)
        if played.hinter:
            row["hinter_grad_norm"] = descend(self.hinter, self._baseline, played.hinter)
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self._number += 1
        return {
            "prompt_ids": [player.prompt_ids(group.request) for group in played.mixed for _ in range(n)],
            "completion_ids": [ids for group in played.mixed for ids in group.rows],
            "logprobs": None,
            "score": [reward for group in played.mixed for reward in group.rewards],
        }

    def _hints(self, exercises: Sequence[Exercise], asked: Sequence[Request]) -> list[list[list[int]]]:
        del exercises
        m = self.args.hints
        rows = self.hinter.write([request._replace(sample=k) for request in asked for k in range(m)])
        return [rows[i : i + m] for i in range(0, len(rows), m)]


def kept_score(completions: Sequence[Any], score: Sequence[float], **columns: Any) -> list[float]:
    """The reward function: the rollouts are scored already."""
    del completions, columns
    return [*score]


def paper_config(out: str | Path, args: HillArgs = PAPER, **changes: Any) -> GRPOConfig:
    """The settings of HiLL's released code for Qwen2.5-7B-Instruct, in one process.

    128 questions with 8 answers a generation, two updates of 64 questions each, 500 generations, learning rate 1e-6,
    no KL, clip 0.2 and 0.28, rewards scaled by their group, token-mean loss, temperature 1.0, answers up to 10,240
    tokens.
    """
    mini = min(MINI_BATCH, args.questions)
    values: dict[str, Any] = {
        "output_dir": str(out),
        "learning_rate": args.lr,
        "lr_scheduler_type": "constant",
        "beta": 0.0,
        "epsilon": args.clip,
        "epsilon_high": args.clip_high,
        "loss_type": "dapo",  # TRL's name for the mean over all tokens of the batch
        "scale_rewards": "group",
        "temperature": args.temperature,
        "num_generations": args.samples,
        "per_device_train_batch_size": args.samples,
        "gradient_accumulation_steps": mini,
        "steps_per_generation": args.questions,
        "max_steps": STEPS * args.questions // mini,
        "max_completion_length": 10_240,
        "bf16": True,
        "gradient_checkpointing": True,
        "save_steps": 100,
        "logging_steps": 1,
        "report_to": "none",
        "seed": args.seed,
    }
    return GRPOConfig(**values | changes)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", help="a file; by default the embedded word problems")
    parser.add_argument("--reasoner", default=REASONER)
    parser.add_argument("--hinter", default=HINTER)
    parser.add_argument("--lora-rank", type=int, default=0, help="of the reasoner; 0 trains all its weights")
    parser.add_argument("--use-vllm", action="store_true")
    parser.add_argument("--steps", type=int, help="updates of the reasoner; by default the paper's")
    parser.add_argument("--cpu", action="store_true", help="small batches, for a smoke test without a GPU")
    parser.add_argument("--out", type=Path, default=Path("hill"))
    given = parser.parse_args(arguments)
    args, task, changes = PAPER, GameTask(), {}
    if given.cpu:
        args, task = replace(PAPER, questions=2, samples=2, hints=2), GameTask(16, 16)
        changes |= {"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "max_completion_length": 16}
    if given.use_vllm:
        # rollouts tell no log-probabilities of vLLM's own, which its correction would be made from
        changes |= {"use_vllm": True, "vllm_mode": "colocate", "vllm_importance_sampling_correction": False}
    if given.steps is not None:
        changes["max_steps"] = given.steps
    peft = None
    if given.lora_rank:
        from peft import LoraConfig

        peft = LoraConfig(r=given.lora_rank, lora_alpha=2 * given.lora_rank, target_modules="all-linear")
    given.out.mkdir(parents=True, exist_ok=True)
    hinter = ModelPlayer(HuggingFaceModel(given.hinter), args.policy(args.hinter_lr), args.clip_high)
    exercises = read_exercises(make_exercises(given.questions))
    rollouts = HillRollouts(task, exercises, hinter, args, given.out / "metrics.jsonl")
    trainer = GRPOTrainer(
        model=given.reasoner,
        reward_funcs=kept_score,
        args=paper_config(given.out, args, **changes),
        train_dataset=rollouts.dataset(),
        rollout_func=rollouts,
        peft_config=peft,
    )
    trainer.train()
    trainer.save_model(str(given.out / "reasoner"))
    hinter.save(given.out / "hinter")


def _key(messages: Any) -> str:
    return json.dumps([{"role": m["role"], "content": m["content"]} for m in messages])


if __name__ == "__main__":
    main()
