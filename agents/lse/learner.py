"""Train an editor with reinforcement learning: the reward of a context edit is the improvement that it causes.

The single-step objective of LSE (arXiv 2603.18620): a state is a visited context with its report, the action is the
editor's answer, the reward the held-out score after the edit minus the one before. Nothing is bootstrapped.
"""

import copy
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from lse_gym.agents import checkpoint
from lse_gym.agents.editor_agent import edit_seed
from lse_gym.agents.epochs import epoch_batch
from lse_gym.agents.lse.advantage import ADVANTAGES, EPSILON, advantages
from lse_gym.agents.lse.chains import Chains
from lse_gym.agents.lse.credit import advantages_of_lines, lines, missed, new_lines, token_values, what_adds, worths
from lse_gym.agents.lse.loggers import make_logger
from lse_gym.agents.lse.policy import Policy
from lse_gym.agents.lse.reward import scores_after, state_prompt
from lse_gym.agents.lse.settings import CREDITS, LearnerArgs
from lse_gym.agents.lse.states import State
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.errors import ArgumentError, unknown
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.huggingface import HuggingFaceModel

Metrics = dict[str, float]
DEV_TEMPERATURE = 0.7  # of an agent's editor, where chains are evolved on the dev domains
WHEN_TO_STOP = ("steps", "patience")  # settings that may differ when a training goes on


class Learner:
    """Trains an editor on states of an env's domains and keeps in ``out`` the weights that did best on the dev states.

    ``out`` holds ``config.json``, ``metrics.jsonl``, ``checkpoint.pt`` (resume continues to the identical result, on
    the same machine) and ``best``, a model for ``hf:``.

    Args:
        editor: the editor to train; its weights change.
        env: the env whose task model, domains and limits hold; it pays for the evaluations.
        states: what to train on: of an archive, or as the editor comes to them.
        dev_states: of other domains, to choose the checkpoint by; may be empty. Chains are evolved from their beginning
            to their end, with one sampled edit a state.
        out: the directory to write.
        args: the settings.
        resume: continue the training that is there; ``steps`` and ``patience`` may differ.
        loggers: where the metrics go as well: "tensorboard", "wandb", "trackio".
    """

    def __init__(
        self,
        editor: HuggingFaceModel,
        env: ContextEnv,
        states: Sequence[State] | Chains,
        dev_states: Sequence[State] | Chains,
        out: str | os.PathLike[str],
        args: LearnerArgs | None = None,
        *,
        resume: bool = False,
        loggers: Sequence[str] = (),
    ):
        self.editor, self.env = editor, env
        self.states, self.dev_states = (s if isinstance(s, Chains) else [*s] for s in (states, dev_states))
        self.args, self.out = args or LearnerArgs(), Path(out)
        if self.args.credit not in CREDITS:
            raise unknown("credit", self.args.credit, CREDITS)
        if self.args.advantage not in ADVANTAGES:
            raise unknown("advantage", self.args.advantage, ADVANTAGES)
        if self.args.advantage == "grpo" and self.args.samples < 2:
            raise ArgumentError("advantage='grpo' compares the edits of one state. Pass samples >= 2.")
        if not self.args.temperature > 0:
            raise ArgumentError(f"temperature={self.args.temperature!r} is not > 0: all samples would be alike.")
        if not isinstance(self.states, Chains) and not self.states:
            raise ArgumentError("there are no states to train on. Collect some with `lse-gym archive`.")
        self.policy = Policy(editor, self.args)
        self.dev_start = self.dev_states.state_dict() if isinstance(self.dev_states, Chains) else {}
        self.step_number, self.best_dev, self.stale = 0, -np.inf, 0
        self._claim(resume)
        self.loggers = [make_logger(name, self.out, asdict(self.args), self.step_number) for name in loggers]

    def _claim(self, resume: bool) -> None:
        sources = [s.settings if isinstance(s, Chains) else s for s in (self.states, self.dev_states)]
        facts = {
            "editor": self.editor.name,
            "editor_revision": self.editor.revision,
            "task_model": self.env.model.name,
            "data_sha256": checkpoint.digest(sources),
            **asdict(self.args),
        }
        facts |= self.states.settings if isinstance(self.states, Chains) else {}
        checkpoint.claim(self.out, facts, resume, WHEN_TO_STOP)
        if kept := checkpoint.read(self.out):
            self.editor.model.load_state_dict(kept["model"])
            self.policy.optimizer.load_state_dict(kept["optimizer"])
            self.step_number, self.best_dev, self.stale = kept["step"], kept["best_dev"], kept["stale"]
            if isinstance(self.states, Chains):
                self.states.load_state_dict(kept["chains"])

    def learn(self, on_step: Callable[[Metrics], None] | None = None) -> Path:
        """Train until the steps are done or the dev states stop improving; returns the folder of the best weights."""
        while self.step_number < self.args.steps and self.stale < self.args.patience:
            began = time.monotonic()
            row: Metrics = {"step": self.step_number}
            if self.step_number % self.args.dev_every == 0:
                row |= self._measure_dev()
            row |= self._update(self._batch(self.step_number))
            row["seconds"] = round(time.monotonic() - began, 2)
            with (self.out / checkpoint.METRICS).open("a", encoding="utf-8") as file:
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
        """The states of a step."""
        if isinstance(self.states, Chains):
            return self.states.batch()
        return epoch_batch(self.states, self.args.states_per_step, step, self.args.seed)

    def request(self, state: State, sample: int, seed: int, temperature: float) -> Request:
        """The editor's prompt for a state."""
        return Request("", state_prompt(self.env, state), self.args.max_edit_tokens, temperature, seed, sample)

    def scores_after(self, states: Sequence[State], answers: Sequence[str]) -> np.ndarray:
        """What edits of a step's states score."""
        if isinstance(self.states, Chains):
            return self.states.scores_after(states, answers)
        return scores_after(self.env, states, answers)

    def gains(self, states: Sequence[State], edits: Sequence[str]) -> np.ndarray:
        """What edits of a single line gain in a step's states, float64 of shape (states,)."""
        if isinstance(self.states, Chains):
            return self.states.gains(states, edits)
        gained = scores_after(self.env, states, edits) - [state.performance for state in states]
        return np.nan_to_num(gained)

    def _gains(self, batch: Sequence[State], texts: Sequence[Sequence[str]]) -> list[dict[str, float]]:
        """Of every state what each of the lines gains that its answers have."""
        new = [new_lines(state.context, answers) for state, answers in zip(batch, texts, strict=True)]
        asked = [(state, line) for state, different in zip(batch, new, strict=True) for line in different]
        found = iter(self.gains([state for state, _ in asked], [line for _, line in asked]).tolist())
        return [{line: next(found) for line in different} for different in new]

    def _update(self, batch: Sequence[State]) -> Metrics:
        seed, size = edit_seed(self.args.seed, self.step_number), self.args.samples
        first = [self.request(state, 0, seed * len(batch) + i, self.args.temperature) for i, state in enumerate(batch)]
        written = self.editor.write([one._replace(sample=sample) for one in first for sample in range(size)])
        texts = [self.editor.text(ids) for ids in written]
        each = [state for state in batch for _ in range(size)]
        rows = [slice(i, i + size) for i in range(0, len(written), size)]
        if self.args.credit == "best":
            after, groups, taught = self._best(batch, each, texts)
        else:
            after, values = (self._by_line if self.args.credit == "line" else self._by_edit)(each, written, texts)
            if self.args.whiten:
                values = (values - values.mean()) / (values.std() + EPSILON)
            groups, taught = [written[row] for row in rows], [values[row] for row in rows]
        norm = self.policy.descend(first, groups, taught)
        if isinstance(self.states, Chains):
            self.states.grow(batch, [texts[row] for row in rows], after.reshape(len(batch), -1))
        before = np.array([state.performance for state in each])
        valid = ~np.isnan(after)
        return {
            "improvement": float((after - before)[valid].mean()) if valid.any() else 0.0,
            "score": float(after[valid].mean()) if valid.any() else 0.0,
            "before": float(before.mean()),
            "invalid": float(1 - valid.mean()),
            "tokens": sum(map(len, written)) / len(written),
            "lines": sum(len(lines(text)) for text in texts) / len(texts),
            "grad_norm": norm,
        }

    def _best(
        self, batch: Sequence[State], each: Sequence[State], texts: Sequence[str]
    ) -> tuple[np.ndarray, list[list[list[int]]], list[np.ndarray]]:
        """The scores after the edits, and one answer to each state with its advantage: nothing where none is better."""
        size, tokenizer = self.args.samples, self.editor.tokenizer
        after = self.scores_after(each, texts)
        best = np.nan_to_num(after.reshape(len(batch), -1), nan=-1.0).argmax(1) + size * np.arange(len(batch))
        chosen = [texts[i] for i in best]
        gains = self._gains(batch, [[answer] for answer in chosen])
        edits = [what_adds(answer, gained) for answer, gained in zip(chosen, gains, strict=True)]
        better = np.nan_to_num(self.scores_after(batch, edits), nan=-1.0) > [state.performance for state in batch]
        ids = [[*tokenizer(edit, add_special_tokens=False).input_ids, tokenizer.eos_token_id] for edit in edits]
        return after, [[row] for row in ids], [np.array([float(good)]) for good in better]

    def _by_edit(
        self, states: Sequence[State], written: Sequence[list[int]], texts: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The scores after the edits, and the advantage of each."""
        del written
        after = self.scores_after(states, texts)
        before = np.array([state.performance for state in states[:: self.args.samples]])
        return after, advantages(self.args.advantage, before, after.reshape(len(before), -1)).ravel()

    def _by_line(
        self, states: Sequence[State], written: Sequence[list[int]], texts: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The scores after the edits, and the advantage of every token, (answers, tokens)."""
        size, price, values = self.args.samples, self.args.price, np.zeros((len(written), max(map(len, written))))
        gains = self._gains(states[::size], [texts[i : i + size] for i in range(0, len(texts), size)])
        for i, (ids, text) in enumerate(zip(written, texts, strict=True)):
            gained = gains[i // size]
            left, ended = missed(text, gained, price), self.editor.ended(ids)
            found = advantages_of_lines(worths(text, gained, price), left, ended)
            values[i, : len(ids)] = token_values([self.editor.text([token]) for token in ids], found)
        return self.scores_after(states, texts), values

    def _measure_dev(self) -> Metrics:
        """The mean improvement of greedy edits on the dev states; keeps the weights where it is the best so far."""
        if not isinstance(self.dev_states, Chains) and not self.dev_states:
            self._keep_best()
            return {}
        if isinstance(self.dev_states, Chains):
            return self._evolve_dev(self.dev_states)
        answers = [
            self.editor.text(ids) for ids in self.editor.write([self.request(s, 0, 0, 0.0) for s in self.dev_states])
        ]
        after = self.scores_after(self.dev_states, answers)
        before = np.array([state.performance for state in self.dev_states])
        improvement = float(np.where(np.isnan(after), 0.0, after - before).mean())
        self._compare(improvement)
        return {"dev_improvement": improvement, "dev_invalid": float(np.isnan(after).mean())}

    def _evolve_dev(self, chains: Chains) -> Metrics:
        """The mean improvement of the dev chains from their beginning to their end, sampled as an agent samples."""
        chains.load_state_dict(copy.deepcopy(self.dev_start))
        states = first = chains.batch()
        for edit in range(chains.lengths[1] - 1):
            asked = [self.request(s, 0, edit_seed(i, edit), DEV_TEMPERATURE) for i, s in enumerate(states)]
            texts = [self.editor.text(ids) for ids in self.editor.write(asked)]
            chains.grow(states, [[text] for text in texts], chains.scores_after(states, texts)[:, None])
            states = chains.batch()
        improvement = float(np.mean([s.performance - f.performance for s, f in zip(states, first, strict=True)]))
        self._compare(improvement)
        return {"dev_improvement": improvement}

    def _compare(self, improvement: float) -> None:
        self.stale += 1
        if improvement > self.best_dev:
            self.best_dev, self.stale = improvement, 0
            self._keep_best()

    def _keep_best(self) -> None:
        def save(folder: Path) -> None:
            self.editor.model.save_pretrained(folder)
            self.editor.tokenizer.save_pretrained(folder)

        checkpoint.write_folder(self.out / "best", save)

    def _save(self) -> None:
        state = {"model": self.editor.model.state_dict(), "optimizer": self.policy.optimizer.state_dict()}
        state |= {"step": self.step_number, "best_dev": self.best_dev, "stale": self.stale}
        state |= {"chains": self.states.state_dict()} if isinstance(self.states, Chains) else {}
        checkpoint.write(self.out, state)
