"""Errors are raised where arguments have names of Python; who types a command is told of options."""

import ast
import json
import re
import shlex
from typing import Any

OTHERWISE = {"start": "--context"}  # arguments that an option of another name sets
# a name, with "=" or without, that is no part of a word, a path, a value or what an option is given already
ARGUMENT = re.compile(r"(?<![\w.,$/'\"-])(?<!--set )(?<!--env-set )(?P<name>[a-z]+(?:_[a-z]+)*)(?P<sign>=?)(?!\w*\()")
# what Python writes otherwise than JSON, and a shell takes apart
LITERAL = r"\{[^{}]*\}|\[[^][]*\]|(?:True|False|None)\b"
CALL = re.compile(r"gym\.make\([\"']([^\"']+)[\"'](?:, )?([^)]*)\)")


def in_options(message: str, command: Any) -> str:
    """A message with the options of ``command`` in the place of the arguments that they set.

    ``data_dir='x'`` becomes ``--data-dir 'x'``; a name of two words is recognised without the sign too. What no option
    sets, but an argument of an env, becomes ``--env-set name=``, with a dict or a list as a shell takes it.
    """
    message = CALL.sub(r"lse-gym evolve --env \1 \2", message)
    options = {p.name: p.opts[0] for p in command.params if p.opts[0].startswith("--")}
    there = set(options.values())
    options |= {name: option for name, option in OTHERWISE.items() if option in there}
    env_args = _env_arguments() if "--env-set" in there and "=" in message else frozenset()

    def told(found: re.Match[str]) -> str:
        name, sign = found["name"], found["sign"]
        if name in options and (sign or "_" in name):
            return options[name] + (" " if sign else "")
        return f"--env-set {name}=" if sign and name in env_args else found[0]

    def in_json(found: re.Match[str]) -> str:
        try:
            return "--env-set " + shlex.quote(found[1] + json.dumps(ast.literal_eval(found[2]), ensure_ascii=False))
        except (ValueError, SyntaxError, TypeError):
            return found[0]

    return re.sub(rf"--env-set (\w+=)({LITERAL})", in_json, ARGUMENT.sub(told, message))


def _env_arguments() -> frozenset[str]:
    """The names of the arguments of all envs."""
    from importlib import import_module
    from inspect import signature

    from lse_gym.envs.options import CoreOptions
    from lse_gym.envs.registration import ENVS

    classes = (getattr(import_module(module), name) for module, name, *_ in ENVS.values())
    own = {name for one in classes for name in signature(one).parameters}
    return frozenset({*own, *CoreOptions.__annotations__} - {"options"})


def options_given(context: Any) -> set[str]:
    """The names of the arguments and options that a command was given on its line."""
    sources = {param.name: context.get_parameter_source(param.name) for param in context.command.params}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}


def words_of(context: Any) -> list[str]:
    """The same, as words to give it again."""
    words, there = [], options_given(context)
    for param in context.command.params:
        if param.name not in there:
            continue
        value = context.params[param.name]
        for one in value if isinstance(value, (list, tuple)) else [value]:
            option = [param.opts[0]] if param.opts[0].startswith("-") else []
            words += option if isinstance(one, bool) else [*option, str(one)]
    return words


def command_line(*words: str) -> str:
    """A command line of this program that a shell takes as it stands."""
    return shlex.join(["lse-gym", *words])
