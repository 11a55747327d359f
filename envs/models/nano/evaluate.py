"""Execution accuracy of ``nano`` on embedded domains, with a fast greedy decoder.

python -m lse_gym.envs.models.nano.evaluate --model DIR --group test
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Lfm2ForCausalLM, PreTrainedTokenizerFast

from lse_gym.envs.domain import Split
from lse_gym.envs.models.nano.packed import run
from lse_gym.envs.models.nano.tokenizer import chat_parts
from lse_gym.envs.sql.procedural.family import ProceduralFamily

MAX_TOKENS = 256


@torch.no_grad()
def answer_all(
    model: Lfm2ForCausalLM, tokenizer: PreTrainedTokenizerFast, system: str, users: Sequence[str]
) -> list[str]:
    """Greedy answers to questions that share a system message.

    All turns advance together, a token at a time; a turn that is still being read takes its own next token.
    """
    prefix = tokenizer(chat_parts(system, "", "")[0], return_tensors="pt").input_ids
    asked = tokenizer([chat_parts(system, user, "")[1] for user in users]).input_ids
    cache = run(model, prefix)[1]
    shortest = min(map(len, asked))
    rows = torch.tensor([ids[:shortest] for ids in asked])
    written: list[list[int]] = [[] for _ in users]
    done = [False] * len(users)
    position = prefix.shape[1]
    for step in range(shortest, max(map(len, asked)) + MAX_TOKENS):
        hidden, cache = run(model, rows, cache, position)
        position += rows.shape[1]
        best = model.lm_head(hidden[:, -1]).argmax(-1).tolist()
        for i, ids in enumerate(asked):
            if step < len(ids):
                best[i] = ids[step]
            elif not done[i]:
                done[i] = best[i] == tokenizer.eos_token_id
                written[i] += [] if done[i] else [best[i]]
        if all(done):
            break
        rows = torch.tensor(best)[:, None]
    return tokenizer.batch_decode(written)


def accuracy(
    model: Lfm2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    domains: Sequence[str],
    split: Split,
    context: str,
    limit: int | None = None,
) -> tuple[float, int]:
    """Sum of scores and number of questions, with the "seed" or the "oracle" context."""
    family, right, n = ProceduralFamily(), 0.0, 0
    for name in domains:
        domain = family.load(name)
        questions = domain.splits[split][:limit]
        text = domain.oracle_context if context == "oracle" else domain.seed_context
        answers = answer_all(model, tokenizer, domain.system(text or ""), [domain.user(q) for q in questions])
        right += sum(outcome.score for outcome in domain.score(questions, answers))
        n += len(questions)
    return right, n


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--group", choices=("train", "test"), default="test")
    parser.add_argument("--domains", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    names = ProceduralFamily.groups[arguments.group]
    names = names[:: max(1, len(names) // arguments.domains)][: arguments.domains]
    for context in ("seed", "oracle"):
        right, n = accuracy(model, tokenizer, names, "test", context)
        sys.stdout.write(f"{arguments.group} {context}: {right / n:.3f} (n={n})\n")


if __name__ == "__main__":
    main()
