"""Train a large editor with TRL: GRPOTrainer with the env as reward, LoRA, vLLM, accelerate.

    accelerate launch -m lse_gym.agents.lse.trl archive/states.jsonl --editor Qwen/Qwen3-4B-Instruct-2507 \\
        --task-model openai:Qwen/Qwen3-4B-Instruct-2507 --use-vllm --out training

Needs the extra ``trl``. With ``advantage="delta"`` (and ``"logit_delta"``) the improvement itself is the advantage, as
in LSE; ``"grpo"`` is TRL's own, on the score after the edit.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lse_gym.agents.lse.advantage import ADVANTAGES, INVALID, Advantage, advantages
from lse_gym.agents.lse.reward import scores_after, state_prompt
from lse_gym.agents.lse.settings import LearnerArgs
from lse_gym.agents.lse.states import State, read_states, select_states
from lse_gym.agents.settings import Config
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.extras import needs

with needs("trl", "Training with TRL"):
    import torch
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

PAPER = LearnerArgs()


def state_dataset(env: ContextEnv, states: Sequence[State]) -> Dataset:
    """States as TRL takes them: a chat prompt, and the fields of the state."""
    rows = [{"prompt": [{"role": "user", "content": state_prompt(env, state)}], **state._asdict()} for state in states]
    return Dataset.from_list(rows)


class EditReward:
    """A reward function of TRL: what each edit is worth, all edits of a batch evaluated together.

    Args:
        env: the env whose task model, domains and limits hold.
        advantage: what is returned: the advantage itself, or for "grpo" the score after the edit.
    """

    def __init__(self, env: ContextEnv, advantage: Advantage = "delta"):
        self.env, self.advantage = env, advantage
        self.__name__ = "improvement" if advantage != "grpo" else "score"
        self.last: list[float] = []

    def __call__(self, completions: Sequence[Any], **columns: Sequence[Any]) -> list[float]:
        """TRL's signature: completions, and the columns of the dataset repeated for each."""
        answers = [c if isinstance(c, str) else c[-1]["content"] for c in completions]
        states = [State(*fields) for fields in zip(*(columns[name] for name in State._fields), strict=True)]
        after = scores_after(self.env, states, answers)
        before = np.array([state.performance for state in states])
        if self.advantage == "grpo":
            self.last = np.where(np.isnan(after), INVALID, after).tolist()
        else:
            self.last = advantages(self.advantage, before, after[:, None])[:, 0].tolist()
        return self.last


class LSETrainer(GRPOTrainer):
    """TRL's trainer with LSE's advantage: the parent's score is the baseline, not the mean of a group.

    Its only reward function must be an :class:`EditReward`.
    """

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        (reward,) = self.reward_funcs
        if reward.advantage != "grpo":
            own = torch.tensor(reward.last, dtype=output["advantages"].dtype, device=output["advantages"].device)
            output["advantages"] = own  # of this process: rewards are computed where completions are
        return output


def paper_config(out: str | Path, **changes: Any) -> GRPOConfig:
    """The paper's settings (LSE, appendix A, and the released scripts) for Qwen3-4B-Instruct-2507, on any GPUs.

    32 states with 4 edits each a step, learning rate 1e-6 constant, weight decay 0.01, gradient norm 1.0, no KL, clip
    0.2 on both sides, dual clip 3.0, token-mean loss, temperature 1.0, answers up to 16,384 tokens, 4 epochs.
    """
    values: dict[str, Any] = {
        "output_dir": str(out),
        "learning_rate": PAPER.lr,
        "lr_scheduler_type": "constant",
        "weight_decay": PAPER.weight_decay,
        "max_grad_norm": PAPER.max_grad_norm,
        "beta": 0.0,
        "epsilon": PAPER.clip,
        "delta": PAPER.dual_clip,
        "loss_type": "dapo",  # TRL's name for the mean over all tokens of the batch
        "num_iterations": PAPER.updates,
        "temperature": PAPER.temperature,
        "num_generations": PAPER.samples,
        "per_device_train_batch_size": PAPER.samples,
        "gradient_accumulation_steps": PAPER.states_per_step,
        "max_completion_length": 16_384,
        "num_train_epochs": 4,
        "bf16": True,
        "gradient_checkpointing": True,
        "shuffle_dataset": False,
        "save_steps": 20,
        "logging_steps": 1,
        "report_to": "none",
        "seed": PAPER.seed,
    }
    return GRPOConfig(**values | changes)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("states", type=Path)
    parser.add_argument("--editor", default="Qwen/Qwen3-4B-Instruct-2507")
    parser.add_argument("--task-model", default="reader")
    parser.add_argument("--env", default="LSE/TextToSQL-v1")
    parser.add_argument("--advantage", choices=ADVANTAGES, default="delta")
    parser.add_argument("--lora-rank", type=int, default=0, help="0 trains all weights")
    parser.add_argument("--use-vllm", action="store_true")
    parser.add_argument("--steps", type=int, default=-1)
    parser.add_argument("--cpu", action="store_true", help="small batches, for a smoke test without a GPU")
    parser.add_argument("--out", type=Path, default=Path("training"))
    given = parser.parse_args(arguments)
    env = core_env(Config(given.env, {"task_model": given.task_model}).make_env())
    states = select_states(read_states(given.states))
    changes: dict[str, Any] = {"max_steps": given.steps}
    if given.use_vllm:
        changes |= {"use_vllm": True, "vllm_mode": "colocate"}
    if given.cpu:
        changes |= {"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "max_completion_length": 64}
        changes |= {"gradient_accumulation_steps": 2, "per_device_train_batch_size": 2, "num_generations": 2}
    peft = None
    if given.lora_rank:
        from peft import LoraConfig

        peft = LoraConfig(r=given.lora_rank, lora_alpha=2 * given.lora_rank, target_modules="all-linear")
    trainer = LSETrainer(
        model=given.editor,
        reward_funcs=EditReward(env, given.advantage),
        args=paper_config(given.out, **changes),
        train_dataset=state_dataset(env, states),
        peft_config=peft,
    )
    trainer.train()
    trainer.save_model(str(given.out / "best"))


if __name__ == "__main__":
    main()
