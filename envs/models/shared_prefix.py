"""Attention of many rows over one common prefix, whose keys and values are kept and read once instead of once a row.

Plugs into the attention interface of Transformers, so that it works for every model with plain causal attention.
:func:`works` compares it with the model's own attention; models with anything special about theirs keep that.
"""

from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

from lse_gym.envs.extras import needs
from lse_gym.envs.models.kv_cache import agree, attending, forward

with needs("hf", "A model of Hugging Face"):
    import torch
    from torch import Tensor
    from transformers import AttentionInterface
    from transformers.cache_utils import Cache, DynamicLayer


NAME = "lse_gym_shared_prefix"
_active: ContextVar[Cache | None] = ContextVar(NAME, default=None)


class SharedPrefixLayer(DynamicLayer):
    """Keys and values of one layer: those of the prefix (1, heads, tokens, width), and what each row adds to it."""

    def __init__(self, keys: Tensor, values: Tensor):
        super().__init__()
        self.prefix_keys, self.prefix_values, self.length = keys, values, 0
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Add to the rows' part, and return that part."""
        start, self.length = self.length, self.length + key_states.shape[-2]
        if start == 0:
            self._room(key_states, 2 * self.length + 64)
        elif self.length > self.keys.shape[-2]:
            old = self.keys[..., :start, :], self.values[..., :start, :]
            self._room(key_states, 2 * self.length)
            self.keys[..., :start, :], self.values[..., :start, :] = old
        self.keys[..., start : self.length, :] = key_states
        self.values[..., start : self.length, :] = value_states
        return self.keys[..., : self.length, :], self.values[..., : self.length, :]

    def _room(self, like: Tensor, length: int) -> None:
        shape = (*like.shape[:-2], length, like.shape[-1])
        self.keys, self.values = like.new_empty(shape), like.new_empty(shape)

    def get_seq_length(self) -> int:
        """Tokens of the prefix and of a row."""
        return self.prefix_keys.shape[-2] + self.length

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Keep some rows."""
        used = slice(self.length + 64)  # room to grow without another copy at once
        self.keys, self.values = self.keys[beam_idx, :, used], self.values[beam_idx, :, used]


def _attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, scaling: float | None = None, **_: Any
) -> tuple[Tensor, None]:
    cache = _active.get()
    assert cache is not None, "used outside of sharing()"
    layer = cache.layers[module.layer_idx]
    prefix_keys, prefix_values = layer.prefix_keys[0], layer.prefix_values[0]
    rows, heads, tokens, width = query.shape
    own, common = key.shape[-2], prefix_keys.shape[-2]
    query = query * (scaling if scaling is not None else width**-0.5)
    groups = len(prefix_keys)  # of queries that share a key, each of heads / groups * tokens queries a row
    grouped = query.reshape(rows, groups, -1, width)
    to_own = grouped @ key.transpose(2, 3)
    if tokens > 1:
        later = torch.ones(tokens, own, dtype=torch.bool, device=query.device).triu(own - tokens + 1)
        to_own = to_own.view(rows, heads, tokens, own).masked_fill(later, float("-inf")).view_as(to_own)
    to_prefix = grouped.transpose(0, 1).reshape(groups, -1, width) @ prefix_keys.transpose(1, 2)
    scores = torch.cat([to_prefix, to_own.transpose(0, 1).reshape(groups, -1, own)], -1)
    weights = scores.softmax(-1, dtype=torch.float32).to(value.dtype)
    from_prefix = (weights[..., :common] @ prefix_values).view(groups, rows, -1, width).transpose(0, 1)
    from_own = weights[..., common:].reshape(groups, rows, -1, own).transpose(0, 1) @ value
    out = (from_prefix + from_own).reshape(rows, heads, tokens, width)
    return out.transpose(1, 2), None


AttentionInterface.register(NAME, _attend)


def share(cache: Cache, rows: int) -> None:
    """Turn the cache of one prefix into one of ``rows`` rows that all begin with it."""
    for index, layer in enumerate(cache.layers):
        if type(layer) is DynamicLayer:
            cache.layers[index] = SharedPrefixLayer(layer.keys, layer.values)
        else:
            layer.reorder_cache(torch.zeros(rows, dtype=torch.long, device=layer.device))


def sharing(model: Any, cache: Cache) -> AbstractContextManager[None]:
    """The model attends to ``cache``, a result of :func:`share`, in this block."""
    return attending(model, NAME, _active, cache)


@torch.inference_mode()
def works(model: Any) -> bool:
    """Whether the model computes the same with a shared prefix as with its own attention."""
    generator = torch.Generator().manual_seed(0)
    size = model.config.get_text_config().vocab_size
    ids = torch.randint(size, (3, 40), generator=generator).to(model.device)
    ids[:, :32] = ids[0, :32]
    truth = model(ids).logits[:, 32:]
    _, cache = forward(model, ids[:1, :32])
    if any(type(layer).__name__.startswith("DynamicSliding") for layer in getattr(cache, "layers", ())):
        return False
    try:
        share(cache, 3)
        with sharing(model, cache):
            first = forward(model, ids[:, 32:37], cache)[0]
            others = [forward(model, ids[:, i : i + 1], cache)[0] for i in (37, 38, 39)]
    except (AttributeError, TypeError, RuntimeError, NotImplementedError, AssertionError):
        return False
    return agree(torch.cat([first, *others], 1), truth, model)
