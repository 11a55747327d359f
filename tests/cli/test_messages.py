"""What is said on the command line is said in its own words, in any encoding."""

import io
import re

import pytest
import typer

from lse_gym.agents.console import counted
from lse_gym.cli.main import app
from lse_gym.cli.messages import command_line, in_options
from lse_gym.cli.shell import for_a_terminal
from lse_gym.cli.streams import HANDLER, show_what_can_be_shown


def command(name):
    return typer.main.get_command(app).commands[name]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("data_dir='x' is no directory.", "--data-dir 'x' is no directory."),
        ("samples=0 is not an int >= 1. Pass e.g. samples=10.",
         "--env-set samples=0 is not an int >= 1. Pass e.g. --env-set samples=10."),
        ("Lower max_chars or feedback_size.", "Lower --max-chars or --feedback-size."),
        ("start='a.txt' is not there.", "--context 'a.txt' is not there."),
        ("Write e.g. --env-set held_out_size=30.", "Write e.g. --env-set held_out_size=30."),
        ("Pass e.g. 'lse,selection=deepest'.", "Pass e.g. 'lse,selection=deepest'."),
        ('Then: gym.make("LSE/BIRD-v0", data_dir="dev")', 'Then: lse-gym evolve --env LSE/BIRD-v0 --data-dir "dev"'),
        ("columns={'split': ''} lets the splits be drawn.",
         "--env-set 'columns={\"split\": \"\"}' lets the splits be drawn."),
        ("Write it with header=False.", "Write it with --env-set header=false."),
        ("columns={'a': x} is none", "--env-set columns={'a': x} is none"),
        ("the seed of a domain", "the seed of a domain"),
        ("/data/max_tokens/x and '$feedback_size'", "/data/max_tokens/x and '$feedback_size'"),
    ],
)  # fmt: skip
def test_arguments_are_told_as_options(message, told):
    assert in_options(message, command("evolve")) == told


def test_a_command_is_not_told_of_options_that_it_lacks():
    assert in_options("split_seed=-1", command("archive")) == "--env-set split_seed=-1"
    assert in_options("data_dir=1", command("doctor")) == "data_dir=1"


@pytest.mark.parametrize("path", [[], ["evolve"], ["leaderboard", "export"], ["cache"], ["envs"]])
def test_help_shows_no_types_of_switches_no_marks_and_every_bracket(path, capsys):
    one = typer.main.get_command(app)
    for_a_terminal(one)
    with pytest.raises(SystemExit):
        one([*path, "-h"], prog_name="lse-gym")
    shown = capsys.readouterr().out
    assert "<bool>" not in shown
    assert "`" not in shown
    assert "--help" in shown
    assert "'lse-gym[data]'" in shown or "export" not in path


def test_any_stream_takes_any_text(monkeypatch):
    stream = io.TextIOWrapper(buffer := io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("sys.stderr", io.TextIOWrapper(io.BytesIO(), encoding="cp1252"))
    show_what_can_be_shown()
    stream.write("seed 0.28 → best 1.00 ███· 日本 \ud800…")
    stream.flush()
    assert buffer.getvalue() == b"seed 0.28 -> best 1.00 ###- ?? ?..."
    assert stream.errors == HANDLER


def test_counts_and_command_lines():
    assert [counted(n, "edit") for n in (0, 1, 1234)] == ["0 edits", "1 edit", "1,234 edits"]
    assert command_line("evolve", "--out", "my run") == "lse-gym evolve --out 'my run'"
    assert not re.search(r"\n", command_line("evolve", "--out", "a" * 500))
