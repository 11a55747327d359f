"""Every module of the package imports, or says which extra it needs; the examples in its docstrings are true."""

import doctest
import re
import shutil
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path

import pytest

from lse_gym.envs.errors import MissingExtraError
from lse_gym.envs.extras import available, extras, missing, module_of, needs
from tests.layers import MODULES


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


def test_what_is_installed_is_not_missing():
    """A package whose module has another name has to be in the list of these."""
    installed = {re.sub(r"[-_.]+", "-", found.name).lower() for found in metadata.distributions()}
    wanted = {package for packages in extras().values() for package in packages}
    assert not [package for package in wanted & installed if not available(module_of(package))]


def test_there_are_modules_and_examples():
    assert len(MODULES) > 150
    assert doctest.testmod(import_module("lse_gym.envs.text")).attempted


@pytest.mark.skipif(not missing("vllm"), reason="vllm is installed")
def test_what_needs_an_extra_is_skipped_with_its_name_and_nothing_else_is(tmp_path):
    shutil.copy(Path(__file__).parents[1] / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = extra")
    marked = "import pytest\n\n@pytest.mark.extra('vllm')\ndef test_it(): raise ValueError\n"
    for name, source in {"head": "import vllm", "marked": marked, "typo": "import vlm"}.items():
        (tmp_path / f"test_{name}.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-rs", "--continue-on-collection-errors"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120).stdout
    assert re.search(r"SKIPPED \[1\] .*test_head.py: pip install 'lse-gym\[vllm]'", told)
    assert re.search(r"SKIPPED \[1\] .*conftest.py:\d+: pip install 'lse-gym\[vllm]'", told)
    assert "No module named 'vlm'" in told
    assert "2 skipped, 1 error" in told


def test_a_broken_package_is_not_told_as_a_missing_one():
    """Transformers raises such an error where another package that it imports does not fit."""
    with pytest.raises(MissingExtraError) as told, needs("hf", "A model"):
        raise ModuleNotFoundError("Could not import module 'X'. Are its requirements defined?\nMore.")
    assert "needs None" not in str(told.value)
    assert "cannot be imported (Could not import module 'X'. Are its requirements defined?)" in str(told.value)
    assert "pip install -U 'lse-gym[hf]'" in str(told.value)
