"""The READMEs cannot rot: what they show runs, what they link to exists, and what exists is in them."""

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
FOLDERS = "envs agents wrappers leaderboard tests lse_gym/cli".split()
PAGES = [ROOT / "README.md", *sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("README.md"))]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}
PYTHON = {name: re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL) for name, text in TEXTS.items()}
RESULTS = TEXTS["leaderboard/results/README.md"]
REPORTS = re.findall(r"<!-- lse-gym report (.*?) -->\n(.*?)<!-- end -->", RESULTS, flags=re.DOTALL)
LINKS = [(name, link) for name, text in TEXTS.items() for link in re.findall(r"\]\((?!https?://)([^)]+)\)", text)]
FILES = "config.json trajectory.jsonl responses.jsonl edits.jsonl tree.json tree.svg tree.html curve.svg summary.json"
LONGEST_FRONT_DOOR = 150  # lines
DOCUMENTED = {
    "README.md": [*ENVS],
    "envs/README.md": [*RESET_OPTIONS, *Usage._fields],
    "envs/models/README.md": MODEL_NAMES,
    "agents/README.md": [*AGENTS, *FILES.split()],
    "wrappers/README.md": [name for name in wrappers.__all__ if name[0].isupper()],
    "lse_gym/cli/README.md": [command.name for command in app.registered_commands],
}


@pytest.mark.parametrize(("page", "word"), [(page, word) for page, words in DOCUMENTED.items() for word in words])
def test_everything_there_is_is_in_its_readme(page, word):
    assert re.search(rf"[`\"{{ ]{re.escape(str(word))}[`\" ]", TEXTS[page]), f"{word} is not in {page}"


@pytest.mark.parametrize("page", [name for name, blocks in PYTHON.items() if blocks])
def test_python_of_the_readmes_runs(page, tmp_path):
    folder = tmp_path / "data" / "dev_databases" / "shop"
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "shop.sqlite")) as connection:
        connection.execute("CREATE TABLE orders (id)")
        connection.commit()
    blocks = [block for block in PYTHON[page] if "sb3" not in block or find_spec("sb3_contrib")]
    code = "\n".join(blocks).replace("learn(20", "learn(2").replace("total_timesteps=16_000", "total_timesteps=1")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert ("[(0,)]" in done.stdout) == (page == "envs/README.md")
    assert "sqlite" not in done.stderr.lower()


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_links_lead_somewhere(page, link):
    path, _, anchor = link.partition("#")
    target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
    target = target / "README.md" if target.is_dir() else target
    assert target.exists()
    assert not anchor or anchor in anchors(target.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("arguments", "tables"), REPORTS)
def test_tables_are_those_of_the_recorded_results(arguments, tables):
    files, _, reference = arguments.partition(" --reference ")
    results = [result for file in files.split() for result in read_results(ROOT / file)]
    assert tables == report(results, reference.strip('"') or None)


def test_the_table_of_ids_is_that_of_the_registry():
    assert f"<!-- envs -->\n{readme_table()}<!-- end envs -->" in TEXTS["README.md"]


def test_there_are_recorded_results():
    assert REPORTS


def test_the_front_door_is_short():
    assert TEXTS["README.md"].count("\n") <= LONGEST_FRONT_DOOR


def test_ci_runs_the_two_commands_as_they_are_written():
    evolve, test = re.findall(r"^pip install -e .*", TEXTS["README.md"], flags=re.MULTILINE)
    assert re.fullmatch(r"pip install -e \. +&& lse-gym evolve +#.*", evolve)
    assert re.fullmatch(r"pip install -e '\.\[test]' +&& pytest +#.*", test)
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "grep '^pip install -e ' README.md" in ci
    assert ci.endswith("\npytest\n")


def test_every_agent_argument_is_explained():
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "agents").rglob("*.py"))
    for name in Args.__dataclass_fields__:
        if name != "seed":
            assert re.search(rf'    {name}: .*\n    """.+"""', source), name


def test_folders_of_the_layout_exist():
    folders = re.findall(r"^(\w+)/ ", TEXTS["README.md"], flags=re.MULTILINE)
    assert folders
    for folder in folders:
        assert (ROOT / folder).is_dir()
