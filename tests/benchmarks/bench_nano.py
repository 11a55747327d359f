"""Throughput of `nano` through `hf:`, against plain `model.generate` on one prompt at a time in the same process.

    python tests/benchmarks/bench_nano.py [--questions 40] [--threads 2]

The questions are those of a test domain under its oracle context, so all prompts begin with the same schema and rules.
The texts must be the same, token for token.
"""

import argparse
import sys
import time

import torch

from lse_gym.envs.models import NANO
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.huggingface import HuggingFaceModel
from lse_gym.envs.sql.procedural.family import ProceduralFamily

LEAST = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", default=NANO)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model, domain = HuggingFaceModel(arguments.model), ProceduralFamily().load("clinic-0")
    questions = domain.splits["test"][: arguments.questions]
    system = domain.system(domain.oracle_context or "")
    requests = [Request(system, domain.user(question)) for question in questions]
    model.complete(requests[:2])
    ratios = []
    for _ in range(3):
        started = time.perf_counter()
        answers = model.complete(requests)
        batched = time.perf_counter() - started
        plain = []
        started = time.perf_counter()
        for request in requests:
            ids = torch.tensor([model.prompt_ids(request)])
            with torch.inference_mode():
                out = model.model.generate(ids, max_new_tokens=request.max_tokens, do_sample=False)
            plain.append(model.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))
        single = time.perf_counter() - started
        same = sum(answer.text == text for answer, text in zip(answers, plain, strict=True))
        ratios.append(single / batched)
        print(f"{batched:.2f} s against {single:.2f} s: {ratios[-1]:.1f}x; {same} of {len(requests)} texts alike")
        if same < len(requests):
            sys.exit("FAILED: the batch answers otherwise")
    if sorted(ratios)[1] < LEAST:
        sys.exit(f"FAILED: the median is below {LEAST:g}x")


if __name__ == "__main__":
    main()
