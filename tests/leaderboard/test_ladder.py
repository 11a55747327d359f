"""The ladder: what is in the files is what the generator says, every rung can be drawn and pays for an edit."""

import re
from dataclasses import replace

import pytest

from lse_gym.leaderboard.host.secret import check_playable
from lse_gym.leaderboard.ladder import BUDGETS, LADDERS, tracks
from lse_gym.leaderboard.track import all_tracks

ALL = all_tracks()
LOWEST = [f"{ladder.name}-ladder-{ladder.budgets[0]}-v{ladder.version}" for ladder in LADDERS]
EACH = [pytest.param(name, marks=[pytest.mark.extra("ds")] * name.startswith("data")) for name in LOWEST]


def test_every_rung_is_a_file_as_the_generator_says():
    for track in tracks():
        assert replace(ALL[track.id], suite_sha256="") == track
        assert 4 * track.max_context_tokens >= track.settings["max_chars"]  # what may be written may rank
    newest = {ladder.name: ladder.version for ladder in LADDERS}
    for family, calls, version in (re.split("-ladder-|-v", name) for name in ALL if "-ladder-" in name):
        assert int(calls) in BUDGETS
        assert 1 <= int(version) <= newest[family]


def test_every_family_has_each_budget():
    found = sorted((ladder.name, calls) for ladder in LADDERS for calls in ladder.budgets)
    assert found == sorted((name, calls) for name in {ladder.name for ladder in LADDERS} for calls in BUDGETS)


@pytest.mark.parametrize("name", EACH)
def test_a_rung_is_drawn_from_a_secret_and_its_lowest_budget_pays_for_an_edit(name):
    track = replace(ALL[name], domains=ALL[name].domains[:1])
    check_playable(track)
    env = track.core()
    env.reset(seed=0)
    *_, truncated, info = env.step("Think of it.")
    assert not truncated
    assert info["evaluated"]
    assert env.budget.spent.calls <= track.budget["calls"]
