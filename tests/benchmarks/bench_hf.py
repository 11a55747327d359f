"""`hf:` against other ways to write a batch: left-padded `generate`, `generate_batch` and vLLM, in one run.

    python tests/benchmarks/bench_hf.py smollm2 --lengths 100 400 --rows 16 64 --out results.jsonl
    OMP_NUM_THREADS=1 VLLM_CPU_OMP_THREADS_BIND=nobind VLLM_CPU_KVCACHE_SPACE=2 LSE_GYM_WINDOW=2200 \\
        python tests/benchmarks/bench_hf.py smollm2 --way generate --way vllm     # vllm-cpu is installed

Prompts are of lengths from half of the one given to all of it, of random words, once sharing four fifths of the
shortest and once nothing. Each line has seconds of processor time, of all processes of a way, which other jobs on the
machine do not count into, of each try; the ratio of the best other to ours (>= 0.95 is the aim); and how many answers
of each way are ours, token by token.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.huggingface import HuggingFaceModel
from lse_gym.envs.models.stored import StoredModel
from lse_gym.envs.models.vllm import VLLMModel

SHARED = 0.8  # of the shortest prompt
Others = Mapping[str, Callable[[list[list[int]], int], list[list[int]]]]


def prompts(model: HuggingFaceModel, length: int, rows: int, shared: bool, tokens: int, draws: int) -> list[Request]:
    """Requests of ``length / 2`` to ``length`` tokens, about; of as many in each of the ``draws``, but other words."""
    words = [word for word in (model.tokenizer.decode([i]) for i in range(500, 5000)) if word[1:].isalpha()]
    sizes = np.random.default_rng((length, rows)).integers(length // 2, length, rows)
    generator = np.random.default_rng((length, rows, draws))
    draw = lambda n: "".join(generator.choice(words, n))  # noqa: E731
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


def engine(model: VLLMModel, ids: list[list[int]], tokens: int) -> list[list[int]]:
    """vLLM with prefix caching, as `vllm:` asks it."""
    sampling = model._vllm.SamplingParams(max_tokens=tokens, temperature=0.0)
    return [list(one.outputs[0].token_ids) for one in model._generate(ids, sampling)]


def timed(run: Callable[[], Any], served: bool) -> tuple[float, Any]:
    """Seconds of processor time of this process, and where a way is served by others of theirs, too; and the result."""

    def now() -> float:
        process = psutil.Process()
        times = [one.cpu_times() for one in (process, *(process.children(recursive=True) if served else ()))]
        return sum(one.user + one.system for one in times)

    start = now()
    result = run()
    return now() - start, result


def main() -> None:
    """Measure, a line a setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--lengths", type=int, nargs="+", default=[100, 400, 2000])
    parser.add_argument("--rows", type=int, nargs="+", default=[16, 128])
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--way", choices=["generate", "generate_batch", "vllm"], action="append", help="generate")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    model: Any = make_model(args.model)
    model = model.model if isinstance(model, StoredModel) else model
    model.write([Request("", "Text.", 2)] * 2)  # loads it, and looks at what its attention is like
    others: dict[str, Callable[..., Any]] = {
        "generate": partial(padded, model),
        "generate_batch": partial(continuous, model),
    }
    if "vllm" in (args.way or ()):
        served = VLLMModel(model.weights.place[0])
        engine(served, [[1, 2, 3]], 2)
        others["vllm"] = partial(engine, served)
    others = {name: others[name] for name in args.way or ["generate"]}
    for length in args.lengths:
        for rows in args.rows:
            for shared in (False, True):
                line = measure(model, others, length, rows, shared, args)
                print(json.dumps(line), flush=True)
                if args.out:
                    with args.out.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(line) + "\n")


def measure(model: HuggingFaceModel, others: Others, length: int, rows: int, shared: bool, args: Any) -> dict[str, Any]:
    """The best of some tries of each way, in turn, each with new words: vLLM knows those of the try before."""
    seconds: dict[str, list[float]] = {name: [] for name in ("ours", *others)}
    same, longest = dict.fromkeys(others, 0), 0
    with model.few_threads():
        for number in range(args.repeats):
            asked = prompts(model, length, rows, shared, args.tokens, number)
            ids = [model.prompt_ids(request) for request in asked]
            longest = max(longest, *map(len, ids))
            took, ours = timed(partial(model.write, asked), False)
            seconds["ours"].append(took)
            for name, way in others.items():
                took, texts = timed(partial(way, ids, args.tokens), name == "vllm")
                seconds[name].append(took)
                same[name] += sum(a == b for a, b in zip(ours, texts, strict=True))
    told = {f"{name}_s": [round(one, 2) for one in found] for name, found in seconds.items()}
    best = min(min(seconds[name]) for name in others)
    line = {"model": model.name, "dtype": model.dtype, "longest": longest, "rows": rows, "shared": shared}
    line |= {"tokens": args.tokens, **told, "ratio": round(best / min(seconds["ours"]), 2)}
    return line | {"same": same, "of": rows * args.repeats}


if __name__ == "__main__":
    main()
