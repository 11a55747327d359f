"""Arguments against a tool's JSON schema: the part of JSON Schema that tools use, and words for a task model.

``type`` (one or several), ``enum``, ``const``, ``anyOf``, ``oneOf``, ``properties``, ``required``, ``items`` and
``additionalProperties``; what else a schema says is left to the tool. An argument that the schema does not name is
wrong unless ``additionalProperties`` lets it in. Schemas may be foreign: whatever they are, nothing here raises.
"""

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from lse_gym.envs.tools.sound import Unsound, read_json

_NOUNS = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_MAX_SHOWN_CHARS = 60


def problem_of(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """What is wrong with arguments, in words that say what is expected; "" for nothing."""
    try:
        return _object_problem(arguments, schema, "")
    except RecursionError:  # a schema nested as no tool's is
        return ""


def typed(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that are all text with the types that the schema gives them; what does not fit stays text."""
    properties = _mapping(schema.get("properties"))
    return {name: _read(text, _mapping(properties.get(name))) for name, text in arguments.items()}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _object_problem(value: Mapping[str, Any], schema: Mapping[str, Any], place: str) -> str:
    properties, required = _mapping(schema.get("properties")), schema.get("required")
    for name in map(str, required) if isinstance(required, list | tuple) else ():
        if name not in value:
            return f"the argument {_at(place, name)!r} is missing"
    more = schema.get("additionalProperties", not properties and bool(place))
    for name, part in value.items():
        if name in properties:
            problem = _problem(part, _mapping(properties[name]), _at(place, name))
        elif more is False:
            close = get_close_matches(name[:_MAX_SHOWN_CHARS], list(properties), n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there is {', '.join(map(repr, properties)) or 'none'}"
            problem = f"there is no argument {_at(place, name)!r}; {hint}"
        else:
            problem = _problem(part, _mapping(more), _at(place, name))
        if problem:
            return problem
    return ""


def _problem(value: Any, schema: Mapping[str, Any], place: str) -> str:
    for key in ("anyOf", "oneOf"):
        choices = schema.get(key)
        if isinstance(choices, list | tuple) and choices:
            problems = [_problem(value, _mapping(choice), place) for choice in choices]
            if all(problems):
                return problems[0] if len(_types(schema)) < 2 else _wrong_type(value, schema, place)
    allowed = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(allowed, list | tuple) and not any(_same(value, one) for one in allowed):
        return f"the argument {place!r} is {_shown(value)}, not one of {', '.join(map(_shown, allowed))}"
    types = _types(schema) if "type" in schema else []
    if types and not any(_is(value, name) for name in types):
        return _wrong_type(value, schema, place)
    if isinstance(value, Mapping):
        return _object_problem(value, schema, place)
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, Mapping):
        for index, part in enumerate(value):
            if problem := _problem(part, items, f"{place}[{index}]"):
                return problem
    return ""


def _wrong_type(value: Any, schema: Mapping[str, Any], place: str) -> str:
    expected = " or ".join(_NOUNS[name] for name in _types(schema))
    return f"the argument {place!r} is {_shown(value)}, not {expected}"


def _types(schema: Mapping[str, Any], depth: int = 8) -> list[str]:
    """The types that a schema allows, as far as it tells."""
    told = schema.get("type")
    names = [told] if isinstance(told, str) else list(told) if isinstance(told, list | tuple) else []
    for key in ("anyOf", "oneOf"):
        choices = schema.get(key)
        for choice in choices if isinstance(choices, list | tuple) else ():
            names += _types(_mapping(choice), depth - 1) if depth else []
    return [name for name in dict.fromkeys(map(str, names)) if name in _NOUNS]


def _is(value: Any, name: str) -> bool:
    kinds = {"string": str, "boolean": bool, "array": list, "object": Mapping, "null": type(None)}
    if name in kinds:
        return isinstance(value, kinds[name])
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole or (name == "number" and isinstance(value, float))


def _same(value: Any, other: Any) -> bool:
    return isinstance(value, bool) == isinstance(other, bool) and value == other


def _read(text: str, schema: Mapping[str, Any]) -> Any:
    """``text`` as the first of the types it can be read as; text where none is told, or string alone."""
    types = _types(schema)
    stripped = text.strip()
    if types == ["string"] or not types or not re.match(r'[-\d\[{"tfnTF]', stripped):
        return text
    literal = {"True": "true", "False": "false", "None": "null"}.get(stripped, stripped)
    try:
        value = read_json(literal)
    except Unsound:
        return text
    return value if any(_is(value, name) for name in types if name != "string") else text


def _at(place: str, name: str) -> str:
    return f"{place}.{name[:_MAX_SHOWN_CHARS]}" if place else name[:_MAX_SHOWN_CHARS]


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):  # of a foreign schema
        text = repr(type(value).__name__)
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[:_MAX_SHOWN_CHARS]} …"
