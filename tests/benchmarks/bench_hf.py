"""`hf:` against Transformers' own ways to write a batch: left-padded `generate` and `generate_batch`, in one process.

    python tests/benchmarks/bench_hf.py smollm2 --lengths 100 400 --rows 16 64 --out results.jsonl

Prompts are of lengths from half of the one given to all of it, of random words, once sharing four fifths of the
shortest and once nothing. Each line has seconds of processor time, which other jobs on the machine do not count into,
the ratio of the best other to ours (>= 0.95 is the aim), and how many answers are the same, token by token, as
`generate` gives.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.huggingface import HuggingFaceModel
from lse_gym.envs.models.stored import StoredModel

SHARED = 0.8  # of the shortest prompt


def prompts(model: HuggingFaceModel, length: int, rows: int, shared: bool, tokens: int) -> list[Request]:
    """Requests of ``length / 2`` to ``length`` tokens, about."""
    generator = np.random.default_rng((length, rows))
    words = [word for word in (model.tokenizer.decode([i]) for i in range(500, 5000)) if word[1:].isalpha()]
    draw = lambda n: "".join(generator.choice(words, n))  # noqa: E731
    sizes = generator.integers(length // 2, length, rows)
    head = draw(int(SHARED * sizes.min())) if shared else ""
    own = int(SHARED * sizes.min()) if shared else 0
    return [Request(head, draw(int(size) - own), tokens) for size in sizes]


def padded(model: HuggingFaceModel, ids: list[list[int]], tokens: int) -> list[list[int]]:
    """`generate` on all prompts at once, padded on the left."""
    longest, pad = max(map(len, ids)), model.tokenizer.pad_token_id or 0
    rows = torch.tensor([[*[pad] * (longest - len(row)), *row] for row in ids])
    mask = torch.tensor([[*[0] * (longest - len(row)), *[1] * len(row)] for row in ids])
    options = {"max_new_tokens": tokens, "do_sample": False, "pad_token_id": pad, "eos_token_id": [*model._ends]}
    with torch.inference_mode():
        out = model.model.generate(rows, attention_mask=mask, **options)
    return [cut(row[longest:].tolist(), model._ends) for row in out]


def continuous(model: HuggingFaceModel, ids: list[list[int]], tokens: int) -> list[list[int]]:
    """`generate_batch`: continuous batching with a paged cache."""
    from transformers import GenerationConfig

    config = GenerationConfig(max_new_tokens=tokens, do_sample=False, eos_token_id=min(model._ends), pad_token_id=0)
    out = model.model.generate_batch(inputs=ids, generation_config=config, progress_bar=False)
    return [cut(list(one.generated_tokens), model._ends) for one in out.values()]


def cut(row: list[int], ends: frozenset[int]) -> list[int]:
    """An answer up to its end."""
    return row[: next((i + 1 for i, token in enumerate(row) if token in ends), len(row))]


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of processor time, of all threads, and the result."""
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def main() -> None:
    """Measure, a line a setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--lengths", type=int, nargs="+", default=[100, 400, 2000])
    parser.add_argument("--rows", type=int, nargs="+", default=[16, 128])
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--batch", action="store_true", help="generate_batch, too")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    model: Any = make_model(args.model)
    model = model.model if isinstance(model, StoredModel) else model
    model.write([Request("", "Text.", 2)] * 2)  # loads it, and looks at what its attention is like
    for length in args.lengths:
        for rows in args.rows:
            for shared in (False, True):
                line = measure(model, length, rows, shared, args)
                print(json.dumps(line), flush=True)
                if args.out:
                    with args.out.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(line) + "\n")


def measure(model: HuggingFaceModel, length: int, rows: int, shared: bool, args: argparse.Namespace) -> dict[str, Any]:
    """The best of some tries of each way, in turn."""
    asked = prompts(model, length, rows, shared, args.tokens)
    ids = [model.prompt_ids(request) for request in asked]
    ways: dict[str, Callable[[], Any]] = {
        "ours": lambda: model.write(asked),
        "generate": lambda: padded(model, ids, args.tokens),
    }
    if args.batch:
        ways["generate_batch"] = lambda: continuous(model, ids, args.tokens)
    seconds, found = dict.fromkeys(ways, float("inf")), {}
    with model.few_threads():
        for _ in range(args.repeats):
            for name, run in ways.items():
                took, found[name] = timed(run)
                seconds[name] = min(seconds[name], took)
    best = min(value for name, value in seconds.items() if name != "ours")
    same = sum(a == b for a, b in zip(found["ours"], found["generate"], strict=True))
    told = {f"{name}_s": round(value, 2) for name, value in seconds.items()}
    line = {"model": model.name, "dtype": model.dtype, "longest": max(map(len, ids)), "rows": rows, "shared": shared}
    return line | {"tokens": args.tokens, **told, "ratio": round(best / seconds["ours"], 2), "same": same}


if __name__ == "__main__":
    main()
