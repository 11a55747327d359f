"""Kill -9 of the host loses no answered step: players go on, to the results of an undisturbed run."""

import pytest
from gymnasium.utils.env_checker import data_equivalence

from tests.leaderboard.hosted import make_track
from tests.leaderboard.killed_host import play_under_kills

pytestmark = [pytest.mark.extra("host"), pytest.mark.extra("api")]


def check(folder, players, steps, kills):
    track = make_track(folder, env="LSE/PassageOrder-v1", domains=("mill-0",), budget={"calls": 100_000})
    seen, local, record = play_under_kills(folder, track, players, steps, kills, seed=1)
    for one, other in zip(seen, local, strict=True):
        assert data_equivalence(one, other, exact=True)
    assert record == [[*range(1 + steps + steps // 7)]] * players


def test_players_do_not_notice_a_kill(tmp_path):
    check(tmp_path, players=2, steps=40, kills=1)


@pytest.mark.long
def test_players_do_not_notice_20_kills(tmp_path):
    check(tmp_path, players=8, steps=600, kills=20)
