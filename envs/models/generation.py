"""Batched generation with any causal language model of Transformers, token for token as one prompt at a time.

No prompt is ever padded. What all prompts of a batch begin with is computed once; then all rows advance together, a
row whose prompt is longer reading its own next token where the others write theirs. So attention, convolutions and
recurrent states see in a batch exactly what they see alone.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from lse_gym.envs.extras import needs
from lse_gym.envs.models.kv_cache import forward
from lse_gym.envs.models.shared_prefix import share, sharing

with needs("hf", "Generating text with Transformers"):
    import torch

MAX_SPREAD = 48  # tokens by which prompts of one batch may differ in length: each is a step of the whole batch
KEPT = 0.75  # share of unfinished rows at which the finished ones are dropped


class Prompt(NamedTuple):
    """Token ids, the most tokens to write, how to sample them, and strings that end an answer."""

    ids: list[int]
    max_tokens: int
    temperature: float
    seed: tuple[int, ...]
    stop: tuple[str, ...] = ()


def batches(prompts: Sequence[Prompt], most: int) -> list[list[int]]:
    """Indices of prompts of like length, at most ``most`` together."""
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i].ids))
    groups: list[list[int]] = []
    for i in order:
        if not groups or len(groups[-1]) == most or len(prompts[i].ids) > len(prompts[groups[-1][0]].ids) + MAX_SPREAD:
            groups.append([])
        groups[-1].append(i)
    return groups


Stopped = Callable[[Prompt, list[int]], bool]


@torch.inference_mode()
def generate(
    model: Any, prompts: Sequence[Prompt], ends: frozenset[int], shares: bool = False, stopped: Stopped | None = None
) -> list[list[int]]:
    """Continue every prompt until one of ``ends``, which is part of what is returned, or its ``max_tokens``.

    Args:
        model: a causal language model of Transformers.
        prompts: of like length, see :func:`batches`.
        ends: ids that end an answer.
        shares: whether the model's attention can be replaced by that of :mod:`lse_gym.envs.models.shared_prefix`.
        stopped: whether an answer, as far as it is written, ends by the ``stop`` of its prompt.
    """
    shortest = min(len(p.ids) for p in prompts)
    common = common_start([p.ids for p in prompts], shortest - 1)
    rows = torch.tensor([p.ids[common:shortest] for p in prompts], device=model.device)
    with prefilled(model, prompts[0].ids[:common], len(prompts), shares) as cache:
        return _continue(model, prompts, ends, rows, shortest, cache, stopped)


@contextmanager
def prefilled(model: Any, prefix: Sequence[int], rows: int, shares: bool) -> Generator[Any]:
    """The cache of ``rows`` rows that all begin with ``prefix``, which is read once; None where it is empty."""
    if not prefix:
        yield None
        return
    _, cache = forward(model, torch.tensor([[*prefix]], device=model.device), logits_to_keep=1)
    if not shares or rows == 1:
        cache.reorder_cache(torch.zeros(rows, dtype=torch.long, device=model.device))
        yield cache
        return
    share(cache, rows)
    with sharing(model, cache):
        yield cache


def _continue(
    model: Any,
    prompts: Sequence[Prompt],
    ends: frozenset[int],
    rows: torch.Tensor,
    position: int,
    cache: Any,
    stopped: Stopped | None,
) -> list[list[int]]:
    """Read ``rows``, the first tokens of every prompt up to ``position`` that ``cache`` lacks, and go on from there."""
    answers = Answers(prompts, ends, stopped)
    while True:
        logits, cache = forward(model, rows, cache, logits_to_keep=1)
        tokens = answers.write(logits[:, -1], position)
        if answers.complete:
            return answers.written
        if kept := answers.drop():
            tokens = [tokens[row] for row in kept]
            cache.reorder_cache(torch.tensor(kept, device=model.device))
        rows = torch.tensor(tokens, device=model.device)[:, None]
        position += 1


class Answers:
    """What the rows of a batch have written, token by token, each as if it were alone.

    Args:
        prompts: one a row, at first.
        ends: ids that end an answer.
        stopped: whether an answer, as far as it is written, ends by the ``stop`` of its prompt.
    """

    def __init__(self, prompts: Sequence[Prompt], ends: frozenset[int], stopped: Stopped | None):
        self.prompts, self.ends, self.stopped = prompts, ends, stopped
        self.written: list[list[int]] = [[] for _ in prompts]
        self._draws = [uniforms(prompt) for prompt in prompts]
        self._held = list(range(len(prompts)))  # the prompt of each row
        self._done: set[int] = set()

    @property
    def complete(self) -> bool:
        """Whether every answer is written."""
        return len(self._done) == len(self.prompts)

    def write(self, logits: torch.Tensor, position: int | None = None) -> list[int]:
        """The next token of each row; that of its prompt where this is longer than ``position``."""
        logits = logits.float()
        tokens = logits.argmax(-1).tolist()
        for row, i in enumerate(self._held):
            prompt, written = self.prompts[i], self.written[i]
            if position is not None and position < len(prompt.ids):
                tokens[row] = prompt.ids[position]
            elif i not in self._done:
                if (numbers := self._draws[i]) is not None:
                    tokens[row] = sample(logits[row], prompt, numbers[len(written)])
                written.append(tokens[row])
                over = tokens[row] in self.ends or len(written) >= prompt.max_tokens
                if over or (prompt.stop and self.stopped is not None and self.stopped(prompt, written)):
                    self._done.add(i)
        return tokens

    def drop(self) -> list[int]:
        """The rows that go on; [] for all, as finished ones are carried along until dropping them pays."""
        kept = [row for row, i in enumerate(self._held) if i not in self._done]
        if len(kept) > KEPT * len(self._held):
            return []
        self._held = [self._held[row] for row in kept]
        return kept


def common_start(ids: Sequence[Sequence[int]], most: int) -> int:
    """How many tokens all of ``ids`` begin with, at most ``most``."""
    first, last = min(ids), max(ids)  # the extremes differ earliest
    return next((i for i in range(most) if first[i] != last[i]), most)


def to_read(ids: Sequence[Sequence[int]]) -> int:
    """How many tokens a batch reads: once what all prompts begin with, and once those that are equal."""
    different = {tuple(one) for one in ids}
    common = common_start([*different], min(map(len, different)))
    return common + sum(len(one) - common for one in different)


def uniforms(prompt: Prompt) -> list[float] | None:
    """One number in [0, 1) for every token, from the prompt's own seed, whatever the batch; None for greedy."""
    if prompt.temperature == 0.0:
        return None
    return np.random.default_rng(prompt.seed).random(prompt.max_tokens).tolist()


def sample(logits: torch.Tensor, prompt: Prompt, uniform: float) -> int:
    """The token at ``uniform`` of the cumulative distribution."""
    cumulative = torch.softmax(logits.double() / prompt.temperature, -1).cumsum(-1)
    return min(int(torch.searchsorted(cumulative, uniform * float(cumulative[-1]), right=True)), len(logits) - 1)
