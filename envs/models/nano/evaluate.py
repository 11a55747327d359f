"""Accuracy of ``nano`` on embedded domains, with a fast greedy decoder.

python -m lse_gym.envs.models.nano.evaluate --model DIR --group test
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lse_gym.envs.domain import Family, Split
from lse_gym.envs.extras import needs
from lse_gym.envs.models.generation import Prompt, batches, generate
from lse_gym.envs.models.nano.tokenizer import chat_parts
from lse_gym.envs.qa.procedural.family import ProceduralQAFamily
from lse_gym.envs.sql.procedural.family import ProceduralFamily

with needs("hf", "Training nano"):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, Lfm2ForCausalLM, PreTrainedTokenizerFast

FAMILIES: dict[str, type[Family]] = {"sql": ProceduralFamily, "qa": ProceduralQAFamily}
MAX_TOKENS = 512


def answer_all(
    model: Lfm2ForCausalLM, tokenizer: PreTrainedTokenizerFast, system: str, users: Sequence[str]
) -> list[str]:
    """Greedy answers to questions that share a system message."""
    asked = tokenizer(["".join(chat_parts(system, user, "")[:2]) for user in users]).input_ids
    prompts = [Prompt(ids, MAX_TOKENS, 0.0, ()) for ids in asked]
    written: dict[int, list[int]] = {}
    for group in batches(prompts, len(prompts)):
        answers = generate(model, [prompts[i] for i in group], frozenset([tokenizer.eos_token_id]), shares=True)
        written |= dict(zip(group, answers, strict=True))
    return tokenizer.batch_decode([written[i] for i in range(len(users))], skip_special_tokens=True)


def accuracy(
    model: Lfm2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    domains: Sequence[str],
    split: Split,
    context: str,
    limit: int | None = None,
    family: Family | None = None,
) -> tuple[float, int]:
    """Sum of scores and number of questions, with the "seed" or the "oracle" context."""
    family, right, n = family or ProceduralFamily(), 0.0, 0
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
    parser.add_argument("--family", choices=tuple(FAMILIES), default="sql")
    parser.add_argument("--domains", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    family = FAMILIES[arguments.family]()
    names = family.groups[arguments.group]
    names = names[:: max(1, len(names) // arguments.domains)][: arguments.domains]
    for context in ("seed", "oracle"):
        right, n = accuracy(model, tokenizer, names, "test", context, family=family)
        sys.stdout.write(f"{arguments.group} {context}: {right / n:.3f} (n={n})\n")


if __name__ == "__main__":
    main()
