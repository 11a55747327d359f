"""What a service offers, as tools: from the specification, held against what the service itself can do."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lse_gym.envs.faults import Faults, shown
from lse_gym.envs.tools.protocol import Tool

# What specifications call the types of JSON Schema.
TYPES = {
    "string": "string",
    "str": "string",
    "text": "string",
    "date": "string",
    "datetime": "string",
    "integer": "integer",
    "int": "integer",
    "number": "number",
    "float": "number",
    "decimal": "number",
    "double": "number",
    "boolean": "boolean",
    "bool": "boolean",
    "array": "array",
    "list": "array",
    "object": "object",
    "dict": "object",
    "json": "object",
}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,127}")
MAX_CHARS = 400  # of a description; the specification's own bound is 200
NO_OPERATION, NO_ARGUMENT = "operations that the service lacks", "arguments that the service lacks"
UNTOLD = "operations that the specification lacks"

Operations = Mapping[str, Sequence[str] | None]  # the names of the arguments of each operation; None for any


class Endpoint(NamedTuple):
    """One operation of a specification: its id, what it does, and a JSON Schema object of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


def read_endpoint(entry: Any) -> Endpoint | str:
    """The operation of an entry of ``endpoints``, or what is wrong with it."""
    if not isinstance(entry, dict):
        return f"{shown(entry)}, expected an object"
    name, params = entry.get("operation_id"), entry.get("request_params") or {}
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return f"has operation_id {shown(name)}, expected a name"
    if not isinstance(params, dict) or not all(isinstance(value, dict) for value in params.values()):
        return f"{name!r} has request_params {shown(params)}, expected an object of objects"
    texts = [text for key in ("summary", "description") if isinstance(text := entry.get(key), str) and text]
    required = [key for key, value in params.items() if value.get("required") is True]
    schema = {"type": "object", "properties": {key: _schema(value) for key, value in params.items()}}
    return Endpoint(
        name, ". ".join(text.rstrip(". ") for text in texts)[:MAX_CHARS] + ".", schema | {"required": required}
    )


def sound(told: Any) -> Operations:
    """What a service told of its operations, as far as it has that form: foreign code may tell anything."""

    def is_sound(name: str, names: Any) -> bool:
        listed = isinstance(names, list) and all(isinstance(one, str) for one in names)
        return bool(NAME.fullmatch(name)) and (names is None or listed)

    return {name: names for name, names in told.items() if is_sound(name, names)} if isinstance(told, dict) else {}


def make_tools(endpoints: Sequence[Endpoint], operations: Operations, faults: Faults) -> list[Tool]:
    """The tools of a service: the operations that both the specification and the service know.

    Args:
        endpoints: what the specification says.
        operations: what the service says.
        faults: takes what one of them lacks.
    """
    tools = []
    for endpoint in endpoints:
        if endpoint.name not in operations:
            faults.add(NO_OPERATION, "", endpoint.name)
            continue
        known = operations[endpoint.name]
        lacking = [] if known is None else [name for name in endpoint.parameters["properties"] if name not in known]
        for name in lacking:
            faults.add(NO_ARGUMENT, endpoint.name, name)
        tools.append(Tool(endpoint.name, endpoint.description, _without(endpoint.parameters, lacking)))
    for name in sorted(operations.keys() - {endpoint.name for endpoint in endpoints}):
        faults.add(UNTOLD, "", name)
    return tools


def _schema(value: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter's schema: its type, what it may be if that is told, what it means, and an example of it."""
    kind = TYPES.get(str(value.get("type", "")).lower())
    about, example = value.get("description"), value.get("example")
    parts = [about.rstrip(". ") + "."] if isinstance(about, str) and about.strip(". ") else []
    if example not in (None, "", [], {}):
        parts.append(f"Example: {json.dumps(example, ensure_ascii=False)}")
    text = {"description": " ".join(parts)[:MAX_CHARS]} if parts else {}
    choices = value.get("enum")
    allowed = {"enum": choices} if isinstance(choices, list) and all(isinstance(one, str) for one in choices) else {}
    return ({"type": kind} if kind else {}) | allowed | text


def _without(schema: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    properties = {name: value for name, value in schema["properties"].items() if name not in names}
    return {**schema, "properties": properties, "required": [name for name in schema["required"] if name not in names]}
