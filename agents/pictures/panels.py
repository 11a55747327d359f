"""Numbers over a training as panels side by side: a line for each run, a thick one for the mean of a condition."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from lse_gym.agents.pictures.curve import spread, ticks
from lse_gym.agents.pictures.svg import clean, color, px, svg_document, text

Line = Sequence[tuple[float, float]]
"""places and values, by place"""
WIDTH, HEIGHT, LEFT, TOP, GAP, LABELS = 250, 170, 46, 74, 62, 140  # px; of one panel, and around them
PLACES = 24  # of a mean line


class Panel(NamedTuple):
    """One number: its name, the runs of each condition, and the values at the lower and the upper edge."""

    name: str
    runs: Mapping[str, Sequence[Line]]
    low: float = 0.0
    high: float = 1.0


def panels_svg(panels: Sequence[Panel], *, title: str = "", place: str = "step") -> str:
    """Draw the panels.

    Args:
        panels: at least one; a condition has the same colour in all of them.
        title: heading, plain text.
        place: what the horizontal axis counts.

    Returns:
        A standalone SVG document.
    """
    names = list(dict.fromkeys(name for panel in panels for name in panel.runs))
    last = (
        max((x for panel in panels for runs in panel.runs.values() for run in runs for x, _ in run), default=1.0) or 1.0
    )
    body: list[str] = []
    for index, panel in enumerate(panels):
        frame = _Frame(LEFT + index * (WIDTH + GAP), last, panel)
        body += [*frame.axes(place), *_lines(frame, panel, names)]
    right = LEFT + len(panels) * (WIDTH + GAP) - GAP
    body += _legend(panels[-1], names, right, last)
    label = f"{', '.join(clean(panel.name) for panel in panels)} of {', '.join(map(clean, names)) or 'no runs'}"
    return svg_document(right + LABELS, TOP + HEIGHT + 52, clean(title), label, body)


def mean_line(runs: Sequence[Line], places: int = PLACES) -> list[tuple[float, float]]:
    """The mean of the runs at places that all of them reach, each run interpolated between its points.

    >>> mean_line([[(0, 0.0), (2, 1.0)], [(0, 1.0), (2, 0.0)]], 3)
    [(0.0, 0.5), (1.0, 0.5), (2.0, 0.5)]
    """
    full = [run for run in runs if run]
    if not full:
        return []
    first, last = max(run[0][0] for run in full), min(run[-1][0] for run in full)
    steps = max(1, places - 1)
    at = [first + (last - first) * k / steps for k in range(places)] if last > first else [float(first)]
    return [(x, sum(_value(run, x) for run in full) / len(full)) for x in at]


def _value(run: Line, x: float) -> float:
    for (x0, y0), (x1, y1) in pairwise(run):
        if x0 <= x <= x1:
            return y0 + (y1 - y0) * ((x - x0) / (x1 - x0) if x1 > x0 else 0.0)
    return run[-1][1] if x >= run[-1][0] else run[0][1]


class _Frame:
    """Maps places and values of one panel to px."""

    def __init__(self, left: float, last: float, panel: Panel) -> None:
        self.left, self.last, self.panel = left, last, panel

    def at(self, x: float, value: float) -> tuple[float, float]:
        low, high = self.panel.low, self.panel.high
        share = min(1.0, max(0.0, (value - low) / (high - low)))
        return self.left + WIDTH * x / self.last, TOP + HEIGHT * (1 - share)

    def axes(self, place: str) -> list[str]:
        drawn = [_word(self.left - 30, TOP - 16, self.panel.name, "start")]
        for k in range(5):
            value = self.panel.low + (self.panel.high - self.panel.low) * k / 4
            _, y = self.at(0, value)
            drawn.append(f'<path class="lse-grid" d="M{px(self.left, y)}h{WIDTH}"/>')
            drawn.append(_word(self.left - 6, y + 4, f"{value:.2f}", "end"))
        for tick in ticks(self.last, 4):
            x, y = self.at(tick, self.panel.low)
            drawn.append(f'<path class="lse-axis" d="M{px(x, y)}v4"/>')
            drawn.append(_word(x, y + 17, f"{tick:,g}", "middle"))
        x, y = self.at(0, self.panel.low)
        return [
            *drawn,
            f'<path class="lse-axis" d="M{px(x, y)}h{WIDTH}"/>',
            _word(self.left + WIDTH / 2, y + 36, place, "middle"),
        ]


def _lines(frame: _Frame, panel: Panel, names: Sequence[str]) -> list[str]:
    drawn = []
    for name, runs in panel.runs.items():
        style = f'fill="none" stroke="{_stroke(names, name)}" stroke-linejoin="round"'
        drawn += [
            f'<path {style} stroke-width="1" stroke-opacity=".3" d="{_path(frame, run)}"/>' for run in runs if run
        ]
        if line := mean_line(runs):
            caption = text(f"{name}: {line[-1][1]:.3f} at the end, mean of {sum(map(bool, runs))} runs")
            path = _path(frame, line)
            drawn.append(f'<path {style} stroke-width="2.4" d="{path}"><title>{caption}</title></path>')
    return drawn


def _path(frame: _Frame, line: Line) -> str:
    return "M" + "L".join(px(*frame.at(x, value)) for x, value in line)


def _legend(panel: Panel, names: Sequence[str], right: float, last: float) -> list[str]:
    """The names beside the ends of their lines in the last panel; without a line there, below each other."""
    frame = _Frame(right - WIDTH, last, panel)
    ends = [mean_line(panel.runs.get(name, ())) for name in names]
    at = [frame.at(*line[-1])[1] if line else TOP + HEIGHT / 2 for line in ends]
    drawn = []
    for name, y in zip(names, spread(at, TOP, TOP + HEIGHT), strict=True):
        stroke = _stroke(names, name)
        drawn.append(f'<path stroke="{stroke}" stroke-width="2.4" d="M{px(right + 8, y)}h12"/>')
        drawn.append(_word(right + 25, y + 4, name, "start"))
    return drawn


def _stroke(names: Sequence[str], name: str) -> str:
    """A colour of its own for each, from dark to light, none so light that it is lost on white."""
    return color(list(names).index(name), -0.4, max(1, len(names) - 1) * 1.45)


def _word(x: float, y: float, word: str, anchor: str) -> str:
    return f'<text class="lse-t lse-mute" x="{px(x)}" y="{px(y)}" text-anchor="{anchor}">{text(word)}</text>'
