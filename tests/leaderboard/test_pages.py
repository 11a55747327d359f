"""The pages: whole, escaped, alone, and usable in a real browser."""

import base64
import hashlib
import json
import re
import signal
import time
import urllib.request
from copy import deepcopy
from threading import Thread

import pytest

from lse_gym.agents.pictures import tree_page
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.pages import SHOWN, build
from lse_gym.leaderboard.pages.entry import commands
from lse_gym.leaderboard.ranking import rank
from lse_gym.leaderboard.serve import serve
from lse_gym.leaderboard.verify import Options, verify
from tests.command import Command
from tests.leaderboard.browser import flaws_on_a_phone, look, needs_chromium
from tests.leaderboard.conftest import TRACK, sent
from tests.leaderboard.test_tampered import HOSTILE, PLACES, replace_context

PAGE = f"track/{TRACK}.html"


def fill(board, packed, count):
    """Entries with made-up scores: what the pages show of a verification is tested here, not the verification."""
    for number in range(count):
        document = deepcopy(packed)
        document["agent"]["name"] = f"agent {number:04}"
        document["team"]["name"] = f"team {number}"
        replace_context(document, f"Return one SQLite statement.\nA rule that agent {number:04} alone has found.")
        entry = board.submit(sent(document))
        right = number * 37 % 101
        details = {
            "score": right / 100,
            "ci95": [max(0.0, right / 100 - 0.08), min(1.0, right / 100 + 0.08)],
            "seed": 0.2,
            "items": 100,
            "scores": {"clinic-0": [[1.0] * right + [0.0] * (100 - right)]},
            "transfer": {},
            "shuffled": 0.0,
        }
        board.store.add_verification(entry, "replayed", "", details)


@pytest.fixture(scope="module")
def site(tmp_path_factory, packed):
    folder = tmp_path_factory.mktemp("site")
    with Board(folder / "board", create=True) as board:
        fill(board, packed, 120)
        document = deepcopy(packed)
        for part, name in PLACES:
            document[part][name] = HOSTILE["handler" if part == "agent" else "script"]
        document["runs"][0]["config"]["editor"] = document["agent"]["editor"]
        replace_context(document, "\n".join(HOSTILE.values()))
        number = board.submit(sent(document))
        board.store.add_verification(number, "rejected", HOSTILE["script"], {})
        assert build(board, folder / "site") == 2 * 121 + len(board.tracks) + 1
    return folder / "site"


def test_every_page_allows_its_own_script_and_loads_nothing(site):
    for path in [*site.glob("*.html"), *site.glob("track/*.html"), *site.glob("entry/12*.html")]:
        page = path.read_text(encoding="utf-8")
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        for inline in re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", page, re.DOTALL):
            assert base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode() in policy
        assert not re.search(r"<(?:link|img|iframe|object|embed|base|form)\b|\bsrc=|\bstyle=|\son\w+=", strip(page))


def strip(page):
    """A page without its text and scripts: tags alone."""
    return "".join(re.findall(r"<[^>]*>", re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)))


def test_every_link_leads_to_a_page(site):
    for path in [site / "index.html", *site.glob("track/*.html"), site / "entry" / "121.html"]:
        page = path.read_text(encoding="utf-8")
        links = [link for link in re.findall(r'href="([^"#]+)"', strip(page)) if not link.startswith("https:")]
        assert links
        assert all((path.parent / link).resolve().is_file() for link in links)


def test_pages_are_made_for_screen_readers(site):
    page = (site / PAGE).read_text(encoding="utf-8")
    assert '<html lang="en">' in page
    assert page.count("<h1>") == 1
    assert all('scope="col"' in head for head in re.findall(r"<th\b[^>]*>", page))
    assert all("aria-label=" in button for button in re.findall(r"<button[^>]*data-column[^>]*>", page))
    assert 'aria-live="polite"' in page
    assert "skip" in page
    assert all("<label>" in page[: page.index(f'id="{name}"')] for name in ("filter", "level", "longest"))


def test_a_build_changes_only_what_is_new(site, tmp_path, packed):
    with Board(tmp_path / "board", create=True) as board:
        fill(board, packed, 2)
        first = build(board, tmp_path / "site")
        assert build(board, tmp_path / "site") == first - 4
        before = {path: path.read_bytes() for path in (tmp_path / "site").rglob("*.html")}
        (tmp_path / "site" / "entry" / ".1.html.99.tmp").write_text("half a page")
        (tmp_path / "site" / "entry" / "1.html").unlink()
        assert build(board, tmp_path / "site") == first - 2
        assert before == {path: path.read_bytes() for path in (tmp_path / "site").rglob("*.html")}
        assert not [*(tmp_path / "site").rglob(".*")]
        board.store.add_verification(1, "rejected", "it turned out otherwise", {})
        build(board, tmp_path / "site")
        assert "it turned out otherwise" in (tmp_path / "site" / "entry" / "1.html").read_text()


BUILDER = """
import sys
from lse_gym.agents.pictures import tree_page
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.pages import build

with Board(sys.argv[1]) as board:
    build(board, __import__("pathlib").Path(sys.argv[2]))
"""


def test_a_build_that_is_killed_goes_on(tmp_path, packed):
    with Board(tmp_path / "board", create=True) as board:
        fill(board, packed, 15)
        for pages in (1, 12):
            process = Command(tmp_path / "board", tmp_path / "killed", cwd=tmp_path, code=BUILDER)
            until = time.monotonic() + 60
            while len([*(tmp_path / "killed").rglob("*.html")]) < pages and time.monotonic() < until:
                time.sleep(0.005)
            process.kill()
            process.wait()
        build(board, tmp_path / "killed")
        build(board, tmp_path / "whole")
    killed, whole = (
        {path.relative_to(top): path.read_bytes() for path in top.rglob("*.*")}
        for top in (tmp_path / "killed", tmp_path / "whole")
    )
    assert killed == whole


def test_the_commands_of_a_page_make_the_run_again(board, document):
    first, *rest = commands(document, board.tracks[TRACK])
    assert first[0] == "evolve"
    assert {"--domain", "clinic-0", "--rounds", "4", "--budget-calls", "1300", "--editor", "writer"} <= {*first}
    assert first[-2:] == ["--out", "again/0"]
    assert rest == [["leaderboard", "submit", "again", "--track", TRACK], ["leaderboard", "verify"]]


def test_an_entry_shows_contexts_and_how_they_came_about(board, document, tmp_path):
    verify(board, board.submit(sent(document)), Options())
    site = tmp_path / "site"
    build(board, site)
    page = (site / "entry" / "1.html").read_text(encoding="utf-8")
    assert "edits from the seed context to the best" in page
    assert '<div class="row add"><b>+</b>' in page
    assert "lse-gym evolve" in page
    assert json.loads((site / "entry" / "1.json").read_text())["sha256"] == document["sha256"]
    assert "<svg" in (site / "entry" / "1-0.html").read_text(encoding="utf-8")
    assert "<svg" in (site / PAGE).read_text(encoding="utf-8")
    salt = (board.path / "salt").read_text()
    assert not any(salt in path.read_text(encoding="utf-8") for path in site.rglob("*.*"))
    assert str(board.secret(board.tracks[TRACK])) not in page


def test_pages_are_served_on_this_machine(site):
    found = []

    def ask(url):
        def fetch():
            with urllib.request.urlopen(url) as response:
                found.append((response.headers["X-Content-Type-Options"], response.read().decode()))

        thread = Thread(target=fetch, daemon=True)
        thread.start()
        Thread(target=lambda: (thread.join(), signal.raise_signal(signal.SIGINT)), daemon=True).start()

    serve(site, 0, ask)
    assert found[0][0] == "nosniff"
    assert "sql-clinic-reader-1300-v2" in found[0][1]


DRIVER = """
const rows = () => [...document.querySelectorAll("#entries tbody tr")].map((row) => row.innerText.split("\\t"));
const name = () => rows().map((cells) => cells[1]);
const type = (id, value) => { at(id).value = value; at(id).dispatchEvent(new Event("input", {bubbles: true})); };
const told = {shown: rows().length, first: rows()[0], count: at("count").textContent};
heads[1].firstElementChild.click();
told.byName = name().slice(0, 3); told.sorted = heads[1].getAttribute("aria-sort");
heads[1].firstElementChild.click();
told.byNameDown = name().slice(0, 2); told.sortedDown = heads[1].getAttribute("aria-sort");
heads[4].firstElementChild.click();
told.byScore = rows().slice(0, 3).map((cells) => cells[4]);
heads[4].firstElementChild.click();
told.byScoreUp = rows().slice(0, 2).map((cells) => cells[4]);
type("filter", "TEAM 11");
told.filtered = name().sort();
type("filter", "nobody at all");
told.none = rows();
type("filter", "");
type("level", "rejected");
told.rejected = rows().length;
type("level", "");
at("more").click();
told.more = rows().length;
type("longest", "1");
told.short = rows();
type("longest", "");
heads[4].firstElementChild.focus();
told.focus = document.activeElement.getAttribute("aria-label");
told.wide = document.documentElement.scrollWidth <= document.documentElement.clientWidth;
told.title = document.title;
tell(told);
"""


@needs_chromium
def test_browser_sorts_and_filters(site, tmp_path):
    seen = look(tmp_path, site / PAGE, DRIVER)
    told = seen.told
    assert told["shown"] == SHOWN
    assert told["count"] == f"121 of 121 entries, first {SHOWN} shown"
    assert told["first"][0] == "1"
    assert told["byName"][1:] == ["agent 0000", "agent 0001"]  # the hostile one begins with a quotation mark
    assert (told["sorted"], told["sortedDown"]) == ("ascending", "descending")
    assert told["byNameDown"] == ["agent 0119", "agent 0118"]
    assert told["byScore"][0] == "1.000"
    assert told["byScoreUp"][0] == "0.000"
    assert told["filtered"] == sorted(["agent 0011", *(f"agent 011{i}" for i in range(10))])
    assert told["none"] == [["No entry is like that."]]
    assert (told["rejected"], told["more"]) == (1, 121)
    assert told["short"] == [["No entry is like that."]]
    assert told["focus"].startswith("Sort by sealed score")
    assert told["wide"]
    assert told["title"].startswith(TRACK)
    assert seen.console == []
    assert seen.addresses == {*seen.resources} == set()


@needs_chromium
@pytest.mark.parametrize("page", ["index.html", "entry/121.html", "entry/121-0.html", "entry/1.html"])
@pytest.mark.parametrize("flags", [[], ["--window-size=360,800", "--force-dark-mode"]], ids=["wide", "phone"])
def test_browser_opens_every_kind_of_page_without_complaint(site, tmp_path, page, flags):
    driver = """
        const {scrollWidth, clientWidth} = document.documentElement;
        tell([document.title, scrollWidth, clientWidth, document.querySelectorAll("img, [onerror], [onclick]").length]);
    """
    seen = look(tmp_path, site / page, driver, *flags)
    title, needed, there, elements = seen.told
    assert elements == 0
    assert title != "owned"
    assert needed <= max(there, 500)  # Chromium makes no window narrower than that
    assert seen.console == []
    assert seen.addresses == {*seen.resources} == set()


@needs_chromium
@pytest.mark.parametrize("page", ["index.html", PAGE, "entry/1.html", "entry/1-0.html"])
def test_nothing_breaks_inside_a_word_or_is_cut_on_a_phone(board, document, tmp_path, page):
    other = deepcopy(document)
    other["team"]["name"] = "another team of the same laboratory"
    replace_context(other, "Return one SQLite statement.\nA rule that this entry alone has found.")
    verify(board, board.submit(sent(document)), Options())
    board.submit(sent(other))
    build(board, tmp_path / "site")
    found = flaws_on_a_phone(tmp_path, tmp_path / "site" / page)
    assert found["there"] == 390
    assert (found["words"], found["cut"], found["wide"]) == ([], [], 0)


def test_entries_of_one_agent_are_told_apart(board, document, tmp_path):
    for number, name in enumerate(("lse", "lse", "mine")):
        twin = deepcopy(document)
        twin["agent"]["name"], twin["team"]["name"] = name, f"team {number}"
        replace_context(twin, f"Return one SQLite statement.\nA rule that entry {number} alone has found.")
        board.submit(sent(twin))
    assert [row.label for row in sorted(rank(board)[TRACK], key=lambda row: row.id)] == ["lse #1", "lse #2", "mine"]
    build(board, tmp_path / "site")
    page = (tmp_path / "site" / PAGE).read_text(encoding="utf-8")
    assert all(f">{label}</a>" in page for label in ("lse #1", "lse #2", "mine"))
    assert ">lse</a>" not in page
    for entry in (1, 2, 3):
        details = {"score": 0.5, "ci95": [0.4, 0.6], "seed": 0.2, "items": 60, "transfer": {}, "shuffled": 0.0}
        board.store.add_verification(entry, "replayed", "", details | {"scores": {"clinic-0": [[1.0, 0.0] * 30]}})
    build(board, tmp_path / "site")
    card = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert card.count('<span class="hint">writer</span>') == 2  # beside lse #1 and lse #2, not beside mine


def test_the_two_scores_have_two_names(board, document, tmp_path):
    verify(board, board.submit(sent(document)), Options())
    build(board, tmp_path / "site")
    assert ">1 entry, 1 verified.<" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    for page in ("entry/1.html", PAGE):
        text = (tmp_path / "site" / page).read_text(encoding="utf-8").lower()
        assert "sealed score" in text
        assert "test score" in text
        assert "sealed test score" not in text


GO = """
const told = {first: at("chosen").textContent};
for (const name of ["seed", "best", "telling", "parent"]) {
  document.querySelector(`[data-go=${name}]`).click();
  told[name] = at("chosen").textContent;
}
trees[0].svg.dispatchEvent(new KeyboardEvent("keydown", {key: "End", bubbles: true}));
told.end = at("chosen").textContent;
told.marked = trees.map(({circles}) => circles.map((c) => c.classList.contains("chosen")).indexOf(true));
told.shown = trees.map(({svg}) => svg.getClientRects().length > 0);
tell(told);
"""


@needs_chromium
@pytest.mark.parametrize("width", [1280, 600])
def test_browser_walks_the_tree(tmp_path, width):
    scores, parents = [0.1, 0.2, 0.7, 0.8, 0.8], [None, 0, 1, 2, 2]
    nodes = [
        {"id": i, "parent_id": parent, "performance": score, "round_idx": i, "context": f"Rule {i}."}
        for i, (score, parent) in enumerate(zip(scores, parents, strict=True))
    ]
    (tmp_path / "tree.html").write_text(tree_page({"nodes": nodes}, {}), encoding="utf-8")
    seen = look(tmp_path, tmp_path / "tree.html", GO, f"--window-size={width},900")
    told = seen.told
    assert told["first"] == told["telling"] == "Context 2"
    assert (told["seed"], told["best"], told["parent"], told["end"]) == (
        "Context 0, the seed",
        "Context 4",
        "Context 1",
        "Context 4",
    )
    assert told["marked"] == [4, 4]
    assert told["shown"] == [width > 640, width <= 640]
    assert seen.console == []
