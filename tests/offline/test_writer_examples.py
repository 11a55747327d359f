"""The writer on text classification: it keeps worked examples, says so, and a model that copies learns from them."""

import gymnasium as gym

from lse_gym.agents.lse import LSEAgent
from lse_gym.envs.editing import editor_prompt
from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.writer import Writer
from lse_gym.envs.report import Problem, Report
from tests.agents.copier import ROWS

COPIER = "tests.agents.copier:Copier"


def told(problems, context="Sort it.", max_chars=8000):
    prompt = editor_prompt(context, Report("2 problems.", tuple(problems)).text(), max_chars)
    return Writer().complete([Request("", prompt, 4096)])[0].text


def problem(text, score):
    return Problem(text, "?", "World", score, example=f"Question: {text}\nAnswer: World")


def test_what_was_wrong_is_kept_as_it_would_be_asked():
    said = told([problem("a", 0.0), problem("b", 1.0)])
    assert "0 rules are new, 1 worked examples are kept." in said
    assert "<prompt>\nSort it.\n\nQuestion: a\nAnswer: World\n</prompt>" in said
    assert "0 worked examples" in told([problem("a", 0.0)], "Sort it.\n\nQuestion: a\nAnswer: World"), "it is there"
    assert "Answer" not in told([problem("a", 0.0)], max_chars=20).partition("<prompt>")[2], "whole ones only"


def test_a_family_without_such_a_form_is_left_alone():
    assert "0 worked examples" in told([problem("a", 0.0)._replace(example="")])


def test_the_default_run_learns():
    env = gym.make("LSE/Custom-v1", questions=ROWS, task_model=COPIER, held_out_size=20)
    assert LSEAgent(env, editor="writer", seed=0).learn(3).tree.best["performance"] >= 0.95
