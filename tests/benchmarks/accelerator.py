"""What there is to see on an accelerator, in one command of at most eight minutes; each part has a time limit.

    python tests/benchmarks/accelerator.py smollm2 --out accelerator.jsonl
    python tests/benchmarks/accelerator.py nano --smoke          # on a CPU: does it run?

Parts: `hf:` against `generate` in bfloat16 and float32, and how many answers are the same; a batch that does not fit
into the memory is halved and answered alike; vLLM where it is installed; TRL's GRPO with LoRA, the model editing for
`reader`. A part that fails or runs out of time is a line with its reason, and the others go on.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

LIMITS_S = {"speed": 150, "memory": 60, "vllm": 120, "train": 150}
HERE = Path(__file__)


def main() -> None:
    """Run the parts, each in a process of its own, or one of them here."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--smoke", action="store_true", help="small sizes, on a CPU")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--part", choices=LIMITS_S)
    args = parser.parse_args()
    if args.part:
        for line in PARTS[args.part](args.model, args.smoke):
            print(json.dumps({"part": args.part, **line}), flush=True)
        return
    for part, limit_s in LIMITS_S.items():
        start = time.perf_counter()
        for line in run(part, args, limit_s):
            told = json.dumps(line | {"wall_s": round(time.perf_counter() - start, 1)})
            print(told, flush=True)
            if args.out:
                with args.out.open("a", encoding="utf-8") as file:
                    file.write(told + "\n")


def run(part: str, args: argparse.Namespace, limit_s: float) -> list[dict[str, Any]]:
    """The lines of a part, and a last one where it failed."""
    command = [sys.executable, str(HERE), args.model, "--part", part, *["--smoke"] * args.smoke]
    environment = os.environ | {"LSE_GYM_RESPONSE_CACHE": "off"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, env=environment, check=False)
        said, failure = done.stdout, done.stderr.strip().splitlines()[-1:] if done.returncode else []
    except subprocess.TimeoutExpired as expired:
        said = expired.stdout.decode() if isinstance(expired.stdout, bytes) else expired.stdout or ""
        failure = [f"not done after {limit_s} s"]
    lines = [json.loads(line) for line in said.splitlines() if line.startswith('{"part"')]
    return lines + [{"part": part, "failed": reason} for reason in failure]


def loaded(name: str, dtype: str) -> Any:
    """The model itself, without a cache."""
    from lse_gym.envs.models import make_model

    os.environ["LSE_GYM_DTYPE"] = dtype
    make_model.__globals__["_load"].cache_clear()
    model = make_model(name)
    return getattr(model, "model", model) if type(model).__name__ == "CachedModel" else model


def asked(model: Any, length: int, rows: int, shared: bool) -> list[Any]:
    """Requests of random words."""
    sys.path.insert(0, str(HERE.parent))
    import bench_hf

    return bench_hf.prompts(model, length, rows, shared, 8 if rows < 16 else 64)


def speed(name: str, smoke: bool) -> Any:
    """Tokens a second of `hf:` and of `generate`, by wall time, and agreement between the two and between dtypes."""
    sys.path.insert(0, str(HERE.parent))
    import bench_hf
    import torch

    texts: dict[tuple[int, int, bool], list[Any]] = {}
    for dtype in ("float32",) if smoke else ("float32", "bfloat16"):
        model = loaded(name, dtype)
        for length, rows in [(40, 4)] if smoke else [(400, 64), (2000, 128)]:
            for shared in (False, True):
                requests = asked(model, length, rows, shared)
                ids = [model.prompt_ids(request) for request in requests]
                took: dict[str, float] = {}
                found: dict[str, Any] = {}
                for way in ("warm", "ours", "generate"):
                    start = time.perf_counter()
                    if way == "generate":
                        found[way] = bench_hf.padded(model, ids, requests[0].max_tokens)
                    else:
                        found[way] = model.write(requests)
                    if torch.cuda.is_available():
                        torch.cuda.synchronize()
                    took[way] = time.perf_counter() - start
                same = sum(a == b for a, b in zip(found["ours"], found["generate"], strict=True))
                first = texts.setdefault((length, rows, shared), found["ours"])
                alike = sum(a == b for a, b in zip(found["ours"], first, strict=True))
                yield {
                    "dtype": dtype,
                    "length": length,
                    "rows": rows,
                    "shared": shared,
                    "ours_s": round(took["ours"], 3),
                    "generate_s": round(took["generate"], 3),
                    "ratio": round(took["generate"] / took["ours"], 2),
                    "same": same,
                    "same_as_float32": alike,
                }


def memory(name: str, smoke: bool) -> Any:
    """A batch that does not fit is halved; the answers are those of a batch that does."""
    import torch

    model = loaded(name, "float32")
    requests = asked(model, 60 if smoke else 2000, 8 if smoke else 128, False)
    expected = model.write(requests)
    if not torch.cuda.is_available():
        yield {"skipped": "no GPU", "rows": len(expected)}
        return
    torch.cuda.empty_cache()
    used = torch.cuda.memory_allocated() + 2**30
    torch.cuda.set_per_process_memory_fraction(used / torch.cuda.mem_get_info()[1])
    found = model.write(requests)
    yield {
        "rows": len(expected),
        "cap_mb": used >> 20,
        "same": sum(a == b for a, b in zip(expected, found, strict=True)),
    }


def vllm(name: str, smoke: bool) -> Any:
    """vLLM beside `hf:`: seconds, and how many texts are the same."""
    from importlib.util import find_spec

    if find_spec("vllm") is None:
        yield {"skipped": "vllm is not installed"}
        return
    from lse_gym.envs.models.vllm import VLLMModel

    model = loaded(name, "float32")
    requests = asked(model, 60 if smoke else 400, 4 if smoke else 64, True)
    expected = model.complete(requests)
    engine = VLLMModel(model.weights.place[0] + ("?style=completion" if model.style == "completion" else ""))
    engine.complete(requests[:1])
    start = time.perf_counter()
    found = engine.complete(requests)
    same = sum(a.text == b.text for a, b in zip(expected, found, strict=True))
    yield {"rows": len(found), "vllm_s": round(time.perf_counter() - start, 3), "same": same}


def train(name: str, smoke: bool) -> Any:
    """LSE's objective through TRL, LoRA of rank 8: the states of an archive, as many steps as fit."""
    from lse_gym.agents.lse import trl

    with TemporaryDirectory() as folder:
        archive = [sys.executable, "-m", "lse_gym", "archive", "--domains", "clinic-0", "--out", folder]
        subprocess.run([*archive, "--seeds", "1", "--rounds", "3" if smoke else "6"], check=True, capture_output=True)
        options = ["--editor", loaded(name, "float32").weights.place[0], "--lora-rank", "8", "--out", f"{folder}/out"]
        trl.main([f"{folder}/states.jsonl", *options, "--steps", "1" if smoke else "20", *["--cpu"] * smoke])
        state = json.loads(
            next(Path(folder, "out").glob("checkpoint-*/trainer_state.json")).read_text(encoding="utf-8")
        )
        yield {
            "steps": state["global_step"],
            "rewards": [row["reward"] for row in state["log_history"] if "reward" in row],
        }


PARTS = {"speed": speed, "memory": memory, "vllm": vllm, "train": train}

if __name__ == "__main__":
    main()
