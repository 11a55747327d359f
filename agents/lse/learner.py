"""Train an editor with reinforcement learning: the reward of a context edit is the improvement that it causes.

The single-step objective of LSE (arXiv 2603.18620): a state is a visited context with its report, the action is the
editor's answer, the reward the held-out score after the edit minus the one before. Nothing is bootstrapped.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from lse_gym.agents.editor_agent import edit_seed
from lse_gym.agents.files import read_object, write_text
from lse_gym.agents.lse.advantage import ADVANTAGES, EPSILON, advantages
from lse_gym.agents.lse.loggers import make_logger
from lse_gym.agents.lse.policy import Policy
from lse_gym.agents.lse.reward import scores_after, state_prompt
from lse_gym.agents.lse.settings import LearnerArgs
from lse_gym.agents.lse.states import State
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.errors import ArgumentError, RunDirectoryError, unknown
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.huggingface import HuggingFaceModel

Metrics = dict[str, float]
WHEN_TO_STOP = ("steps", "patience")  # settings that may differ when a training goes on


class Learner:
    """Trains an editor on states of an env's domains and keeps in ``out`` the weights that did best on the dev states.

    ``out`` holds ``config.json``, ``metrics.jsonl``, ``checkpoint.pt`` (resume continues to the identical result, on
    the same machine) and ``best``, a model for ``hf:``.

    Args:
        editor: the editor to train; its weights change.
        env: the env whose task model, domains and limits hold; it pays for the evaluations.
        states: what to train on.
        dev_states: of other domains, to choose the checkpoint by; may be empty.
        out: the directory to write.
        args: the settings.
        resume: continue the training that is there; ``steps`` and ``patience`` may differ.
        loggers: where the metrics go as well: "tensorboard", "wandb", "trackio".
    """

    def __init__(
        self,
        editor: HuggingFaceModel,
        env: ContextEnv,
        states: Sequence[State],
        dev_states: Sequence[State],
        out: str | os.PathLike[str],
        args: LearnerArgs | None = None,
        *,
        resume: bool = False,
        loggers: Sequence[str] = (),
    ):
        self.editor, self.env, self.states, self.dev_states = editor, env, [*states], [*dev_states]
        self.args, self.out = args or LearnerArgs(), Path(out)
        if self.args.advantage not in ADVANTAGES:
            raise unknown("advantage", self.args.advantage, ADVANTAGES)
        if self.args.advantage == "grpo" and self.args.samples < 2:
            raise ArgumentError("advantage='grpo' compares the edits of one state. Pass samples >= 2.")
        if not self.args.temperature > 0:
            raise ArgumentError(f"temperature={self.args.temperature!r} is not > 0: all samples would be alike.")
        if not self.states:
            raise ArgumentError("there are no states to train on. Collect some with `lse-gym archive`.")
        self.policy = Policy(editor, self.args)
        self.step_number, self.best_dev, self.stale = 0, -np.inf, 0
        self._claim(resume)
        self.loggers = [make_logger(name, self.out, asdict(self.args), self.step_number) for name in loggers]

    def _claim(self, resume: bool) -> None:
        import torch

        facts = {"editor": self.editor.name, "task_model": self.env.model.name, **asdict(self.args)}
        config, checkpoint = self.out / "config.json", self.out / "checkpoint.pt"
        if config.exists():
            there = read_object(config)
            same = there | {name: facts[name] for name in WHEN_TO_STOP} == facts
            if not (resume and same):
                what = "this training already" if same else "another training"
                raise RunDirectoryError(
                    f"{str(self.out)!r} holds {what}. Pass another directory, or resume=True with the same settings; "
                    f"{' and '.join(WHEN_TO_STOP)} may differ."
                )
        self.out.mkdir(parents=True, exist_ok=True)
        write_text(config, json.dumps(facts, indent=1) + "\n")
        if checkpoint.exists():
            kept = torch.load(checkpoint, weights_only=True, map_location=self.editor.model.device)
            self.editor.model.load_state_dict(kept["model"])
            self.policy.optimizer.load_state_dict(kept["optimizer"])
            self.step_number, self.best_dev, self.stale = kept["step"], kept["best_dev"], kept["stale"]
            self._cut_metrics()

    def _cut_metrics(self) -> None:
        """Drop rows of steps after the checkpoint: they come again."""
        path = self.out / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] < self.step_number]
        write_text(path, "".join(kept))

    def learn(self, on_step: Callable[[Metrics], None] | None = None) -> Path:
        """Train until the steps are done or the dev states stop improving; returns the folder of the best weights."""
        while self.step_number < self.args.steps and self.stale < self.args.patience:
            began = time.monotonic()
            row: Metrics = {"step": self.step_number}
            if self.step_number % self.args.dev_every == 0:
                row |= self._measure_dev()
            row |= self._update(self._batch(self.step_number))
            row["seconds"] = round(time.monotonic() - began, 2)
            with (self.out / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            self.step_number += 1
            self._save()
            for logger in self.loggers:
                logger.log({name: value for name, value in row.items() if name != "step"}, int(row["step"]))
            if on_step:
                on_step(row)
        self._measure_dev()
        for logger in self.loggers:
            logger.close()
        return self.out / "best"

    def _batch(self, step: int) -> list[State]:
        """The states of a step: epochs in a new random order each, cut into batches that may span two of them."""
        size, n = self.args.states_per_step, len(self.states)
        positions = range(step * size, (step + 1) * size)
        orders = {
            epoch: np.random.default_rng((self.args.seed, epoch)).permutation(n)
            for epoch in {p // n for p in positions}
        }
        return [self.states[int(orders[p // n][p % n])] for p in positions]

    def request(self, state: State, sample: int, seed: int, temperature: float) -> Request:
        """The editor's prompt for a state."""
        return Request("", state_prompt(self.env, state), self.args.max_edit_tokens, temperature, seed, sample)

    def scores_after(self, states: Sequence[State], answers: Sequence[str]) -> np.ndarray:
        """See :func:`lse_gym.agents.lse.reward.scores_after`."""
        return scores_after(self.env, states, answers)

    def _update(self, batch: Sequence[State]) -> Metrics:

        seed = edit_seed(self.args.seed, self.step_number)
        each = [state for state in batch for _ in range(self.args.samples)]
        first = [self.request(state, 0, seed * len(batch) + i, self.args.temperature) for i, state in enumerate(batch)]
        requests = [request._replace(sample=sample) for request in first for sample in range(self.args.samples)]
        written = self.editor.write(requests)
        after = self.scores_after(each, [self.editor.text(ids) for ids in written]).reshape(len(batch), -1)
        before = np.array([state.performance for state in batch])
        values = advantages(self.args.advantage, before, after)
        if self.args.whiten:
            values = (values - values.mean()) / (values.std() + EPSILON)
        size = self.args.samples
        norm = self.policy.descend(first, [written[i : i + size] for i in range(0, len(written), size)], [*values])
        return {
            "improvement": float(np.nanmean(after - before[:, None])) if not np.isnan(after).all() else 0.0,
            "score": float(np.nanmean(after)) if not np.isnan(after).all() else 0.0,
            "invalid": float(np.isnan(after).mean()),
            "tokens": sum(map(len, written)) / len(written),
            "grad_norm": norm,
        }

    def _measure_dev(self) -> Metrics:
        """The mean improvement of greedy edits on the dev states; keeps the weights where it is the best so far."""
        if not self.dev_states:
            self._keep_best()
            return {}
        answers = [
            self.editor.text(ids) for ids in self.editor.write([self.request(s, 0, 0, 0.0) for s in self.dev_states])
        ]
        after = self.scores_after(self.dev_states, answers)
        before = np.array([state.performance for state in self.dev_states])
        improvement = float(np.where(np.isnan(after), 0.0, after - before).mean())
        self.stale += 1
        if improvement > self.best_dev:
            self.best_dev, self.stale = improvement, 0
            self._keep_best()
        return {"dev_improvement": improvement, "dev_invalid": float(np.isnan(after).mean())}

    def _keep_best(self) -> None:
        self.editor.model.save_pretrained(self.out / "best")
        self.editor.tokenizer.save_pretrained(self.out / "best")

    def _save(self) -> None:
        import torch

        state = {"model": self.editor.model.state_dict(), "optimizer": self.policy.optimizer.state_dict()}
        numbers = {"step": self.step_number, "best_dev": self.best_dev, "stale": self.stale}
        temporary = self.out / ".checkpoint.tmp"
        torch.save(state | numbers, temporary)
        os.replace(temporary, self.out / "checkpoint.pt")
