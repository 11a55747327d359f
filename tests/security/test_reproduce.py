"""`verify --reproduce` on hostile submissions: nothing that they name is opened, asked, loaded or run; all is told."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lse_gym.agents import AGENTS, agent_class
from lse_gym.agents.settings import Settings
from lse_gym.cli.main import app
from lse_gym.envs.arguments import check, hints, is_free_text
from lse_gym.envs.models import MODELS
from lse_gym.leaderboard import reproduce as module
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.errors import SubmissionError
from lse_gym.leaderboard.pages import build
from lse_gym.leaderboard.pages.entry import commands
from lse_gym.leaderboard.reproduce import reproduce
from lse_gym.leaderboard.settings import SETTINGS, allowed
from lse_gym.leaderboard.track import all_tracks
from lse_gym.leaderboard.verify import Options, verify
from tests.leaderboard.conftest import TRACK, sent
from tests.models.chat_server import serve
from tests.patience import STALL_S

# What a config says, and what is told. VICTIM stands for a file of the owner, FIFO for one that never ends.
ATTACKS: list[tuple[dict[str, Any], str]] = [
    ({"agent_args": {"record": "VICTIM"}}, "agent_args has 'record', which could name a file"),
    ({"agent_args": {"record": "board/salt"}}, "agent_args has 'record', which could name a file"),
    ({"agent_args": {"editor": "openai:gpt-5"}}, "agent_args has 'editor', which is a setting of the run itself"),
    ({"agent_args": {"editor": "hf:evil/model"}}, "agent_args has 'editor'"),
    ({"agent_args": {"seed": 1}}, "agent_args has 'seed', which is a setting of the run itself"),
    ({"agent_args": {"ucb_c": 1.0}}, "agent_args has 'ucb_c', which is a setting of the run itself"),
    ({"agent_args": {"max_edit_tokens": 5}}, "agent_args has 'max_edit_tokens'"),
    ({"agent_args": {"temperature": "x"}}, "agent_args: temperature='x' is not a finite number in [0, 100]"),
    ({"agent_args": {"temperature": 1e9}}, "temperature=1000000000.0 is not"),
    ({"agent_args": {"temperature": True}}, "temperature=True is not"),
    ({"agent_args": {"nothing": 1}}, "agent_args has 'nothing', which the agent 'lse' does not"),
    ({"env_args": {"record": "x"}}, "env_args={'record': 'x'} is not what the track has, {}"),
    ({"env_args": {"record": "VICTIM"}}, "env_args="),
    ({"env_args": {"task_model": "openai:gpt-5"}}, "env_args="),
    ({"env_args": {"start": "FIFO"}}, "env_args="),
    ({"env_args": {"samples": 1}}, "env_args="),
    ({"start": "FIFO"}, "start='"),
    ({"start": "/dev/zero"}, "start='/dev/zero' is not what the track has, 'seed'"),
    ({"data_dir": "."}, "data_dir='.' is not what the track has, None"),
    ({"exclude": "VICTIM"}, "exclude='"),
    ({"record": "VICTIM"}, "no run has a setting 'record'"),
    ({"editor": "openai:gpt-5"}, "the editor 'openai:gpt-5' does not come with the package"),
    ({"editor": "vllm:evil/model"}, "the editor 'vllm:evil/model'"),
    ({"editor": "replay:FIFO"}, "the editor 'replay:"),
    ({"editor": "evil:Class"}, "the editor 'evil:Class'"),
    ({"rounds": 10**9}, "rounds=1000000000 is more than the track executes again, 1,000"),
    ({"ucb_c": "x"}, "ucb_c='x' is not a finite number"),
    ({"ucb_c": -1.0}, "ucb_c=-1.0 is not"),
    ({"order": "evil"}, "'evil' is not a known order"),
    ({"selection": "evil"}, "'evil' is not a known selection"),
    ({"max_edit_tokens": 10**15}, "max_edit_tokens=1000000000000000 is not an int in [1, 1,000,000]"),
]
# What no check at the door lets pass, or should; asked for all the same, since the allow-list stands alone.
ODD: list[tuple[Any, str]] = [
    ({"rounds": "20"}, "rounds='20' is not an int >= 0"),
    ({"rounds": None}, "rounds=None is not"),
    ({"rounds": True}, "rounds=True is not"),
    ({"rounds": {}}, "rounds={} is not"),
    ({"rounds": -1}, "rounds=-1 is not"),
    ({"rounds": 4.0}, "rounds=4.0 is not"),
    ({"ucb_c": float("nan")}, "ucb_c=nan is not"),
    ({"ucb_c": float("inf")}, "ucb_c=inf is not"),
    ({"seed": -1}, "seed=-1 is not"),
    ({"seed": 10**400}, "seed="),
    ({"split_seed": "x"}, "split_seed='x' is not"),
    ({"budget_calls": 10**9}, "budget_calls=1000000000 is more than the track has"),
    ({"budget_calls": "x"}, "budget_calls='x' is not"),
    ({"budget_tokens": -1}, "budget_tokens=-1 is not"),
    ({"agent_args": "x"}, "agent_args='x' is no object"),
    ({"agent_args": None}, "agent_args=None is no object"),
    ({"agent_args": [["record", "x"]]}, "agent_args=[['record', 'x']] is no object"),
    ({"env_args": "x"}, "env_args='x' is not"),
    ({"agent": "evil:Agent"}, "the agent 'evil:Agent' is not one that comes with the package"),
    ({"agent": ["lse"]}, "the agent ['lse'] is not one that comes with the package"),
    ({"agent": "lse "}, "the agent 'lse ' is not"),
    ({"env": "evil:module/Env-v0"}, "env='evil:module/Env-v0' is not"),
    ({"task_model": "hf:reader"}, "task_model='hf:reader' is not what the track has, 'reader'"),
    ({"task_model": None}, "task_model=None is not"),
    ({"domain": "hotel-0"}, "domain='hotel-0' is not of the track"),
    ({"domain": ["clinic-0"]}, "domain=['clinic-0'] is not of the track"),
    ({"editor": ["writer"]}, "the editor ['writer']"),
    ({"max_chars": 10**9}, "max_chars=1000000000 is not what the track has"),
    ({"scoring": "evil:module"}, "scoring='evil:module' is not what the track has"),
    ({"\x1b[2J": 1}, "no run has a setting"),
    ({"x" * 10_000: 1}, "no run has a setting"),
]


@pytest.fixture(scope="module")
def server():
    with serve() as server:
        yield server


@pytest.fixture
def place(tmp_path, monkeypatch, server):
    """The owner's directory, with what an attacker is after, and with keys in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-owner")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    Path("victim.txt").write_text("first line\nwithout an end")
    os.mkfifo("fifo")
    Path("evil.py").write_text("import pathlib\npathlib.Path('owned').touch()\n")
    yield tmp_path
    assert Path("victim.txt").read_text() == "first line\nwithout an end"
    assert not Path("owned").exists()
    assert server.payloads == []


def aimed(value: Any, place: Path) -> Any:
    if isinstance(value, dict):
        return {key: aimed(item, place) for key, item in value.items()}
    if isinstance(value, str):
        return value.replace("VICTIM", str(place / "victim.txt")).replace("FIFO", str(place / "fifo"))
    return value


@pytest.mark.parametrize(("config", "told"), ATTACKS + ODD, ids=lambda value: str(value)[:50])
def test_what_is_not_allowed_is_told_and_not_executed(document, place, monkeypatch, config, told):
    monkeypatch.setattr(module, "call", lambda *given: pytest.fail(f"executed: {given}"))
    document["runs"][0]["config"] |= aimed(config, place)
    found = reproduce(document, all_tracks()[TRACK])
    assert not found.same
    assert found.reason.startswith("not executed again: clinic-0, seed 0: ")
    assert told in found.reason
    assert found.reason.isprintable()
    assert len(found.reason) <= 1500
    assert commands(document, all_tracks()[TRACK]) == []


@pytest.mark.parametrize("config", [None, "x", 3, [], [["record", "x"]]])
def test_a_config_that_is_no_object_is_told(config):
    assert allowed(config, all_tracks()[TRACK]).reasons == ["its config is no object"]


def test_every_attack_through_the_command(packed, place):
    """Submit, verify and build as an owner does: no traceback, no level gained, salt and site as they were."""
    told = {}
    with Board("board", create=True) as board:
        salt = Path("board/salt").read_text()
        for config, reason in ATTACKS[::2]:  # within the limit of a team
            document = deepcopy(packed)
            document["runs"][0]["config"] |= aimed(config, place)
            document["agent"]["version"] = f"{len(told)}"
            document["agent"]["editor"] = document["runs"][0]["config"]["editor"]
            with suppress(SubmissionError):  # what is refused at the door gets no further
                told[board.submit(sent(document))] = reason
    assert len(told) > 3
    start = time.monotonic()
    result = CliRunner().invoke(app, ["leaderboard", "verify", "--reproduce"])
    assert result.exit_code == 0, result.output
    assert time.monotonic() - start < 120
    lines = [line for line in result.output.splitlines() if line.startswith("entry ")]
    for (number, reason), line in zip(told.items(), lines, strict=True):
        assert line.startswith(f"entry {number}: replayed: ")
        assert reason in line
    assert Path("board/salt").read_text() == salt
    with Board("board") as board:
        build(board, place / "site")
    for number in told:
        page = Path(f"site/entry/{number}.html").read_text()
        assert "lse-gym evolve" not in page
        assert "No command is shown" in page


def test_an_honest_run_is_executed_in_a_process_that_asks_nobody_and_that_is_recorded(
    document, board, place, monkeypatch
):
    """The owner's own editor is not used where a submission names none."""
    monkeypatch.setenv("LSE_GYM_EDITOR", "openai:gpt-5")
    document["runs"][0]["config"]["editor"] = None
    document["agent"]["editor"] = None
    verdict = verify(board, board.submit(sent(document)), Options(reproduce=True))
    assert verdict.level == "reproduced", verdict.details["reproduction"]
    (row,) = board.store.entries()
    execution = row["details"]["execution"]
    (executed,) = execution["settings"]
    assert (executed["editor"], executed["agent"], executed["budget_calls"]) == ("writer", "lse", 1300)
    assert execution["limits"]["seconds"] == all_tracks()[TRACK].max_seconds
    assert {"memory_bytes", "scratch_bytes"} <= execution["limits"].keys()
    assert execution["held"]["network"]


def test_caps_of_the_track_hold_where_a_submission_has_none(document):
    track = all_tracks()[TRACK]
    config, reasons = allowed(document["runs"][0]["config"] | {"budget_calls": None}, track)
    assert reasons == []
    assert config is not None
    assert config.budget_calls == track.budget["calls"]
    config, _ = allowed({}, track)  # an old submission without all keys: what the track has, and defaults
    assert config == Settings(
        **{**track.settings, "budget_calls": 1300, "task_model": "reader", "env": track.env, "editor": "writer"}
    )


def test_a_run_that_takes_too_long_is_ended(document):
    track = all_tracks()[TRACK]
    object.__setattr__(track, "max_seconds", 0.2)
    start = time.monotonic()
    found = reproduce(document, track)
    assert "takes longer than 0.2 seconds" in found.reason
    assert time.monotonic() - start < 10 + STALL_S


def test_the_commands_of_a_page_are_commands_and_set_what_the_run_had(document, monkeypatch, tmp_path):
    """Every setting is away from its default: each has to come back through the command line."""
    monkeypatch.chdir(tmp_path)
    Path("begin.txt").write_text("A context.")
    ran = []
    monkeypatch.setattr("lse_gym.cli.evolve._run", lambda config, *_: ran.append(config))
    text = {"start": "begin.txt", "scoring": "strict", "feedback": "score"}
    of_env = {"split_seed": 3, "max_chars": 900, "max_tokens": 90, "feedback_size": 4, "gate": 2}
    of_run = {"rounds": 7, "seed": 5, "budget_tokens": 9e6, "budget_usd": 0.5, "budget_edits": 6, "order": "code"}
    of_agent = {"selection": "best", "ucb_c": 0.123456789, "max_edit_tokens": 77, "agent_args": {"temperature": 0.25}}
    pinned = text | of_env | {"env_args": {"samples": 2}}
    track = replace(all_tracks()[TRACK], domains=("hotel-0",), settings=pinned)
    document["runs"][0]["config"] |= pinned | of_run | of_agent | {"domain": "hotel-0"}
    wanted, reasons = allowed(document["runs"][0]["config"], track)
    assert reasons == []
    assert wanted is not None
    same = [name for name in SETTINGS if getattr(wanted, name) == getattr(Settings(), name)]
    assert same == ["env", "agent", "data_dir", "exclude"], "the last two are of envs with files"
    first, *_ = commands(document, track)
    result = CliRunner().invoke(app, first)
    assert result.exit_code == 0, result.output
    assert ran == [wanted.config()]


def test_an_entry_that_was_reproduced_under_other_rules_loses_the_level(document, board):
    """Before the allow-list, agent_args with a file were executed and marked."""
    document["runs"][0]["config"]["agent_args"] = {"record": "victim.txt"}
    number = board.submit(sent(document))
    board.store.add_verification(number, "reproduced", "", {})
    verdict = verify(board, number, Options(reproduce=True))
    assert verdict.level == "replayed"
    assert "agent_args has 'record'" in verdict.details["reproduction"]


def test_a_reason_is_no_markup_on_the_page_and_no_command_in_a_terminal(document, board, tmp_path):
    evil = "<script>alert(1)</script>[red]$(touch owned)"
    document["runs"][0]["config"]["data_dir"] = evil
    verdict = verify(board, board.submit(sent(document)), Options(reproduce=True))
    assert evil in verdict.details["reproduction"]
    build(board, tmp_path / "site")
    for page in (tmp_path / "site").rglob("*.html"):
        assert "<script>alert" not in page.read_text()
    assert "&lt;script&gt;alert(1)" in (tmp_path / "site/entry/1.html").read_text()


def test_several_processes_execute_the_runs_of_an_entry_and_the_first_difference_ends_it(document):
    other = deepcopy(document["runs"][0])
    other["trajectory"][1]["feedback_score"] = 0.123
    document["runs"].append(other)
    found = reproduce(document, all_tracks()[TRACK], workers=2)
    assert found.reason == "executed again, and clinic-0, seed 0: round 1 comes out otherwise."
    assert len(found.details["settings"]) == 2


def test_an_agent_that_follows_a_file_is_not_even_imported(document):
    document["runs"][0]["config"] |= {"agent": "sb3", "agent_args": {"policy": "x", "algorithm": "ppo"}}
    code = "import json, sys\nfrom lse_gym.leaderboard.settings import allowed\n"
    code += "from lse_gym.leaderboard.track import all_tracks\n"
    code += f"found = allowed(json.loads(sys.argv[1]), all_tracks()[{TRACK!r}])\n"
    code += "assert found.reasons == [\"the agent 'sb3' follows a file of its own\"], found\n"
    code += "assert not {'torch', 'stable_baselines3'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code, json.dumps(document["runs"][0]["config"])], check=True)


TEXTS = st.one_of(st.text(max_size=8), st.sampled_from(["openai:gpt-5", "hf:x", "/dev/zero", "writer", "lse", "seed"]))
ARGUMENTS = st.one_of(
    st.text(max_size=6), st.sampled_from(["record", "editor", "temperature", "shown", "policy", "prune", "variant"])
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(ARGUMENTS, inner, max_size=2)),
    max_leaves=4,
)


@settings(max_examples=400)
@given(st.data())
def test_whatever_a_config_says_no_text_of_it_gets_through(data):
    """Every value that passes is a number, a choice of the package, or the track's."""
    track = all_tracks()[TRACK]
    agent = data.draw(st.sampled_from(sorted(AGENTS)))
    base = {"agent": agent, "rounds": 4, "editor": "writer", "order": "code"}
    changed = data.draw(st.dictionaries(st.sampled_from([*SETTINGS, "record", "model"]), VALUES, max_size=2))
    found, reasons = allowed(base | changed, track)
    assert (found is None) == bool(reasons)
    if found is None:
        assert all(isinstance(reason, str) and reason.isprintable() for reason in reasons)
        return
    asked = asdict(track.run_settings(track.domains[0]))
    declared = hints(Settings)
    for name, value in asdict(found).items():
        if name in ("agent", "editor"):
            assert value in (AGENTS if name == "agent" else MODELS)
        elif name == "agent_args":
            own = hints(agent_class(found.agent).Args) if value else {}
            assert all(key not in SETTINGS and not is_free_text(own[key]) for key in value)
        elif is_free_text(declared[name]):
            assert value == asked[name]
        else:
            check(name, declared[name], value)
    assert found.rounds <= track.max_rounds
    assert found.budget_calls is not None
    assert found.budget_calls <= track.budget["calls"]
    assert "policy" not in json.dumps(asdict(found))
