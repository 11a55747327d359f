"""Inside the sandbox: call a function that a model wrote."""

from typing import Any


def results(argument: dict[str, Any]) -> list[Any]:
    """Return ``[value]`` for each call that returned what JSON can say, and as a string what others raised."""
    scope: dict[str, Any] = {"__name__": "repaired"}
    exec(argument["code"], scope)  # noqa: S102 - that is what the sandbox is for
    function = scope[argument["name"]]
    return [_result(function, call) for call in argument["calls"]]


def _result(function: Any, arguments: list[Any]) -> list[Any] | str:
    try:
        value = function(*arguments)
        return [value] if isinstance(value, bool | int | float | str | list | None) else f"a {type(value).__name__}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
