"""Pictures of a run: well-formed, deterministic, without overlaps, and safe whatever a context says."""

import base64
import hashlib
import json
import math
import random
import re
import shutil
import subprocess
import time
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.agents.pictures import curve_svg, tree_page, tree_svg
from lse_gym.agents.pictures.curve import LINE_PX, spread, ticks
from lse_gym.agents.pictures.page import WIDTHS_PX
from lse_gym.agents.pictures.panels import Panel, mean_line, panels_svg
from lse_gym.agents.pictures.svg import color
from lse_gym.agents.pictures.tree import pack, read_tree

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<!--<script>\n]]>\u2028\x00\x1b\ud800 & \"quoted\" 'too' @@script@@",
    "</pre></style><svg onload=\"document.title='owned'\">",
]


def a_tree(parents, scores=None, contexts=None):
    """A tree.json from a list of parents, the seed first."""
    nodes = []
    for i, parent in enumerate([None, *parents]):
        performance = scores[i] if scores else (i * 37 % 100) / 100
        nodes.append(
            {
                "id": i,
                "parent_id": parent,
                "depth": 0 if parent is None else nodes[parent]["depth"] + 1,
                "visits": 1,
                "performance": performance,
                "round_idx": i,
                "context": contexts[i] if contexts else f"rule {i}\nshared rule",
                "feedback_score": 0.5,
                "improvement": 0.0 if parent is None else performance - nodes[parent]["performance"],
                "batch": i,
            }
        )
    return {"format_version": 1, "selection": "ucb", "ucb_c": 2.0, "next_id": len(nodes), "root_id": 0, "nodes": nodes}


def random_parents(count, seed):
    rng = random.Random(seed)
    reach = rng.choice([1, 2, 5, count])
    return [rng.randrange(max(0, i - reach), i) for i in range(1, count)]


def hostile_tree():
    return a_tree([0, 0, 1], contexts=HOSTILE)


SHAPES = {
    "one": [],
    "five": [0, 0, 1, 1],
    "chain of 200": list(range(199)),
    "star of 100": [0] * 100,
    "star of 300": [0] * 300,
    "comb of 300": [i - i % 2 for i in range(299)],
    **{f"random {n}, {seed}": random_parents(n, seed) for n in (12, 40, 150, 300) for seed in range(5)},
}


def circles(svg, style):
    return [c for c in ET.fromstring(svg).iter(f"{SVG}circle") if c.get("class") == style]


def place(circle):
    return tuple(float(circle.attrib[key]) for key in ("cx", "cy", "r"))


@pytest.mark.parametrize("size", [900, *WIDTHS_PX.values()])
@pytest.mark.parametrize("parents", SHAPES.values(), ids=SHAPES)
def test_nodes_stay_apart_and_inside(parents, size):
    svg = tree_svg(a_tree(parents), width=size)
    root = ET.fromstring(svg)
    _, top, width, height = map(float, root.attrib["viewBox"].split())
    places = [place(c) for c in circles(svg, "lse-node")]
    assert len(places) == len(parents) + 1
    for (x1, y1, r), (x2, y2, _) in combinations(places, 2):
        # Coordinates are rounded to a tenth.
        assert math.hypot(x1 - x2, y1 - y2) >= 2 * r - 0.2
    assert all(r <= x <= width - r and top + r <= y <= top + height - 40 - r and r >= 2.5 for x, y, r in places)
    assert "nan" not in svg
    assert "inf" not in svg


@given(st.integers(0, 10**6), st.integers(2, 60))
def test_pack_keeps_neighbours_one_apart_and_in_order(seed, count):
    family = read_tree(a_tree(random_parents(count, seed)))
    across = pack(family.parents)
    for depth in set(family.depths):
        layer = [across[i] for i in range(count) if family.depths[i] == depth]
        assert all(b - a >= 1 - 1e-9 for a, b in pairwise(layer))


@pytest.mark.parametrize("parents", SHAPES.values(), ids=SHAPES)
def test_best_and_seed_are_marked(parents):
    svg = tree_svg(a_tree(parents))
    family = read_tree(a_tree(parents))
    rings = [place(c) for c in circles(svg, "lse-ring") if c.get("r") != "5"]  # the legend's ring has radius 5
    node = place(circles(svg, "lse-node")[family.best])
    assert any(ring[:2] == node[:2] and ring[2] > node[2] for ring in rings)
    words = [t.text or "" for t in ET.fromstring(svg).iter(f"{SVG}text")]
    best = f"best {family.scores[family.best]:.2f}"
    assert best in words or f"seed = {best}" in words
    assert any(word.startswith("seed") for word in words)


def test_best_is_the_latest_of_equals_and_its_path_is_drawn():
    tree = a_tree([0, 1, 1], scores=[0.2, 0.1, 0.6, 0.6])
    assert read_tree(tree).nodes[read_tree(tree).best]["id"] == 3
    styles = [p.get("class") for p in ET.fromstring(tree_svg(tree)).iter(f"{SVG}path")]
    assert "lse-path" in styles
    assert "lse-path lse-dash" in styles  # the first step fell
    assert "score fell" in tree_svg(tree)
    assert "score fell" not in tree_svg(a_tree([0], scores=[0.1, 0.2]))


@pytest.mark.parametrize(
    ("scores", "opened"),
    [
        ([0.3, 0.4, 0.8, 0.9, 0.9], 2),
        ([0.3, 0.5, 0.7, 0.7, 0.7], 1),  # of equals the first
        ([0.3, 0.2, 0.2, 0.3, 0.1], 3),
        ([0.3, 0.3, 0.3, 0.3, 0.3], 4),  # nothing was gained: the best
    ],
)
def test_a_page_opens_on_the_largest_gain(scores, opened):
    page = tree_page(a_tree([0, 1, 2, 3], scores=scores), {})
    assert embedded(page)["telling"] == opened
    assert "choose(data.telling, false)" in page


def test_colour_scale_is_even_and_ends_at_its_ends():
    assert (color(0), color(1), color(0.5)) == ("#440154", "#fde725", "#21918c")
    assert color(0.3, 0.3, 0.5) == color(0)


@given(st.text(), st.text(), st.floats(), st.floats())
@settings(max_examples=60)
def test_any_text_and_number_gives_well_formed_pictures(title, odd, performance, improvement):
    tree = a_tree([0, 1])
    tree["nodes"][1] |= {"performance": performance, "improvement": improvement, "visits": odd, "context": odd}
    tree["nodes"][2] |= {"id": odd, "round_idx": odd}
    for svg in (tree_svg(tree, title=title), curve_svg(tree, title=title, oracle=performance, test=(0.1, improvement))):
        ET.fromstring(svg.encode("utf-8"))
        assert not re.search(r'="[^"]*\b(nan|inf)\b', svg.split("<title>")[0])
    page = tree_page(tree, {odd: odd, "domain": title, "calls": performance, "test_ci95": [odd, None]}, title=title)
    page.encode("utf-8")
    assert page.count("<script") == page.count("</script>") == 2


@pytest.mark.parametrize("tree", [{}, {"nodes": []}, {"nodes": [{}]}, {"nodes": [{"id": [1], "parent_id": 1}, 7]}])
def test_empty_and_broken_trees_are_drawn(tree):
    ET.fromstring(tree_svg(tree))
    ET.fromstring(curve_svg(tree))
    assert "</html>" in tree_page(tree, {})


def test_rings_of_parents_and_orphans_become_roots():
    nodes = [
        {"id": 1, "parent_id": 2},
        {"id": 2, "parent_id": 1},
        {"id": 3, "parent_id": 99},
        {"id": 4, "parent_id": 3},
    ]
    family = read_tree({"nodes": nodes})
    assert [node["id"] for node in family.nodes] == [3, 4, 1, 2]
    assert family.parents == [-1, 0, -1, 2]


def test_same_input_same_bytes():
    tree = a_tree(random_parents(60, 4))
    copy = json.loads(json.dumps(tree))
    for draw in (tree_svg, curve_svg, lambda t: tree_page(t, {"calls": 3})):
        assert draw(tree) == draw(copy)
    assert tree == copy  # and the input is left as it was


def test_curve_shows_dots_steps_baselines_and_labels_apart():
    tree = a_tree([0, 0, 0], scores=[0.5, 0.4, 0.52, 0.51])
    svg = curve_svg(tree, title="T", oracle=0.53, test=(0.5, 0.51))
    assert len(circles(svg, "lse-dot")) == 4
    words = {t.text: float(t.attrib["y"]) for t in ET.fromstring(svg).iter(f"{SVG}text")}
    labels = ["oracle 0.53", "best so far 0.52", "test, best 0.51", "seed 0.50", "test, seed 0.50"]
    heights = [words[label] for label in labels]
    assert all(b - a >= LINE_PX - 0.2 for a, b in pairwise(heights))


@given(st.lists(st.floats(0, 300), max_size=8))
def test_spread_keeps_a_line_between_labels(places):
    moved = sorted(spread(places, 0, 300))
    assert all(b - a >= LINE_PX - 1e-6 for a, b in pairwise(moved))
    assert all(-1e-6 <= y <= 300 + 1e-6 for y in moved)


@pytest.mark.parametrize("end", [1, 4, 9, 10, 11, 39, 60, 299, 300, 1000, 123456])
def test_ticks_are_few_and_whole(end):
    found = ticks(end)
    assert found[0] == 0
    assert 2 <= len(found) <= 11
    assert all(t == int(t) and t <= end for t in found)


def embedded(page):
    return json.loads(page.split('<script type="application/json" id="data">')[1].split("</script>")[0])


class Markup(HTMLParser):
    """Collects the elements and attributes of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes = set(), set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_page_embeds_every_context_and_lets_none_break_out():
    page = tree_page(hostile_tree(), {"domain": HOSTILE[0], "editor": HOSTILE[1], HOSTILE[3]: 1}, title=HOSTILE[3])
    assert page.count("<script") == page.count("</script>") == 2
    assert page.count("<svg") == 4  # tree and curve, for wide pages and for phones
    data = embedded(page)
    first = "\n".join(data["lines"][k] for k in data["nodes"][0]["lines"])
    assert first == HOSTILE[0]
    harmless = Markup(tree_page(a_tree([0, 0, 1]), {"domain": "a", "editor": "b", "c": 1}, title="d"))
    assert Markup(page).tags == harmless.tags
    assert Markup(page).attributes == harmless.attributes
    assert not {"src", "href", "style", "onload", "onerror"} & harmless.attributes


def test_policy_names_every_inline_sheet_and_script():
    page = tree_page(hostile_tree(), {})
    policy = page.split('http-equiv="Content-Security-Policy" content="')[1].split('"')[0]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for inline in re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", page, re.DOTALL):
        assert base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode() in policy


def test_page_shows_the_summary_and_the_best_context():
    summary: dict[str, object] = {
        "env_id": "LSE/TextToSQL-v1",
        "calls": 12840,
        "seed_score": 0.25,
        "best_held_out_score": 0.5,
    }
    summary |= {"test_score_seed": 0.2, "test_score_best": 0.45, "test_ci95": [0.38, 0.52], "test_n": 200}
    page = tree_page(a_tree([0], scores=[0.25, 0.5], contexts=["a", "join <b> & c"]), summary)
    for shown in ("12,840", "0.250 <i>→</i> 0.500", "95% CI 0.380 to 0.520", "n = 200", "join &lt;b&gt; &amp; c"):
        assert shown in page


def test_page_of_300_long_contexts_is_small_and_quick():
    rng = random.Random(5)
    contexts = ["\n".join("".join(rng.choices("abc def", k=79)) for _ in range(100)) for _ in range(300)]
    start = time.process_time()
    page = tree_page(a_tree(random_parents(300, 6), contexts=contexts), {})
    assert len(page.encode("utf-8")) < 4_000_000
    assert time.process_time() - start < 5


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on PATH: the page is not opened in a browser")
def test_browser_runs_our_script_and_no_other(tmp_path):
    contexts = ["keep\nold <b>rule</b>", *HOSTILE[:3], "keep\nnew <i>rule</i>"]
    tree = a_tree([0, 0, 0, 0], scores=[0.1, 0.2, 0.3, 0.4, 0.9], contexts=contexts)
    (tmp_path / "page.html").write_text(tree_page(tree, {}, title="</title>" + HOSTILE[0]), encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", (tmp_path / "page.html").as_uri()]
    dom = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=True).stdout
    assert "<title>owned" not in dom
    assert dom.count("<script") == 2
    assert '<div class="row del"><b>\u2212</b><span>old &lt;b&gt;rule&lt;/b&gt;</span></div>' in dom
    assert '<div class="row add"><b>+</b><span>new &lt;i&gt;rule&lt;/i&gt;</span></div>' in dom
    assert "<dd>0.900</dd>" in dom


def test_panels_are_well_formed_whatever_a_run_is_called_and_told():
    runs = {HOSTILE[0]: [[(0, 0.1), (10, 0.9)], []], "b & c": [[(5, 7.0)]], "none": []}
    svg = panels_svg([Panel("p <1>", runs), Panel("empty", {}, -1.0, 0.0)], title=HOSTILE[1], place="calls")
    root = ET.fromstring(svg)
    assert not [element for element in root.iter() if "script" in element.tag or element.tag.endswith("img")]
    numbers = [float(n) for path in root.iter(f"{SVG}path") for n in re.findall(r"-?\d+\.?\d*", path.get("d"))]
    assert all(math.isfinite(n) and -1 <= n <= 1000 for n in numbers)
    assert svg == panels_svg([Panel("p <1>", runs), Panel("empty", {}, -1.0, 0.0)], title=HOSTILE[1], place="calls")
    assert ET.fromstring(panels_svg([Panel("x", {})])) is not None


def test_a_mean_line_ends_where_the_shortest_run_does():
    line = mean_line([[(0, 0.0), (10, 1.0)], [(0, 1.0), (4, 1.0)]], 3)
    assert line == [(0.0, 0.5), (2.0, pytest.approx(0.6)), (4.0, pytest.approx(0.7))]
    assert mean_line([[], []]) == []
