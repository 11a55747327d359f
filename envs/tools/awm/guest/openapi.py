"""The operations of a service, from the OpenAPI document that it makes of itself."""

from collections.abc import Mapping
from typing import Any, NamedTuple

METHODS = ("get", "put", "post", "delete", "patch")
MAX_REFERENCES = 8  # followed from one schema


class Operation(NamedTuple):
    """How an operation is called, and the names of its arguments by where they go.

    ``any_body`` tells a body that takes other names too; ``bare_body`` one that is the value of the one argument left,
    not an object with it.
    """

    method: str
    path: str
    in_path: list[str]
    in_query: list[str]
    in_header: list[str]
    in_body: list[str]
    any_body: bool = False
    bare_body: bool = False

    @property
    def arguments(self) -> list[str] | None:
        """The names of its arguments; None where it takes any."""
        return None if self.any_body else [*self.in_path, *self.in_query, *self.in_header, *self.in_body]


def operations(document: Mapping[str, Any]) -> dict[str, Operation]:
    """The operations by their ids."""
    return {
        operation["operationId"]: _operation(document, method, path, operation)
        for path, methods in document.get("paths", {}).items()
        for method, operation in methods.items()
        if method in METHODS and "operationId" in operation
    }


def _operation(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> Operation:
    body = _body(document, operation)
    names: dict[str, list[str]] = {"path": [], "query": [], "header": []}
    for parameter in operation.get("parameters", ()):
        names.setdefault(parameter["in"], []).append(parameter["name"])
    properties = [*body.get("properties", ())]
    bare = bool(body) and not properties and body.get("type") != "object"
    loose = bool(body) and not properties
    return Operation(method.upper(), path, names["path"], names["query"], names["header"], properties, loose, bare)


def _body(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of an operation's body, references followed; {} where it has none."""
    content = operation.get("requestBody", {}).get("content", {})
    found = next(iter(content.values()), {}).get("schema", {})
    for _ in range(MAX_REFERENCES):
        found = next((part for part in found.get("anyOf", ()) if part.get("type") != "null"), found)
        if "$ref" not in found:
            break
        found = document["components"]["schemas"][found["$ref"].rpartition("/")[2]]
    return found
