"""Batched generation for models with plain causal attention: prompts of any length together, each of them as if alone.

What all prompts begin with is read once, what several have in common only where they are the same prompt; the rest of
each is read with prompts of like length, and then all rows write together.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lse_gym.envs.extras import needs
from lse_gym.envs.models.generation import Answers, Prompt, Stopped, common_start
from lse_gym.envs.models.rows import Rows

with needs("hf", "Generating text with Transformers"):
    import torch

READ_TOKENS, READ_TOKENS_CPU = 16_384, 1024  # of one pass over prompts; a CPU has small caches
PADDING, PADDING_CPU = 0.15, 0.05  # share of a pass that may be padding; a pass more costs a CPU next to nothing
WINDOW = 0.5  # share of the free memory that keys and values may take


@torch.inference_mode()
def generate(
    model: Any, prompts: Sequence[Prompt], ends: frozenset[int], stopped: Stopped | None = None
) -> list[list[int]]:
    """Continue every prompt until one of ``ends``, which is part of what is returned, or its ``max_tokens``.

    Args:
        model: one that :func:`lse_gym.envs.models.rows.works` with.
        prompts: of any length, see :func:`batches`.
        ends: ids that end an answer.
        stopped: whether an answer, as far as it is written, ends by the ``stop`` of its prompt.
    """
    rows, logits = _read(model, [prompt.ids for prompt in prompts])
    answers = Answers(prompts, ends, stopped)
    while True:
        tokens = answers.write(logits)
        if answers.complete:
            return answers.written
        if kept := answers.drop():
            tokens = [tokens[row] for row in kept]
            rows.keep(kept)
        logits = rows.step(tokens)


def _read(model: Any, texts: Sequence[list[int]]) -> tuple[Rows, torch.Tensor]:
    """The rows of texts, and the logits after each; a text that is there several times is read once."""
    different = sorted(dict.fromkeys(map(tuple, texts)), key=len, reverse=True)
    common = common_start(different, len(different[-1]) - 1)
    rows, logits, start = Rows(model, different[0][:common], len(different)), [], 0
    on_cpu = model.device.type == "cpu"
    limits = (READ_TOKENS_CPU, PADDING_CPU) if on_cpu else (READ_TOKENS, PADDING)
    for size in passes([len(text) - common for text in different], *limits):
        at = slice(start, start + size)
        logits.append(rows.read([text[common:] for text in different[at]], at))
        start += size
    place = {text: i for i, text in enumerate(different)}
    copies = [place[tuple(text)] for text in texts]
    rows.begin([len(text) - common for text in texts], copies)
    return rows, torch.cat(logits)[copies]


def passes(lengths: Sequence[int], most: int, padding: float) -> list[int]:
    """How many texts each pass reads, longest first, with little padding.

    Args:
        lengths: in tokens, falling, >= 1.
        most: tokens of a pass, unless one text has more.
        padding: share of a pass that may be padding.

    >>> passes([900, 90, 85, 80, 8], 200, 0.15)
    [1, 2, 1, 1]
    """
    sizes: list[int] = []
    first = real = 0
    for length in lengths:
        size = sizes[-1] + 1 if sizes else 0
        if sizes and size * first <= most and real + length >= (1 - padding) * size * first:
            sizes[-1], real = size, real + length
        else:
            sizes.append(1)
            first = real = length
    return sizes


def batches(prompts: Sequence[Prompt], most: int, weights: int, slot: int, memory: float) -> list[list[int]]:
    """Indices of prompts that are written together.

    Shorter prompts join longer ones until what their padding costs to read, each token, is more than the weights of
    the model, or until keys and values would take more than half of the memory.

    Args:
        prompts: of any length.
        most: rows of a batch.
        weights: of the model, in bytes.
        slot: keys and values of one token, in bytes.
        memory: that is free, in bytes.
    """
    groups: list[list[int]] = []
    longest = waste = 0
    for i in sorted(range(len(prompts)), key=lambda i: len(prompts[i].ids), reverse=True):
        length = len(prompts[i].ids)
        size = len(groups[-1]) + 1 if groups else 0
        width = longest + max((prompts[j].max_tokens for j in (*groups[-1], i)), default=0) if groups else 0
        fits = size <= most and size * width * slot <= WINDOW * memory
        if groups and fits and (waste + longest - length) * slot <= weights:
            groups[-1].append(i)
            waste += longest - length
        else:
            groups.append([i])
            longest, waste = length, 0
    return groups


def slot_bytes(model: Any) -> int:
    """Keys and values of one token in all layers, in bytes."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 2 * config.num_hidden_layers * heads * width * model.dtype.itemsize


def free_bytes(device: torch.device) -> float:
    """The memory that is free on a device, in bytes; endless where nobody tells."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024.0
    except (OSError, KeyError, ValueError):
        return float("inf")
