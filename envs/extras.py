"""Optional dependencies, imported where they are first used."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from lse_gym.envs.errors import MissingExtraError


def available(*modules: str) -> bool:
    """Whether modules are installed; nothing is imported."""
    return all(find_spec(module) is not None for module in modules)


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import ``module``, or say what to install.

    Args:
        module: name of the module.
        extra: the extra of this package that brings it.
        purpose: what needs it, as the start of a sentence.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(f"{purpose} needs {module}: pip install 'lse-gym[{extra}]' ({error}).") from error
