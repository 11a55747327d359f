"""Every module of the package imports, or says which extra it needs; the examples in its docstrings are true."""

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

from lse_gym.envs.errors import MissingExtraError
from lse_gym.envs.extras import missing

PARTS = "cli docs envs agents wrappers leaderboard".split()  # each a folder, whether there is a link to it or not


def modules(part):
    """The modules of a part of the package, by name, with their files."""
    root = Path(str(import_module(f"lse_gym.{part}").__file__)).parent
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root).with_suffix("").parts
        yield ".".join(["lse_gym", part, *(name for name in inside if name != "__init__")]), path


MODULES = {name: path for part in PARTS for name, path in modules(part)}


@pytest.mark.filterwarnings("ignore")  # what other packages warn of when they are imported
@pytest.mark.parametrize("name", MODULES)
def test_it_imports_or_names_its_extra_and_its_examples_are_true(name):
    try:
        module = import_module(name)
    except MissingExtraError as error:
        (extra,) = re.findall(r"pip install 'lse-gym\[(\w+)]'", str(error))
        assert missing(extra)
        assert "with needs(" in MODULES[name].read_text(encoding="utf-8")  # it is itself what needs the extra
        pytest.skip(str(error))
    assert doctest.testmod(module).failed == 0


def test_there_are_modules_and_examples():
    assert len(MODULES) > 150
    assert doctest.testmod(import_module("lse_gym.envs.text")).attempted
