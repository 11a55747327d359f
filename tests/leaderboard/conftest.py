"""A real run and its submission, made once; every test takes a copy and a board of its own."""

import json
from copy import deepcopy
from pathlib import Path

import pytest

from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Config
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.submission import About, chain, digest, find_runs, pack
from lse_gym.leaderboard.track import all_tracks

TRACK = "sql-clinic-reader-1300-v2"


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    evolve(Config.of(rounds=4, budget_calls=1300), folder)
    return folder


@pytest.fixture(scope="session")
def packed(run_folder):
    (document,) = pack(find_runs(run_folder), all_tracks(), About(team="a team"))
    return document


@pytest.fixture
def document(packed):
    return deepcopy(packed)


@pytest.fixture
def board(tmp_path):
    with Board(tmp_path / "board", create=True) as board:
        yield board


def sent(document, reseal=True) -> bytes:
    """A document as bytes, its chain and digest made right again, as a forger would."""
    if reseal:
        for run in document.get("runs", []) if isinstance(document.get("runs"), list) else []:
            for row, link in zip(run["trajectory"], chain(run), strict=False):
                row["hash"] = link
        document["sha256"] = digest(document)
    return json.dumps(document).encode()
