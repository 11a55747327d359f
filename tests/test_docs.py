"""The READMEs cannot rot: what they show runs, what they link to exists, and what exists is in them."""

import json
import re
import sqlite3
import tomllib
from contextlib import closing

import pytest

import lse_gym
from lse_gym import docs
from lse_gym.agents.lse import Args
from lse_gym.docs import BLOCK, BLOCKS, ROOT, filled, pages
from lse_gym.docs.__main__ import main
from lse_gym.envs.budget import Usage
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.options import RESET_OPTIONS, CoreOptions, argument_rows
from tests.command import run

TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in pages()}
PYTHON = {
    name: re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    for name, text in TEXTS.items()
    if "README" in name
}
LINKS = [(name, link) for name, text in TEXTS.items() for link in re.findall(r"\]\((?!https?://)([^)]+)\)", text)]
FILES = "config.json trajectory.jsonl responses.jsonl edits.jsonl tree.json tree.svg tree.html curve.svg summary.json"
LONGEST_FRONT_DOOR = 150  # lines
DOCUMENTED = {
    "envs/README.md": [*RESET_OPTIONS, *Usage._fields],
    "agents/README.md": FILES.split(),
}


@pytest.mark.parametrize(("page", "word"), [(page, word) for page, words in DOCUMENTED.items() for word in words])
def test_everything_there_is_is_in_its_readme(page, word):
    assert re.search(rf"[`\"{{ ]{re.escape(str(word))}[`\" ]", TEXTS[page]), f"{word} is not in {page}"


@pytest.mark.parametrize(
    ("page", "number"), [(page, number) for page, blocks in PYTHON.items() for number in range(len(blocks))]
)
def test_python_of_the_readmes_runs(page, number, tmp_path):
    """Each block alone, in a process of its own."""
    block = PYTHON[page][number]
    if "sb3" in block:
        pytest.importorskip("sb3_contrib")
    if "envs.games" in block:
        pytest.importorskip("pettingzoo")
    folder = tmp_path / "data" / "dev_databases" / "shop"
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "shop.sqlite")) as connection:
        connection.execute("CREATE TABLE orders (id)")
        connection.commit()
    code = block.replace("learn(20", "learn(2").replace("total_timesteps=16_000", "total_timesteps=1")
    code = code.replace('"maskable-ppo"', '"dqn"')  # it stops when it is told, not after a whole batch
    done = run(cwd=tmp_path, code=code)
    assert done.returncode == 0, done.stderr
    assert ("[(0,)]" in done.stdout) == ("COUNT(*)" in block)
    assert "sqlite" not in done.stderr.lower()


def test_the_first_example_earns_a_reward(tmp_path):
    done = run(cwd=tmp_path, code=f"{PYTHON['README.md'][0]}\nprint(f'reward {{reward}}')")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.rpartition("reward ")[2]) > 0.05


def test_the_action_of_the_wrappers_is_one_of_theirs(tmp_path):
    done = run(cwd=tmp_path, code=f"{PYTHON['wrappers/README.md'][0]}\nassert env.action_space.contains(action)")
    assert done.returncode == 0, done.stderr


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


def test_the_tests_that_the_tables_name_are_there():
    page = TEXTS["tests/README.md"]
    last, missing, found = "", [], 0
    for folder, rows in re.findall(r"test, in `tests/(\w*)/?`(.*?)(?=\n\n|\Z)", page, flags=re.DOTALL):
        for file, name in re.findall(r"`([\w./]*)::(test_\w+)(?:…)?`", rows):
            last = file or last
            path = ROOT / "tests" / folder / last
            found += 1
            if not (path.is_file() and re.search(rf"^def {name}", path.read_text(encoding="utf-8"), re.MULTILINE)):
                missing.append(f"{last}::{name}")
    assert missing == []
    assert found > 40


@pytest.mark.parametrize("page", TEXTS)
def test_what_is_generated_is_up_to_date(page):
    """`python -m lse_gym.docs --write` brings it up to date."""
    assert filled(TEXTS[page]) == TEXTS[page]


def test_every_block_is_somewhere():
    assert {block[2] for text in TEXTS.values() for block in BLOCK.finditer(text)} == set(BLOCKS)


def test_a_check_tells_the_page_and_a_write_mends_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    (tmp_path / "README.md").write_text("one\n<!-- docs: recorded speed.json -->\nold\n<!-- end -->\n")
    assert [main([flag]) for flag in ("--check", "--write", "--check")] == [1, 0, 0]
    assert capsys.readouterr().out == "out of date: README.md\nwritten: README.md\n"
    assert "\n| what | measured |" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_arguments_that_an_env_adds_are_told_before_those_of_all():
    class Mine(ContextEnv):
        """Mine.

        ## Arguments
        | name | type | default | unit | effect |
        |---|---|---|---|---|
        | depth | int | 3 | | how deep |
        | max_edits | int | 4 | | another default |

        ## Cost
        None.
        """

    names = [row[0] for row in argument_rows(Mine.__doc__)]
    assert names == ["depth", "max_edits", *(name for name in CoreOptions.__annotations__ if name != "max_edits")]
    assert Mine.__doc__.rstrip().endswith("None.")


def test_what_evolve_is_said_to_tell_it_tells(tmp_path):
    assert run("evolve", "--out", "run", cwd=tmp_path).returncode == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "trajectory.jsonl").read_text().splitlines()]
    told = re.findall(r"(\d\.\d\d)  round (\d+)", TEXTS["README.md"])
    assert [(f"{row['performance']:.2f}", str(i)) for i, row in enumerate(rows[: len(told)])] == told
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    scores = (summary["test_score_seed"], summary["test_score_best"])
    assert re.search(r"\ntest score, n = 60 +{:.3f} +{:.3f}\n".format(*scores), TEXTS["README.md"])
    low, high = summary["test_ci95"]
    assert f"{low:.3f} to {high:.3f}\n" in TEXTS["README.md"]


def test_the_front_door_is_short():
    assert TEXTS["README.md"].count("\n") <= LONGEST_FRONT_DOOR


def test_the_version_is_told_alike_everywhere():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert version == lse_gym.__version__
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


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
