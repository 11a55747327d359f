"""The README cannot rot: what it shows runs, and what exists is in it."""

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from lse_gym import wrappers
from lse_gym.__main__ import app
from lse_gym.agents import AGENTS
from lse_gym.agents.bench.report import report
from lse_gym.agents.bench.result import read_results
from lse_gym.agents.lse import Args
from lse_gym.envs.budget import Usage
from lse_gym.envs.models import MODEL_NAMES
from lse_gym.envs.options import RESET_OPTIONS
from lse_gym.envs.registration import ENVS, readme_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
REPORTS = re.findall(r"<!-- lse-gym report (.*?) -->\n(.*?)<!-- end -->", README, flags=re.DOTALL)
COMMANDS = [command.name for command in app.registered_commands]
FILES = "config.json trajectory.jsonl responses.jsonl edits.jsonl tree.json tree.svg tree.html curve.svg summary.json"


@pytest.mark.parametrize(
    "word",
    [
        *ENVS,
        *AGENTS,
        *MODEL_NAMES,
        *(name for name in wrappers.__all__ if name[0].isupper()),
        *COMMANDS,
        *FILES.split(),
        *RESET_OPTIONS,
        *Usage._fields,
    ],
)
def test_everything_there_is_is_in_the_readme(word):
    assert re.search(rf"[`\"{{ ]{re.escape(str(word))}[`\" ]", README), f"{word} is not in README.md"


def test_python_of_the_readme_runs(tmp_path):
    folder = tmp_path / "data" / "dev_databases" / "shop"
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "shop.sqlite")) as connection:
        connection.execute("CREATE TABLE orders (id)")
        connection.commit()
    blocks = [block for block in PYTHON if "sb3" not in block or find_spec("sb3_contrib")]
    code = "\n".join(blocks).replace("learn(20", "learn(2").replace("total_timesteps=16_000", "total_timesteps=1")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "[(0,)]" in done.stdout
    assert "sqlite" not in done.stderr.lower()


@pytest.mark.parametrize(("arguments", "tables"), REPORTS)
def test_tables_are_those_of_the_recorded_results(arguments, tables):
    files, _, reference = arguments.partition(" --reference ")
    results = [result for file in files.split() for result in read_results(ROOT / file)]
    assert tables == report(results, reference.strip('"') or None)


def test_the_table_of_ids_is_that_of_the_registry():
    assert f"<!-- envs -->\n{readme_table()}<!-- end envs -->" in README


def test_there_are_recorded_results():
    assert REPORTS


def test_two_commands_and_ci_agree():
    assert "&& lse-gym evolve" in README
    assert re.search(r"&& pytest +#", README)
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().endswith("\npytest")


def test_every_agent_argument_is_explained():
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "agents").rglob("*.py"))
    for name in Args.__dataclass_fields__:
        if name != "seed":
            assert re.search(rf'    {name}: .*\n    """.+"""', source), name


def test_folders_of_the_layout_exist():
    for folder in re.findall(r"^(\w+)/ ", README, flags=re.MULTILINE):
        assert (ROOT / folder).is_dir()
