"""The cache of keys and values by either of its names: ``past_key_values`` in Transformers to 5.23, then ``cache``."""

from functools import cache
from inspect import signature
from typing import Any


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


@cache
def _name(kind: Any) -> str:
    return "cache" if "cache" in signature(kind.forward).parameters else "past_key_values"
