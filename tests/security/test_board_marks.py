"""Copies, withdrawn entries, pages that cannot be made, and text that would steer a terminal."""

import io
import json
import re
from copy import deepcopy
from pathlib import Path

import pytest
from rich.table import Table
from typer.testing import CliRunner

from lse_gym.agents.console import Console
from lse_gym.cli.main import app
from lse_gym.envs.text import plain
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.errors import BoardError
from lse_gym.leaderboard.export import table
from lse_gym.leaderboard.pages import PagesError, build
from lse_gym.leaderboard.pages import entry as entry_pages
from lse_gym.leaderboard.ranking import rank
from lse_gym.leaderboard.verify import Options, pending, verify
from tests.command import run
from tests.leaderboard.conftest import TRACK, sent
from tests.leaderboard.test_pages import fill
from tests.leaderboard.test_tampered import best, replace_context


def oracle(board):
    return board.tracks[TRACK].core("reader").family.load("clinic-0").oracle_context


def levels(board):
    return [row["level"] for row in board.store.entries()]


DISGUISES = {
    "as it is": lambda text: text,
    "shuffled and numbered": lambda text: "\n".join(f"{i}. {x}" for i, x in enumerate(sorted(text.splitlines()))),
    "in one line": lambda text: text.replace("\n", " "),
    "in capitals": lambda text: text.upper(),
    "with invisible characters": lambda text: text.replace(" ", " \u200b"),
    "with words of its own": lambda text: f"{text}\nBe careful and thorough.\nThink twice.",
}


@pytest.mark.parametrize("name", DISGUISES)
def test_the_oracle_under_another_name_does_not_rank(board, document, name):
    replace_context(document, DISGUISES[name](oracle(board)))
    number = board.submit(sent(document))
    assert levels(board) == ["flagged"]
    (row,) = rank(board)[TRACK]
    assert (row.group, row.score) == (None, None)
    assert row.reason == "its contexts are those of the oracle; it does not rank."
    assert pending(board, again=True) == []
    board.store.check_log()
    assert [step["action"] for step in board.store.history(number)] == ["submitted", "flagged"]


def test_the_oracle_that_says_so_ranks(board, document):
    replace_context(document, oracle(board))
    document["agent"]["name"] = document["agent"]["kind"] = document["runs"][0]["config"]["agent"] = "oracle"
    board.submit(sent(document))
    assert levels(board) == ["self-reported"]


REWRITES = {
    "as it is": lambda text: text,
    "other bullets and case": lambda text: text.replace("\n- ", "\n  * ").upper(),
    "other order": lambda text: "\n".join(reversed(text.splitlines())),
    "one line more": lambda text: f"{text}\nBe careful.",
}


@pytest.mark.parametrize("name", REWRITES)
def test_contexts_of_another_team_do_not_rank(board, document, name):
    board.submit(sent(document))
    document["team"]["name"] = "thief"
    document["agent"]["name"] = "a new method"
    text = document["contexts"][best(document)["context"]]
    assert len(text.splitlines()) > 10
    if REWRITES[name](text) != text:
        replace_context(document, REWRITES[name](text))
    board.submit(sent(document))
    assert levels(board) == ["self-reported", "flagged"]
    assert "those of entry 1, of another team" in board.store.entries()[1]["reason"]


def test_whoever_copies_takes_nobody_off_the_ranking(board, document):
    """A copy is no origin, nor is what was rejected: the owner's next version is the owner's."""
    team = document["team"]["name"]
    for name, version in ((team, "1"), ("thief", "1"), (team, "2"), ("another thief", "1"), (team, "3")):
        document["team"]["name"], document["agent"]["version"] = name, version
        board.submit(sent(document))
        if version == "2":
            board.store.add_verification(3, "rejected", "it comes out otherwise", {})
    assert levels(board) == ["self-reported", "flagged", "rejected", "flagged", "self-reported"]
    assert "those of entry 1, of another team" in board.store.entries()[3]["reason"]


def test_an_own_context_and_a_start_that_stayed_are_no_copies(board, document):
    seed = document["contexts"][document["runs"][0]["trajectory"][0]["context"]]
    for number in range(3):
        document["team"]["name"] = f"team {number}"
        document["agent"]["version"] = str(number)
        replace_context(document, f"{seed}\nA rule that team {number} alone has found.")
        board.submit(sent(document))
    run = document["runs"][0]
    run["trajectory"], run["best"] = run["trajectory"][:1], 0
    document["contexts"] = {run["trajectory"][0]["context"]: seed}
    for number in range(3, 5):
        document["team"]["name"] = f"team {number}"
        board.submit(sent(document))
    assert levels(board) == ["self-reported"] * 5


def test_a_team_may_resubmit_its_own_contexts(board, document):
    for version in "12":
        document["agent"]["version"] = version
        board.submit(sent(document))
    assert levels(board) == ["self-reported"] * 2


def command(*arguments, code=0):
    result = CliRunner().invoke(app, ["leaderboard", *map(str, arguments)])
    assert result.exit_code == code, result.output + str(result.exception)
    return result.output


def test_a_withdrawn_entry_is_nowhere_but_in_the_log(tmp_path, packed):
    folder, site = tmp_path / "board", tmp_path / "site"
    with Board(folder, create=True) as board:
        fill(board, packed, 3)
        build(board, site)
    assert (site / "entry" / "2.html").exists()
    assert "withdrawn" in command("withdraw", "2", "--reason", "it\nnames a person", "--board", folder)
    with Board(folder) as board:
        assert [row.id for row in rank(board)[TRACK]] == [3, 1]
        assert [row["id"] for row in table(board)] == [3, 1]
        build(board, site)
        assert not [*(site / "entry").glob("2[-.]*")]
        assert "agent 0001" not in (site / "track" / f"{TRACK}.html").read_text()
        assert board.store.history(2)[-1] | {"at": ""} == {
            "at": "",
            "action": "withdrawn",
            "details": "it names a person",
        }
        assert json.loads(board.store.document(2))["agent"]["name"] == "agent 0001"
        board.store.check_log()
        assert pending(board, again=True) == [1, 3]
        board.store.add_verification(2, "rejected", "verified all the same", {})
        assert levels(board)[1] == "withdrawn"
    assert "Withdrawn: 2." in command("list", "--board", folder)
    assert "admitted" in command("admit", "2", "--reason", "no person after all", "--board", folder)
    with Board(folder) as board:
        assert levels(board)[1] == "rejected"


@pytest.mark.parametrize(("entry", "reason"), [(7, "why"), (1, ""), (1, "  \n")])
def test_what_cannot_be_withdrawn_is_told(board, document, entry, reason):
    board.submit(sent(document))
    with pytest.raises(BoardError, match=r"no entry 7|without a reason"):
        board.withdraw(entry, reason)
    assert levels(board) == ["self-reported"]


def test_a_page_that_cannot_be_made_costs_no_other(tmp_path, packed, monkeypatch):
    real = entry_pages.run_page

    def broken(row, number, document):
        if row.id == 2:
            raise KeyError("what a stranger sent")
        return real(row, number, document)

    folder, site = tmp_path / "board", tmp_path / "site"
    with Board(folder, create=True) as board:
        fill(board, packed, 3)
        with monkeypatch.context() as patch:
            patch.setattr("lse_gym.leaderboard.pages.run_page", broken)
            with pytest.raises(PagesError, match=r"entry/2\.html: KeyError"):
                build(board, site)
            result = CliRunner().invoke(app, ["leaderboard", "build", "--board", str(folder), "--out", str(site)])
            assert isinstance(result.exception, BoardError)
        assert {path.name for path in site.glob("entry/?.html")} == {"1.html", "2.html", "3.html"}
        assert "could not be made" in (site / "entry" / "2.html").read_text()
        assert "agent 0001" in (site / "track" / f"{TRACK}.html").read_text()
        build(board, site)
        assert "could not be made" not in (site / "entry" / "2.html").read_text()


def test_serve_goes_on_without_the_page_and_says_so(tmp_path, packed, monkeypatch):
    def broken(*arguments):
        raise RecursionError

    served = []
    monkeypatch.setattr("lse_gym.leaderboard.pages.run_page", broken)
    monkeypatch.setattr("lse_gym.leaderboard.serve.serve", lambda *arguments: served.append(arguments[0]))
    with Board(tmp_path / "board", create=True) as board:
        fill(board, packed, 1)
    told = command("serve", "--board", tmp_path / "board", "--out", tmp_path / "site", code=1)
    assert "1 pages could not be made" in told
    assert served == [tmp_path / "site"]


def test_long_contexts_and_long_paths_are_not_compared_line_by_line(tmp_path, board, document):
    """Comparing takes the square of the lines: 8,000 lines an edit took minutes a page."""
    run = document["runs"][0]
    first = run["trajectory"][0]
    texts = ["\n".join(f"{i % 7}{edit}" for i in range(2600)) for edit in range(2)]
    digests = [entry_digest(document, text) for text in texts]
    run["trajectory"] = [first] + [
        deepcopy(first) | {"id": i, "parent_id": i - 1, "round_idx": i, "context": digests[i % 2], "performance": 0.5}
        for i in range(1, 300)
    ]
    for row in run["trajectory"]:
        row["spent"] = dict(run["trajectory"][0]["spent"])
    run["config"]["rounds"], run["best"] = 300, 299
    document["contexts"] = {key: document["contexts"][key] for key in {first["context"], *digests}}
    number = board.submit(sent(document))
    build(board, tmp_path)
    page = (tmp_path / "entry" / f"{number}.html").read_text()
    assert "299 edits from the seed context to the best, the last 100 shown" in page
    assert "too many to compare here" in page


def entry_digest(document, text):
    from lse_gym.leaderboard.submission import text_digest

    document["contexts"][text_digest(text)] = text
    return text_digest(text)


STEERING = [
    "\x1b[2J\x1b[1;1H",
    "\x1b]0;owned\x07",
    "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31m",
    "\x1bc",
    "\x1b(0",
    "\x90q\x9c",
    "\r\x08\x0b\x0c\x7f\x85",
    "\u202egnp.exe\u2066",
]


@pytest.mark.parametrize("text", STEERING)
def test_no_text_steers_the_terminal(text):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system=None, width=80)
    console.print(f"a{text}b")
    console.print(f"a{text}b", markup=False, highlight=False, soft_wrap=True)
    console.out(f"a{text}b")
    console.rule(f"a{text}b")
    grid = Table(f"a{text}b", title=f"a{text}b")
    grid.add_row(f"a{text}b")
    console.print(grid)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", out.getvalue())
    assert plain(f"a{text}b").startswith("a")


def test_everything_that_prints_prints_through_it():
    """One boundary: no module makes a console of its own, or writes where people read."""
    root = Path(__file__).parents[2]
    allowed = {
        "agents/console.py",
        "agents/hill/compare.py",
        "agents/hill/warm_start.py",
        "agents/lse/answers.py",
        "envs/games/pettingzoo.py",
        "envs/sql/worker.py",
        "envs/models/nano/evaluate.py",
        "envs/models/nano/rebuild.py",
    }
    for top in ("agents", "envs", "wrappers", "leaderboard", "lse_gym/cli", "lse_gym/__main__.py"):
        paths = [root / top] if top.endswith(".py") else (root / top).rglob("*.py")
        for path in paths:
            name, text = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
            if name not in allowed:
                constant = re.sub(r'sys\.stderr\.write\("[\w.]+\\n"\)', "", text)  # before there is a console
                assert not re.search(r"from rich\.console import .*\bConsole\b|\bsys\.std(out|err)\.write", constant), (
                    name
                )
                assert all("json.dumps" in line for line in re.findall(r"^\s*print\(.*", text, re.MULTILINE)), name


def test_errors_and_lists_of_the_command_line_are_plain(tmp_path, board, document):
    number = board.submit(sent(document))
    board.store.add_verification(number, "rejected", "\x1b[2Jowned", {})
    with board.store.writing():
        board.store.log(number, "flagged", "\x1b]0;owned\x07flag")
    bug = "import sys; from lse_gym.cli.shell import tell_bug; sys.excepthook = tell_bug; raise ValueError('\\x1b[2J')"
    for words, code in (
        (["list", "--board", board.path], None),
        (["submit", tmp_path / "no\x1b[2Jrun", "--board", board.path], None),
        ([], bug),
    ):
        done = run(*["leaderboard"] * bool(words), *words, cwd=tmp_path, code=code)
        assert "\x1b" not in done.stdout + done.stderr
        assert "\x07" not in done.stdout + done.stderr
    assert "ValueError: " in done.stderr


def test_a_verified_entry_of_its_own_ranks_as_ever(board, document):
    verdict = verify(board, board.submit(sent(document)), Options())
    assert verdict.level == "replayed"
    assert [row.group for row in rank(board)[TRACK]] == [1]
