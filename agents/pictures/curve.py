"""The held-out score over the rounds of a run as one SVG document."""

import math

from lse_gym.agents.pictures.svg import clean, number, px, score, svg_document, text
from lse_gym.agents.pictures.tree import Family, read_tree

LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 52, 158, 62, 46  # margins; the direct labels stand in the right one
HEIGHT_PX = 360
LINE_PX = 15  # least distance between two labels


def ticks(end: float, count: int = 10) -> list[float]:
    """Return round whole numbers from 0 to ``end``, at most ``count`` steps.

    >>> ticks(40)
    [0, 5, 10, 15, 20, 25, 30, 35, 40]
    """
    power = 10 ** max(0, math.floor(math.log10(max(end, 1) / count)))
    step = next(m * power for m in (1, 2, 5, 10, 20, 50) if end / (m * power) <= count)
    return [k * step for k in range(int(end / step) + 1)]


def spread(places: list[float], low: float, high: float) -> list[float]:
    """Move label positions apart to ``LINE_PX``, within [low, high], keeping their order and as near as can be."""
    order = sorted(range(len(places)), key=lambda i: (places[i], i))
    moved = list(places)
    floor = low
    for i in order:
        moved[i] = floor = max(moved[i], floor)
        floor += LINE_PX
    ceiling = high
    for i in reversed(order):
        moved[i] = ceiling = min(moved[i], ceiling)
        ceiling -= LINE_PX
    return moved


class _Frame:
    """Maps rounds and scores to px."""

    def __init__(self, last_round: float, width: float) -> None:
        self.last = max(1.0, last_round)
        self.left, self.right = LEFT_PX, width - RIGHT_PX
        self.top, self.bottom = TOP_PX, HEIGHT_PX - BOTTOM_PX

    def x(self, round_idx: float) -> float:
        return self.left + (self.right - self.left) * (round_idx / self.last)

    def y(self, value: float) -> float:
        return self.bottom - (self.bottom - self.top) * value

    def axes(self) -> list[str]:
        """Draw grid, ticks and names of both axes."""
        drawn = []
        for k in range(6):
            y = self.y(k / 5)
            drawn.append(f'<path class="lse-grid" d="M{px(self.left, y)}H{px(self.right)}"/>')
            drawn.append(_word(self.left - 8, y + 4, f"{k / 5:.1f}", "end"))
        for tick in ticks(self.last, 10 if self.right > 300 else 5):
            x = self.x(tick)
            drawn.append(f'<path class="lse-axis" d="M{px(x, self.bottom)}v4"/>')
            drawn.append(_word(x, self.bottom + 17, f"{tick:g}", "middle"))
        return [
            *drawn,
            f'<path class="lse-axis" d="M{px(self.left, self.bottom)}H{px(self.right)}"/>',
            _word((self.left + self.right) / 2, self.bottom + 36, "round", "middle"),
            _word(16, self.top - 17, "held-out score of each visited context", "start"),
        ]


def _word(x: float, y: float, word: str, anchor: str) -> str:
    return f'<text class="lse-t lse-mute" x="{px(x)}" y="{px(y)}" text-anchor="{anchor}">{word}</text>'


def _best_so_far(family: Family, frame: _Frame, order: list[int]) -> str:
    """Return the step line of the best score so far, drawn to the last round."""
    first = order[0]
    parts, top = [f"M{px(frame.x(_round(family, first)), frame.y(family.scores[first]))}"], family.scores[first]
    for i in order[1:]:
        if family.scores[i] > top:
            top = family.scores[i]
            parts.append(f"H{px(frame.x(_round(family, i)))}V{px(frame.y(top))}")
    return f'<path class="lse-path" d="{"".join(parts)}H{px(frame.right)}"/>'


def _round(family: Family, i: int) -> float:
    return max(0.0, number(family.nodes[i].get("round_idx")))


def _direct_labels(frame: _Frame, marks: list[tuple[float, float, str, str]]) -> list[str]:
    """Write (score, start of its line, label, style) right of the plot, apart from each other."""
    at = [frame.y(value) for value, _, _, _ in marks]
    drawn = []
    for y, place, (_, x, label, style) in zip(at, spread(at, frame.top, frame.bottom), marks, strict=True):
        drawn.append(f'<path class="lse-lead" d="M{px(x, y)}H{px(frame.right + 19)}L{px(frame.right + 30, place)}"/>')
        drawn.append(
            f'<text class="lse-t lse-halo {style}" x="{px(frame.right + 34)}" y="{px(place + 4)}">{text(label)}</text>'
        )
    return drawn


def _diamond(x: float, y: float, style: str, label: str) -> str:
    return f'<path class="{style}" d="M{px(x, y - 6)}l6,6l-6,6l-6,-6z"><title>{text(label)}</title></path>'


def _references(
    frame: _Frame, seed: float, best: float, oracle: float | None, test: tuple[float, float] | None
) -> list[str]:
    """Draw the baselines, the test scores and all direct labels."""
    edge, gutter = frame.right + 2, frame.right + 10
    marks = [(best, edge, f"best so far {best:.2f}", "lse-hot lse-b"), (seed, edge, f"seed {seed:.2f}", "lse-ink")]
    drawn, diamonds = [f'<path class="lse-base" d="M{px(frame.left, frame.y(seed))}H{px(frame.right)}"/>'], []
    if oracle is not None:
        top = score(oracle)
        marks.append((top, edge, f"oracle {top:.2f}", "lse-mute"))
        drawn.append(f'<path class="lse-base" d="M{px(frame.left, frame.y(top))}H{px(frame.right)}"/>')
    if test is not None:
        for value, name, style in zip(map(score, test), ("seed", "best"), ("lse-hollow", "lse-full"), strict=True):
            ink = "lse-hot" if style == "lse-full" else "lse-ink"
            marks.append((value, gutter + 7, f"test, {name} {value:.2f}", ink))
            diamonds.append(_diamond(gutter, frame.y(value), style, f"test score, {name} context {value:.3f}"))
    return drawn + _direct_labels(frame, marks) + diamonds


def curve_svg(
    tree: dict,
    *,
    title: str = "",
    oracle: float | None = None,
    test: tuple[float, float] | None = None,
    width: int = 900,
) -> str:
    """Draw the held-out score of every visited context over the rounds, and the best so far.

    Args:
        tree: what ``tree.json`` holds.
        title: heading, plain text.
        oracle: score in [0, 1] of a context known to be right, drawn as a ceiling.
        test: scores of seed and best context on the test split, marked at the right edge.
        width: in px, at least 360.

    Returns:
        A standalone SVG document.
    """
    family, width = read_tree(tree), max(360, width)
    title = clean(title)
    if not family.nodes:
        note = [_word(width / 2, 70, "no contexts yet", "middle")]
        return svg_document(width, 120, title, "empty score curve", note)
    order = sorted(range(len(family.nodes)), key=lambda i: (_round(family, i), number(family.nodes[i].get("id")), i))
    frame = _Frame(_round(family, order[-1]), width)
    seed, best = family.scores[0], family.scores[family.best]
    size = px(4.2 if len(order) <= 60 else 2.8)
    dots = []
    for i in order:
        x, y = px(frame.x(_round(family, i))), px(frame.y(family.scores[i]))
        caption = text(family.caption(i))
        dots.append(f'<circle class="lse-dot" cx="{x}" cy="{y}" r="{size}"><title>{caption}</title></circle>')
    x, y = frame.x(_round(family, family.best)), frame.y(best)
    ring = f'<circle class="lse-ring" cx="{px(x)}" cy="{px(y)}" r="7"/>'
    body = [*frame.axes(), *_references(frame, seed, best, oracle, test), _best_so_far(family, frame, order)]
    label = f"held-out score over {frame.last:g} rounds, seed {seed:.2f}, best {best:.2f}"
    return svg_document(width, HEIGHT_PX, title, label, [*body, *dots, ring])
