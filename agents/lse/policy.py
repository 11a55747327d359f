"""The policy gradient that every training in this process shares: clipped, on groups of answers to one prompt."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lse_gym.agents.lse.settings import LearnerArgs
from lse_gym.envs.extras import require
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.huggingface import HuggingFaceModel


class Policy:
    """A model that learns from the advantages of its own answers; its weights change, in float32.

    Args:
        model: the model.
        args: learning rate, clipping, and the temperature that the answers are sampled at.
        clip_high: clipping of the ratio from above; ``args.clip`` where None.
    """

    def __init__(self, model: HuggingFaceModel, args: LearnerArgs, clip_high: float | None = None):
        torch = require("torch", "hf", "Training")
        self.model, self.args = model, args
        self.clip_high = args.clip if clip_high is None else clip_high
        model.model.float()
        self.optimizer = torch.optim.AdamW(
            model.model.parameters(), lr=args.lr, betas=(0.9, 0.999), weight_decay=args.weight_decay
        )

    def descend(
        self, prompts: Sequence[Request], groups: Sequence[Sequence[list[int]]], values: Sequence[np.ndarray]
    ) -> float:
        """Update by groups of answers and their advantages; the loss is the mean over all tokens.

        Args:
            prompts: what each group answers.
            groups: the answers of each, as token ids.
            values: the advantages of each, float64 of shape (answers,), or of their tokens, (answers, longest).

        Returns:
            The norm of the last gradient, before it is clipped.
        """
        with self.model.few_threads():
            return self._descend(prompts, groups, values)

    def _descend(
        self, prompts: Sequence[Request], groups: Sequence[Sequence[list[int]]], values: Sequence[np.ndarray]
    ) -> float:
        import torch

        tokens = sum(len(row) for rows in groups for row in rows)
        old: dict[int, Any] = {}
        norm = 0.0
        for _ in range(self.args.updates):
            for index, (request, rows, value) in enumerate(zip(prompts, groups, values, strict=True)):
                logprobs, mask = self.logprobs(self.model.prompt_ids(request), rows)
                reference = old.setdefault(index, logprobs.detach())
                advantage = torch.tensor(value, dtype=logprobs.dtype, device=logprobs.device)
                advantage = advantage.view(len(rows), -1)[:, : logprobs.shape[1]]
                (self.loss(logprobs, reference, advantage)[mask].sum() / tokens).backward()
            norm = float(torch.nn.utils.clip_grad_norm_(self.model.model.parameters(), self.args.max_grad_norm))
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        return norm

    def logprobs(self, prompt: list[int], rows: Sequence[list[int]]) -> tuple[Any, Any]:
        """Log-probabilities of the rows' tokens after the prompt, (rows, tokens), and which of them are real.

        They are those of the policy that is sampled: at its temperature.
        """
        import torch

        from lse_gym.envs.models.kv_cache import forward
        from lse_gym.envs.models.shared_prefix import share, sharing

        longest, model = max(map(len, rows)), self.model.model
        ids = torch.zeros(len(rows), 1 + longest, dtype=torch.long)
        mask = torch.zeros(len(rows), longest, dtype=torch.bool)
        for i, row in enumerate(rows):
            ids[i, : 1 + len(row)] = torch.tensor(prompt[-1:] + row)
            mask[i, : len(row)] = True
        ids, mask = ids.to(model.device), mask.to(model.device)
        before = torch.tensor([prompt[:-1]], device=model.device)
        if self.model.shares:  # the prompt, by far the longest part, is computed once for all its answers
            _, cache = forward(model, before, logits_to_keep=1)
            share(cache, len(rows))
            with sharing(model, cache):
                logits, _ = forward(model, ids, cache)
        else:
            logits = model(torch.cat([before.expand(len(rows), -1), ids], 1), logits_to_keep=longest + 1).logits
        logits = logits[:, :-1].float() / self.args.temperature
        return logits.log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0], mask

    def loss(self, logprobs: Any, old: Any, advantage: Any) -> Any:
        """The clipped policy loss of every token, with the dual clip of bad answers."""
        ratio = (logprobs - old).exp()
        clipped = ratio.clamp(1 - self.args.clip, 1 + self.clip_high)
        loss = -(advantage * ratio).minimum(advantage * clipped)
        bound = -advantage * self.args.dual_clip
        return loss.where(advantage >= 0, loss.minimum(bound))
