"""The store: nothing is lost, nothing is changed afterwards, and any number of processes write at once."""

import json
import sqlite3
from copy import deepcopy

import pytest

from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.errors import BoardError, SubmissionError
from lse_gym.leaderboard.migrations import migrations
from lse_gym.leaderboard.store import Store
from tests.command import Command
from tests.leaderboard.conftest import sent

SUBMITTER = """
import json, sys
from copy import deepcopy
from pathlib import Path
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.submission import digest

board, source, first, count = sys.argv[1:]
document = json.loads(Path(source).read_text())
with Board(board, create=True) as there:
    for number in range(int(first), int(first) + int(count)):
        document["team"]["name"] = f"team {number}"
        document["sha256"] = digest(document)
        there.submit(json.dumps(document).encode())
"""


def submit_side_by_side(folder, packed, processes, each):
    (folder / "source.json").write_text(json.dumps(packed))
    running = [
        Command(folder / "board", folder / "source.json", i * each, each, cwd=folder, code=SUBMITTER)
        for i in range(processes)
    ]
    for one in running:
        done = one.wait(timeout=900)
        assert done.returncode == 0, done.stderr
    with Board(folder / "board") as board:
        entries = board.store.entries()
        assert sorted(row["team"] for row in entries) == sorted(f"team {i}" for i in range(processes * each))
        assert len({row["sha256"] for row in entries}) == processes * each
        board.store.check_log()
        logged = [*board.store.db.execute("SELECT entry FROM audit WHERE action = 'submitted'")]
        assert sorted(row[0] for row in logged) == [row["id"] for row in entries]
        assert board.store.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert json.loads(board.store.document(entries[-1]["id"]))["team"]["name"] == entries[-1]["team"]


def test_processes_submit_side_by_side(tmp_path, packed):
    submit_side_by_side(tmp_path, packed, processes=3, each=10)


@pytest.mark.long
def test_eight_processes_submit_a_thousand_entries(tmp_path, packed):
    submit_side_by_side(tmp_path, packed, processes=8, each=125)


@pytest.mark.parametrize("table", ["entries", "verifications", "audit"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET id = 99", "DELETE FROM {}", "REPLACE INTO {0} SELECT * FROM {0}"])
def test_what_was_written_stays(board, document, table, verb):
    number = board.submit(sent(document))
    board.store.add_verification(number, "rejected", "a reason", {})
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        board.store.db.conn.execute(verb.format(table))
    board.store.check_log()


def test_tampering_with_the_log_shows(board, document):
    board.submit(sent(document))
    for trigger in ("audit_no_UPDATE", "audit_no_DELETE", "entries_no_DELETE"):
        board.store.db.conn.execute(f"DROP TRIGGER {trigger}")
    board.store.db.conn.execute("UPDATE audit SET details = 'nothing happened'")
    with pytest.raises(BoardError, match="tampered"):
        board.store.check_log()
    board.store.db.conn.execute("DELETE FROM audit")
    with pytest.raises(BoardError, match="not in its audit log"):
        board.store.check_log()


def test_the_same_submission_twice_is_one_entry(board, document):
    data = sent(document)
    assert board.submit(data) == board.submit(data) == 1
    assert len(board.store.history(1)) == 1


def test_a_team_has_a_limit_and_others_do_not_feel_it(tmp_path, document):
    folder = tmp_path / "board"
    folder.mkdir()
    (folder / "board.json").write_text('{"submissions_per_team": 2}')
    with Board(folder, create=True) as board:
        for version in "12":
            document["agent"]["version"] = version
            board.submit(sent(document))
        document["agent"]["version"] = "3"
        with pytest.raises(SubmissionError, match="the limit is 2") as refused:
            board.submit(sent(document))
        (told,) = board.store.db.execute("SELECT details FROM audit WHERE action = 'refused'").fetchone()
        assert told.partition(": ")[2] == refused.value.reasons[0], "as every other refusal it is in the log"
        document["team"]["name"] = "another"
        assert board.submit(sent(document)) == 3


def test_a_transaction_that_fails_leaves_nothing(board):
    def fail():
        with board.store.writing():
            board.store.log(None, "begun")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - ours
        fail()
    assert [*board.store.db.query("SELECT * FROM audit")] == []


def test_files_of_other_kinds_and_later_versions_are_refused(tmp_path):
    (tmp_path / "text").write_text("not a database, but long enough to be taken for one" * 50)
    with pytest.raises(BoardError, match="cannot be used"):
        Store(tmp_path / "text")
    with Store(tmp_path / "later") as store:
        migrations._record_applied(store.db, "of_next_year")
    with pytest.raises(BoardError, match="later version"):
        Store(tmp_path / "later")


def test_a_board_of_the_first_version_gets_what_it_lacks(tmp_path, document):
    with Board(tmp_path / "board", create=True) as board:
        board.submit(sent(document))
        for statement in ("DROP TABLE pieces", "DROP INDEX audit_entry", "DROP TABLE _sqlite_migrations"):
            board.store.db.conn.execute(statement)
    with Board(tmp_path / "board") as board:
        assert len(board.store.entries()) == 1
        assert board.store.db.table("pieces").count > 5
        document["team"]["name"] = "thief"
        assert board.submit(sent(document)) == 2
        assert [row["level"] for row in board.store.entries()] == ["self-reported", "flagged"]


def test_salt_is_secret_and_cannot_be_exchanged(board, document):
    track = board.tracks[document["track"]]
    assert (board.path / "salt").stat().st_mode & 0o077 == 0
    secret = board.secret(track)
    assert secret == board.secret(track) != board.secret(board.tracks["sql-reader-500-v2"])
    (board.path / "salt").write_text("00" * 32)
    with pytest.raises(BoardError, match="not the one"):
        board.secret(track)
    (board.path / "salt").unlink()
    with pytest.raises(BoardError, match="has no salt"):
        board.secret(track)


def test_a_board_whose_salt_is_lost_goes_on_under_another(board, document):
    number, track = board.submit(sent(document)), board.tracks["sql-reader-500-v2"]
    lost = board.secret(track)
    with pytest.raises(BoardError, match="Keep it elsewhere"):
        board.renew("lost")
    old = (board.path / "salt").read_text()
    (board.path / "salt").unlink()
    with pytest.raises(BoardError, match="without a reason"):
        board.renew(" ")
    board.renew("the disk is gone")
    assert board.secret(track) != lost
    assert board.store.ids() == [number]
    board.store.check_log()
    ((told,),) = board.store.db.execute("SELECT details FROM audit WHERE action = 'renewed'").fetchall()
    assert told.endswith(": the disk is gone")
    assert told.count(" before, ") == 1
    (board.path / "salt").write_text(old)
    with pytest.raises(BoardError, match="not the one"):
        board.secret(track)


def test_sealed_questions_are_new_and_those_of_the_secret(board, document):
    track = board.tracks[document["track"]]
    family = track.core("reader").family
    public = {q.text for questions in family.load("lab-0").splits.values() for q in questions}
    one, same, other = (family.sealed("lab-0", secret, 40) for secret in (1, 1, 2))
    asked = [[q.text for q in domain.splits["test"]] for domain in (one, same, other)]
    assert asked[0] == asked[1] != asked[2]
    assert len({*asked[0]}) == 40
    assert not public & {*asked[0]}
    assert one.verify() == []
    assert deepcopy(one.splits["feedback"]) == family.load("lab-0").splits["feedback"]
