"""The agents whose edits a language model writes: what they tell it, what they pay, and that they improve."""

from itertools import pairwise

import gymnasium as gym
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.agents import agent_class
from lse_gym.agents.ace import ACEAgent, read_marks
from lse_gym.agents.editor_agent import edit_seed
from lse_gym.agents.evoprompt import EvoPromptAgent
from lse_gym.agents.opro import OPROAgent
from lse_gym.agents.search import MAX_SEED
from lse_gym.agents.self_evolve import SelfEvolveAgent
from lse_gym.agents.textgrad_native import TextGradAgent
from lse_gym.envs.editing import EditorPrompt
from lse_gym.envs.errors import ContextLengthError, UnknownNameError
from lse_gym.envs.models.base import Request, Response, sampling_seed

NAMES = """self-evolve opro textgrad evoprompt ace reevo shinka map-elites mcts agent-optimizer""".split()


def make(**options):
    return gym.make("LSE/TextToSQL-v1", domain="lab-0", **options)


def asked(kind, steps, monkeypatch, **args):
    agent = kind(make(), seed=2, **args)
    prompts = []

    def complete(requests):
        prompts.extend(request.user for request in requests)
        return [Response(f"<add>- Rule {len(prompts)}.</add>", 10, 5) for _ in requests]

    monkeypatch.setattr(agent.editor.model, "complete", complete)
    return agent.learn(steps), prompts


@pytest.mark.parametrize("name", NAMES)
def test_each_improves_offline_within_its_budget(name):
    env = make(budget={"calls": 700})
    agent = agent_class(name)(env, seed=0).learn(20)
    assert agent.tree.best["performance"] >= agent.tree.nodes[0]["performance"] + 0.3
    assert env.unwrapped.budget.spent.calls <= 700


def test_self_evolution_is_a_chain(monkeypatch):
    agent, prompts = asked(SelfEvolveAgent, 4, monkeypatch)
    assert [node["depth"] for node in agent.tree.nodes] == [0, 1, 2, 3, 4]
    assert len(prompts) == 4


@pytest.mark.parametrize(
    ("name", "taken"), [("opro", True), ("evoprompt", True), ("self-evolve", False), ("textgrad", False)]
)
def test_an_answer_without_tags_is_what_the_papers_code_makes_of_it(monkeypatch, name, taken):
    agent = agent_class(name)(make(), seed=0)
    told = "Think of the ages in years."
    monkeypatch.setattr(agent.editor.model, "complete", lambda requests: [Response(told, 1, 1) for _ in requests])
    seed, child = agent.learn(1).tree.nodes
    assert child["context"] == (told if taken else seed["context"])


def test_opro_shows_earlier_contexts_worst_first(monkeypatch):
    agent, prompts = asked(OPROAgent, 5, monkeypatch, shown=3)
    assert "Score:" not in prompts[0]
    shown = [int(line.removeprefix("Score: ")) for line in prompts[-1].split("\n") if line.startswith("Score: ")]
    assert 1 <= len(shown) <= 3
    assert shown == sorted(shown)
    assert (
        prompts[-1].data.context
        == max(agent.tree.nodes[:-1], key=lambda n: (n["performance"], n["depth"], n["id"]))["context"]
    )


def test_opro_leaves_out_the_worst_where_there_is_no_room(monkeypatch):
    _, prompts = asked(OPROAgent, 4, monkeypatch, shown_chars=0)
    assert all("Score:" not in prompt for prompt in prompts)


def test_textgrad_asks_a_critic_first_and_pays_for_it(monkeypatch):
    agent, prompts = asked(TextGradAgent, 3, monkeypatch)
    assert len(prompts) == 6
    for critic, rewrite in zip(prompts[::2], prompts[1::2], strict=True):
        assert "You are the critic" in critic
        assert "A critic says" in rewrite
        assert "> <add>- Rule" in rewrite
        assert isinstance(rewrite, EditorPrompt)
    assert agent.editor.spent.calls == 6


@pytest.mark.parametrize("variant", ["ga", "de"])
def test_evoprompt_crosses_contexts_of_its_population(monkeypatch, variant):
    agent, prompts = asked(EvoPromptAgent, 8, monkeypatch, variant=variant, population=3)
    told = "Cross the current" if variant == "ga" else "Find where A and B differ"
    assert told not in prompts[0]
    assert sum(told in prompt for prompt in prompts) >= 5
    contexts = {node["context"] for node in agent.tree.nodes}
    for prompt in prompts:
        assert prompt.data.context in contexts


def test_an_unknown_variant_is_told(monkeypatch):
    with pytest.raises(UnknownNameError, match="'ga'"):
        EvoPromptAgent(make(), variant="pso")


def test_ace_never_loses_a_bullet_that_does_no_harm(monkeypatch):
    agent, prompts = asked(ACEAgent, 4, monkeypatch)
    contexts = [node["context"].split("\n") for node in agent.tree.nodes]
    assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(contexts))
    assert len(contexts[-1]) == 5
    assert len(prompts) == 7  # the first edit has no bullets to reflect on


def test_ace_drops_what_was_marked_harmful_twice_and_saves_its_marks(monkeypatch, tmp_path):
    calls = iter(["<add>- A.</add>", "[1] harmful", "<add>- B.</add>", "[1] harmful [2] helpful", "<add>- C.</add>"])
    agent = ACEAgent(make(), seed=0)
    monkeypatch.setattr(agent.editor.model, "complete", lambda requests: [Response(next(calls), 1, 1)])
    agent.learn(2).save(tmp_path / "ace.json")
    agent = ACEAgent.load(tmp_path / "ace.json", make())
    assert agent.memory == {"- A.": -1}
    monkeypatch.setattr(agent.editor.model, "complete", lambda requests: [Response(next(calls), 1, 1)])
    agent.learn(1)
    assert agent.tree.nodes[-1]["context"].split("\n")[1:] == ["- B.", "- C."]


@given(st.text(), st.lists(st.text(max_size=5), max_size=4))
def test_marks_are_read_from_any_text(answer, bullets):
    assert all(bullet in bullets and mark in (1, -1) for bullet, mark in read_marks(answer, bullets))


def test_seeds_of_edits_are_those_that_records_were_made_with_and_tell_all_edits_apart():
    assert edit_seed(0, 19) == 19
    assert edit_seed(3, 7) == 3_000_016  # frozen: part of the keys of every recorded response
    requests = [Request("", "p", seed=edit_seed(seed, step)) for seed in range(40) for step in range(40)]
    assert len({sampling_seed(request) for request in requests}) == len(requests)
    assert sampling_seed(Request("", "p", seed=edit_seed(MAX_SEED, 10**6))) < 2**31


@pytest.mark.parametrize("name", ["lse", "textgrad"])
def test_a_prompt_beyond_the_editors_window_costs_that_edit_alone(name, monkeypatch, caplog):
    agent = agent_class(name)(make(), seed=0)
    answer, asked = agent.editor.model.complete, []

    def complete(requests):
        asked.extend(requests)
        if {request.seed for request in asked} == {requests[0].seed}:  # of the first edit
            raise ContextLengthError("a prompt is too long")
        return answer(requests)

    monkeypatch.setattr(agent.editor.model, "complete", complete)
    start, lost, *more = agent.learn(3).tree.nodes
    assert lost["context"] == start["context"] != more[-1]["context"]
    assert "The editor is not asked for one edit: a prompt is too long" in caplog.text
