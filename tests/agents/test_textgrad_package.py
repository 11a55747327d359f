"""TextGrad's own package as an agent: reproducible, within the budget, robust. Needs the extra `textgrad`."""

import sys

import gymnasium as gym
import pytest

from lse_gym.agents.textgrad_package import TextGradPackageAgent
from lse_gym.envs.errors import MissingExtraError
from lse_gym.envs.models.base import Response

pytestmark = [
    pytest.mark.extra("textgrad"),
    pytest.mark.filterwarnings("ignore"),  # those of the package and of what it imports
]


def make(**options):
    return gym.make("LSE/TextToSQL-v1", domain="lab-0", **options)


@pytest.fixture(autouse=True)
def _package(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # importing it makes a folder of logs


def test_it_improves_within_its_budget_and_gives_the_same_twice(tmp_path):
    contexts = []
    for _ in range(2):
        env = make(budget={"calls": 300})
        agent = TextGradPackageAgent(env, seed=0).learn(10)
        assert env.unwrapped.budget.spent.calls <= 300
        assert agent.tree.best["performance"] >= agent.tree.nodes[0]["performance"] + 0.3
        contexts.append([node["context"] for node in agent.tree.nodes])
    assert contexts[0] == contexts[1]
    assert not any(tmp_path.iterdir())  # no folder of logs


def test_prompts_do_not_depend_on_addresses(monkeypatch):
    told = []
    for _ in range(3):
        agent, prompts = TextGradPackageAgent(make(), seed=1, losses=4), []

        def complete(requests, prompts=prompts):
            prompts.extend(request.user for request in requests)
            return [Response(f"Criticism {len(prompts)}.", 10, 5) for _ in requests]

        monkeypatch.setattr(agent.editor.model, "complete", complete)
        agent.learn(2)
        assert len({node["context"] for node in agent.tree.nodes}) == 1  # an answer without an edit keeps it
        told.append(prompts)
    assert told[0] == told[1] == told[2]
    assert any("Criticism 1." in prompt for prompt in told[0])


def test_the_package_is_left_as_it_was():
    import textgrad

    before = textgrad.Variable.__hash__
    TextGradPackageAgent(make()).learn(1)
    assert textgrad.Variable.__hash__ is before


def test_without_it_the_extra_is_named(monkeypatch):
    agent = TextGradPackageAgent(make())
    monkeypatch.setitem(sys.modules, "textgrad", None)
    for use in (lambda: TextGradPackageAgent(make()), lambda: agent.learn(1)):  # before anything is paid for, or later
        with pytest.raises(MissingExtraError, match=r"lse-gym\[textgrad\]"):
            use()
