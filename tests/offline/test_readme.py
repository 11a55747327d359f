"""The solver that the README of the stand-ins adds, as it stands there."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from lse_gym.envs import offline
from lse_gym.envs.models.base import Request
from lse_gym.envs.offline import reader
from lse_gym.envs.prompt import system_message

README = (Path(offline.__file__).parent / "README.md").read_text(encoding="utf-8")
FROZEN = "You answer questions.\n\n### Measures\npole, span\n\n"


@pytest.fixture
def solvers(monkeypatch):
    solver = ModuleType("units")
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(code, vars(solver))  # noqa: S102 - our own documentation
    monkeypatch.setattr(reader, "SOLVERS", (solver, *reader.SOLVERS))


@pytest.mark.parametrize(
    ("context", "user", "answer"),
    [
        ("- A pole has 4 spans.", "How many spans are 3 poles?", "12"),
        ("Be brief.", "How many spans are 3 poles?", "30"),
        ("- A pole has 4 spans.", "How long is a pole?", ""),
    ],
)
@pytest.mark.usefixtures("solvers")
def test_the_solver_of_the_readme_answers(context, user, answer):
    request = Request(system_message(FROZEN, context), f"Question: {user}")
    assert reader.Reader().answer(request) == f"<answer>{answer}</answer>"


def test_a_prompt_that_nobody_recognises_gets_no_answer():
    request = Request(system_message(FROZEN, "- A pole has 4 spans."), "Question: How many spans are 3 poles?")
    assert reader.Reader().answer(request) == "<answer></answer>"


def test_the_readme_names_the_files_that_there_are():
    root = Path(offline.__file__).parent
    for path in re.findall(r"`((?:reader|writer)/[\w/]+(?:\.py)?)`", README):
        assert (root / path).exists(), path
