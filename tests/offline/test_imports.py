"""Imports point one way: stand-ins know families, and nobody knows the stand-ins but the registry of models."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.layers import MODULES

OFFLINE = "lse_gym.envs.offline"


def named(path: Path) -> Iterator[str]:
    """Every module of ours that a file imports, anywhere in it, or names in a string, as registries do."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("lse_gym."):
            yield node.value


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_the_walk_sees_every_layer():
    assert {"lse_gym.envs.core", "lse_gym.envs.offline.reader.sql", "lse_gym.agents.run", "lse_gym.cli"} <= {*MODULES}
    assert sum(within(name, OFFLINE) for name in MODULES) > 20


def test_nothing_but_the_model_registry_knows_the_stand_ins():
    who = {module for module, path in MODULES.items() for name in named(path) if within(name, OFFLINE)}
    assert {module for module in who if not within(module, OFFLINE)} == {"lse_gym.envs.models"}


@pytest.mark.parametrize(
    ("package", "unknown"),
    [
        (OFFLINE, ["lse_gym.agents", "lse_gym.wrappers", "lse_gym.leaderboard", "lse_gym.cli", "lse_gym.envs.core"]),
        (f"{OFFLINE}.reader", [f"{OFFLINE}.writer"]),
        # what a stand-in must not know: generators, databases, golds
        (OFFLINE, [f"lse_gym.envs.{name}" for name in ("sql.procedural", "qa.procedural", "sql.executor")]),
        (OFFLINE, [f"lse_gym.envs.games.{name}" for name in ("problems.family", "injection.family")]),
        (OFFLINE, [f"lse_gym.envs.games.{name}" for name in ("hint.game", "injection.domain")]),
        (OFFLINE, ["lse_gym.envs.passages.world", "lse_gym.envs.passages.domain"]),
        (OFFLINE, [f"lse_gym.envs.datascience.{name}" for name in ("procedural", "domain", "executor", "scoring")]),
    ],
)
def test_stand_ins_know_forms_and_no_answers(package, unknown):
    modules = {module: path for module, path in MODULES.items() if within(module, package)}
    assert modules
    found = {(module, name) for module, path in modules.items() for name in named(path) if within(name, *unknown)}
    assert not found
