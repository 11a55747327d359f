"""The other line of ExCoT: a task model learns from its own answers, so that weights take the place of a context.

    python -m lse_gym.agents.lse.answers --task-model nano --domains clinic-40 --lr 3e-4 --out answers

It answers every feedback question many times under the seed context; a right and a wrong answer make a pair, and DPO
trains on them. What that gains on test questions is what a context has to compare with. Needs ``trl``.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lse_gym.agents.files import write_text
from lse_gym.agents.lse.preference_settings import DPO, PreferenceArgs
from lse_gym.agents.lse.preferences import Edit, Siblings, pairs_of
from lse_gym.agents.settings import Settings
from lse_gym.envs.domain import Domain
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.extras import needs
from lse_gym.envs.models import SHIPPED
from lse_gym.envs.models.base import Request, TaskModel
from lse_gym.envs.models.huggingface import HuggingFaceModel

with needs("trl", "Preference learning"):
    from lse_gym.agents.lse.trl_rounds import train_round

ANSWERS = replace(DPO, margin=0.5, max_edit_tokens=256)  # an answer is right or wrong


def answer_groups(model: TaskModel, domain: Domain, context: str, args: PreferenceArgs) -> list[Siblings]:
    """Answers to each feedback question, as siblings; ``delta`` of an answer is its score in [0, 1]."""
    questions, system, samples = domain.splits["feedback"], domain.system(context), args.samples
    asked = [(question, sample) for question in questions for sample in range(samples)]
    options = (args.max_edit_tokens, args.temperature, args.seed)
    requests = [Request(system, domain.user(question), *options, sample) for question, sample in asked]
    texts = [response.text for response in model.complete(requests)]
    scores = [outcome.score for outcome in domain.score([question for question, _ in asked], texts)]
    groups = []
    for i, question in enumerate(questions):
        own = slice(i * samples, (i + 1) * samples)
        edits = [Edit(domain.user(question), *told) for told in zip(texts[own], scores[own], strict=True)]
        groups.append(Siblings(domain.name, system, sum(scores[own]) / samples, tuple(edits)))
    return groups


def score_on_test(path: str, domain: Domain, context: str, max_tokens: int) -> float:
    """The share of test questions that a model answers right under a context, greedily."""
    asked, system = domain.splits["test"], domain.system(context)
    answers = HuggingFaceModel(path).complete([Request(system, domain.user(q), max_tokens) for q in asked])
    return sum(outcome.score for outcome in domain.score(asked, [answer.text for answer in answers])) / len(asked)


def weights_for_context(path: str, domain: Domain, out: Path, args: PreferenceArgs = ANSWERS) -> dict[str, Any]:
    """Train a task model on its answers to one domain; what it came to is in ``out/row.json`` as well."""
    if (out / "row.json").exists():
        return json.loads((out / "row.json").read_text(encoding="utf-8"))
    out.mkdir(parents=True, exist_ok=True)
    context = domain.seed_context
    pairs, told = pairs_of(answer_groups(HuggingFaceModel(path), domain, context, args), args)
    system = domain.system(context)
    row: dict[str, Any] = {"domain": domain.name, "calls": len(domain.splits["feedback"]) * args.samples, **told}
    if pairs:
        row |= train_round(path, [pair._replace(system=system) for pair in pairs], out, args, lambda told: None)
    after = str(out / "model") if pairs else path
    for name, model in (("before", path), ("after", after)):
        row[f"test_{name}"] = score_on_test(model, domain, context, args.max_edit_tokens)
    write_text(out / "row.json", json.dumps(row) + "\n")
    return row


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="LSE/TextToSQL-v1")
    parser.add_argument("--task-model", default="nano")
    parser.add_argument("--domains", required=True, help="comma-separated")
    parser.add_argument("--samples", type=int, default=ANSWERS.samples)
    parser.add_argument("--lr", type=float, default=ANSWERS.lr)
    parser.add_argument("--epochs", type=float, default=ANSWERS.epochs)
    parser.add_argument("--batch", type=int, default=ANSWERS.batch)
    parser.add_argument("--out", type=Path, default=Path("answers"))
    given = parser.parse_args(arguments)
    changed = {name: getattr(given, name) for name in ("samples", "lr", "epochs", "batch")}
    family = core_env(Settings(env=given.env, domain=None).config().make_env()).family
    path = SHIPPED.get(given.task_model, given.task_model.removeprefix("hf:"))
    for name in given.domains.split(","):
        row = weights_for_context(path, family.load(name), given.out / name, replace(ANSWERS, **changed))
        sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
