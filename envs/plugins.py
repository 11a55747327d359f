"""``package.module:Name``: how users add families, task models, scorers and agents without touching this package."""

import sys
from importlib import import_module
from typing import Any, TypeVar

from lse_gym.envs.errors import ArgumentError

T = TypeVar("T")


def is_reference(name: str) -> bool:
    """Whether a name is ``package.module:Name``.

    >>> is_reference("my_package.models:Echo"), is_reference("openai:gpt-5"), is_reference("reader")
    (True, False, False)
    """
    module, colon, attribute = name.partition(":")
    return bool(colon) and attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))


def import_object(reference: str, what: str, form: str = "package.module:Name") -> Any:
    """What ``package.module:Name`` names; the working directory counts as a folder of modules, as for ``python -m``.

    It executes the module, so it is for what a user asks for, never for what a stranger has written.

    Args:
        reference: the name.
        what: what it is to be, for messages: "agent", "task model".
        form: what to pass, for messages.

    Raises:
        ArgumentError: it cannot be imported.
    """
    module, _, attribute = reference.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ArgumentError(
            f"{what} {reference!r} cannot be imported: {error}. Pass {form!r}, from the folder of the module or "
            "with it installed."
        ) from error


def import_class(reference: str, kind: type[T], what: str) -> type[T]:
    """The subclass of ``kind`` that ``package.module:Class`` names.

    Raises:
        ArgumentError: it cannot be imported, or is no such class.
    """
    found = import_object(reference, what)
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise ArgumentError(
            f"{what} {reference!r} is no subclass of {kind.__module__}.{kind.__qualname__}. Make it one."
        )
    return found
