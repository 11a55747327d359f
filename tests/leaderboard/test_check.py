"""Submissions by pull request: what is checked before anything is taken in, and what a host of static files shows."""

import json
import os
import re
import subprocess
import sys
from copy import deepcopy
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urljoin
from urllib.request import urlopen

import pytest
from typer.testing import CliRunner

from lse_gym.cli.main import app
from lse_gym.leaderboard.check import Finding, check_file, code, summary, workflow
from lse_gym.leaderboard.export import COLUMNS, export
from lse_gym.leaderboard.pages import build
from lse_gym.leaderboard.track import all_tracks
from lse_gym.leaderboard.verify import Options, verify
from tests.leaderboard.conftest import TRACK, sent

HOSTILE = "a`|<img src=x onerror=alert(1)> [x](javascript:1)\n# **b** \u202e@everyone"


def check(*arguments):
    done = CliRunner().invoke(app, ["leaderboard", "check", *map(str, arguments)])
    return done.exit_code, done.output


@pytest.fixture
def good(tmp_path, document):
    path = tmp_path / "sent" / "good.json"
    path.parent.mkdir()
    path.write_bytes(sent(document))
    return path


def test_each_file_is_a_line_and_a_refusal_is_the_exit_code(good, document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, told = check(good)
    assert status == 0
    head, tail = f"accepted: {good}: lse of a team in {TRACK}, 1 run, test score ", told[-6:]
    assert told == head + tail
    assert 0 < float(tail) < 1
    document["runs"][0]["claimed"]["test_scores_best"][0] = 0.123
    bad, none = good.with_name("bad.json"), good.with_name("none.json")
    bad.write_bytes(sent(document, reseal=False))
    status, told = check(good.parent, none, "--summary", tmp_path / "summary.md")
    assert status == 1
    heads = [line.split(": ")[0] for line in told.splitlines()]
    assert heads == ["refused", "accepted", "refused", "2 of 3 submissions refused."]
    assert "its sha256 is not that of its content" in told
    page = (tmp_path / "summary.md").read_text()
    assert "### 3 submissions checked, 2 refused" in page
    assert page.count("**refused**") == 2
    assert "\n- `its sha256 is not that" in page
    assert [*tmp_path.iterdir()] == [tmp_path / "sent", tmp_path / "summary.md"]  # no board was made
    assert check(tmp_path / "sent" / "nowhere")[0] == 1


def test_a_board_adds_its_limits_copies_and_names_and_is_left_as_it_was(board, good, document):
    found = partial(check_file, good, all_tracks(), board)
    assert found().remark == ""
    board.submit(sent(document))
    assert found().remark == "it is entry 1 already"
    twin = deepcopy(document)
    twin["team"]["name"] = "another team"
    good.write_bytes(sent(twin))
    assert "flagged: " in found().remark
    twin["team"]["name"] = "a teаm"  # noqa: RUF001 - with a letter of another script
    good.write_bytes(sent(twin))
    assert "looks like" in found().reasons[0]
    log = board.store.db.execute("SELECT action FROM audit").fetchall()
    assert log == [("submitted",)]
    (board.path / "salt").unlink()  # as in a clone
    assert check(good, "--board", board.path)[0] == 1


def test_a_submission_is_looked_through_once(board, good, monkeypatch):
    looked = []
    monkeypatch.setattr("lse_gym.leaderboard.board.problems", lambda *given: looked.append(given) or [])
    assert not check_file(good, all_tracks(), board).reasons
    assert len(looked) == 1


def test_what_a_submission_says_is_inert_in_a_summary(document, tmp_path):
    document["team"]["name"] = HOSTILE
    path = tmp_path / "x`|y.json"
    path.write_bytes(sent(document))
    found = check_file(path, all_tracks())
    page = summary([found])
    outside = re.sub(r"`[^`\n]*`", "", page)
    assert not re.search(r"[<\[@\u202e]", outside)
    assert page.count("|") == 4 * 3
    assert "\n" not in str(found)
    assert code("") == ""


def step(name, folder, **environment):
    """Run a step of the workflow as a runner does."""
    import yaml

    (script,) = (one["run"] for one in yaml.safe_load(workflow())["jobs"]["check"]["steps"] if one.get("name") == name)
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    here = Path(sys.executable).parent
    variables = os.environ | {"PATH": f"{here}:{os.environ['PATH']}"} | environment
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120)


@pytest.mark.extra("data")
def test_a_folder_that_is_called_as_a_submission_is_refused(tmp_path, good):
    """As a submodule of a pull request is one, and empty."""
    (tmp_path / "one.json").mkdir()
    assert check(tmp_path / "one.json")[0] == 1
    assert check(tmp_path, good)[0] == 1


@pytest.mark.extra("data")
def test_the_workflow_refuses_what_is_no_submission_and_checks_what_is(good, tmp_path):
    import yaml

    jobs = yaml.safe_load(workflow())["jobs"]
    assert not any("SALT" in json.dumps(one) for one in jobs["check"]["steps"])
    repository = tmp_path / "repository"
    (repository / "submissions").mkdir(parents=True)

    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(["git", *who, *words], cwd=repository, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(name, data):
        (repository / name).write_bytes(data)
        git("add", "-A")
        git("commit", "-qm", name)
        return git("rev-parse", "HEAD")

    git("init", "-q")
    base = commit("README.md", b"a board")
    after = commit("submissions/good.json", good.read_bytes())
    facts = {"BASE": base, "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    assert step("Only submissions are added", repository, **facts).returncode == 0
    done = step("Check what is added", repository, **facts)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 submission checked, 0 refused" in (tmp_path / "summary.md").read_text()
    facts["BASE"] = after
    hostile = commit("submissions/-x $(touch owned).json", b"{}")
    assert step("Only submissions are added", repository, **facts).returncode == 1
    assert step("Check what is added", repository, **facts).returncode != 0
    assert not (repository / "owned").exists()
    facts["BASE"] = hostile
    commit("README.md", b"mine")
    assert step("Only submissions are added", repository, **facts).returncode == 1


def test_the_workflow_is_written_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["leaderboard", "workflow", "--out", ".github/workflows/leaderboard.yml"]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert Path(command[-1]).read_text() == workflow() == CliRunner().invoke(app, command[:2]).output
    assert CliRunner().invoke(app, command).exit_code != 0


def test_the_board_is_served_as_it_is_below_any_path(board, document, tmp_path):
    board.submit(sent(document))
    folder = tmp_path / "host" / "team" / "board"
    build(board, folder)
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(tmp_path / "host"))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        top = f"http://127.0.0.1:{server.server_address[1]}/team/board/"
        waiting, seen = [top], set()
        while waiting:
            address = waiting.pop()
            seen.add(address)
            with urlopen(address) as response:
                page = response.read().decode()
            links = re.findall(r'(?:href|src)="([^"#]+)', page) if address.endswith((".html", "/")) else []
            found = {urljoin(address, link) for link in links if not link.startswith("https:")}
            assert all(link.startswith(top) for link in found)
            waiting += found - seen - {*waiting}
        server.shutdown()
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {address.removeprefix(top) for address in seen} - {""} == there


@pytest.mark.extra("data")
def test_an_export_is_a_data_set_with_a_card(board, document, tmp_path, monkeypatch):
    from datasets import load_dataset

    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_OFFLINE", True)
    verify(board, board.submit(sent(document)), Options())
    written = export(board, tmp_path / "out")
    assert [path.name for path in written] == ["entries.csv", "entries.parquet", "README.md"]
    table = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert table.column_names == [*COLUMNS]
    assert (table.num_rows, table[0]["agent"], table[0]["level"]) == (1, "lse", "replayed")
    page = (tmp_path / "out" / "README.md").read_text()
    assert f"| {TRACK} | LSE/TextToSQL-v1 | reader |" in page
    assert all(f"| `{name}` |" in page for name in COLUMNS)


def test_a_name_steers_nothing():
    finding = Finding("bad\naccepted: x\x1b[2J\x1b]0;p\x07\udcff.json", "##[error]forged", ["no"], "")
    line = str(finding)
    assert line.splitlines() == [line]
    assert line.startswith("refused: bad accepted: x")
    assert not {*"\x1b\x07"} & {*line}
    assert "##[" not in line + summary([finding])
    summary([finding]).encode()
