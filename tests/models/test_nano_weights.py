"""The shipped weights of `nano`: size, format, and what they can do. Needs the extra `hf`."""

from pathlib import Path

import pytest
import torch
import transformers

from lse_gym.agents.lse import LSEAgent
from lse_gym.agents.settings import Config
from lse_gym.envs.evaluation import evaluate_context, wilson
from lse_gym.envs.models import NANO, SHIPPED, make_model
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.huggingface import HuggingFaceModel
from lse_gym.envs.qa.procedural.family import ProceduralQAFamily
from lse_gym.envs.sql.procedural.family import ProceduralFamily


def score(names, context, questions, model="nano", family=ProceduralFamily):
    family, right = family(), []
    model = make_model(model)
    for name in names:
        domain = family.load(name)
        asked = domain.splits["test"][:questions]
        system = domain.system(getattr(domain, f"{context}_context"))
        answers = model.complete([Request(system, domain.user(question)) for question in asked])
        right += [outcome.score for outcome in domain.score(asked, [answer.text for answer in answers])]
    return right


@pytest.mark.parametrize("name", SHIPPED)
def test_each_is_small_standard_and_whole(name):
    files = [file for file in Path(SHIPPED[name]).iterdir() if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 12e6
    assert not {file.suffix for file in files} - {".json", ".jinja", ".safetensors"}
    model = transformers.AutoModelForCausalLM.from_pretrained(SHIPPED[name])
    assert sum(parameter.numel() for parameter in model.parameters()) <= 6e6
    assert type(model).__module__.startswith("transformers.models.")
    tokenizer = transformers.AutoTokenizer.from_pretrained(SHIPPED[name])
    text = "SELECT 'é', \"語\" 🙂\x00\n"
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_its_batch_gives_the_tokens_of_plain_generate():
    model, domain = HuggingFaceModel(NANO), ProceduralFamily().load("hotel-2")
    requests = [Request(domain.system(domain.oracle_context), domain.user(q)) for q in domain.splits["test"][:5]]
    for request, answer in zip(requests, model.complete(requests), strict=True):
        ids = torch.tensor([model.prompt_ids(request)])
        out = model.model.generate(ids, max_new_tokens=request.max_tokens, do_sample=False)
        assert answer.text == model.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
    assert model.shares


def test_it_knows_what_its_context_tells():
    names = ["clinic-0", "hotel-0", "lab-0"]
    assert sum(score(names, "seed", 5)) / 15 <= 0.5
    assert sum(score(names, "oracle", 5)) / 15 >= 0.6


def test_another_answers_multiple_choice_from_its_context():
    names = ["glasswork-0", "apiary-0", "observatory-0"]
    assert sum(score(names, "seed", 5, "nano-qa", ProceduralQAFamily)) / 15 <= 0.5
    assert sum(score(names, "oracle", 5, "nano-qa", ProceduralQAFamily)) / 15 >= 0.85


@pytest.mark.parametrize("editor", ["nano", "nano-editor", "nano-lse"])
def test_it_edits(editor):
    config = Config.of(domain="shop-1", task_model="reader", editor=editor, max_edit_tokens=512)
    agent = config.make_agent(config.make_env())
    assert isinstance(agent, LSEAgent)
    agent.learn(1)
    assert len({node["context"] for node in agent.tree.nodes}) > 1


@pytest.mark.long
def test_it_solves_unseen_domains_with_their_oracle_and_not_with_the_seed_context():
    names = ProceduralFamily.groups["test"]
    low, high = (score(names, context, 60) for context in ("seed", "oracle"))
    assert wilson(sum(low) / len(low), len(low))[1] <= 0.40
    assert wilson(sum(high) / len(high), len(high))[0] >= 0.80


@pytest.mark.long
def test_another_solves_unseen_subjects_with_their_oracle_and_not_with_the_seed_context():
    names = ProceduralQAFamily.groups["test"]
    low, high = (score(names, context, 60, "nano-qa", ProceduralQAFamily) for context in ("seed", "oracle"))
    assert wilson(sum(low) / len(low), len(low))[1] <= 0.40
    assert sum(high) / len(high) >= 0.95


@pytest.mark.long
def test_the_smaller_one_is_a_task_model_as_well():
    names = ProceduralFamily.groups["test"]
    low, high = (score(names, context, 60, "pico") for context in ("seed", "oracle"))
    assert sum(high) / len(high) >= sum(low) / len(low) + 0.3


@pytest.mark.long
def test_evolving_improves_it():
    config = Config.of(domain="clinic-2", task_model="nano", rounds=8)
    env = config.make_env()
    agent = config.make_agent(env).learn(config.rounds)
    before, after = (evaluate_context(env, c).mean for c in (agent.tree.nodes[0]["context"], agent.best_context))
    assert after > before + 0.2
