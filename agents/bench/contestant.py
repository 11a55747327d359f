"""Who takes part in a comparison: an agent with its settings, written as one string."""

import ast
import json
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any, NamedTuple

from lse_gym.agents import agent_class
from lse_gym.agents.settings import Settings
from lse_gym.envs.budget import RESOURCES
from lse_gym.envs.errors import ArgumentError, unknown

# the same for all
GRID = (
    *("env", "domain", "seed", "rounds", "data_dir", "exclude", "start", "env_args"),
    *("split_seed", "scoring", "feedback", "max_tokens", "max_chars"),
    *(f"budget_{name}" for name in RESOURCES),
)


class Contestant(NamedTuple):
    """An agent under a label; ``settings`` are fields of :class:`lse_gym.agents.settings.Settings`."""

    label: str
    settings: dict[str, Any]

    def apply(self, shared: Settings) -> Settings:
        """``shared`` with the contestant's own settings."""
        return replace(shared, **self.settings)


def parse_contestant(text: str) -> Contestant:
    """Read ``AGENT``, ``AGENT,key=value,…`` or ``LABEL: AGENT,key=value,…``.

    A key is an argument of the agent or a setting of the run, such as ``editor`` or ``task_model``; what makes the
    comparison fair (env, domain, seed, budget, questions and their scoring, what is shown of them, sizes) cannot be
    set. An agent of one's own is ``package.module:Class``.

    >>> parse_contestant("chain: lse,selection=deepest")
    Contestant(label='chain', settings={'agent': 'lse', 'selection': 'deepest'})

    Raises:
        ArgumentError: a part is no ``key=value``, or sets what is the same for all.
        UnknownNameError: there is no such agent, or no such argument.
    """
    label, found, rest = text.partition(": ")
    name, *pairs = (part.strip() for part in (rest if found else text).split(","))
    return Contestant(label.strip() if found else text.strip(), {"agent": name} | settings_of(name, pairs))


def settings_of(agent: str, pairs: Iterable[str]) -> dict[str, Any]:
    """Fields of :class:`lse_gym.agents.settings.Settings` from ``key=value`` of an agent, whatever a value holds.

    >>> settings_of("shinka", ["editors=writer, reader", "selection=ucb"])
    {'agent_args': {'editors': 'writer, reader'}, 'selection': 'ucb'}

    Raises:
        ArgumentError: a pair is no ``key=value``, or sets what is the same for all.
        UnknownNameError: there is no such agent, or no such argument.
    """
    own = agent_class(agent).Args.__dataclass_fields__.keys() - {"seed", "record"}  # which are the run's
    shared = {field.name: field for field in fields(Settings) if field.name not in (*GRID, "agent", "agent_args")}
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key in GRID:
            why = "is of the run, and so the same for all contestants" if equals else "is no key=value"
            raise ArgumentError(f"{pair!r} of agent {agent!r} {why}. Pass e.g. selection=deepest.")
        if key in shared:
            settings[key] = read_value(value)
        elif key in own:
            settings.setdefault("agent_args", {})[key] = read_value(value)
        else:
            raise unknown(f"argument of agent {agent!r}", key, {*shared, *own})
    return settings


def read_value(value: str) -> Any:
    """A number, a list, a dict, true, false or null as such, in JSON or in Python; anything else as text.

    >>> [read_value(text) for text in ("3", "false", "False", "{'split': ''}", "ucb")]
    [3, False, False, {'split': ''}, 'ucb']
    """
    try:
        return json.loads(value)
    except ValueError:
        pass
    try:
        literal = ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return value
    return literal if literal is None or isinstance(literal, (bool, list, dict)) else value
