"""One self-contained HTML page about a run: pictures, figures, every context and its changes.

The page works from ``file://`` without a network: its policy allows nothing but its own style sheets and its own
script, named by their SHA-256. Contexts travel as JSON and reach the reader through ``textContent`` only.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from importlib.resources import files

from lse_gym.agents.pictures.curve import curve_svg
from lse_gym.agents.pictures.svg import STYLE, clean, number, text
from lse_gym.agents.pictures.tree import Family, lay_out, read_tree, tree_svg

_META = ("env_id", "domain", "agent", "task_model", "editor", "seed")
_COUNTS = ("rounds", "edits", "calls", "tokens")
# What could end a script element or a JavaScript line; JSON reads the escapes back as the same characters.
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
FOLDER = files("lse_gym.agents.pictures")
WIDTHS_PX = {"wide": 720, "narrow": 360}  # a page shows the pictures that suit it


def embed(value: object) -> str:
    """Return JSON that is safe inside a script element, whatever text it carries.

    >>> embed("</script>")
    '"\\\\u003c/script\\\\u003e"'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPES)


def shared_style() -> str:
    """Return the colours and rules that all pages of the package share; a page's own come after them."""
    return (FOLDER / "shared.css").read_text(encoding="utf-8")


def content_policy(style: str, script: str) -> str:
    """Return the content security policy of a page that has these inline, and the style sheet of the SVG pictures."""
    return (
        f"default-src 'none'; script-src {_sha256(script)}; style-src {_sha256(style)} {_sha256(STYLE)}; "
        "base-uri 'none'; form-action 'none'"
    )


def document(name: str, parts: Mapping[str, str], script: str = "") -> str:
    """Return the page whose template and style sheet are called ``name``, in the frame and the policy of all of them.

    Args:
        name: of the template.
        parts: HTML by placeholder; "title" and "meta" are those of the frame.
        script: what the page runs.
    """
    frame, body, own = (
        (FOLDER / file).read_text(encoding="utf-8") for file in ("frame.html", f"{name}.html", f"{name}.css")
    )
    style = shared_style() + own
    parts = {**parts, "policy": content_policy(style, script), "style": style, "script": script}
    # One pass: what a part brings along is never read as a placeholder.
    return re.sub(r"@@(\w+)@@", lambda found: parts[found[1]], frame.replace("@@body@@", body))


def _sha256(content: str) -> str:
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def in_widths(draw: Callable[[int], str]) -> str:
    """Return a picture for wide pages and one for phones, of which the style sheet shows one."""
    return "".join(f'<div class="{name}">{draw(width)}</div>' for name, width in WIDTHS_PX.items())


def figure(value: object) -> str:
    """Return a summary value for the reader: thousands apart, floats short, the rest as compact JSON."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return clean({True: "yes", False: "no", None: "none"}.get(value, value))
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**30 else "a very large number"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3g}"
    return clean(json.dumps(value, ensure_ascii=False, default=str))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and number(value, -1.0) == number(value, 1.0)


def _tile(name: str, value: str, note: str = "") -> str:
    return f'<div class="tile"><small>{name}</small><strong>{value}</strong><em>{note}</em></div>'


def _tiles(summary: dict) -> str:
    """Return the headline figures, for those keys that the summary has."""
    tiles = []
    for name, first, last in (
        ("Held-out score, seed → best", "seed_score", "best_held_out_score"),
        ("Test score, seed → best", "test_score_seed", "test_score_best"),
    ):
        before, after = summary.get(first), summary.get(last)
        shown = [f"{number(v):.3f}" if _is_number(v) else "n/a" for v in (before, after)]
        if shown == ["n/a", "n/a"]:
            continue
        # The interval belongs to the best context's score, so it comes first.
        notes = []
        if last == "test_score_best":
            ends = summary.get("test_ci95")
            if isinstance(ends, list | tuple) and len(ends) == 2 and all(map(_is_number, ends)):
                notes.append(f"95% CI {number(ends[0]):.3f} to {number(ends[1]):.3f}")
            if "test_n" in summary:
                notes.append(f"n = {text(figure(summary['test_n']))}")
        if "n/a" not in shown:
            notes.append(f"change {number(after) - number(before):+.3f}")
        tiles.append(_tile(name, f"{shown[0]} <i>→</i> {shown[1]}", " · ".join(notes)))
    tiles += [_tile(key.capitalize(), text(figure(summary[key]))) for key in _COUNTS if key in summary]
    return "".join(tiles)


def _lines(context: object) -> list[str]:
    return clean(context).replace("\r\n", "\n").replace("\r", "\n").split("\n")


def page_data(family: Family, sideways: bool) -> dict:
    """Return what the script needs; each different line is stored once, because children repeat their parents."""
    lines: dict[str, int] = {}
    nodes = []
    for i, node in enumerate(family.nodes):
        root = family.parents[i] < 0
        nodes.append(
            {
                "name": f"Context {clean(node.get('id'))}" + (", the seed" if i == 0 else ""),
                "parent": family.parents[i],
                "lines": [lines.setdefault(line, len(lines)) for line in _lines(node.get("context", ""))],
                "facts": [
                    f"{family.scores[i]:.3f}",
                    "n/a" if root else f"{family.gain(i):+.3f}",
                    f"{number(node.get('feedback_score')):.3f}",
                    f"{number(node.get('round_idx')):g}",
                    f"{family.depths[i]}",
                    f"{number(node.get('visits')):g}",
                ],
            }
        )
    names = ["Held-out score", "Improvement", "Feedback score", "Round", "Depth", "Visits"]
    best, telling = (family.best, family.telling) if family.nodes else (-1, -1)
    places = {"best": best, "telling": telling}
    return {"lines": list(lines), "facts": names, **places, "sideways": sideways, "nodes": nodes}


def _test_scores(summary: dict) -> tuple[float, float] | None:
    seed, best = summary.get("test_score_seed"), summary.get("test_score_best")
    return (number(seed), number(best)) if _is_number(seed) and _is_number(best) else None


def tree_page(tree: dict, summary: dict, *, title: str = "") -> str:
    """Return the page of a run as one HTML document.

    Args:
        tree: what ``tree.json`` holds.
        summary: what ``summary.json`` holds; the page shows the keys that exist, and needs none.
        title: heading, plain text; without one, environment and domain.

    Returns:
        UTF-8 text without external resources, the same for the same input.
    """
    family = read_tree(tree)
    title = title or " · ".join(clean(summary[key]) for key in ("env_id", "domain") if key in summary) or "Run"
    meta = (
        f"<span>{key.replace('_', ' ')} <b>{text(figure(summary[key]))}</b></span>" for key in _META if key in summary
    )
    figures = (f"<dt>{text(key)}</dt><dd>{text(figure(value))}</dd>" for key, value in summary.items())
    oracle = summary.get("oracle_score")
    sideways = bool(family.nodes) and lay_out(family, WIDTHS_PX["wide"]).sideways
    ceiling, test = number(oracle) if _is_number(oracle) else None, _test_scores(summary)
    parts = {
        "title": text(title),
        "meta": " ".join(meta),
        "tiles": _tiles(summary),
        "tree": in_widths(lambda width: tree_svg(tree, width=width)),
        "curve": in_widths(lambda width: curve_svg(tree, oracle=ceiling, test=test, width=width)),
        "caption": text(family.caption(family.best)) if family.nodes else "no contexts yet",
        # A leading newline is dropped by the HTML parser, so one is added.
        "best": "\n" + text("\n".join(_lines(family.nodes[family.best].get("context", "")))) if family.nodes else "",
        "figures": "".join(figures),
        "data": embed(page_data(family, sideways)),
    }
    return document("page", parts, script=(FOLDER / "page.js").read_text(encoding="utf-8"))
