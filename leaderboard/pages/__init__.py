"""The pages of a board: static files that load nothing, run one script each, and show what was submitted as text.

Every page stands alone. Its policy allows its own style sheets and its own script by their SHA-256, and nothing else.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import lse_gym
from lse_gym.agents.files import write_text
from lse_gym.agents.pictures.page import content_policy, embed, shared_style
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.pages.entry import entry_parts, run_page
from lse_gym.leaderboard.pages.plot import scatter
from lse_gym.leaderboard.pages.tables import columns, table_data
from lse_gym.leaderboard.ranking import Row, rank
from lse_gym.leaderboard.track import Track, canonical

FOLDER = files("lse_gym.leaderboard.pages")
SOURCES = ("base.html", "index.html", "track.html", "entry.html", "board.css", "board.js")
SHOWN = 100  # rows in the page itself; the script shows the others
PLOTS = {"calls": "model calls of a run", "context_tokens": "tokens of the context"}


class Site:
    """The templates with what all pages share."""

    def __init__(self, board: Board):
        self.sources = {name: (FOLDER / name).read_text("utf-8") for name in SOURCES} | {"shared.css": shared_style()}
        self.env = jinja2.Environment(
            loader=jinja2.DictLoader(self.sources),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
        )
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


def build(board: Board, out: Path) -> int:
    """Write the pages of a board; returns how many were written.

    A page of an entry that is there already and still right is left alone, so a build that was killed goes on.

    Args:
        board: the board.
        out: the directory to write; other files in it are left alone.
    """
    for folder in ("", "track", "entry"):
        (out / folder).mkdir(parents=True, exist_ok=True)
        for rest in (out / folder).glob(".*.tmp"):  # of a build that was killed
            rest.unlink(missing_ok=True)
    site, ranking = Site(board), rank(board)
    written = 0
    for name, rows in ranking.items():
        if name not in board.tracks:  # a track of the owner that is gone: its entries have nothing to stand on
            continue
        track = board.tracks[name]
        for row in rows:
            written += _entry(site, board, track, row, out / "entry")
        write_text(out / "track" / f"{track.id}.html", track_page(site, track, rows))
        written += 1
    tracks = [(track, ranking.get(name, [])) for name, track in board.tracks.items()]
    tracks.sort(key=lambda pair: -len(pair[1]))
    write_text(out / "index.html", site.page("index.html", "", "", tracks=tracks))
    return written + 1


def track_page(site: Site, track: Track, rows: list[Row]) -> str:
    """The page of a track."""
    data = table_data(track, rows)
    ranked = any(row.score is not None for row in rows)
    return site.page(
        "track.html",
        "../",
        "",
        track=track,
        columns=columns(track),
        data=data,
        shown=SHOWN,
        embedded=Markup(embed(data)),
        plots=[Markup(scatter(rows, *plot)) for plot in PLOTS.items()] if ranked else [],
    )


def _entry(site: Site, board: Board, track: Track, row: Row, folder: Path) -> int:
    history = board.store.history(row.id)
    made_from = sha256(canonical([site.digest, row.sha256, row.level, history])).hexdigest()
    page = folder / f"{row.id}.html"
    if page.exists() and made_from in page.read_text(encoding="utf-8"):
        return 0
    data = board.store.document(row.id).decode()
    document: Mapping[str, Any] = json.loads(data)
    for number in range(len(document["runs"])):
        write_text(folder / f"{row.id}-{number}.html", run_page(row, number, document))
    write_text(folder / f"{row.id}.json", data)
    parts = entry_parts(row, document, track)
    write_text(
        page, site.page("entry.html", "../", made_from, track=track, history=history, **parts)
    )  # last: it says done
    return 1 + len(document["runs"])
