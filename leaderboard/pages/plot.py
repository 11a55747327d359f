"""Scatter plots of a track: score against what it cost."""

from collections.abc import Sequence

from lse_gym.agents.pictures.curve import spread, ticks
from lse_gym.agents.pictures.svg import px, svg_document, text
from lse_gym.leaderboard.ranking import Row

WIDTH, HEIGHT = 640, 380
LEFT, TOP, BOTTOM = 46, 44, 330
RIGHT = 430  # labels stand right of it
MAX_LABELS = 18  # what fits beside the plot
MAX_POINTS = 400  # of the best entries


def scatter(rows: Sequence[Row], name: str, label: str) -> str:
    """Draw the sealed test score of every ranked entry, with its interval, against one of its columns.

    Args:
        rows: entries of one track, best first.
        name: the column, such as "calls".
        label: what stands at the axis.
    """
    ranked = [row for row in rows if row.score is not None][:MAX_POINTS]
    end = max([getattr(row, name) for row in ranked], default=0) or 1
    heading = f"Score against {label}"
    body = [*_axes(end, label)]
    points = [(LEFT + getattr(row, name) / end * (RIGHT - LEFT), _y(row.score or 0.0), row) for row in ranked]
    for x, y, row in points:
        low, high = row.ci95
        body.append(f'<path class="lse-lead" d="M{px(x, _y(low))}V{px(_y(high))}"/>')
        told = f"{row.agent}: {row.score:.3f} ({low:.3f} to {high:.3f}), {getattr(row, name):,.0f} {label}"
        body.append(f'<circle class="lse-dot" cx="{px(x)}" cy="{px(y)}" r="4.5"><title>{text(told)}</title></circle>')
    named = points[:MAX_LABELS]
    for (x, y, row), place in zip(named, spread([y for _, y, _ in named], TOP, BOTTOM), strict=True):
        short = row.agent if len(row.agent) <= 24 else f"{row.agent[:23]}…"
        body.append(f'<path class="lse-grid" d="M{px(x + 6, y)}L{px(RIGHT + 14, place)}"/>')
        body.append(f'<text class="lse-t lse-ink" x="{RIGHT + 18}" y="{px(place + 4)}">{text(short)}</text>')
    return svg_document(WIDTH, HEIGHT, heading, f"{len(ranked)} entries with 95 % intervals", body)


def _axes(end: float, label: str) -> list[str]:
    drawn = []
    for tenth in range(0, 11, 2):
        drawn.append(f'<path class="lse-grid" d="M{LEFT},{px(_y(tenth / 10))}H{RIGHT}"/>')
        drawn.append(_word(LEFT - 8, _y(tenth / 10) + 4, f"{tenth / 10:g}", "end"))
    for tick in ticks(end):
        x = LEFT + tick / end * (RIGHT - LEFT)
        drawn.append(f'<path class="lse-axis" d="M{px(x)},{BOTTOM}v4"/>')
        drawn.append(_word(x, BOTTOM + 17, f"{tick:,.0f}", "middle"))
    drawn.append(f'<path class="lse-axis" d="M{LEFT},{BOTTOM}H{RIGHT}"/>')
    drawn.append(_word((LEFT + RIGHT) / 2, BOTTOM + 36, label, "middle"))
    return drawn


def _y(score: float) -> float:
    return BOTTOM - score * (BOTTOM - TOP)


def _word(x: float, y: float, word: str, anchor: str) -> str:
    return f'<text class="lse-t lse-mute" x="{px(x)}" y="{px(y)}" text-anchor="{anchor}">{text(word)}</text>'
