"""Scatter plots of a track: score against what it cost."""

from collections.abc import Sequence

from lse_gym.agents.pictures.curve import spread, ticks
from lse_gym.agents.pictures.svg import px, svg_document, text
from lse_gym.leaderboard.ranking import Row

HEIGHT = 380
LEFT, TOP, BOTTOM = 46, 44, 330
LABELS_PX, CHAR_PX = 210, 7.2  # labels stand right of the plot; widest character
MAX_LABELS = 18  # what fits beside the plot
MAX_POINTS = 400  # of the best entries


def drawn(rows: Sequence[Row], name: str) -> list[Row]:
    """The ranked entries that tell a column, best first; no more than a plot has room for."""
    return [row for row in rows if row.score is not None and getattr(row, name) is not None][:MAX_POINTS]


def scatter(rows: Sequence[Row], name: str, label: str, width: int = 640) -> str:
    """Draw the sealed score of every ranked entry, with its interval, against one of its columns.

    Args:
        rows: entries of one track, best first.
        name: the column, such as "calls".
        label: what stands at the axis.
        width: in px; a third of it or more is the plot's.
    """
    ranked = drawn(rows, name)
    end = max([getattr(row, name) for row in ranked], default=0) or 1
    heading, right = f"Sealed score by {label}", width - min(LABELS_PX, width // 3)
    body = [*_axes(end, label, right)]
    points = [(LEFT + getattr(row, name) / end * (right - LEFT), _y(row.score or 0.0), row) for row in ranked]
    for x, y, row in points:
        low, high = row.ci95
        body.append(f'<path class="lse-lead" d="M{px(x, _y(low))}V{px(_y(high))}"/>')
        told = f"{row.label}: {row.score:.3f} ({low:.3f} to {high:.3f}), {getattr(row, name):,.0f} {label}"
        body.append(f'<circle class="lse-dot" cx="{px(x)}" cy="{px(y)}" r="4.5"><title>{text(told)}</title></circle>')
    named, most = points[:MAX_LABELS], int((width - right - 18) / CHAR_PX)
    for (x, y, row), place in zip(named, spread([y for _, y, _ in named], TOP, BOTTOM), strict=True):
        short = row.label if len(row.label) <= most else f"{row.label[: most - 1]}…"
        body.append(f'<path class="lse-grid" d="M{px(x + 6, y)}L{px(right + 14, place)}"/>')
        body.append(f'<text class="lse-t lse-ink" x="{right + 18}" y="{px(place + 4)}">{text(short)}</text>')
    return svg_document(width, HEIGHT, heading, f"{len(ranked)} entries with 95 % intervals", body)


def _axes(end: float, label: str, right: int) -> list[str]:
    drawn = []
    for tenth in range(0, 11, 2):
        drawn.append(f'<path class="lse-grid" d="M{LEFT},{px(_y(tenth / 10))}H{right}"/>')
        drawn.append(_word(LEFT - 8, _y(tenth / 10) + 4, f"{tenth / 10:g}", "end"))
    for tick in ticks(end, 8 if right > 300 else 4):
        x = LEFT + tick / end * (right - LEFT)
        drawn.append(f'<path class="lse-axis" d="M{px(x)},{BOTTOM}v4"/>')
        drawn.append(_word(x, BOTTOM + 17, f"{tick:,.0f}", "middle"))
    drawn.append(f'<path class="lse-axis" d="M{LEFT},{BOTTOM}H{right}"/>')
    drawn.append(_word((LEFT + right) / 2, BOTTOM + 36, label, "middle"))
    return drawn


def _y(score: float) -> float:
    return BOTTOM - score * (BOTTOM - TOP)


def _word(x: float, y: float, word: str, anchor: str) -> str:
    return f'<text class="lse-t lse-mute" x="{px(x)}" y="{px(y)}" text-anchor="{anchor}">{text(word)}</text>'
