"""The ladder: what is in the files is what the generator says, every rung can be drawn and pays for an edit."""

from dataclasses import replace

import pytest

from lse_gym.leaderboard.host.secret import check_playable
from lse_gym.leaderboard.ladder import BUDGETS, LADDERS, tracks
from lse_gym.leaderboard.track import all_tracks

ALL = all_tracks()
LOWEST = [f"{ladder.name}-ladder-{BUDGETS[0]}-v{ladder.version}" for ladder in LADDERS]
EACH = [pytest.param(name, marks=[pytest.mark.extra("ds")] * name.startswith("data")) for name in LOWEST]


def test_every_rung_is_a_file_as_the_generator_says():
    for track in tracks():
        assert replace(ALL[track.id], suite_sha256="") == track
        assert 4 * track.max_context_tokens >= track.settings["max_chars"]  # what may be written may rank
    assert sum(ladder.version for ladder in LADDERS) * len(BUDGETS) == sum("-ladder-" in name for name in ALL)


@pytest.mark.parametrize("name", EACH)
def test_a_rung_is_drawn_from_a_secret_and_its_lowest_budget_pays_for_an_edit(name):
    track = replace(ALL[name], domains=ALL[name].domains[:1])
    check_playable(track)
    env = track.core()
    env.reset(seed=0)
    *_, truncated, info = env.step("Think of it.")
    assert not truncated
    assert info["evaluated"]
    assert env.budget.spent.calls <= BUDGETS[0]
