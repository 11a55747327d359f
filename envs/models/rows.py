"""Keys and values of rows of any length side by side, for models with plain causal attention.

A row has the prefix that all rows share, which is kept once, and slots of its own: those of its prompt, a gap where
other prompts are longer, and those of what was written. Attention doesn't see the gap, and keys know their positions,
so every row sees what it would see alone. :func:`works` compares with the model's own attention.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from lse_gym.envs.extras import needs
from lse_gym.envs.models.kv_cache import agree, attending, forward

with needs("hf", "A model of Hugging Face"):
    import torch
    from torch import Tensor
    from torch.nn.functional import scaled_dot_product_attention
    from transformers import AttentionInterface, DynamicCache
    from transformers.cache_utils import Cache, DynamicLayer

NAME = "lse_gym_ragged"
ROOM = 64  # slots that a buffer is made longer by, at least
BLOCK = 32  # tokens of a row that attend together on a CPU, for each of its threads
WEIGHTS = 2**19  # attention weights computed together on a CPU, for each of its threads: 2 MiB, which caches hold
_active: ContextVar["Rows | None"] = ContextVar(NAME, default=None)


class Rows:
    """The cache of ``count`` rows that begin with ``prefix``, and where the next pass writes.

    Args:
        model: a causal language model of Transformers.
        prefix: token ids, read at once; may be empty.
        count: rows.
    """

    def __init__(self, model: Any, prefix: Sequence[int], count: int):
        self.model, self.common, self.count = model, len(prefix), count
        self.at, self.used = slice(0, count), 0  # rows that a pass is about, and slots filled
        self.hidden: Tensor | None = None  # shape (rows, slots): where attention does not look
        read = forward(model, torch.tensor([[*prefix]], device=model.device), logits_to_keep=1)[1] if prefix else None
        layers = (read or DynamicCache(config=model.config)).layers
        self.layers = [RowsLayer(self, layer) for layer in layers]
        self.cache = Cache(layers=[*self.layers])

    def read(self, tails: Sequence[Sequence[int]], at: slice) -> Tensor:
        """Fill the first slots of the rows ``at`` with tails, none of them empty; rows that end early have a gap.

        Returns:
            The logits after each tail, shape (tails, vocabulary).
        """
        longest, device = max(map(len, tails)), self.model.device
        ids = [[*tail, *[tail[-1]] * (longest - len(tail))] for tail in tails]
        ends = torch.tensor([len(tail) - 1 for tail in tails], device=device)
        self.at, self.used = at, 0
        with _only(self.model, ends):
            return self._pass(torch.tensor(ids, device=device))[:, 0]

    def begin(self, lengths: Sequence[int], copies: Sequence[int]) -> None:
        """Take row ``copies[i]`` as row i, of which ``lengths[i]`` slots are filled: all rows go on from here."""
        self.at, self.used = slice(0, len(copies)), max(lengths)
        self.keep(copies)
        self.lengths = torch.tensor(lengths, device=self.model.device)
        slots = torch.arange(self.used, device=self.model.device)
        self.hidden = slots[None] >= self.lengths[:, None]
        self.written = 0

    def step(self, tokens: Sequence[int]) -> Tensor:
        """Read one more token of each row; the logits after it, shape (rows, vocabulary)."""
        assert self.hidden is not None
        self.hidden = torch.cat([self.hidden, self.hidden.new_zeros(len(tokens), 1)], 1)
        positions = (self.common + self.lengths + self.written)[:, None]
        logits = self._pass(torch.tensor(tokens, device=self.model.device)[:, None], position_ids=positions)
        self.used, self.written = self.used + 1, self.written + 1
        return logits[:, -1]

    def keep(self, rows: Sequence[int]) -> None:
        """Keep some rows, in that order."""
        index = torch.tensor(rows, device=self.model.device)
        if [*rows] != [*range(self.count)]:
            for layer in self.layers:
                layer.keep(index)
        if self.hidden is not None:
            self.hidden, self.lengths = self.hidden[index], self.lengths[index]
        self.at, self.count = slice(0, len(rows)), len(rows)

    def _pass(self, ids: Tensor, **options: Any) -> Tensor:
        with attending(self.model, NAME, _active, self):
            return forward(self.model, ids, self.cache, **options)[0]


class RowsLayer(DynamicLayer):
    """Keys and values of one layer: of the prefix, (1, groups, tokens, width), and slots, (rows, groups, …, width)."""

    def __init__(self, rows: Rows, prefix: Any):
        super().__init__()
        self.rows = rows
        read = rows.common > 0
        self.prefix_keys, self.prefix_values = (prefix.keys, prefix.values) if read else (None, None)
        self.keys = self.values = None
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Fill the next slots of the rows that the pass is about, and return all that these rows have."""
        at, start = self.rows.at, self.rows.used
        end = start + key_states.shape[-2]
        self._make_room(key_states, end)
        self.keys[at, :, start:end], self.values[at, :, start:end] = key_states, value_states
        if self.rows.hidden is None:  # the gap is not looked at, but what is in fresh memory may be no number
            self.keys[at, :, end:], self.values[at, :, end:] = 0.0, 0.0
        return self.keys[at, :, :end], self.values[at, :, :end]

    def _make_room(self, like: Tensor, end: int) -> None:
        there = 0 if self.keys is None else self.keys.shape[-2]
        if end > there:
            shape = (self.rows.count, like.shape[1], end + max(ROOM, end // 8), like.shape[-1])
            old, (self.keys, self.values) = (self.keys, self.values), (like.new_empty(shape), like.new_empty(shape))
            if there:
                self.keys[:, :, :there], self.values[:, :, :there] = old

    def keep(self, index: Tensor) -> None:
        """Keep some rows."""
        if self.keys is not None:
            self.keys, self.values = self.keys[index], self.values[index]

    def get_seq_length(self) -> int:
        """Tokens before the next ones, as far as all rows are alike."""
        return self.rows.common + self.rows.used


@contextmanager
def _only(model: Any, ends: Tensor) -> Generator[None]:
    """The last feed-forward layer and the logits are computed of one token a row: all tokens would cost much more.

    What the layer adds is added to every token of the row, of which only that one is looked at.
    """

    def gather(module: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        hidden = inputs[0]
        return (hidden[torch.arange(len(hidden), device=hidden.device), ends][:, None],)

    layers = getattr(model.base_model, "layers", None)
    last = (getattr(layers[-1], "mlp", None) if layers else None, model.get_output_embeddings())
    handles = [module.register_forward_pre_hook(gather) for module in last if module is not None]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, scaling: float | None = None, **_: Any
) -> tuple[Tensor, None]:
    rows = _active.get()
    assert rows is not None, "used outside of Rows"
    layer = rows.layers[module.layer_idx]
    prefix = None if layer.prefix_keys is None else (layer.prefix_keys, layer.prefix_values)
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    if rows.hidden is None:  # prompts are read
        out = _attend_many(query, key, value, prefix, scale)
    elif prefix is None:
        grouped = query.view(len(query), key.shape[1], -1, query.shape[-1])
        out = scaled_dot_product_attention(grouped, key, value, ~rows.hidden[:, None, None], scale=scale)
        out = out.reshape(query.shape)
    else:
        out = _attend_one(query, key, value, prefix, rows.hidden, scale)
    return out.transpose(1, 2), None


def _attend_many(query: Tensor, key: Tensor, value: Tensor, prefix: Any, scale: float) -> Tensor:
    """Attention of whole tails to the prefix and to themselves."""
    if prefix is not None:
        pairs = zip(prefix, (key, value), strict=True)
        key, value = (torch.cat([first.expand(len(own), -1, -1, -1), own], 2) for first, own in pairs)
    tokens, seen = query.shape[-2], key.shape[-2]
    if query.device.type == "cpu" and query.dtype == torch.float32:
        return _attend_in_blocks(query * scale, key, value)
    mask = None
    if seen > tokens:
        mask = torch.ones(tokens, seen, dtype=torch.bool, device=key.device).tril(seen - tokens)
    options = {"is_causal": mask is None, "scale": scale, "enable_gqa": query.shape[1] != key.shape[1]}
    return scaled_dot_product_attention(query, key, value, mask, **options)


def _attend_in_blocks(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The same for a few tokens of a few rows at a time, whose weights stay in the caches of a processor."""
    (rows, heads, tokens, width), seen = query.shape, key.shape[-2]
    out = query.new_empty(rows, tokens, heads, width).transpose(1, 2)
    threads = torch.get_num_threads()
    block = min(BLOCK * threads, tokens)
    some = max(1, WEIGHTS * threads // (heads * block * seen))
    room = query.new_empty(some * heads * block * seen)
    later = torch.ones(block, block, dtype=torch.bool).triu(1)
    for first in range(0, rows, some):
        at = slice(first, first + some)
        keys, values = key[at].reshape(-1, seen, width).transpose(1, 2), value[at].reshape(-1, seen, width)
        grouped = query[at].reshape(len(keys), -1, tokens, width)
        for start in range(0, tokens, block):
            size = min(block, tokens - start)
            end = seen - tokens + start + size
            asking = grouped[..., start : start + size, :].reshape(len(keys), -1, width)
            weights = room[: asking.shape[0] * asking.shape[1] * end].view(*asking.shape[:2], end)
            torch.bmm(asking, keys[..., :end], out=weights)
            weights.view(-1, size, end)[..., end - size :].masked_fill_(later[:size, :size], float("-inf"))
            torch.softmax(weights, -1, out=weights)
            told = torch.bmm(weights, values[:, :end])
            out[at, :, start : start + size] = told.view(-1, heads, size, width)
    return out


def _attend_one(query: Tensor, key: Tensor, value: Tensor, prefix: Any, hidden: Tensor, scale: float) -> Tensor:
    """Attention of one token a row to the prefix, which is read once for all rows, and to the slots of its row."""
    (prefix_keys, prefix_values), (rows, heads, _, width) = (part[0] for part in prefix), query.shape
    groups, common = len(prefix_keys), prefix_keys.shape[-2]
    grouped = (query * scale).view(rows, groups, -1, width)
    to_own = (grouped @ key.transpose(2, 3)).masked_fill(hidden[:, None, None], float("-inf"))
    flat = grouped.transpose(0, 1).reshape(groups, -1, width)
    to_prefix = (flat @ prefix_keys.transpose(1, 2)).view(groups, rows, -1, common).transpose(0, 1)
    weights = torch.cat([to_prefix, to_own], -1).softmax(-1, dtype=torch.float32).to(value.dtype)
    near = weights[..., :common].transpose(0, 1).reshape(groups, -1, common) @ prefix_values
    out = near.view(groups, rows, -1, width).transpose(0, 1) + weights[..., common:] @ value
    return out.reshape(rows, heads, 1, width)


AttentionInterface.register(NAME, _attend)


@torch.inference_mode()
def works(model: Any) -> bool:
    """Whether rows of several lengths get the logits that the model's own attention gives each of them alone."""
    size = model.config.get_text_config().vocab_size
    ids = torch.randint(size, (3, 40), generator=torch.Generator().manual_seed(0)).tolist()
    lengths, told = (39, 21, 30), []
    try:
        for common in (16, 0):
            texts = [[*ids[0][:common], *row[common:length]] for row, length in zip(ids, lengths, strict=True)]
            told += zip(texts, _steps(model, texts, common), strict=True)
    except (AttributeError, TypeError, RuntimeError, NotImplementedError, AssertionError, ValueError, IndexError):
        return False
    truths = (model(torch.tensor([[*text, text[0]]], device=model.device)).logits[0, -2:] for text, _ in told)
    return all(agree(torch.stack(steps), truth, model) for truth, (_, steps) in zip(truths, told, strict=True))


def _steps(model: Any, texts: Sequence[list[int]], common: int) -> list[tuple[Tensor, Tensor]]:
    """The logits at the end of texts, and after their first token once more."""
    cache = DynamicCache(config=model.config)
    if any(type(layer) is not DynamicLayer for layer in cache.layers):
        raise NotImplementedError("layers of another kind")
    rows = Rows(model, texts[0][:common], len(texts))
    first = rows.read([text[common:] for text in texts], slice(0, len(texts)))
    rows.begin([len(text) - common for text in texts], range(len(texts)))
    second = rows.step([text[0] for text in texts])
    return list(zip(first, second, strict=True))
