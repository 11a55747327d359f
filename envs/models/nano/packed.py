"""A forward pass over one system prompt and many turns at once, on the modules of a Hugging Face model.

The turns see the system prompt and themselves, and each is computed as if it stood alone after the prompt: attention
reads the prompt's keys and values, convolutions start from the prompt's last inputs.
"""

from lse_gym.envs.extras import needs

with needs("hf", "Training nano"):
    import torch
    from torch import Tensor, nn
    from torch.nn.functional import conv1d, pad, rms_norm, scaled_dot_product_attention, silu
    from transformers import Lfm2ForCausalLM

Cache = list[tuple[Tensor, ...]]


def run(model: Lfm2ForCausalLM, ids: Tensor, past: Cache | None = None, offset: int = 0) -> tuple[Tensor, Cache]:
    """The last hidden states for ``ids`` (turns by tokens), and what a continuation needs.

    Args:
        model: the model; its weights are used as they are, its own forward pass is not.
        ids: token ids; where turns differ in length, padded on the right.
        past: what an earlier call returned: of one turn, which all turns here continue, or of as many as here.
        offset: the tokens in ``past``.
    """
    body = model.model
    hidden = body.embed_tokens(ids)
    positions = torch.arange(offset, offset + ids.shape[1], device=ids.device)[None]
    cosine, sine = body.rotary_emb(hidden, positions)
    cache: Cache = []
    for index, layer in enumerate(body.layers):
        before = past[index] if past else None
        normed = _norm(layer.operator_norm, hidden)
        if layer.is_attention_layer:
            out, state = _attend(layer.self_attn, normed, cosine, sine, before)
        else:
            out, state = _convolve(layer.conv, normed, before)
        cache.append(state)
        hidden = hidden + out
        normed = _norm(layer.ffn_norm, hidden)
        ffn = layer.feed_forward
        hidden = hidden + ffn.w2(silu(ffn.w1(normed)) * ffn.w3(normed))
    return _norm(body.embedding_norm, hidden), cache


def _norm(norm: nn.Module, x: Tensor) -> Tensor:
    return rms_norm(x, norm.weight.shape, norm.weight.to(x.dtype), norm.variance_epsilon)


def _convolve(conv: nn.Module, x: Tensor, past: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
    b, c, v = conv.in_proj(x).transpose(-1, -2).chunk(3, dim=-2)
    mixed = b * v
    kept = conv.conv_kernel_size - 1
    mixed = torch.cat([past[0].expand(len(mixed), -1, -1), mixed], -1) if past else pad(mixed, (kept, 0))
    out = conv1d(mixed, conv.conv.weight.to(mixed.dtype), groups=mixed.shape[1])
    return conv.out_proj((c * out).transpose(-1, -2)), (mixed[..., -kept:],)


def _attend(
    attention: nn.Module, x: Tensor, cosine: Tensor, sine: Tensor, past: tuple[Tensor, ...] | None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    shape = (*x.shape[:-1], -1, attention.head_dim)

    def rotated(norm: nn.Module, y: Tensor) -> Tensor:
        y = _norm(norm, y.view(shape)).transpose(1, 2)
        first, second = y.chunk(2, dim=-1)
        return y * cosine[:, None].to(y.dtype) + torch.cat((-second, first), dim=-1) * sine[:, None].to(y.dtype)

    query = rotated(attention.q_layernorm, attention.q_proj(x))
    key = rotated(attention.k_layernorm, attention.k_proj(x))
    value = attention.v_proj(x).view(shape).transpose(1, 2)
    mask = None
    if past:
        old = past[0].shape[2]
        key, value = (
            torch.cat([state.expand(len(x), -1, -1, -1), new], 2) for state, new in zip(past, (key, value), strict=True)
        )
        if x.shape[1] > 1:
            mask = torch.ones(x.shape[1], old + x.shape[1], dtype=torch.bool, device=x.device).tril(old)
    groups = attention.num_key_value_groups
    keys, values = (
        (key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)) if groups > 1 else (key, value)
    )
    exact = (part.float() for part in (query, keys, values))  # faster than bfloat16 on CPUs, backwards above all
    out = scaled_dot_product_attention(*exact, attn_mask=mask, is_causal=past is None).to(x.dtype)
    return attention.out_proj(out.transpose(1, 2).reshape(*x.shape[:-1], -1)), (key, value)
