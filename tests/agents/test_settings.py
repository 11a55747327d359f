"""A run's configuration: its short names, files of earlier versions, and caps in dollars from end to end."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.agents.run import evolve
from lse_gym.agents.settings import OF_ENV, SIDE_BY_SIDE, Config, Settings
from lse_gym.envs.errors import ArgumentError, RunDirectoryError, UnknownNameError
from lse_gym.envs.models import make_model
from lse_gym.envs.options import CoreOptions
from lse_gym.envs.registration import ENVS, default

PRICED = """
from lse_gym.envs.models.base import Response, TaskModel, byte_bound


class Priced(TaskModel):
    name, revision = "priced", "1"

    def complete(self, requests):
        return [Response("<answer>SELECT 1</answer>", 100, 10) for _ in requests]

    def count_tokens(self, text):
        return 100

    def price(self, prompt_tokens, completion_tokens, cached_tokens=0):
        return prompt_tokens * 1e-5 + completion_tokens * 1e-4
"""


def as_it_was(config):
    """``config.json`` as versions before 0.2 wrote it: every setting by its short name, side by side."""
    data = asdict(Settings.of(Config.from_json(config))) | {"task_model": "reader"}
    facts = ("lse_gym", "task_model_revision", "editor_revision", "data_sha256")
    old = {name: value for name, value in data.items() if name not in ("budget_usd", "budget_edits")}
    return {name: config[name] for name in facts if name in config} | old | {"lse_gym": "0.1.0"}


def test_a_run_of_an_earlier_version_resumes_to_the_identical_result(tmp_path):
    settings = {"rounds": 3, "feedback_size": 4, "budget_calls": 900.0, "selection": "best", "agent": "opro"}
    whole = evolve(Config.of(**settings), tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    path.write_text(json.dumps(as_it_was(json.loads(path.read_text())), indent=1))
    journal = (tmp_path / "run" / "trajectory.jsonl").read_bytes()
    assert evolve(Config.of(**settings), tmp_path / "run", resume=True) == whole
    assert (tmp_path / "run" / "trajectory.jsonl").read_bytes() == journal
    with pytest.raises(RunDirectoryError, match="another configuration"):
        evolve(Config.of(**settings | {"feedback_size": 5}), tmp_path / "run", resume=True)


def test_only_what_was_chosen_is_passed_on():
    config = Config.of(domain="lab-1", feedback="error", selection="ucb", budget_usd=2.0, env_args={"samples": 2})
    assert config.env_args == {"domain": "lab-1", "feedback": "error", "samples": 2}
    assert config.agent_args == {"selection": "ucb"}
    assert config.budget == {"usd": 2.0}
    assert config.settings()["agent_args"]["editor"] == "writer", "what a result depends on is named"


def test_an_agent_is_told_what_it_knows_and_nothing_else():
    assert Config.of(agent="random", selection="ucb", editor="writer").agent_args == {}
    config = Config.of(agent="opro", agent_args={"shwn": 2})
    env = config.make_env()
    with pytest.raises(UnknownNameError, match="shwn"):
        config.make_agent(env)


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "rounds": st.integers(0, 99),
        "seed": st.integers(0, 99),
        "split_seed": st.integers(0, 9),
        "domain": st.sampled_from(["lab-0", None]),
        "task_model": st.sampled_from(["reader", "nano"]),
        "budget_calls": st.floats(1, 1e6),
        "budget_edits": st.floats(1, 1e6),
        "feedback_size": st.integers(1, 20),
        "ucb_c": st.floats(0, 9),
        "agent_args": st.sampled_from([{}, {"temperature": 0.5}]),
        "env_args": st.sampled_from([{}, {"max_edits": 3}]),
    },
)


@given(CHANGES)
def test_short_names_and_json_come_back(changes):
    config = Config.of(**changes)
    assert Settings.of(config).config() == config
    assert Config.from_json(json.loads(json.dumps(asdict(config)))) == config
    flat = json.loads(json.dumps(asdict(replace(Settings.of(config), editor=None))))
    plain = {name: value for name, value in config.env_args.items() if (name, value) not in SIDE_BY_SIDE.items()}
    assert Config.from_json(flat) == replace(config, env_args=plain), "settings side by side are read too"


def test_what_is_named_is_passed_on_though_it_is_the_default_of_other_envs():
    named = {"task_model": "reader", "feedback_size": 10}
    for env in ENVS:
        assert Config.of(env=env, domain=None, **named).env_args == named
        assert Config.of(env=env, domain=None).env_args == {}
        shared = {name: getattr(Settings, name) for name in OF_ENV if name in CoreOptions.__annotations__}
        own = {name: default(env, name) for name, value in shared.items() if value is not None}
        assert own.items() <= shared.items(), "what is left out is the env's own"
    assert [Config.of(env="LSE/Editor-v0").of_env(name) for name in named] == ["apprentice", 3]


def test_a_cap_without_end_is_no_cap_and_makes_plain_json(tmp_path):
    config = Config.of(budget_calls=inf, budget_tokens=1e9, rounds=0)
    assert config.budget == {"tokens": 1e9}
    evolve(config, tmp_path / "run")
    assert "Infinity" not in (tmp_path / "run" / "config.json").read_text()
    old = json.loads((tmp_path / "run" / "config.json").read_text()) | {"budget": {"calls": inf, "tokens": 1e9}}
    (tmp_path / "run" / "config.json").write_text(json.dumps(old))
    assert evolve(config, tmp_path / "run", resume=True)["rounds"] == 0


def test_dollars_are_capped_from_the_command_line(tmp_path):
    (tmp_path / "my_model.py").write_text(PRICED)
    command = [
        sys.executable,
        "-m",
        "lse_gym",
        "evolve",
        "--task-model",
        "my_model:Priced",
        "--budget-usd",
        "0.4",
        "--yes",
    ]
    done = subprocess.run(
        [*command, "--budget-usd", "0.4", "--max-tokens", "20", "--yes", "--rounds", "50", "--out", "run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert 0.2 < summary["usd"] <= 0.4
    assert summary["usd"] == pytest.approx(summary["task_model_calls"] * 0.002), "the editor is free"
    assert summary["test_usd"] > 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["budget"] == {"usd": 0.4}


def test_a_run_holds_the_revision_of_every_editor(tmp_path):
    """A second one that has changed is told when the run is resumed, as the first is."""
    one, both = ({"agent": "shinka", "rounds": 0, "agent_args": args} for args in ({}, {"editors": "reader"}))
    kept = []
    for name, settings in (("one", one), ("both", both)):
        evolve(Settings(**settings).config(), tmp_path / name)
        kept.append(json.loads((tmp_path / name / "config.json").read_text())["editor_revision"])
    assert kept == [make_model("writer").revision, f"{make_model('writer').revision}, {make_model('reader').revision}"]


def test_an_env_that_has_no_contexts_is_told():
    with pytest.raises(ArgumentError, match=r"'CartPole-v1' is no env of contexts.*'lse-gym envs' lists"):
        Settings(env="CartPole-v1").config().make_env()
