"""An episode of a two-player game as one HTML page, and who wins against whom as a picture."""

from collections.abc import Mapping, Sequence

import numpy as np

from lse_gym.agents.pictures.page import document, figure
from lse_gym.agents.pictures.svg import color, px, svg_document, text
from lse_gym.envs.games.game import Move

OPEN = 2  # texts of a turn that are shown; the others unfold
LABEL, TOP, LEFT = 30, 78, 70  # px: below the picture, above and left of its cells


def game_page(
    moves: Sequence[Move],
    *,
    title: str,
    about: str = "",
    facts: Mapping[str, object] | None = None,
) -> str:
    """The page of an episode as one HTML document, which works without a network and runs no script.

    Args:
        moves: the turns, as :class:`lse_gym.envs.games.game.Game` keeps them.
        title: heading, plain text.
        about: what the episode is about, such as its question.
        facts: what is told below it, such as the last info.

    Returns:
        UTF-8 text without external resources, the same for the same input; every string in it is escaped.
    """
    agents = list(dict.fromkeys(agent for move in moves for agent in (*move.rewards, move.agent)))
    earned = {agent: sum(move.rewards.get(agent, 0.0) for move in moves) for agent in agents}
    tiles = (
        f'<div class="tile"><small>{text(agent)} earned</small><strong>{reward:.3f}</strong></div>'
        for agent, reward in earned.items()
    )
    told = (
        f"<span>{text(key)} <b>{text(figure(value))}</b></span>" for key, value in (facts or {}).items() if value != ""
    )
    parts = {
        "title": text(title),
        "meta": " · ".join(told),
        "tiles": "".join(tiles),
        "about": _text(about) if about else "",
        "moves": "\n".join(_move(move, agents.index(move.agent)) for move in moves),
    }
    return document("game", parts)


def _move(move: Move, side: int) -> str:
    shown = "".join(_text(one) for one in move.texts[:OPEN])
    rest = move.texts[OPEN:]
    if rest:
        shown += f"<details><summary>{len(rest)} more</summary>{''.join(map(_text, rest))}</details>"
    earned = "".join(f" <b>{text(agent)} {reward:+.3f}</b>" for agent, reward in move.rewards.items() if reward)
    heading = f"<h2>{text(move.agent)} <small>{text(move.phase)}</small></h2>"
    return (
        f'<li class="move{" second" if side else ""}">{heading}{shown}'
        f'<p class="outcome">{text(move.outcome)}{earned}</p></li>'
    )


def _text(one: str) -> str:
    return f'<pre class="text">\n{text(one) or " "}</pre>'  # the parser drops the first line break


def cross_play_svg(rates: np.ndarray, *, title: str = "", width: int = 720) -> str:
    """Rates in [0, 1] of shape (attacks, defences) as a grid of cells, each with its number.

    Args:
        rates: what :func:`lse_gym.envs.games.injection.cross_play.cross_play` returns.
        title: heading, plain text.
        width: of the picture, in px.
    """
    rows, columns = rates.shape
    cell = min(64.0, (width - LEFT - 16) / max(1, columns))
    body = [
        _label(LEFT, TOP - 28, "defence of round", "start", "lse-mute"),
        _label(16, TOP - 8, "attack", "start", "lse-mute"),
    ]
    for j in range(columns):
        body.append(_label(LEFT + (j + 0.5) * cell, TOP - 8, str(j), "middle", "lse-mute"))
    for i in range(rows):
        y = TOP + (i + 0.5) * cell
        body.append(_label(LEFT - 8, y + 4, str(i), "end", "lse-mute"))
        for j in range(columns):
            body.append(_cell(LEFT + (j + 0.5) * cell, y, cell, float(rates[i, j])))
    height = TOP + rows * cell + LABEL
    return svg_document(width, height, title, f"success of {rows} attacks against {columns} defences", body)


def _label(x: float, y: float, said: str, anchor: str, ink: str) -> str:
    return f'<text class="lse-t lse-s {ink}" text-anchor="{anchor}" x="{px(x)}" y="{px(y)}">{said}</text>'


def _cell(x: float, y: float, size: float, rate: float) -> str:
    corner, side = px(x - size / 2 + 1), px(size - 2)
    ink = "#fff" if rate < 0.55 else "#1c2128"  # dark cells are low
    return (
        f'<rect x="{corner}" y="{px(y - size / 2 + 1)}" width="{side}" height="{side}" rx="4" fill="{color(rate)}"/>'
        f'<text class="lse-t lse-s" fill="{ink}" text-anchor="middle" x="{px(x)}" y="{px(y + 4)}">{rate:.2f}</text>'
    )
