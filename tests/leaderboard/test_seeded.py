"""The board in this repository: whole, played, without its salt. Its table is in the README of the results."""

import json
import shutil
from pathlib import Path

import pytest

from lse_gym.agents import AGENTS
from lse_gym.leaderboard.board import Board, read_submission
from lse_gym.leaderboard.errors import BoardError
from lse_gym.leaderboard.pages import build
from lse_gym.leaderboard.ranking import rank
from lse_gym.leaderboard.submission import digest

ROOT = Path(__file__).parents[2]
SEEDED = ROOT / "leaderboard" / "board"


@pytest.fixture
def seeded(tmp_path):
    shutil.copytree(SEEDED, tmp_path / "board")
    with Board(tmp_path / "board") as board:
        yield board


def test_every_agent_that_can_has_played(seeded):
    seeded.store.check_log()
    rows = [row for rows in rank(seeded).values() for row in rows]
    assert {row.kind for row in rows} == set(AGENTS) - {"sb3", "oracle"}, "a policy that does not ship, and the rules"
    assert all(row.score is not None and row.level == "played" for row in rows)


def test_what_was_played_is_whole(seeded):
    rows = [*seeded.store.entries()]
    for row in rows:
        document = json.loads(seeded.store.document(row["id"]))
        assert digest(document) == document["sha256"] == row["sha256"]
    for row in {row["track"]: row for row in rows}.values():  # of each track one, as the schema takes a while
        read_submission(seeded.store.document(row["id"]))


def test_its_salt_is_not_here(seeded):
    assert not (SEEDED / "salt").exists()
    with pytest.raises(BoardError, match="has no salt"):
        seeded.secret(next(iter(seeded.tracks.values())))


def test_its_pages_build(seeded, tmp_path):
    """Of each track those of one entry, as a run's page takes a while."""
    rows = [*seeded.store.entries()]
    for number in {row["id"] for row in rows} - {*{row["track"]: row["id"] for row in rows}.values()}:
        seeded.withdraw(number, "its pages are not built in a test")
    assert build(seeded, tmp_path / "site") > 30
