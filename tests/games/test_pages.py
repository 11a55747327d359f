"""A game's page shows every turn, runs nothing, and escapes what players write; the matrix shows every number."""

import re
import xml.etree.ElementTree as ET

import numpy as np

from lse_gym.agents.pictures.game import cross_play_svg, game_page
from lse_gym.envs.games import hint_v0
from lse_gym.envs.games.game import Move
from lse_gym.envs.games.players import play

HOSTILE = "</pre><script>alert(1)</script>@@moves@@ \x00 <img src=x onerror=alert(1)>"


def test_every_turn_is_on_the_page():
    env = hint_v0.env(difficulty="hard", num_samples=4, max_hint_rounds=2)
    played = play(env, {"reasoner_0": "reader", "hinter_0": "reader"}, seed=0)
    page = game_page(played.moves, title="A game", about="What is asked", facts=played.infos["hinter_0"])
    assert page.count('<li class="move') == len(played.moves) > 2
    assert page.count('<pre class="text">') == 1 + sum(len(move.texts) for move in played.moves)
    assert all(f">{move.agent} <small>{move.phase}</small>" in page for move in played.moves)
    assert f"{played.rewards['hinter_0']:.3f}" in page
    assert "What is asked" in page
    assert "problem <b>" not in page, "what is empty is left out"
    assert page == game_page(played.moves, title="A game", about="What is asked", facts=played.infos["hinter_0"])


def test_what_players_write_stays_text():
    move = Move("a_0", HOSTILE, (HOSTILE, "", HOSTILE), {"a_0": 0.5, HOSTILE: -1.0}, HOSTILE)
    page = game_page([move], title=HOSTILE, about=HOSTILE, facts={HOSTILE: HOSTILE})
    assert "<script" not in page
    assert "<img" not in page
    assert "\x00" not in page
    assert page.count('<li class="move') == 1
    assert re.search(r"default-src 'none'; script-src 'sha256-", page)
    assert not re.search(r"(?:src|href)=[\"']?http", page)


def test_the_matrix_shows_every_rate():
    rates = np.array([[0.0, 0.25, 1.0], [0.5, 0.75, 0.125]])
    tree = ET.fromstring(cross_play_svg(rates, title="Who <wins>"))
    shown = [element.text for element in tree.iter() if re.fullmatch(r"\d\.\d\d", element.text or "")]
    assert shown == ["0.00", "0.25", "1.00", "0.50", "0.75", "0.12"]
    assert tree.get("aria-label") == "Who <wins>: success of 2 attacks against 3 defences"
    assert cross_play_svg(np.zeros((0, 0))).startswith("<svg")
