"""The evolution tree of a run as one SVG document."""

import math
from dataclasses import dataclass
from itertools import pairwise

from lse_gym.agents.pictures.svg import clean, color, number, px, score, svg_document, text

# Least distances: between layers, between layers once the tree is folded anyway, between neighbours in one layer.
MIN_COLUMN_PX, FOLDED_COLUMN_PX, MIN_GAP_PX = 13, 20, 9
NARROW_PX, LEGEND_LINE_PX = 500, 18  # where the words of the legend take a second line
LEFT, RIGHT, TOP, FOOT = 86, 44, 36, 46  # margins in px; the seed's label stands in the left one


@dataclass(frozen=True)
class Family:
    """The nodes of a tree in drawing order; parents come before their children and are named by position."""

    nodes: list[dict]
    parents: list[int]  # -1 for a root
    depths: list[int]
    scores: list[float]

    @property
    def best(self) -> int:
        """Position of the highest score; of equals the deepest, then the latest, as in LSE's selection."""
        return max(range(len(self.nodes)), key=lambda i: (self.scores[i], self.depths[i], i))

    def path(self, i: int) -> list[int]:
        """Positions from a node up to its root."""
        steps = [i]
        while (i := self.parents[i]) >= 0:
            steps.append(i)
        return steps

    def gain(self, i: int) -> float:
        """Improvement of a node over its parent."""
        p = self.parents[i]
        return number(self.nodes[i].get("improvement"), self.scores[i] - self.scores[p] if p >= 0 else 0.0)

    @property
    def telling(self) -> int:
        """Position of the largest gain over a parent; of equals the first. Without any gain the best."""
        gains = [self.gain(i) if parent >= 0 else 0.0 for i, parent in enumerate(self.parents)]
        return gains.index(max(gains)) if max(gains) > 0 else self.best

    def caption(self, i: int) -> str:
        """One line about a node, in plain text."""
        node = self.nodes[i]
        change = f" · improvement {self.gain(i):+.2f}" if self.parents[i] >= 0 else " · seed context"
        return (
            f"context {clean(node.get('id'))} · held-out {self.scores[i]:.2f}{change}"
            f" · round {number(node.get('round_idx')):g} · visits {number(node.get('visits')):g}"
        )


def read_tree(tree: dict) -> Family:
    """Order the nodes of ``tree.json`` breadth first; a node with an unknown parent, or in a ring, becomes a root."""
    nodes = [node for node in tree.get("nodes") or [] if isinstance(node, dict)]
    index = {clean(node["id"]): i for i, node in enumerate(nodes) if node.get("id") is not None}
    wanted = [node.get("parent_id") for node in nodes]
    above = [-1 if parent is None else index.get(clean(parent), -1) for parent in wanted]
    below: list[list[int]] = [[] for _ in nodes]
    for i, parent in enumerate(above):
        if parent >= 0:
            below[parent].append(i)
    order: list[int] = []
    place: dict[int, int] = {}
    parents, depths = [], []
    # Real roots first; the second pass finds only what hangs on a ring.
    for start in [i for i, parent in enumerate(above) if parent < 0] + list(range(len(nodes))):
        queue = [] if start in place else [(start, -1)]
        for i, parent in queue:
            if i not in place:
                place[i] = len(order)
                order.append(i)
                parents.append(parent)
                depths.append(depths[parent] + 1 if parent >= 0 else 0)
                queue.extend((kid, place[i]) for kid in below[i])
    return Family([nodes[i] for i in order], parents, depths, [score(nodes[i].get("performance")) for i in order])


def pack(parents: list[int]) -> list[float]:
    """Return a place across the layers for every node: neighbours in a layer at least 1 apart, parents centred."""
    count = len(parents)
    kids: list[list[int]] = [[] for _ in range(count + 1)]  # the last entry is a parent of all roots
    for i, parent in enumerate(parents):
        kids[parent].append(i)
    shift = [0.0] * count
    # Outlines of subtrees as (low, high) per layer, deepest layer first, so that a parent is appended cheaply.
    outline: list[list[tuple[float, float]]] = [[] for _ in range(count + 1)]
    for i in [count, *range(count)][::-1]:
        merged: list[tuple[float, float]] = []
        for kid in kids[i]:
            mine = outline[kid]
            layers = zip(reversed(merged), reversed(mine), strict=False)
            shift[kid] = by = max((left[1] + 1 - right[0] for left, right in layers), default=0.0)
            tail = [(low + by, high + by) for low, high in mine] if by else mine
            shared = min(len(merged), len(tail))
            both = [
                (left[0], right[1])
                for left, right in zip(merged[len(merged) - shared :], tail[len(tail) - shared :], strict=True)
            ]
            merged = (merged if len(merged) > shared else tail)[: max(len(merged), len(tail)) - shared] + both
            outline[kid] = []
        middle = (shift[kids[i][0]] + shift[kids[i][-1]]) / 2 if kids[i] else 0.0
        for kid in kids[i]:
            shift[kid] -= middle
        outline[i] = ([(low - middle, high - middle) for low, high in merged] if middle else merged) + [(0.0, 0.0)]
    for i, parent in enumerate(parents):
        if parent >= 0:
            shift[i] += shift[parent]
    return shift


@dataclass(frozen=True)
class Layout:
    """Where everything stands, in px."""

    points: list[tuple[float, float]]
    radius: float
    height: float
    sideways: bool  # the root is on the left, not on top
    labelled: bool  # there is room for a score at every node


def _sideways(depths: list[int], across: list[float], width: float) -> Layout:
    """Root on the left; a tree with more layers than fit is folded into bands that run there and back."""
    usable = width - LEFT - RIGHT
    layers = max(depths) + 1
    fits = layers <= usable // MIN_COLUMN_PX + 1
    bands = 1 if fits else math.ceil(layers / (usable // FOLDED_COLUMN_PX + 1))
    columns = math.ceil(layers / bands)
    column = min(130.0, usable / max(1, columns - 1))
    row = min(44.0, max(22.0, 560 / (max(across) - min(across) + 1)))
    left = LEFT + (usable - column * (columns - 1)) / 2
    points = [(0.0, 0.0)] * len(depths)
    y = TOP + 24.0
    for band in range(bands):
        members = [i for i, depth in enumerate(depths) if depth // columns == band]
        low, high = min(across[i] for i in members), max(across[i] for i in members)
        for i in members:
            step = depths[i] % columns
            x = left + column * (step if band % 2 == 0 else columns - 1 - step)
            # Every second band is turned over, so that the edges around a fold nest instead of crossing.
            points[i] = (x, y + (across[i] - low if band % 2 == 0 else high - across[i]) * row)
        y += (high - low) * row + 44
    return Layout(points, min(10.0, 0.25 * column, 0.22 * row), y - 18 + FOOT, True, column >= 34)


def _downward(depths: list[int], across: list[float], width: float) -> Layout:
    """Root on top; a layer too dense for one line of nodes is staggered over several."""
    low = min(across)
    unit = (width - 2 * RIGHT) / max(1.0, max(across) - low)
    layers: list[list[int]] = [[] for _ in range(max(depths) + 1)]
    for i in sorted(range(len(depths)), key=lambda i: (across[i], i)):
        layers[depths[i]].append(i)
    gaps = [min((across[b] - across[a] for a, b in pairwise(layer)), default=99.0) * unit for layer in layers]
    lines = [math.ceil(MIN_GAP_PX / gap) for gap in gaps]
    radius = min(7.0, 0.36 * min(gap * n for gap, n in zip(gaps, lines, strict=True)))
    step = 2 * radius + 3
    layer_step = min(90.0, max(2 * radius + 26, 600 / len(layers)))
    points = [(0.0, 0.0)] * len(depths)
    y = TOP + 24.0
    for layer, n in zip(layers, lines, strict=True):
        line, last = 0, -math.inf
        for i in layer:
            x = RIGHT + (across[i] - low) * unit
            line = (line + 1) % n if x - last < MIN_GAP_PX else 0  # a gap starts again on the first line
            points[i], last = (x, y + line * step), x
        y += (n - 1) * step + layer_step
    return Layout(points, radius, y - layer_step + radius + 18 + FOOT, False, False)


def lay_out(family: Family, width: float) -> Layout:
    """Choose the direction that keeps the picture compact and place every node without overlap."""
    across = pack(family.parents)
    # More rows than this need less height when they stand side by side.
    return (_sideways if max(across) - min(across) < 35 else _downward)(family.depths, across, width)


def _edge(layout: Layout, start: tuple[float, float], end: tuple[float, float]) -> str:
    """Return the path data of one edge."""
    (x1, y1), (x2, y2) = start, end
    if not layout.sideways:
        middle = (y1 + y2) / 2
        return f"M{px(x1, y1)}C{px(x1, middle, x2, middle, x2, y2)}"
    if abs(x1 - x2) < 1:  # the fold between two bands: around the outside
        reach = min(52, 22 + abs(y2 - y1) / 20)
        out = x1 + (reach if x1 > min(x for x, _ in layout.points) + 1 else -reach)
        return f"M{px(x1, y1)}C{px(out, y1, out, y2, x2, y2)}"
    middle = (x1 + x2) / 2
    return f"M{px(x1, y1)}C{px(middle, y1, middle, y2, x2, y2)}"


def _edges(family: Family, layout: Layout) -> list[str]:
    """Draw all edges, one element for each style; the path to the best context lies on top."""
    path = set(family.path(family.best))
    groups: dict[str, list[str]] = {"lse-edge": [], "lse-fell": [], "lse-path": [], "lse-path lse-dash": []}
    for i, parent in enumerate(family.parents):
        if parent >= 0:
            fell = family.gain(i) < 0
            plain, hot = ("lse-fell", "lse-path lse-dash") if fell else ("lse-edge", "lse-path")
            groups[hot if i in path else plain].append(_edge(layout, layout.points[parent], layout.points[i]))
    lines = [f'<path class="{style}" d="{"".join(parts)}"/>' for style, parts in groups.items() if parts]
    return [
        f'<g class="{"lse-fine" if layout.radius < 5 or len(path) + 60 < len(family.nodes) else "lse-broad"}">',
        *lines,
        "</g>",
    ]


def _free_spot(layout: Layout, i: int, label: str, width: float, boxes: list[tuple[float, ...]]) -> list[str]:
    """Draw a label as near to its node as no other node or label is in the way, with a line to it where far."""
    x, y = layout.points[i]
    wide, reach = 7.0 * len(label), layout.radius + 6
    for far in range(0, 200, 6):
        d = reach + far
        above, below, after, before = (x, y - d - 5), (x, y + d + 5), (x + d + wide / 2, y), (x - d - wide / 2, y)
        # Where no edge runs comes first.
        first = [before, above, below, after] if i == 0 and layout.sideways else [above, below, after, before]
        for cx, cy in first if layout.sideways or i == 0 else [below, above, after, before]:
            box = (cx - wide / 2, cy - 7, cx + wide / 2, cy + 7)
            inside = box[0] > 4 and box[2] < width - 4 and box[1] > 28 and box[3] < layout.height - FOOT + 12
            if inside and not any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in boxes):
                boxes.append(box)
                to = (cx, cy + 7) if cy < y else (cx, cy - 7)
                lead = [f'<path class="lse-lead" d="M{px(x, y)}L{px(*to)}"/>'] if far and cy != y else []
                return [*lead, _label(cx, cy + 4, label, "lse-b lse-ink")]
    return [_label(x, y - reach, label, "lse-b lse-ink")]


def _label(x: float, y: float, label: str, style: str) -> str:
    return f'<text class="lse-t lse-halo {style}" x="{px(x)}" y="{px(y)}" text-anchor="middle">{text(label)}</text>'


def _labels(family: Family, layout: Layout, width: float) -> list[str]:
    """Label the seed and the best context always, every other node where there is room."""
    best, r = family.best, layout.radius
    named = {0: f"seed {family.scores[0]:.2f}"}
    named[best] = f"best {family.scores[best]:.2f}" if best else f"seed = best {family.scores[0]:.2f}"
    drawn, boxes = [], []
    for i, (x, y) in enumerate(layout.points):
        boxes.append((x - r - 1, y - r - 1, x + r + 1, y + r + 1))
        if layout.labelled and i not in named:
            drawn.append(_label(x, y - r - 4, f"{family.scores[i]:.2f}", "lse-s lse-mute"))
            boxes.append((x - 12, y - r - 13, x + 12, y - r - 3))
    for i in sorted(named, reverse=True):
        drawn += _free_spot(layout, i, named[i], width, boxes)
    return drawn


def score_range(scores: list[float]) -> tuple[float, float]:
    """Return the ends of the colour scale: tenths around all scores, at least 0.2 apart."""
    low, high = math.floor(min(scores) * 10 + 1e-9) / 10, math.ceil(max(scores) * 10 - 1e-9) / 10
    if high - low < 0.2 - 1e-9:
        low, high = max(0.0, min(low, 0.8)), min(1.0, max(low + 0.2, 0.2))
    return round(low, 1), round(high, 1)


def _legend(family: Family, ends: tuple[float, float], width: float, y: float) -> list[str]:
    """Draw the colour scale and a word for each style that the picture uses."""
    low, high = ends
    drawn = [f'<text class="lse-t lse-mute" x="16" y="{px(y)}">held-out score</text>']
    drawn.append(f'<text class="lse-t lse-mute" x="132" y="{px(y)}" text-anchor="end">{low:.1f}</text>')
    for k in range(24):
        shade = color((k + 0.5) / 24)
        drawn.append(f'<rect x="{px(137 + 4 * k)}" y="{px(y - 9)}" width="4.3" height="10" fill="{shade}"/>')
    drawn.append(f'<text class="lse-t lse-mute" x="239" y="{px(y)}">{high:.1f}</text>')
    path, rest = family.path(family.best), range(len(family.nodes))
    words = [("lse-path", "path to the best")] if len(path) > 1 else []
    words += [("lse-fell", "score fell")] if any(family.gain(i) < 0 and family.parents[i] >= 0 for i in rest) else []
    x, y = (284.0, y) if width >= NARROW_PX else (16.0, y + LEGEND_LINE_PX)
    for style, word in [*words, ("lse-ring", "best context")]:
        if x + 40 + 6 * len(word) > width:
            break
        mark = (
            f'<circle class="lse-ring" cx="{px(x + 16)}" cy="{px(y - 4)}" r="5"/>'
            if style == "lse-ring"
            else f'<path class="{style}" d="M{px(x, y - 4)}h22"/>'
        )
        drawn.append(f'{mark}<text class="lse-t lse-mute" x="{px(x + 28)}" y="{px(y)}">{word}</text>')
        x += 50 + 6 * len(word)
    return drawn


def tree_svg(tree: dict, *, title: str = "", width: int = 900) -> str:
    """Draw the evolution tree: colour is the held-out score, the ring marks the best context.

    Args:
        tree: what ``tree.json`` holds.
        title: heading, plain text.
        width: in px, at least 320; the height follows from the tree.

    Returns:
        A standalone SVG document. Each node is a circle of class ``lse-node`` with its caption as hover title and
        its position in ``read_tree(tree).nodes`` as ``data-i``.
    """
    family, width = read_tree(tree), max(320, width)
    title = clean(title)
    if not family.nodes:
        note = [f'<text class="lse-t lse-mute" x="{px(width / 2)}" y="70" text-anchor="middle">no contexts yet</text>']
        return svg_document(width, 120, title, "empty evolution tree", note)
    layout, ends, best = lay_out(family, width), score_range(family.scores), family.best
    body, r = _edges(family, layout), px(layout.radius)
    nodes = []
    for i, (x, y) in enumerate(layout.points):
        nodes.append(
            f'<circle class="lse-node" data-i="{i}" cx="{px(x)}" cy="{px(y)}" r="{r}" '
            f'fill="{color(family.scores[i], *ends)}"><title>{text(family.caption(i))}</title></circle>'
        )
    x, y = layout.points[best]
    ring = f'<circle class="lse-ring" cx="{px(x)}" cy="{px(y)}" r="{px(layout.radius + 2 + layout.radius / 8)}"/>'
    body += [*nodes, ring, *_labels(family, layout, width), *_legend(family, ends, width, layout.height - 18)]
    label = f"evolution tree of {len(nodes)} contexts, seed {family.scores[0]:.2f}, best {family.scores[best]:.2f}"
    height = layout.height + (LEGEND_LINE_PX if width < NARROW_PX else 0)
    return svg_document(width, height, title, label, body)
