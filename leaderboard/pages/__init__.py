"""The pages of a board: static files that load nothing, run one script each, and show what was submitted as text.

Every page stands alone. Its policy allows its own style sheets and its own script by their SHA-256, and nothing else.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import lse_gym
from lse_gym.agents.files import write_text
from lse_gym.agents.pictures.page import content_policy, embed, in_widths, shared_style
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.errors import BoardError
from lse_gym.leaderboard.pages.entry import entry_parts, run_page
from lse_gym.leaderboard.pages.plot import drawn, scatter
from lse_gym.leaderboard.pages.tables import columns, table_data
from lse_gym.leaderboard.ranking import Row, rank
from lse_gym.leaderboard.track import Track, canonical

FOLDER = files("lse_gym.leaderboard.pages")
SOURCES = ("base.html", "index.html", "track.html", "entry.html", "board.css", "board.js")
MAX_TOLD = 20  # pages that could not be made
SHOWN = 100  # rows in the page itself; the script shows the others
UNMADE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>no page</title>
<p>This page could not be made from what was submitted. The owner of the board was told.</p></html>
"""
PLOTS = {"calls": "model calls of a run", "context_tokens": "tokens of the context"}


class PagesError(BoardError):
    """Pages that could not be made, of a site that is whole but for them.

    Attributes:
        written: how many pages were.
    """

    def __init__(self, written: int, failures: Sequence[str]):
        self.written = written
        told = [*failures[:MAX_TOLD], *([f"and {len(failures) - MAX_TOLD} more"] if len(failures) > MAX_TOLD else [])]
        super().__init__("\n- ".join([f"{len(failures)} pages could not be made; {written} others were:", *told]))


class Site:
    """The templates with what all pages share."""

    def __init__(self, board: Board):
        self.sources, self.env = _templates()
        style, script = self.sources["shared.css"] + self.sources["board.css"], self.sources["board.js"]
        self.shared = {
            "policy": content_policy(style, script),
            "style": Markup(style),
            "script": Markup(script),
            "board_title": board.rules.title,
            "commitment": board.store.setting_or("salt_commitment", "none yet"),
            "version": lse_gym.__version__,
        }
        self.digest = sha256(canonical([self.sources, board.rules.title, lse_gym.__version__])).hexdigest()

    def page(self, name: str, root: str, made_from: str, **parts: Any) -> str:
        """A template with its parts; ``root`` leads to the index."""
        return self.env.get_template(name).render(**self.shared, **parts, root=root, made_from=made_from)


@cache
def _templates() -> tuple[dict[str, str], jinja2.Environment]:
    """The sources of all pages, and what compiles each of them once a process."""
    sources = {name: (FOLDER / name).read_text("utf-8") for name in SOURCES} | {"shared.css": shared_style()}
    loader = jinja2.DictLoader(sources)
    undefined = jinja2.StrictUndefined
    return sources, jinja2.Environment(loader=loader, autoescape=True, undefined=undefined, trim_blocks=True)


def build(board: Board, out: Path) -> int:
    """Write the pages of a board; returns how many were written.

    A page of an entry that is there already and still right is left alone, so a build that was killed goes on.
    Pages of entries that were withdrawn are deleted.

    Args:
        board: the board.
        out: the directory to write; other files in it are left alone.

    Raises:
        PagesError: some pages could not be made. It comes at the end: all the others are written.
    """
    for folder in ("", "track", "entry"):
        (out / folder).mkdir(parents=True, exist_ok=True)
        for rest in (out / folder).glob(".*.tmp"):  # of a build that was killed
            rest.unlink(missing_ok=True)
    site, ranking = Site(board), rank(board)
    written, failures = 0, []

    def make(path: Path, write: Callable[[Path], int]) -> None:
        nonlocal written
        try:
            written += write(path)
        except (OSError, BoardError):
            raise
        except Exception as error:  # whatever a page makes of what a stranger sent, the others are none the worse
            write_text(path, UNMADE)
            failures.append(f"{path.relative_to(out)}: {type(error).__name__}: {error}")

    for name, rows in ranking.items():
        if name not in board.tracks:  # a track of the owner that is gone: its entries have nothing to stand on
            continue
        track = board.tracks[name]
        for row in rows:
            make(out / "entry" / f"{row.id}.html", partial(_entry, site, board, track, row))
        make(out / "track" / f"{track.id}.html", partial(_track, site, track, rows))
    tracks = [(track, ranking.get(name, [])) for name, track in board.tracks.items()]
    tracks.sort(key=lambda pair: (pair[0].env, [*pair[0].budget.values()], pair[0].id))
    write_text(out / "index.html", site.page("index.html", "", "", tracks=tracks))
    for entry in board.store.ids("level = 'withdrawn'"):
        for path in (out / "entry").glob(f"{entry}[-.]*"):
            path.unlink()
    if failures:
        raise PagesError(written + 1, failures)
    return written + 1


def track_page(site: Site, track: Track, rows: list[Row]) -> str:
    """The page of a track."""
    data = table_data(track, rows)
    return site.page(
        "track.html",
        "../",
        "",
        track=track,
        columns=columns(track, rows),
        data=data,
        shown=SHOWN,
        embedded=Markup(embed(data)),
        plots=[_plot(rows, *plot) for plot in PLOTS.items() if drawn(rows, plot[0])],
    )


def _plot(rows: list[Row], name: str, label: str) -> Markup:
    return Markup(in_widths(lambda width: scatter(rows, name, label, min(width, 560))))


def _track(site: Site, track: Track, rows: list[Row], path: Path) -> int:
    write_text(path, track_page(site, track, rows))
    return 1


def _entry(site: Site, board: Board, track: Track, row: Row, page: Path) -> int:
    history = board.store.history(row.id)
    made_from = sha256(canonical([site.digest, row.sha256, row.level, history])).hexdigest()
    if page.exists() and made_from in page.read_text(encoding="utf-8"):
        return 0
    data = board.store.document(row.id).decode()
    document: Mapping[str, Any] = json.loads(data)
    for number in range(len(document["runs"])):
        write_text(page.parent / f"{row.id}-{number}.html", run_page(row, number, document))
    write_text(page.parent / f"{row.id}.json", data)
    parts = entry_parts(row, document, track)
    write_text(
        page, site.page("entry.html", "../", made_from, track=track, history=history, **parts)
    )  # last: it says done
    return 1 + len(document["runs"])
