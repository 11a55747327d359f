"""The files of a board when they are damaged, short or emptied: a clear error with the name, and no invention."""

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lse_gym.agents.files import write_new
from lse_gym.cli.main import app
from lse_gym.leaderboard.board import SALT_BYTES, Board
from lse_gym.leaderboard.errors import BoardError
from lse_gym.leaderboard.store import Store
from tests.leaderboard.conftest import TRACK, sent
from tests.leaderboard.test_pages import fill


def command(*arguments):
    return CliRunner().invoke(app, ["leaderboard", *map(str, arguments)])


def no_bytes():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def test_a_disk_without_room_leaves_no_salt(tmp_path, packed):
    """`ulimit -f 0` left an empty salt, and the next submit took it: secrets that anybody can compute."""
    document, folder = tmp_path / "d.json", tmp_path / "board"
    document.write_bytes(sent(packed))
    arguments = [sys.executable, "-m", "lse_gym", "leaderboard", "submit", document, "--board", folder]
    full = subprocess.run(arguments, preexec_fn=no_bytes, capture_output=True, text=True)
    assert full.returncode == 2, full.stderr
    assert "no board can be made" in full.stderr
    assert "Traceback" not in full.stderr
    assert [*folder.iterdir()] == []
    assert command("submit", document, "--board", folder).exit_code == 0
    assert len(bytes.fromhex((folder / "salt").read_text())) == SALT_BYTES


@pytest.mark.parametrize("salt", ["", "00", "00" * 31, "00" * 33, "xx" * 32, "é" * 64])
def test_a_salt_of_another_length_is_refused(tmp_path, salt, packed):
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "salt").write_text(salt, encoding="utf-8")
    with pytest.raises(BoardError, match=r"salt"):
        Board(tmp_path / "board", create=True)
    assert not (tmp_path / "board" / "board.sqlite").exists()
    assert (tmp_path / "board" / "salt").read_text(encoding="utf-8") == salt


def test_a_salt_is_bound_to_its_board_from_the_start(tmp_path):
    with Board(tmp_path / "board", create=True):
        pass
    (tmp_path / "board" / "salt").write_text("00" * 32)
    with Board(tmp_path / "board") as board, pytest.raises(BoardError, match="not the one"):
        board.secret(board.tracks[TRACK])


def test_a_file_that_is_there_is_never_overwritten(tmp_path):
    path = tmp_path / "salt"
    assert write_new(path, b"first", mode=0o600)
    assert not write_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["salt"]


def overwrite(path, value):
    with sqlite3.connect(path) as db:
        db.execute("DROP TRIGGER entries_no_UPDATE")
        db.execute("UPDATE entries SET facts = ?", [value])
    db.close()


DAMAGE = {
    "emptied": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a database, but long enough to be taken for one" * 50),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "zeros in the middle": lambda path: path.write_bytes(
        path.read_bytes()[:4096] + bytes(path.stat().st_size - 8192) + path.read_bytes()[-4096:]
    ),
    "another database": lambda path: (path.unlink(), sqlite3.connect(path).execute("CREATE TABLE x (y)"))[0],
    "facts that are no JSON": lambda path: overwrite(path, "garbage"),
    "facts that are a list": lambda path: overwrite(path, "[]"),
    "facts that are nothing": lambda path: overwrite(path, "{}"),
    "facts of other types": lambda path: overwrite(path, json.dumps({"claimed": "x", "runs": None})),
    "facts that are deep": lambda path: overwrite(path, "[" * 100_000),
    "facts that are bytes": lambda path: overwrite(path, b"\xff\xfe"),
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory, packed):
    folder = tmp_path_factory.mktemp("filled")
    with Board(folder, create=True) as board:
        fill(board, packed, 3)
    return folder


@pytest.fixture
def copy(filled, tmp_path):
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in filled.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("action", ["list", "build", "export"])
def test_a_damaged_store_is_told_by_name(copy, tmp_path, name, action):
    DAMAGE[name](copy / "board.sqlite")
    out = [] if action == "list" else ["--out", tmp_path / "out"]
    found = command(action, "--board", copy, *out)
    assert isinstance(found.exception, BoardError), found.output
    assert "board.sqlite" in str(found.exception)
    assert "no entries" not in found.output


def test_a_damaged_document_is_told_by_name(copy):
    with sqlite3.connect(copy / "board.sqlite") as db:
        db.execute("DROP TRIGGER entries_no_UPDATE")
        db.execute("UPDATE entries SET document = x'00'")
    db.close()
    with Board(copy) as board, pytest.raises(BoardError, match=r"board\.sqlite"):
        board.store.document(1)


@pytest.mark.parametrize("details", ["[]", "{}", '{"score": "x"}', '{"score": 1, "ci95": [0], "seed": 0}', "null", "x"])
def test_a_damaged_verification_is_told_by_name(copy, details):
    with sqlite3.connect(copy / "board.sqlite") as db:
        row = [1, "2026-01-01", "replayed", "", details]
        db.execute("INSERT INTO verifications (entry, at, level, reason, details) VALUES (?, ?, ?, ?, ?)", row)
    db.close()
    found = command("list", "--board", copy)
    assert isinstance(found.exception, BoardError), found.output
    assert "board.sqlite" in str(found.exception)


@pytest.mark.parametrize("rules", ["", "null", "[1]", '{"title": 5}', '{"submissions_per_team": "x"}', '{"evil": 1}'])
def test_damaged_rules_are_told_by_name(copy, rules):
    (copy / "board.json").write_text(rules)
    with pytest.raises(BoardError, match=r"board\.json"):
        Board(copy)


def test_a_store_is_whole_or_not_there(tmp_path, monkeypatch):
    def fail(db):
        db.execute("CREATE TABLE half (x)")
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("lse_gym.leaderboard.migrations.migrations.apply", fail)
    with pytest.raises(BoardError, match="full"):
        Store(Path(tmp_path / "board.sqlite"))
    assert [*tmp_path.iterdir()] == []
