"""Verification: honest entries are replayed and reproduced, dishonest ones rejected, and nothing is ever half done."""

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lse_gym.cli.main import app
from lse_gym.envs.errors import ArgumentError, ProviderError, UnknownNameError
from lse_gym.envs.offline.reader import Reader
from lse_gym.leaderboard.errors import BoardError, SubmissionError
from lse_gym.leaderboard.export import table
from lse_gym.leaderboard.isolation import Outcome
from lse_gym.leaderboard.leaks import find_leaks
from lse_gym.leaderboard.pages import build
from lse_gym.leaderboard.ranking import rank
from lse_gym.leaderboard.submission import find_runs
from lse_gym.leaderboard.verify import EXECUTED, Options, Verdict, pending, verify
from tests.command import Command
from tests.leaderboard.conftest import TRACK, sent
from tests.leaderboard.test_tampered import dump, replace_context
from tests.patience import STALL_S


def test_an_honest_entry_is_replayed_then_reproduced_from_cache(board, document):
    number = board.submit(sent(document))
    assert pending(board) == [number]
    first = verify(board, number, Options())
    assert (first.level, first.reason) == ("replayed", "")
    assert first.details["items"] == 100
    assert first.details["score"] > first.details["seed"] + 0.2
    assert first.details["shuffled"] < 0.1
    assert pending(board) == []
    start = time.perf_counter()
    second = verify(board, number, Options())
    assert time.perf_counter() - start < 5 + STALL_S
    assert second.details["scores"] == first.details["scores"]
    third = verify(board, number, Options(reproduce=True))
    assert third.level == "reproduced", third.details["reproduction"]
    assert [row.level for row in rank(board)[TRACK]] == ["reproduced"]
    assert [step["action"] for step in board.store.history(number)] == [
        "submitted",
        "replayed",
        "replayed",
        "reproduced",
    ]
    assert verify(board, number, Options()).level == "reproduced"  # a replay does not take it away
    assert not [*(board.path / "work").glob("*")]


def test_a_forged_claim_is_rejected_and_does_not_rank(board, document):
    document["runs"][0]["claimed"]["test_scores_best"] = [1.0] * 60
    number = board.submit(sent(document))
    verdict = verify(board, number, Options())
    assert verdict.level == "rejected"
    assert "items come out otherwise" in verdict.reason
    (row,) = rank(board)[TRACK]
    assert (row.group, row.score) == (None, None)
    assert pending(board, again=True) == []


def test_a_forged_held_out_score_is_rejected(board, document):
    document["runs"][0]["trajectory"][document["runs"][0]["best"]]["performance"] = 1.0
    verdict = verify(board, board.submit(sent(document)), Options())
    assert verdict.level == "rejected"
    assert "held-out, replayed" in verdict.reason


def test_a_forged_trajectory_is_not_reproduced(board, document):
    document["runs"][0]["trajectory"][2]["feedback_score"] = 0.123
    number = board.submit(sent(document))
    for options in (Options(reproduce=True), Options()):  # a replay later doesn't forget it
        verdict = verify(board, number, options)
        assert verdict.level == "replayed"
        assert "round 2 comes out otherwise" in verdict.details["reproduction"]
        (row,) = rank(board)[TRACK]
        assert row.score == verdict.details["score"]
        assert (row.calls, row.tokens, row.usd, row.area) == (None,) * 4
        assert row.label.endswith("(executed, it differs)")
        (flat,) = table(board)
        assert flat["calls"] is None
    build(board, board.path / "site")
    assert "is not shown" in (board.path / "site" / "entry" / f"{number}.html").read_text()


def test_an_execution_that_did_not_end_takes_nothing_back(board, document, monkeypatch):
    document["runs"][0]["trajectory"][2]["feedback_score"] = 0.123
    number = board.submit(sent(document))
    first = verify(board, number, Options(reproduce=True))
    late = Outcome(None, "it took longer than 1 s", {})
    monkeypatch.setattr("lse_gym.leaderboard.reproduce.call", lambda *_: late)
    second = verify(board, number, Options(reproduce=True))
    assert {name: second.details[name] for name in EXECUTED} == {name: first.details[name] for name in EXECUTED}
    (row,) = rank(board)[TRACK]
    assert row.label.endswith("(executed, it differs)")


def test_an_execution_that_did_not_end_is_told_where_nothing_else_is_known(board, document, monkeypatch):
    number = board.submit(sent(document))
    late = Outcome(None, "it took longer than 1 s", {})
    monkeypatch.setattr("lse_gym.leaderboard.reproduce.call", lambda *_: late)
    assert "longer than 1 s" in verify(board, number, Options(reproduce=True)).details["reproduction"]


def test_another_context_is_rejected(board, document):
    replace_context(document, "Return one SQLite statement, please.")
    assert verify(board, board.submit(sent(document)), Options()).level == "rejected"


def test_scores_by_heart_hold_only_for_questions_that_everybody_can_read(board, document):
    """A context that carries the public answers in a code that no scan knows, for a model that can read it."""
    found = verify(board, board.submit(sent(document)), Options())
    assert found.level == "replayed"
    from lse_gym.leaderboard import verify as module

    claimed, sealed = [1.0] * 60, [1.0] * 40 + [0.0] * 60
    assert module.apart(claimed, sealed, module.Z_REJECT)


def test_sealed_questions_in_a_context_are_found_and_not_told(board, document):
    track = board.tracks[TRACK]
    sealed = track.core("reader").family.sealed("clinic-0", board.secret(track), track.sealed_items)
    public = track.core("reader").family.load("clinic-0")  # some sealed questions begin with a public one
    new = [q.text for q in sealed.splits["test"] if not find_leaks(q.text, [public]).questions]
    text = "\n".join(new[:5])
    replace_context(document, text)
    verdict = verify(board, board.submit(sent(document)), Options())
    assert verdict.level == "rejected"
    assert "word for word" in verdict.reason
    assert not any(q.text in verdict.reason for q in sealed.splits["test"])


def test_feedback_questions_are_fair_as_worked_examples(board, document):
    replace_context(document, dump("feedback", 10))
    assert board.submit(sent(document)) == 1


def test_a_model_that_fails_leaves_the_entry_waiting(board, document, monkeypatch):
    number = board.submit(sent(document))

    def fail(self, requests):
        raise ProviderError("the server is on fire")

    with monkeypatch.context() as broken:
        broken.setattr(Reader, "complete", fail)
        verdict = verify(board, number, Options())
    assert verdict.level == ""
    assert "on fire" in verdict.reason
    assert pending(board) == [number]
    (row,) = rank(board)[TRACK]
    assert row.score is None
    assert board.store.history(number)[-1]["action"] == "postponed"
    assert verify(board, number, Options()).level == "replayed"


def test_a_transfer_model_that_fails_is_missing_and_the_rest_ranks(board, document, monkeypatch):
    track = board.tracks[TRACK]
    object.__setattr__(track, "models", {"reader": "1", "replay:nowhere.jsonl": ""})
    verdict = verify(board, board.submit(sent(document)), Options())
    object.__setattr__(track, "models", {"reader": "1"})
    assert verdict.level == "replayed"
    assert verdict.details["transfer"] == {}
    assert verdict.details["failures"]


def test_a_model_of_another_revision_is_not_used(board, document, monkeypatch):
    number = board.submit(sent(document))
    monkeypatch.setattr(Reader, "revision", "2")
    assert "revision '2' here" in verify(board, number, Options()).reason


def test_nothing_that_a_stranger_names_is_executed(board, document, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("import pathlib; pathlib.Path('owned').touch()")
    monkeypatch.chdir(tmp_path)
    document["agent"]["kind"] = document["runs"][0]["config"]["agent"] = "evil:Agent"
    verdict = verify(board, board.submit(sent(document)), Options(reproduce=True))
    assert verdict.level == "replayed"
    assert "not one that comes with the package" in verdict.details["reproduction"]
    assert not (tmp_path / "owned").exists()


VERIFIER = """
import sys
from lse_gym.leaderboard.verify import Options, pending, verify

with Board(sys.argv[1]) as board:
    for number in pending(board):
        verify(board, number, Options(reproduce=True))
"""


def test_a_verification_that_is_killed_goes_on(board, document):
    for version in ("1", "2"):
        document["agent"]["version"] = version
        board.submit(sent(document))
    kept = 0
    for delay_s in (0.3, 0.9):
        process = Command(board.path, cwd=board.path, code=VERIFIER)
        time.sleep(delay_s)
        process.kill()
        process.wait()
        (now,) = board.store.db.execute("SELECT COUNT(*) FROM scores").fetchone()
        assert now >= kept
        kept = now
        board.store.check_log()
    for number in pending(board):
        verify(board, number, Options(reproduce=True))
    rows = rank(board)[TRACK]
    assert [row.score is not None for row in rows] == [True, True]
    assert rows[0].score == rows[1].score
    assert rows[0].group == rows[1].group == 1


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + str(result.exception)
    return result.output


def test_every_command_works_without_options(run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BoardError, match="there is no board"):
        CliRunner().invoke(app, ["leaderboard", "list"], catch_exceptions=False)
    assert "entry 1: lse of local in sql-clinic-reader-1300-v2, 1 run, " in run("leaderboard", "submit", run_folder)
    told = run("leaderboard", "submit", run_folder)
    assert "entry 1, which was submitted before: lse" in told
    assert "Next: lse-gym leaderboard verify" in told
    assert "self-reported" in run("leaderboard", "list")
    assert "entry 1: replayed: 0." in run("leaderboard", "verify")
    assert "Nothing waits" in run("leaderboard", "verify")
    assert "Next: " not in run("leaderboard", "submit", run_folder)
    assert "reproduced" in run("leaderboard", "verify", "--reproduce")
    assert "index.html" in run("leaderboard", "build")
    assert Path("site/index.html").exists()
    assert "entries.csv" in run("leaderboard", "export")
    header, row = Path("export/entries.csv").read_text().splitlines()
    assert dict(zip(header.split(","), row.split(","), strict=False))["agent"] == "lse"
    assert "sql-nano-500-v2" in run("leaderboard", "list", "--tracks")
    for command in ("list", "verify"):
        with pytest.raises(UnknownNameError, match="'sql-nano' is not a known track"):
            CliRunner().invoke(app, ["leaderboard", command, "--track", "sql-nano"], catch_exceptions=False)
    for told, pair in (("is no key=value", "reader"), ("'raeder' is not a known model of a track", "raeder=openai:x")):
        with pytest.raises((ArgumentError, UnknownNameError), match=told):
            CliRunner().invoke(app, ["leaderboard", "verify", "--backend", pair], catch_exceptions=False)
    packed = run("leaderboard", "submit", run_folder, "--pack", "sent", "--team", "b").strip()
    assert "of b in" in run("leaderboard", "submit", packed)


def test_what_serves_a_model_may_have_arguments(board, document, monkeypatch):
    board.submit(sent(document))
    asked = []

    def verified(board, entry, options, on_done):
        asked.append(options.backends)
        return Verdict("", "", {})

    monkeypatch.setattr("lse_gym.cli.leaderboard.verify", verified)
    run("leaderboard", "verify", "--board", board.path, "--backend", "reader=openai:x?style=chat", code=1)
    assert asked == [{"reader": "openai:x?style=chat"}]


def test_a_board_is_a_table_of_flat_rows(board, document):
    verify(board, board.submit(sent(document)), Options())
    (row,) = table(board)
    assert row["score"] == rank(board)[TRACK][0].score
    assert row["low"] < row["score"] < row["high"]


def test_formulas_of_a_spreadsheet_are_defused(board, document, tmp_path):
    document["agent"]["name"] = "=1+1"
    board.submit(sent(document))
    from lse_gym.leaderboard.export import export

    assert ",'=1+1," in export(board, tmp_path)[0].read_text()


def test_runs_that_fit_no_track_are_told_why(run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "run"
    folder.mkdir()
    for path in run_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"budget": {"calls": 9999}}))
    result = CliRunner().invoke(app, ["leaderboard", "submit", str(folder)])
    assert "its budget is 1,300 calls, and the runs had 9,999" in result.output
    result = CliRunner().invoke(app, ["leaderboard", "submit", str(tmp_path / "nothing")])
    assert "no finished run" in result.output
    assert result.exit_code == 1


def test_a_folder_of_submissions_is_told_to_be_given_by_file(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(SubmissionError, match=r"is given by its file, as '.*a\.json'"):
        find_runs(tmp_path)
