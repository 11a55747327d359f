"""Log-probabilities of given texts, in batches that share what their prompts begin with."""

from collections.abc import Sequence
from typing import Any

from lse_gym.envs.extras import needs
from lse_gym.envs.models.generation import common_start, prefilled
from lse_gym.envs.models.kv_cache import forward

with needs("hf", "Log-probabilities with Transformers"):
    import torch

MAX_LOGITS = 2**27  # numbers of one pass: half a GiB in float32

Row = tuple[list[int], list[int]]  # the ids of a prompt, and those of what is scored after it


@torch.inference_mode()
def logprobs(model: Any, rows: Sequence[Row], shares: bool) -> list[list[float]]:
    """Log-probability in nats of each token behind each prompt.

    What is read alike is read once: of texts of one token, no more than their prompt.

    Args:
        model: a causal language model of Transformers.
        rows: of like length, or padding is computed.
        shares: as for :func:`lse_gym.envs.models.generation.generate`.
    """
    read = [tuple(prompt + text[:-1]) for prompt, text in rows]
    feeds = [*dict.fromkeys(feed for feed, (_, text) in zip(read, rows, strict=True) if text)]
    found: list[list[float]] = [[] for _ in rows]
    if not feeds:
        return found
    common = common_start(feeds, min(len(prompt) for prompt, text in rows if text) - 1)
    for part in _parts(feeds, rows, model.config.get_text_config().vocab_size):
        places = {feed: i for i, feed in enumerate(part)}
        asked = [(i, places[feed]) for i, feed in enumerate(read) if feed in places and rows[i][1]]
        ends = [range(len(rows[i][0]) - 1, len(rows[i][0]) - 1 + len(rows[i][1])) for i, _ in asked]
        kept = sorted({end - common for span in ends for end in span})
        scores = _read(model, part, common, kept, shares)
        for (i, row), span in zip(asked, ends, strict=True):
            at = [kept.index(end - common) for end in span]
            told = scores[row, at].float().log_softmax(-1)
            found[i] = told[range(len(at)), rows[i][1]].tolist()
    return found


def _read(model: Any, feeds: Sequence[tuple[int, ...]], common: int, kept: list[int], shares: bool) -> torch.Tensor:
    """Logits, shape (feeds, kept, vocabulary). Padding comes last, where nothing that counts can see it."""
    longest = max(map(len, feeds))
    tails = [[*feed[common:], *[feed[-1]] * (longest - len(feed))] for feed in feeds]
    ids, keep = (torch.tensor(values, device=model.device) for values in (tails, kept))
    with prefilled(model, feeds[0][:common], len(feeds), shares) as cache:
        return forward(model, ids, cache, logits_to_keep=keep)[0]


def _parts(feeds: Sequence[tuple[int, ...]], rows: Sequence[Row], vocabulary: int) -> list[list[tuple[int, ...]]]:
    """Feeds by length, so many together as their logits fit."""
    order, widest = sorted(feeds, key=len), max(len(text) for _, text in rows)
    spread = len(order[-1]) - len(order[0]) + widest  # positions that one pass may have to tell of
    size = max(1, MAX_LOGITS // (spread * vocabulary))
    return [order[i : i + size] for i in range(0, len(order), size)]
