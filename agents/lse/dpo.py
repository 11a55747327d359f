"""Preference learning for editors through TRL, in the rounds of ExCoT (arXiv 2503.19988).

Round 0 is off-policy: on pairs that someone else's trees have, such as a strong editor's. Then come on-policy rounds:
the editor that the last round made samples several edits of each state, what they are worth makes pairs, and DPO trains
it on them with its own first weights as reference. ``method="sft"`` learns the best siblings instead. Needs ``trl``.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from lse_gym.agents import checkpoint
from lse_gym.agents.files import read_object, write_text
from lse_gym.agents.lse.preference_settings import PreferenceArgs
from lse_gym.agents.lse.preferences import Pair, best_edits, pairs_of, read_pairs, write_pairs
from lse_gym.agents.lse.reward import scores_after, state_prompt
from lse_gym.agents.lse.siblings import Siblings, sample_siblings
from lse_gym.agents.lse.states import State, select_states
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.errors import ArgumentError, DataError
from lse_gym.envs.extras import needs
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.huggingface import HuggingFaceModel

with needs("trl", "Preference learning"):
    from lse_gym.agents.lse.trl_rounds import train_round

Row = dict[str, Any]


class PreferenceLearner:
    """Trains an editor by preferences, and keeps in ``out`` the weights of the round that did best on the dev states.

    ``out`` holds ``config.json``, ``metrics.jsonl`` (a row a round), ``best`` (a model for ``hf:``), and of each round
    a folder with ``samples.jsonl``, ``pairs.jsonl``, TRL's checkpoints and log, and ``model``. What is there is not
    done again: after a kill, resume continues to the identical weights, on the same machine.

    Args:
        editor: name of a model for ``hf:``, or its folder.
        env: the env whose task model, domains and limits hold; it pays for the evaluations.
        out: the directory to write.
        args: the settings.
        groups: siblings for an off-policy round; empty for none.
        pairs: pairs for an off-policy round instead, made elsewhere.
        states: what the on-policy rounds edit; may be empty where there are none.
        dev_states: of other domains, to choose the round by; without them the last round is kept.
        resume: continue the training that is there; ``rounds`` may differ.
    """

    def __init__(
        self,
        editor: str,
        env: ContextEnv,
        out: str | os.PathLike[str],
        args: PreferenceArgs,
        *,
        groups: Sequence[Siblings] = (),
        pairs: Sequence[Pair] = (),
        states: Sequence[State] = (),
        dev_states: Sequence[State] = (),
        resume: bool = False,
    ):
        if not (groups or pairs or (states and args.rounds)):
            raise ArgumentError("there are neither pairs nor states to train on. Collect some with `lse-gym archive`.")
        self.editor, self.env, self.out, self.args = editor, env, Path(out), args
        self.groups, self.pairs, self.states, self.dev_states = [*groups], [*pairs], [*states], [*dev_states]
        self._claim(resume)

    def _claim(self, resume: bool) -> None:
        facts = {
            "editor_revision": HuggingFaceModel(self.editor).revision,
            "task_model": self.env.model.name,
            "data_sha256": checkpoint.digest([self.groups, self.pairs, self.states, self.dev_states]),
            **asdict(self.args),
        }
        checkpoint.claim(self.out, facts, resume, ["rounds"])

    def learn(self, on_row: Callable[[Row], None] | None = None, on_work: Callable[[str], None] | None = None) -> Path:
        """Train all rounds; returns the folder of the best weights.

        Args:
            on_row: called with what a round came to, when it ends: also those of an earlier call.
            on_work: called with a word on what is done, as it goes on.
        """
        on_work = on_work or (lambda told: None)
        rows, model = list[Row](), self.editor
        first = 0 if self.groups or self.pairs else 1
        for number in range(first, 1 + (self.args.rounds if self.states else 0)):
            folder = self.out / f"round-{number}"
            if not (folder / "row.json").exists():
                self._round(number, model, folder, on_work)
            model = str(folder / "model")
            rows.append(read_object(folder / "row.json"))
            if on_row:
                on_row(rows[-1])
        write_text(self.out / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        scored = [row for row in rows if "dev_improvement" in row]
        kept = max(scored, key=lambda row: row["dev_improvement"]) if scored else rows[-1]
        best = self.out / f"round-{kept['round']}" / "model"
        checkpoint.write_folder(self.out / "best", lambda folder: shutil.copytree(best, folder))
        return self.out / "best"

    def _round(self, number: int, model: str, folder: Path, on_work: Callable[[str], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "pairs.jsonl"
        if not (folder / "counts.json").exists():
            pairs, told = self._pairs(number, model, folder, on_work)
            write_pairs(path, pairs)
            write_text(folder / "counts.json", json.dumps(told) + "\n")
        told = read_object(folder / "counts.json")
        if not path.stat().st_size:
            raise DataError(f"round {number} has no pairs ({_said(told)}). Pass more states, or a smaller margin.")
        trained = train_round(model, read_pairs(path), folder, self.args, lambda s: on_work(f"round {number}, {s}"))
        row = {"round": number, "source": "on-policy" if number else "off-policy", **told, **trained}
        row |= self._dev(str(folder / "model"))
        write_text(folder / "row.json", json.dumps(row) + "\n")

    def _pairs(
        self, number: int, model: str, folder: Path, on_work: Callable[[str], None]
    ) -> tuple[list[Pair], dict[str, int]]:
        told: Counter[str] = Counter()
        groups = self.groups
        if number == 0 and self.pairs:
            return self.pairs, {"pairs": len(self.pairs)}
        if number:
            args, chosen = self.args, select_states(self.states, order="random", seed=self.args.seed + number)
            chosen = chosen[: args.max_states or None]
            groups, told = sample_siblings(
                HuggingFaceModel(model),
                self.env,
                chosen,
                folder / "samples.jsonl",
                samples=args.samples,
                temperature=args.temperature,
                max_tokens=args.max_edit_tokens,
                seed=args.seed + number,
                on_states=lambda done: on_work(f"round {number}, states sampled: {done} of {len(chosen)}"),
            )
        pairs, found = pairs_of(groups, self.args)
        if self.args.method == "sft":
            pairs = best_edits(groups, self.args.margin)
            found = Counter({"pairs": len(pairs)})
        return pairs, {**told, **found}

    def _dev(self, model: str) -> dict[str, float]:
        """The mean improvement of greedy edits on the dev states."""
        if not self.dev_states:
            return {}
        tokens = self.args.max_edit_tokens
        asked = [Request("", state_prompt(self.env, state), tokens, 0.0) for state in self.dev_states]
        after = scores_after(self.env, self.dev_states, [r.text for r in HuggingFaceModel(model).complete(asked)])
        before = np.array([state.performance for state in self.dev_states])
        gains = np.where(np.isnan(after), 0.0, after - before)
        return {"dev_improvement": float(gains.mean()), "dev_invalid": float(np.isnan(after).mean())}


def _said(told: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in told.items())
