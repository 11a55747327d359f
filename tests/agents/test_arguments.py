"""Declared types and ranges: what an agent's argument may be is checked at once, for all agents alike."""

from dataclasses import fields
from typing import Annotated, Any, Literal, get_origin

import numpy as np
import pytest

from lse_gym.agents import AGENTS, agent_class
from lse_gym.agents.lse import LSEAgent
from lse_gym.agents.moi import MOIAgent
from lse_gym.agents.settings import Settings
from lse_gym.envs.arguments import Range, check, hints, is_free_text
from lse_gym.envs.errors import ArgumentError, UnknownNameError

SHARE = Annotated[float, Range(0, 1)]


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (int, 3),
        (int, np.int64(3)),
        (float, 3),
        (float, np.float32(0.5)),
        (SHARE, 0),
        (SHARE, 1.0),
        (bool, True),
        (str, ""),
        (Literal["a", "b"], "b"),
        (Literal["a"] | None, None),
        (Annotated[float, Range(0)] | None, 10.0**300),
        (dict[str, Any], {}),
    ],
)
def test_what_is_declared_passes(hint, value):
    check("x", hint, value)


@pytest.mark.parametrize(
    ("hint", "value", "told"),
    [
        (int, True, "x=True is not an int"),
        (int, 3.0, "x=3.0 is not an int"),
        (int, "3", "x='3' is not an int"),
        (float, float("nan"), "x=nan is not a finite number"),
        (float, False, "x=False is not a finite number"),
        (bool, 1, "x=1 is not a bool"),
        (SHARE, 1.5, r"x=1.5 is not a finite number in \[0, 1\]"),
        (Annotated[int, Range(1)], 0, "x=0 is not an int >= 1"),
        (Annotated[int, Range(1, 1_000_000)], None, r"not an int in \[1, 1,000,000\]"),
        (Annotated[float, Range(0)] | None, "x", "is not a finite number >= 0 or None"),
        (str, 3, "x=3 is not a str"),
        (dict[str, Any], [], "is not a dict"),
    ],
)
def test_what_is_not_declared_is_told(hint, value, told):
    with pytest.raises(ArgumentError, match=told):
        check("x", hint, value)


def test_a_choice_tells_what_there_is():
    with pytest.raises(UnknownNameError, match="'c' is not a known x; known: 'a', 'b'"):
        check("x", Literal["a", "b"] | None, "c")


def test_an_agent_checks_its_arguments_at_once():
    with pytest.raises(ArgumentError, match="ucb_c='x' is not a finite number"):
        LSEAgent(ucb_c="x")
    with pytest.raises(ArgumentError, match="permutations=1 is not an int in"):
        MOIAgent(permutations=1)
    with pytest.raises(UnknownNameError, match="'deep' is not a known selection"):
        LSEAgent(selection="deep")


@pytest.mark.parametrize("name", AGENTS)
def test_defaults_pass_and_numbers_have_ranges(name):
    """A number without a range is one that a submission could choose freely."""
    pytest.importorskip("stable_baselines3") if name == "sb3" else None
    kind = agent_class(name).Args
    for field in fields(kind):
        hint = hints(kind)[field.name]
        check(field.name, hint, field.default)
        assert is_free_text(hint) or hint is bool or get_origin(hint) is not None, field.name


def test_the_texts_of_a_run_are_known_as_such():
    declared = hints(Settings)
    texts = {name for name in declared if is_free_text(declared[name])}
    assert texts == {
        *("env", "agent", "task_model", "editor", "domain", "start", "data_dir", "exclude", "scoring"),
        *("agent_args", "env_args"),
    }
    assert is_free_text(Literal["a"] | str)
    assert is_free_text(Any)
    assert is_free_text(list[int])


def test_arguments_in_the_name_of_an_agent_are_told_where_they_go():
    with pytest.raises(UnknownNameError, match="Its arguments go beside its name: --set key=value"):
        agent_class("sb3,policy=x.zip")
