"""Tables of what there is: ids, arguments, models, wrappers, agents, tracks. Each row comes from where the thing is."""

import inspect
import re
from dataclasses import fields
from importlib import import_module
from typing import Any

from lse_gym import wrappers
from lse_gym.agents import AGENTS, agent_class
from lse_gym.agents.bench.report import markdown
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.models import ABOUT, BACKENDS, MODELS, SHIPPED
from lse_gym.envs.models.packaged import PACKAGES, installs
from lse_gym.envs.options import CoreOptions, argument_rows
from lse_gym.envs.registration import ENVS, describe, env_class
from lse_gym.leaderboard.track import all_tracks

EXTRA = {"hf": "hf", "vllm": "vllm", "openai": "api"}  # of a backend
NEEDED = re.compile(r"Needs the extra\s+``(\w+)``")  # in the documentation of an env
ARGUMENT_HEAD = ["name", "type", "default", "unit", "effect"]


def envs() -> str:
    """The ids: what is edited, the domains, the arguments that have to be given, the extras that are needed."""
    rows = []
    for name in ENVS:
        about, domains = describe(name)
        doc = env_class(name).__doc__ or ""
        required = [f"`{row[0]}=`" for row in argument_rows(doc) if not row[2]]
        required += [f"the extra `{extra}`" for extra in NEEDED.findall(doc)]
        rows.append([f"`{name}`", about, domains, ", ".join(required) or "nothing, offline"])
    return markdown(["id", "", "domains", "needs"], rows)


def arguments() -> str:
    """The arguments that every env shares, then those that each has of its own."""
    shared = [row for row in argument_rows(ContextEnv.__doc__) if row[0] in CoreOptions.__annotations__]
    parts = ["Every env:\n", _code_names(shared)]
    for name in ENVS:
        rows = argument_rows(env_class(name).__doc__)
        parts += [f"`{name}`, besides:\n", _code_names([row for row in rows if row not in shared])]
    return "\n".join(parts)


def models() -> str:
    """The names of models, what each is, and the extra it needs."""
    rows = []
    for name, (module, cls, *_) in MODELS.items():
        about = ABOUT[name] if name in ABOUT else _summary(getattr(import_module(module), cls))
        lines = installs(name) if name in PACKAGES else ()
        rows.append([f"`{name}`", about, ", ".join(map("`{}`".format, lines)) or _needs("hf" * (name in SHIPPED))])
    for name, (module, cls, argument) in BACKENDS.items():
        about = _summary(getattr(import_module(module), cls))
        rows.append([f"`{name}:{argument}`", about, _needs(EXTRA.get(name, ""))])
    return markdown(["name", "", "needs"], rows)


def wrapper_classes() -> str:
    """The wrappers, by the first paragraph of their documentation."""
    classes = [(name, getattr(wrappers, name)) for name in wrappers.__all__ if name[0].isupper()]
    return markdown(["wrapper", ""], [[f"`{name}`", _summary(cls)] for name, cls in classes])


def agents() -> str:
    """The agents: what an edit is, and the arguments with their defaults."""
    rows = []
    for name in AGENTS:
        cls = agent_class(name)
        given = ", ".join(f"`{field.name}={field.default!r}`" for field in fields(cls.Args) if field.name != "seed")
        rows.append([f"`{name}`", _summary(cls), given])
    return markdown(["agent", "", "arguments, besides `seed`"], rows)


def tracks() -> str:
    """The tracks of the package, by what they fix."""
    rows = []
    for track in all_tracks().values():
        first, *others = track.models
        budget = ", ".join(f"{value:,.0f} {name}" for name, value in track.budget.items())
        where = f"{len(track.domains)}, {track.seeds}"
        transfer = ", ".join(f"`{name}`" for name in others)
        rows.append([f"`{track.id}`", track.env, where, f"`{first}`", budget, transfer])
    return markdown(["track", "env", "domains, seeds", "task model", "budget of a run", "transfer"], rows)


def _summary(cls: Any) -> str:
    """The first paragraph of a class's documentation as one line of Markdown."""
    return _plain((inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " "))


def _needs(extra: str) -> str:
    return f"`pip install 'lse-gym[{extra}]'`" if extra else ""


def _code_names(rows: list[list[str]]) -> str:
    return markdown(ARGUMENT_HEAD, [[f"`{name}`", *map(_plain, rest)] for name, *rest in rows])


def _plain(text: str) -> str:
    """Markdown of a line of a docstring: single backticks, no roles of reStructuredText."""
    return re.sub(r":(class|func|meth|data):", "", text).replace("``", "`")
