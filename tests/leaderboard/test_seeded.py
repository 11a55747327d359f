"""The board in this repository: whole, verified, without its salt. Its table is in the README of the results."""

import shutil
from pathlib import Path

import pytest

from lse_gym.agents import AGENTS
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.errors import BoardError
from lse_gym.leaderboard.pages import build
from lse_gym.leaderboard.ranking import rank

ROOT = Path(__file__).parents[2]
SEEDED = ROOT / "leaderboard" / "board"


@pytest.fixture
def seeded(tmp_path):
    shutil.copytree(SEEDED, tmp_path / "board")
    with Board(tmp_path / "board") as board:
        yield board


def test_every_agent_is_on_the_track_of_evolve_and_was_reproduced(seeded):
    seeded.store.check_log()
    ranking = {track: rows for track, rows in rank(seeded).items() if rows}
    assert "sql-clinic-reader-1300-v2" in ranking
    for rows in ranking.values():
        assert {row.kind for row in rows} == set(AGENTS) - {"sb3"}, "sb3 follows a policy, which does not ship"
        assert all(row.score is not None and row.level == "reproduced" for row in rows)


def test_what_was_submitted_is_still_accepted(seeded):
    for row in seeded.store.entries():
        document, _ = seeded.check(seeded.store.document(row["id"]))
        assert document["sha256"] == row["sha256"]


def test_its_salt_is_not_here(seeded):
    assert not (SEEDED / "salt").exists()
    with pytest.raises(BoardError, match="has no salt"):
        seeded.secret(next(iter(seeded.tracks.values())))


def test_its_pages_build(seeded, tmp_path):
    assert build(seeded, tmp_path / "site") > 30
