"""The reference of the command line, made from the commands themselves."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer

from lse_gym.agents.bench.report import markdown
from lse_gym.cli.main import app


def commands() -> str:
    """A section for every command: what it does, its arguments and its options."""
    root = typer.main.get_command(app)
    return "\n".join(_section(path, command) for path, command in _walk(root, ["lse-gym"]))


def _walk(command: Any, path: list[str]) -> Iterator[tuple[list[str], Any]]:
    for name, inner in getattr(command, "commands", {}).items():
        if getattr(inner, "commands", None):
            yield from _walk(inner, [*path, name])
        else:
            yield [*path, name], inner


def _section(path: list[str], command: Any) -> str:
    parts = [f"### {' '.join(path)}\n", inspect.cleandoc(command.help or "") + "\n"]
    rows = [_row(parameter) for parameter in command.params if "--help" not in parameter.opts]
    return "\n".join([*parts, markdown(["option", "default", ""], rows)] if rows else parts)


def _row(parameter: Any) -> list[str]:
    option = parameter.opts[0].startswith("-")
    name = ", ".join(parameter.opts) if option else parameter.metavar or parameter.name.upper()
    default = "required" if parameter.required else _default(parameter.default)
    return [f"`{name}`", default, re.sub(r"\s+", " ", parameter.help or "")]


def _default(value: Any) -> str:
    return "" if value in (None, False, "") or value == [] or callable(value) else f"`{value}`"
