"""The tools that a prompt shows, and what they tell about the office: its entities and what can be done with them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Literal, NamedTuple

Role = Literal["person", "thing", "place", "record", "payment", "case"]
# A tool that only one role has: how its name starts, and an argument of it.
SIGNS: dict[Role, tuple[str, str]] = {
    "person": ("update_", "email"),
    "thing": ("restock_", "quantity"),
    "place": ("update_", "phone"),
    "record": ("extend_", "by"),
    "payment": ("refund_", "amount"),
    "case": ("settle_", "remedy"),
}


class Toolbox(NamedTuple):
    """What the tools tell.

    Attributes:
        arguments: of every tool, with their types; required ones first.
        nouns: what one entity of a role is called.
        tables: what several are called.
        enums: the argument that a status, method, reason or level is given as.
        choices: the values that an argument of a tool may have, where it says so.
    """

    arguments: Mapping[str, Mapping[str, str]]
    nouns: Mapping[Role, str]
    tables: Mapping[Role, str]
    enums: Mapping[str, str]
    choices: Mapping[tuple[str, str], tuple[str, ...]]

    def takes(self, tool: str, argument: str) -> bool:
        """Whether a tool has an argument of that name."""
        return argument in self.arguments.get(tool, {})


@lru_cache(maxsize=64)
def read_toolbox(frozen: str) -> Toolbox | None:
    """The tools in the frozen part of a prompt; None where they are not those of an office."""
    schemas = dict(_schemas(frozen))
    arguments = {tool: _types(schema) for tool, schema in schemas.items()}
    nouns: dict[Role, str] = {}
    for role, (verb, argument) in SIGNS.items():
        noun = next(
            (t.removeprefix(verb) for t, of in arguments.items() if t.startswith(verb) and argument in of), None
        )
        if noun is None:
            return None
        nouns[role] = noun
    lists = [name.partition("_")[2] for name in arguments if name.startswith(("find_", "list_"))]
    if not lists:
        return None
    tables = {role: max(lists, key=lambda table: _common(table, noun)) for role, noun in nouns.items()}
    return Toolbox(arguments, nouns, tables, _enums(arguments, nouns), _choices(schemas))


def _common(one: str, other: str) -> int:
    """How many letters two words have in common at their beginning."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _schemas(frozen: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The arguments of every tool, those that it needs first, each with its part of the schema."""
    block = frozen.rpartition("<tools>\n")[2].partition("\n</tools>")[0]
    for line in block.splitlines():
        with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):  # whatever the line is
            function = json.loads(line)["function"]
            schema = function["parameters"]
            required = [*schema.get("required", ())]
            properties = {name: {**of} for name, of in schema.get("properties", {}).items()}
            yield str(function["name"]), dict(sorted(properties.items(), key=lambda item: item[0] not in required))


def _types(schema: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(of.get("type", "")) for name, of in schema.items()}


def _choices(schemas: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, str], tuple[str, ...]]:
    return {
        (tool, name): tuple(map(str, of["enum"]))
        for tool, schema in schemas.items()
        for name, of in schema.items()
        if isinstance(of.get("enum"), list) and of["enum"]
    }


def _enums(arguments: Mapping[str, Mapping[str, str]], nouns: Mapping[Role, str]) -> dict[str, str]:
    """An enumeration is a text that two tools take, or that one needs."""

    def texts(tool: str) -> list[str]:
        return [name for name, kind in arguments.get(tool, {}).items() if kind == "string"]

    tools = {
        "status": [name for name in texts(f"update_{nouns['record']}") if name != "date"],
        "level": [name for name in texts(f"update_{nouns['person']}") if name != "email"],
        "method": texts(f"add_{nouns['payment']}"),
        "reason": texts(f"open_{nouns['case']}"),
    }
    return {name: found[0] for name, found in tools.items() if found}


def as_json(text: str) -> Any:
    """What a result is; None for an error and for what is no JSON."""
    try:
        return None if text.startswith("Error:") else json.loads(text)
    except (ValueError, RecursionError):
        return None
