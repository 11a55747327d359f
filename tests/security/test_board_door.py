"""Submissions that broke a board, or would have: told at the door, quickly, and without a traceback."""

import json
import subprocess
import sys
import time
from copy import deepcopy
from dataclasses import fields

import pytest
from typer.testing import CliRunner

from lse_gym.agents.settings import Settings
from lse_gym.cli.main import app
from lse_gym.leaderboard import checks
from lse_gym.leaderboard.document import MAX_VALUES, schema
from lse_gym.leaderboard.errors import SubmissionError
from lse_gym.leaderboard.leaks import find_leaks
from lse_gym.leaderboard.submission import About, find_runs, pack
from lse_gym.leaderboard.text import alike, name_problem
from tests.leaderboard.conftest import TRACK, sent
from tests.leaderboard.test_tampered import replace_context

CONFIGS = {
    "arguments that are text": ({"agent_args": "x"}, "agent_args"),
    "arguments that are true": ({"agent_args": True}, "agent_args"),
    "arguments that are a number": ({"env_args": 1.0}, "env_args"),
    "arguments of two lines": ({"agent_args": {"a": "x\ny"}}, "agent_args"),
    "rounds that are text": ({"rounds": "20"}, "rounds"),
    "rounds that are nothing": ({"rounds": None}, "rounds"),
    "rounds that are an object": ({"rounds": {}}, "rounds"),
    "rounds without end": ({"rounds": 10**9}, "rounds"),
    "a seed that is a float": ({"seed": 0.0}, "seed"),
    "a split seed that is a float": ({"split_seed": 0.0}, "split_seed"),
    "an editor that is a number": ({"editor": 3}, "editor"),
    "an order that is a list": ({"order": ["paper"]}, "order"),
    "a budget that is true": ({"budget_calls": True}, "budget_calls"),
    "a setting that nobody knows": ({"record": "victim.txt"}, "record"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_every_setting_has_its_type(board, document, name):
    settings, told = CONFIGS[name]
    document["runs"][0]["config"] |= settings
    with pytest.raises(SubmissionError, match=told):
        board.submit(sent(document))
    assert board.store.entries() == []


def test_the_schema_knows_every_setting_of_a_run(packed):
    known = schema()["$defs"]["run"]["properties"]["config"]["properties"]
    assert {field.name for field in fields(Settings)} <= known.keys()
    assert packed["runs"][0]["config"].keys() <= known.keys()


@pytest.mark.parametrize(("name", "value"), [("best", 1.0), ("best", True), ("seed", 0.0), ("seed", "0")])
def test_an_index_is_an_integer(board, document, name, value):
    document["runs"][0][name] = value
    with pytest.raises(SubmissionError, match=rf"runs\[0\]\.{name}"):
        board.submit(sent(document))


def test_equal_float_seeds_are_not_two_runs(board, document):
    twin = deepcopy(document["runs"][0])
    twin["seed"] = twin["config"]["seed"] = twin["config"]["split_seed"] = 0.0
    document["runs"].append(twin)
    with pytest.raises(SubmissionError, match="not of type 'integer'"):
        board.submit(sent(document))


COSTLY = {
    "escaped quotation marks": b'\\"' * 1_000_000,
    "numbers": b'{"a": [' + b"0," * MAX_VALUES + b"0]}",
    "empty objects": b'{"runs": [' + b"{}," * 100_000 + b"{}]}",
    "brackets": b"[" * 4_000_000,
    "keys": b'{"runs": {' + b",".join(b'"%d":0' % i for i in range(MAX_VALUES // 3)) + b"}}",
}


@pytest.mark.parametrize("name", COSTLY)
def test_what_costs_much_to_look_at_is_not_looked_at_for_long(board, name):
    start = time.process_time()
    with pytest.raises(SubmissionError):
        board.submit(COSTLY[name])
    assert time.process_time() - start < 5


def with_runs(packed, count, split_seeds):
    document = deepcopy(packed)
    document["runs"] = [deepcopy(packed["runs"][0]) for _ in range(count)]
    for seed, run in enumerate(document["runs"]):
        run["seed"] = run["config"]["seed"] = seed
        run["config"]["split_seed"] = seed if split_seeds else 0
    return document


@pytest.mark.parametrize("count", [12, 300])
def test_questions_are_not_drawn_for_what_cannot_be_accepted(board, packed, monkeypatch, count):
    """12 split seeds in 40 KiB cost 25 s: every one has its questions drawn."""
    drawn = []
    monkeypatch.setattr(checks, "_content", lambda *run: drawn.append(run) or iter(()))
    with pytest.raises(SubmissionError, match="at most"):
        board.submit(sent(with_runs(packed, count, split_seeds=count == 12)))
    assert drawn == []
    board.submit(sent(with_runs(packed, 6, split_seeds=True)))
    assert len(drawn) == 6


def submit(*paths, board):
    return CliRunner().invoke(app, ["leaderboard", "submit", *map(str, paths), "--board", str(board)])


BAD = {
    "empty": b"",
    "null": b"null",
    "an object": b"{}",
    "deep": b"[" * 100_000,
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_submission_does_not_cost_the_good_one_beside_it(tmp_path, packed, name):
    (tmp_path / "bad.json").write_bytes(BAD[name])
    (tmp_path / "good.json").write_bytes(sent(deepcopy(packed)))
    found = submit(tmp_path / "bad.json", tmp_path / "good.json", board=tmp_path / "board")
    assert found.exit_code == 1
    assert isinstance(found.exception, SystemExit)
    assert "bad.json: the submission is not accepted" in found.output
    assert "entry 1: lse of a team" in found.output


RUN_FILES = {
    "rounds are text": ("config.json", lambda text: text.replace('"rounds": 4', '"rounds": "20"')),
    "config is nothing": ("config.json", lambda _: "null"),
    "config is empty": ("config.json", lambda _: "{}"),
    "config is deep": ("config.json", lambda _: "[" * 100_000),
    "summary is nothing": ("summary.json", lambda _: "null"),
    "summary is empty": ("summary.json", lambda _: "{}"),
    "scores are text": (
        "summary.json",
        lambda text: text.replace('"test_scores_best": [', '"test_scores_best": ["x",'),
    ),
    "a row is a number": ("trajectory.jsonl", lambda text: f"3\n{text}"),
    "there are no rows": ("trajectory.jsonl", lambda _: ""),
    "a row has no context": ("trajectory.jsonl", lambda text: text.replace('"context"', '"kontext"')),
    "a score is nothing": (
        "trajectory.jsonl",
        lambda text: text.replace('"performance": ', '"performance": null, "x": '),
    ),
    "a budget is text": ("config.json", lambda text: text.replace('"calls": 1300', '"calls": "x"')),
}


@pytest.mark.parametrize("name", RUN_FILES)
def test_a_damaged_run_is_told_and_the_others_are_taken(tmp_path, run_folder, name):
    file, change = RUN_FILES[name]
    for folder in ("bad", "good"):
        (tmp_path / folder).mkdir()
        for path in run_folder.glob("*.json*"):
            (tmp_path / folder / path.name).write_bytes(path.read_bytes())
    damaged = tmp_path / "bad" / file
    damaged.write_text(change(damaged.read_text()))
    found = submit(tmp_path / "bad", tmp_path / "good", board=tmp_path / "board")
    assert isinstance(found.exception, SystemExit), found.exception
    assert found.exit_code == 1
    assert f"{tmp_path / 'bad'}" in found.output
    assert "entry 1: lse of local" in found.output


NAMES = {
    "no width": "a\u200bteam",
    "soft hyphen": "a\u00adteam",
    "filler": "team\u3164",
    "braille blank": "team\u2800x",
    "turned around": "\u2066team",
    "no-break space": "a\u00a0team",
    "wide letters": "\uff41 team",
    "a ligature": "\ufb01ne team",
    "two spaces": "a  team",
    "private": "team\ue000",
    "unassigned": "team\U000e0fff",
    "a heap of marks": "ta\u0335\u0336\u0337m",
    "a variation": "team\ufe0f",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", ["team", "agent"])
def test_names_hide_nothing(board, document, part, name):
    document[part]["name"] = NAMES[name]
    with pytest.raises(SubmissionError, match=r"U\+|NFKC|two spaces|three marks"):
        board.submit(sent(document))


@pytest.mark.parametrize("name", ["Ünïcode — équipe", "日本チーム", "команда", "a & b (c) <d>", "x_y.z-1"])
def test_honest_names_stand(name):
    assert name_problem(name) == ""


@pytest.mark.parametrize("twin", ["A Team", "\u0430 team", "a t\u0435am", "\u03b1 team"])
def test_a_twin_of_another_team_is_refused(board, document, twin):
    board.submit(sent(document))
    document["team"]["name"] = twin
    assert alike(twin, "a team")
    with pytest.raises(SubmissionError, match="looks like 'a team'"):
        board.submit(sent(document))
    assert len(board.store.entries()) == 1


def spelled(how, text):
    return {
        "underscores": lambda: text.replace(" ", " _ "),
        "line breaks": lambda: text.replace(" ", "\n"),
        "quotes": lambda: "'".join(text),
        "upper case": text.upper,
        "no width": lambda: "\u200b".join(text),
        "look-alikes": lambda: text.translate(str.maketrans("aeo", "\u0430\u0435\u043e")),
        "wide letters": lambda: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
        "marks": lambda: "".join(f"{c}\u0332" for c in text),
    }[how]()


@pytest.mark.parametrize(
    "how",
    ["underscores", "line breaks", "quotes", "upper case", "no width", "look-alikes", "wide letters", "marks"],
)
@pytest.mark.parametrize("part", ["questions", "answers"])
def test_no_spelling_hides_what_was_copied(board, document, how, part):
    domain = board.tracks[TRACK].core("reader").family.load("clinic-0")
    items = domain.splits["test"][:45]
    texts = [question.text if part == "questions" else question.gold for question in items]
    dump = " _ ".join(spelled(how, text) for text in texts)
    assert getattr(find_leaks(dump, [domain]), part) >= 30
    shorter = " _ ".join(spelled(how, text) for text in texts[:20])
    replace_context(document, shorter[:7900])
    with pytest.raises(SubmissionError, match="word for word") as refused:
        board.submit(sent(document))
    (reason,) = refused.value.reasons
    assert not any(character.isdigit() for character in reason.partition("best context")[2])  # no count


SLOW = """
import sys
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.errors import SubmissionError
with Board(sys.argv[1], create=True) as board:
    try:
        board.submit(open(sys.argv[2], "rb").read())
    except SubmissionError as error:
        print(error)
"""


@pytest.mark.long
def test_a_small_submission_costs_little_in_a_process_of_its_own(tmp_path, packed):
    (tmp_path / "d.json").write_bytes(sent(with_runs(packed, 12, split_seeds=True)))
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", SLOW, tmp_path / "board", tmp_path / "d.json"], capture_output=True)
    assert b"at most 6" in done.stdout
    assert time.perf_counter() - start < 15  # of which the import, and the suite's digest


def test_packing_says_which_file_is_no_submission(tmp_path, run_folder):
    (tmp_path / "bad.json").write_text("[]")
    arguments = ["leaderboard", "submit", str(tmp_path / "bad.json"), str(run_folder), "--pack", str(tmp_path / "out")]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 1
    assert "bad.json" in found.output
    (written,) = (tmp_path / "out").glob("*.json")
    assert json.loads(written.read_text())["sha256"].startswith(written.stem)


def test_what_the_package_packs_is_of_the_schema(board, run_folder):
    (document,) = pack(find_runs(run_folder), board.tracks, About())
    assert board.check(sent(document))[0]["sha256"] == document["sha256"]
