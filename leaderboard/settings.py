"""The settings of a submission that are ever used: an allow-list. What is not on it is told, and reaches no code.

Numbers and names of a choice come from the submission, within the ranges that :mod:`lse_gym.agents.settings` and the
``Args`` of the agents declare. Everything that is a text, and so could name a file, a model, a module or an
address, comes from the track; the editor is one that ships with the package, or a task model of the track.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

from lse_gym.agents import AGENTS, agent_class
from lse_gym.agents.run import FACTS
from lse_gym.agents.settings import Settings
from lse_gym.envs.arguments import check, hints, is_free_text
from lse_gym.envs.budget import RESOURCES
from lse_gym.envs.errors import LSEGymError
from lse_gym.envs.models import MODELS
from lse_gym.leaderboard.track import Track

SETTINGS = tuple(field.name for field in fields(Settings))

NEED_FILES = ("sb3",)  # agents that follow a file, which may execute code when it is loaded
MAX_REASONS = 10
MAX_REASON_CHARS = 300


class Allowed(NamedTuple):
    """What a run may be executed with: its ``settings``, or the ``reasons`` why there are none."""

    settings: Settings | None
    reasons: list[str]


def allowed(config: object, track: Track) -> Allowed:
    """What remains of the settings of a submitted run.

    Args:
        config: what the submission says, whatever it is.
        track: what the run was submitted to.
    """
    if not isinstance(config, Mapping):
        return Allowed(None, ["its config is no object"])
    reasons = [_short(reason) for reason in _reasons(config, track)]
    if reasons:
        return Allowed(None, reasons[:MAX_REASONS])
    fixed = track.run_settings(config.get("domain", track.domains[0]))
    own = {name: config[name] for name in SETTINGS if name in config and name not in _fixed(track)}
    own["editor"] = config.get("editor") or "writer"
    for name in (f"budget_{resource}" for resource in RESOURCES):  # never more than the track has
        caps = [cap for cap in (own.get(name), getattr(fixed, name)) if cap is not None]
        own[name] = min(caps, default=None)
    return Allowed(replace(fixed, **own), [])


def agent_problem(name: object) -> str:
    """Why an agent is none that is executed for a stranger, or ""."""
    if not isinstance(name, str) or name not in AGENTS:
        return f"the agent {name!r} is not one that comes with the package"
    return f"the agent {name!r} follows a file of its own" if name in NEED_FILES else ""


def _reasons(config: Mapping[str, Any], track: Track) -> Iterator[str]:
    unknown = [name for name in config if name not in SETTINGS and name not in FACTS]
    if unknown:
        yield f"no run has a setting {', '.join(map(repr, unknown))}"
    yield from filter(None, [agent_problem(config.get("agent", Settings.agent))])
    yield from _of_the_track(config, track)
    yield from _numbers(config, track)
    editor, editors = config.get("editor"), {*MODELS, *track.models}
    if editor is not None and not (isinstance(editor, str) and editor in editors):
        yield f"the editor {editor!r} does not come with the package; {', '.join(sorted(editors))} do"
    yield from _agent_args(config)


def _fixed(track: Track) -> set[str]:
    """The settings that a track decides: what it pins, and every text."""
    declared = hints(Settings)
    return {name for name in SETTINGS if name in track.settings or is_free_text(declared[name])} - {
        *("agent", "agent_args", "editor")
    }


def _of_the_track(config: Mapping[str, Any], track: Track) -> Iterator[str]:
    domain = config.get("domain", track.domains[0])
    if domain not in track.domains:
        yield f"domain={domain!r} is not of the track"
        return
    wanted = track.run_settings(domain)
    for name in sorted(_fixed(track) & config.keys()):
        if _json(config[name]) != _json(getattr(wanted, name)):
            yield f"{name}={config[name]!r} is not what the track has, {getattr(wanted, name)!r}"


def _numbers(config: Mapping[str, Any], track: Track) -> Iterator[str]:
    declared = hints(Settings)
    for name in SETTINGS:
        if name in config and not is_free_text(declared[name]):
            yield from _fault(name, declared[name], config[name])
    rounds = config.get("rounds", Settings.rounds)
    if isinstance(rounds, int) and rounds > track.max_rounds:
        yield f"rounds={rounds!r} is more than the track executes again, {track.max_rounds:,}"
    for name, cap in track.budget.items():
        own = config.get(f"budget_{name}")
        if isinstance(own, int | float) and own > cap:
            yield f"budget_{name}={own!r} is more than the track has, {cap:,.0f}"


def _agent_args(config: Mapping[str, Any]) -> Iterator[str]:
    given, agent = config.get("agent_args", {}), config.get("agent", Settings.agent)
    if not isinstance(given, Mapping):
        yield f"agent_args={given!r} is no object"
    elif not agent_problem(agent):
        declared = hints(agent_class(agent).Args) if given else {}
        for name, value in given.items():
            if name in SETTINGS:
                yield f"agent_args has {name!r}, which is a setting of the run itself"
            elif name not in declared:
                yield f"agent_args has {name!r}, which the agent {agent!r} does not"
            elif is_free_text(declared[name]):
                yield f"agent_args has {name!r}, which could name a file, a model or an address"
            else:
                yield from _fault(f"agent_args: {name}", declared[name], value)


def _fault(name: str, hint: Any, value: object) -> Iterator[str]:
    try:
        check(name, hint, value)
    except LSEGymError as error:
        yield str(error).rstrip(".")


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)  # True is not 1, and 1 not 1.0


def _short(reason: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in reason)
    return shown if len(shown) <= MAX_REASON_CHARS else f"{shown[:MAX_REASON_CHARS]} …"
