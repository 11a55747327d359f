"""Mutated submissions: each is refused with its reasons, or everything that reads it goes on as before.

A mutation changes one to three places of a real submission, whatever they are, to values that have broken something
before or could; the forger makes hash chain and digest right again, most of the time. After each that is accepted,
`list`, `build` and `export` must succeed, of every tenth `verify` too; nothing outside the scratch directory may
change, and no request may leave.
"""

import json
import os
import random
import socketserver
import threading
from contextlib import suppress
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lse_gym.cli.main import app
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.errors import SubmissionError
from lse_gym.leaderboard.export import export
from lse_gym.leaderboard.pages import build
from lse_gym.leaderboard.ranking import rank
from lse_gym.leaderboard.submission import chain, digest, text_digest
from lse_gym.leaderboard.verify import Options, verify

EVERY = 10  # accepted ones, of which one is verified
REPRODUCED = 50  # accepted ones, of which one is executed again
CONFINED = find_spec("lse_gym.leaderboard.confine") is not None  # executed again in a process of its own, or not at all
AT_ONCE = 40  # entries of a board before the next one is made

HOSTILE = [
    None, True, False, 0, 1, -1, 2, 20, 10**6, 10**18, 0.0, 1.0, 0.5, -0.0, 1e15, 5e-324,
    "", " ", "x", "20", "true", "lse", "oracle", "sb3", "openai:gpt-5", "hf:evil/model", "os:system", "seed", "writer",
    "victim.txt", "../../salt", "/dev/zero", "/etc/passwd", "board/salt", "CON", "a\nb", "a\tb", "a" * 300, "0" * 64,
    "\u200b", "\u202ex", "\x1b[2J", "e\u0301", "\ufb01", "<script>alert(1)</script>", '"><img src=x onerror=y>',
    "{{ 7 * 7 }}", "{% for x in y %}", "=1+1", "@SUM(A1)", "'; DROP TABLE entries; --", "[bold]x[/] [link=file:///]y[/]",
    "--><!--", "%s%n", "$(id)", "`id`", "; rm -rf ~", "--reproduce", "-", "https://x", "javascript:alert(1)",
    [], {}, [1], ["x"], {"a": 1}, {"record": "victim.txt"}, {"editor": "openai:gpt-5"}, {"task_model": "openai:x"},
    {"start": "victim.txt"}, {"a": {"b": 1}}, [[[[[[[[[[[[[[]]]]]]]]]]]]]], {"": ""}, {"__class__": "x"},
]  # fmt: skip
ANYTHING = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=90),
    st.integers(),
    st.floats(),
    st.dictionaries(st.from_regex(r"\A[a-z_]{1,9}\Z"), st.sampled_from(HOSTILE), max_size=3),
)
KINDS = ("set", "set", "set", "delete", "add", "twice", "swap", "number", "text")


def places(value, path=()):
    """Every path in a document, its containers included."""
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def at(document, path):
    for key in path:
        document = document[key]
    return document


@st.composite
def mutations(draw):
    """What to do where: the place as a number in [0, 1), so that it does not depend on the document's size."""
    count = draw(st.integers(1, 3))
    place = st.floats(0, 1, exclude_max=True)
    steps = [(draw(st.sampled_from(KINDS)), draw(place), draw(place), draw(ANYTHING)) for _ in range(count)]
    return steps, draw(st.sampled_from(["sealed", "sealed", "sealed", "as it is", "context"]))


def mutate(document, steps):
    for kind, where, other, sample in steps:
        value = deepcopy(sample)  # or what one step puts in, the next changes in the list of samples
        # All kinds of places alike: of the hundreds of scores and rows, few are looked at.
        by_shape = {}
        for path in places(document):
            by_shape.setdefault(tuple(0 if isinstance(key, int) or len(key) == 64 else key for key in path), []).append(
                path
            )
        shapes = [*by_shape.values()]
        paths = shapes[int(where * len(shapes))]
        *parent, last = paths[int(other * len(paths))]
        parent = at(document, parent)
        if kind == "set":
            parent[last] = value
        elif kind == "delete":
            del parent[last]
        elif kind == "add":
            parent[last] = {**old, "new": value} if isinstance(old := parent[last], dict) else [old, value]
        elif kind == "twice" and isinstance(parent, list):
            parent.append(deepcopy(parent[last]))
        elif kind == "swap":
            donors = [path for paths in by_shape.values() for path in paths[:1]]
            parent[last] = deepcopy(at(document, donors[int(other * len(donors))]))
        elif kind == "number" and isinstance(parent[last], int | float):
            parent[last] = parent[last] * [-1, 0, 1.0, 2, 1e9][int(other * 5)]
        elif kind == "text" and isinstance(parent[last], str):
            parent[last] += value if isinstance(value, str) else "\u200b"


def forged(packed, mutation):
    """A mutated submission as bytes."""
    steps, form = mutation
    document = deepcopy(packed)
    with suppress(KeyError, IndexError, TypeError):  # an earlier step has taken the place away
        mutate(document, steps)
    with suppress(Exception):
        if form == "context":  # another best context, named everywhere
            text = str(steps[0][3])
            run = document["runs"][0]
            old = run["trajectory"][run["best"]]["context"]
            document["contexts"][text_digest(text)] = text
            del document["contexts"][old]
            for row in run["trajectory"]:
                row["context"] = text_digest(text) if row["context"] == old else row["context"]
        if form != "as it is":
            for run in document["runs"]:
                for row, link in zip(run["trajectory"], chain(run), strict=True):
                    row["hash"] = link
            document["sha256"] = digest(document)
    return json.dumps(document).encode("utf-8", "surrogatepass")


class Requests(socketserver.BaseRequestHandler):
    """Counts who knocks."""

    seen = 0

    def handle(self):
        """Another one."""
        Requests.seen += 1


class Scratch:
    """Boards in a scratch directory, and what lies around them and must not change."""

    def __init__(self, folder: Path):
        self.folder, self.outside = folder / "scratch", folder / "outside"
        self.outside.mkdir(parents=True)
        self.folder.mkdir()
        for name in ("victim.txt", "salt", "passwd"):
            (self.outside / name).write_text(f"{name} is as it was")
        self.last = self.accepted = self.refused = self.verified = self.reproduced = self.boards = 0
        self.board = self._new()

    def _new(self) -> Board:
        self.boards += 1
        path = self.folder / f"board{self.boards}"
        path.mkdir()
        (path / "board.json").write_text('{"submissions_per_team": 1000000}')
        return Board(path, create=True)

    def take(self, data: bytes) -> None:
        """Submit, and see that everything goes on."""
        try:
            number = self.board.submit(data)
        except SubmissionError as error:
            reasons = error.reasons
        else:
            reasons = []
        if reasons:
            self.refused += 1
            assert all(reason and len(reason) < 2000 for reason in reasons)
            return
        if number <= self.last:  # nothing was changed: it is there already
            return
        self.last = number
        self.accepted += 1
        assert rank(self.board)
        build(self.board, self.folder / f"site{self.boards}")
        export(self.board, self.folder / "export")
        if self.accepted % EVERY == 1:
            self.verified += 1
            verify(self.board, number, Options())
            if CONFINED and self.accepted % REPRODUCED == 1:
                self.reproduced += 1
                verify(self.board, number, Options(reproduce=True))
            build(self.board, self.folder / f"site{self.boards}")
            listed = CliRunner().invoke(app, ["leaderboard", "list", "--board", str(self.board.path)])
            assert listed.exit_code == 0, listed.output
            assert "\x1b" not in listed.output
            self.board.store.check_log()
        if number >= AT_ONCE:
            self.board.store.close()
            self.board, self.last = self._new(), 0

    def end(self) -> None:
        """Nothing outside has changed, and the last board is whole."""
        self.board.store.check_log()
        self.board.store.close()
        assert {path.name: path.read_text() for path in self.outside.iterdir()} == {
            name: f"{name} is as it was" for name in ("victim.txt", "salt", "passwd")
        }


def fuzz(tmp_path, monkeypatch, packed, examples):
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Requests)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/v1"
    for name, value in (("OPENAI_BASE_URL", address), ("OPENAI_API_KEY", "sk-owner"), ("HTTPS_PROXY", address)):
        monkeypatch.setenv(name, value)
    scratch = Scratch(tmp_path)
    monkeypatch.chdir(scratch.outside)
    before = set(os.listdir(scratch.outside))
    Requests.seen = 0

    @seed(20261129)
    @settings(
        max_examples=examples,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(mutations())
    def run(mutation):
        scratch.take(forged(packed, mutation))

    try:
        run()
        for data in raw(packed, examples // 10):
            scratch.take(data)
    finally:
        server.shutdown()
        server.server_close()
    assert set(os.listdir(scratch.outside)) == before
    scratch.end()
    assert Requests.seen == 0
    return scratch


def raw(packed, count):
    """Submissions with broken bytes."""
    rng, data = random.Random(7), json.dumps(packed).encode()
    for _ in range(count):
        broken, place = bytearray(data), rng.randrange(len(data))
        how = rng.randrange(4)
        if how == 0:
            broken[place] = rng.randrange(256)
        elif how == 1:
            del broken[place:]
        elif how == 2:
            broken[place:place] = rng.choice([b"[" * 2000, b'"', b"\\", b"}", b"\xff", b"NaN", b"1e999", b"\x00"])
        else:
            broken[place : place + rng.randrange(50)] = b""
        yield bytes(broken)


def test_mutated_submissions_are_refused_or_harmless(tmp_path, monkeypatch, packed):
    scratch = fuzz(tmp_path, monkeypatch, packed, 100)
    assert scratch.accepted >= 3
    assert scratch.refused >= 20
    assert scratch.verified >= 1


@pytest.mark.long
def test_five_thousand_mutations(tmp_path, monkeypatch, packed):
    scratch = fuzz(tmp_path, monkeypatch, packed, 5000)
    assert scratch.accepted >= 100
    assert scratch.refused >= 2000


def test_the_guard_sees_a_request(tmp_path, monkeypatch, packed):
    """The fuzzer could miss what leaves if its server did not count."""
    import urllib.request

    def ask(self, data):
        with suppress(OSError):
            urllib.request.urlopen(os.environ["OPENAI_BASE_URL"], timeout=5)

    monkeypatch.setattr(Scratch, "take", ask)
    with pytest.raises(AssertionError):
        fuzz(tmp_path, monkeypatch, packed, 1)
