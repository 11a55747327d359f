"""SVG parts that every picture of a run shares: clean text, numbers, colours, and the document around them."""

import html
import math
import re

# Everything that XML 1.0 forbids (control characters, lone surrogates), and the C1 controls.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Viridis at 0, 0.1, … 1: even steps of lightness, readable with every common colour blindness (matplotlib, CC0).
_VIRIDIS = "440154482475414487355f8d2a788e21918c22a88444bf707ad151bddf26fde725"
_RGB = [tuple(bytes.fromhex(_VIRIDIS[i : i + 6])) for i in range(0, len(_VIRIDIS), 6)]

# One sheet for every SVG, so that the page needs one hash for it. A background of its own keeps a picture readable
# where the surrounding page follows another theme than the browser.
STYLE = """
.lse-bg{fill:#fff}.lse-ink{fill:#1c2128}.lse-mute{fill:#59636e}.lse-hot{fill:#b93a08}
.lse-t{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
.lse-s{font-size:11px}.lse-b{font-weight:650}.lse-h{font-size:14px;font-weight:650}
.lse-halo{stroke:#fff;stroke-width:3.5;stroke-linejoin:round;paint-order:stroke}
.lse-edge,.lse-fell,.lse-path,.lse-grid,.lse-axis,.lse-base,.lse-lead,.lse-ring{fill:none}
.lse-edge,.lse-fell{stroke:#9aa4af;stroke-width:1.3}.lse-fell{stroke-dasharray:3 3}
.lse-fine .lse-edge,.lse-fine .lse-fell{stroke-width:.8;stroke-opacity:.8}.lse-fine .lse-path{stroke-width:1.9}
.lse-path{stroke:#d9480f;stroke-width:2.4;stroke-linejoin:round}.lse-dash{stroke-dasharray:5 3}
.lse-grid{stroke:#e7eaee}.lse-axis{stroke:#8c959f}.lse-base{stroke:#59636e;stroke-width:1.2;stroke-dasharray:5 4}
.lse-lead{stroke:#8c959f;stroke-width:.8}.lse-ring{stroke:#d9480f;stroke-width:1.7}
.lse-node{stroke:#1c2128;stroke-opacity:.55;stroke-width:.8}
.lse-dot{fill:#2a788e;fill-opacity:.6}.lse-full{fill:#d9480f}.lse-hollow{fill:#fff;stroke:#59636e;stroke-width:1.6}
@media (prefers-color-scheme:dark){
.lse-bg{fill:#161b22}.lse-ink{fill:#e6edf3}.lse-mute{fill:#9aa5b1}.lse-hot{fill:#ff9a66}.lse-halo{stroke:#161b22}
.lse-edge,.lse-fell{stroke:#66717e}.lse-path,.lse-ring{stroke:#ff7a3d}.lse-grid{stroke:#272e38}
.lse-axis,.lse-lead{stroke:#6e7985}.lse-base{stroke:#9aa5b1}.lse-node{stroke:#e6edf3}
.lse-dot{fill:#56b4c9}.lse-full{fill:#ff7a3d}.lse-hollow{fill:#161b22;stroke:#9aa5b1}
}
"""


def clean(value: object) -> str:
    """Return a value as text without the characters that XML and HTML forbid."""
    return _FORBIDDEN.sub("\ufffd", str(value))


def text(value: object) -> str:
    """Return a value as text that is safe inside an element or a quoted attribute."""
    return html.escape(clean(value))


def number(value: object, default: float = 0.0) -> float:
    """Return a value as a finite float, or the default where it is none."""
    try:
        result = float(value)  # ty: ignore[invalid-argument-type]  # the except clause is for the rest
    except (TypeError, ValueError, OverflowError):
        return default
    return result if math.isfinite(result) else default


def score(value: object) -> float:
    """Return a value as a score in [0, 1]; what is no finite number counts as 0."""
    return min(1.0, max(0.0, number(value)))


def px(*values: float) -> str:
    """Return coordinates in px, one decimal, separated by commas.

    >>> px(1.04, -0.01, 20)
    '1,0,20'
    """
    return ",".join(f"{round(value, 1) + 0.0:g}" if abs(value) < 1e5 else f"{value:.0f}" for value in values)


def color(value: float, low: float = 0.0, high: float = 1.0) -> str:
    """Return the colour of a score on a scale from ``low`` to ``high``."""
    place = min(1.0, max(0.0, (value - low) / (high - low))) * (len(_RGB) - 1)
    i = min(int(place), len(_RGB) - 2)
    return "#" + "".join(f"{round(a + (b - a) * (place - i)):02x}" for a, b in zip(_RGB[i], _RGB[i + 1], strict=True))


def svg_document(width: float, height: float, title: str, label: str, body: list[str]) -> str:
    """Wrap drawn elements into an SVG document with a heading, a background and the shared style sheet."""
    cut = 0 if title else 20  # no empty line where a heading would stand
    shown = title if len(title) <= width / 9 else title[: int(width / 9)] + "…"
    heading = [f'<text class="lse-t lse-h lse-ink" x="16" y="24">{text(shown)}</text>'] if title else []
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {cut} {px(width)} {px(height - cut)}" '
            f'width="{px(width)}" height="{px(height - cut)}" role="img" '
            f'aria-label="{text(f"{title}: {label}" if title else label)}">',
            f"<style>{STYLE}</style>",
            f'<rect class="lse-bg" width="{px(width)}" height="{px(height)}"/>',
            *heading,
            *body,
            "</svg>\n",
        ]
    )
