"""Optional dependencies: what each extra brings, and imports that say which one is missing."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from importlib import import_module, metadata
from importlib.util import find_spec
from types import ModuleType

from lse_gym.envs.errors import MissingExtraError

PACKAGE = "lse-gym"
REQUIREMENT = re.compile(r"""([\w.-]+)(?:\[([^]]*)\])?[^;]*(?:;.*extra *== *["']([\w.-]+)["'])?""")
IMPORTED_AS = {  # where a package is imported by another name than its own
    "codespell": "codespell_lib",
    "pytest-xdist": "xdist",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
}


@cache
def extras() -> dict[str, list[str]]:
    """The packages that each extra brings, and under "" those of the core, as the installation itself tells them.

    Raises:
        importlib.metadata.PackageNotFoundError: this package is not installed, only importable.
    """
    found: dict[str, list[str]] = {"": []}
    parts: list[tuple[str, str]] = []
    for line in metadata.requires(PACKAGE) or ():
        match = REQUIREMENT.match(line)
        assert match, line
        name, inner, extra = match.groups("")
        found.setdefault(extra, [])
        if name == PACKAGE:
            parts += [(extra, part.strip()) for part in inner.split(",")]
        else:
            found[extra].append(name)
    for extra, part in parts:
        found[extra] = [*found[part], *found[extra]]
    return {extra: list(dict.fromkeys(packages)) for extra, packages in found.items()}


def missing(extra: str) -> list[str]:
    """The packages of an extra that are not installed, this one where nothing tells of them; nothing is imported."""
    try:
        wanted = extras()[extra]
    except metadata.PackageNotFoundError:
        return [PACKAGE]
    return [package for package in wanted if not available(module_of(package))]


def module_of(package: str) -> str:
    """The name by which a package is imported."""
    return IMPORTED_AS.get(package, package.replace("-", "_"))


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


def require_installed(module: str, extra: str, purpose: str) -> None:
    """As :func:`require`, importing nothing."""
    if not available(module):
        raise MissingExtraError(f"{purpose} needs {module}: pip install 'lse-gym[{extra}]'.")


@contextmanager
def needs(extra: str, purpose: str) -> Generator[None]:
    """Around the imports at the head of a module that an extra brings: without it they say what to install.

    Args:
        extra: the extra of this package.
        purpose: what needs it, as the start of a sentence.

    Raises:
        MissingExtraError: something of it is not installed, or what is there does not fit together.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None:  # as Transformers tells that what it needs is there and broken
            told = f"{purpose} cannot be imported ({str(error).splitlines()[0]})"
            raise MissingExtraError(
                f"{told}: pip install -U 'lse-gym[{extra}]', in an environment of its own."
            ) from error
        raise MissingExtraError(f"{purpose} needs {error.name}: pip install 'lse-gym[{extra}]'.") from error
