"""The cache of keys and values by either of its names: ``past_key_values`` in Transformers to 5.23, then ``cache``."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from inspect import signature
from typing import Any

ROUNDING, ROUNDING_COARSE = 1e-3, 0.1  # of float32; of bfloat16 0.04 was seen in 30 layers, 0.3 for a slot misread


def forward(model: Any, ids: Any, kept: Any = None, **options: Any) -> tuple[Any, Any]:
    """One pass with the cache on.

    Args:
        model: a causal language model of Transformers.
        ids: token ids, shape (rows, tokens).
        kept: the cache of an earlier pass, or None.
        options: what else the model is told.

    Returns:
        The logits, and the cache after the pass.
    """
    out = model(ids, use_cache=True, **options, **({} if kept is None else {_name(type(model)): kept}))
    return out.logits, out.cache if "cache" in out else out.past_key_values


@contextmanager
def attending(model: Any, attention: str, active: ContextVar, value: Any) -> Generator[None]:
    """In this block the model attends by a registered function, which finds in ``active`` what it attends to."""
    config = model.config.get_text_config()
    before, token = config._attn_implementation, active.set(value)
    config._attn_implementation = attention
    try:
        yield
    finally:
        config._attn_implementation = before
        active.reset(token)


def agree(logits: Any, truth: Any, model: Any) -> bool:
    """Whether logits are those of the model, rounding aside: by root mean square, as a single one is off by chance."""
    error = (logits.float() - truth.float()).square().mean().sqrt() / truth.float().std()
    return bool(error <= (ROUNDING if str(model.dtype) == "torch.float32" else ROUNDING_COARSE))


@cache
def _name(kind: Any) -> str:
    return "cache" if "cache" in signature(kind.forward).parameters else "past_key_values"
