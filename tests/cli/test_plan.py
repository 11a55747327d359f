"""A plan asks no model, and no run costs more than its plan said."""

import json
from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner

from lse_gym.agents.plan import NO_PLAN, has_price, kept_answers, plan_lasting, plan_run, preview
from lse_gym.agents.run import evolve, has_run
from lse_gym.agents.settings import Config
from lse_gym.cli.main import app
from lse_gym.cli.plan import confirm, plan_all, priced, show_plan, unpriced
from lse_gym.envs.budget import Usage
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.models import _load, make_model
from lse_gym.envs.models.base import Response, TaskModel
from tests.command import run

asked = []


class Priced(TaskModel):
    """Answers nothing of use for a dollar a thousand tokens."""

    name, revision = "tests.cli.test_plan:Priced", "1"

    def complete(self, requests):
        asked.extend(requests)
        return [Response("<answer>SELECT 1</answer>", len(r.system) + len(r.user), 9) for r in requests]

    def count_tokens(self, text):
        return len(text) + 8

    def price(self, prompt_tokens, completion_tokens, cached_tokens=0):
        return (prompt_tokens + completion_tokens) / 1000


@pytest.fixture
def paid(monkeypatch):
    asked.clear()
    return Config.of(task_model=Priced.name, editor=Priced.name, rounds=3, domain="clinic-0")


@pytest.mark.parametrize("agent", ["lse", "self-evolve", "ace", "textgrad", "opro", "evoprompt", "hill-climb", "no-op"])
def test_no_run_costs_more_than_its_plan(agent, paid, tmp_path):
    config = replace(paid, agent=agent, agent_args=paid.agent_args if agent not in ("hill-climb", "no-op") else {})
    plan = plan_run(config)
    assert not asked
    summary = evolve(config, tmp_path / "run")
    assert 0 < summary["calls"] <= plan.search.calls
    assert 0 < summary["usd"] <= plan.search.usd
    assert summary["tokens"] <= plan.search.tokens
    assert summary["test_calls_cap"] <= plan.test.calls
    assert summary["test_usd"] <= plan.test.usd
    assert plan.whole == plan.search.plus(plan.test)


def test_further_editors_are_planned_for_and_not_asked(paid, tmp_path):
    config = replace(paid, agent="shinka", agent_args={"editor": "writer", "editors": Priced.name})
    free = replace(config, env_args={**config.env_args, "task_model": "reader"})
    assert priced(free)
    assert not priced(replace(free, agent_args={"editor": "writer"}))
    both, alone = plan_run(free), plan_run(replace(free, agent_args={"editor": Priced.name}))
    assert both.editor.usd == alone.editor.usd > 0
    kept_answers(free)
    assert not asked
    summary = evolve(free, tmp_path / "run")
    assert 0 < summary["usd"] <= both.search.usd
    told, paid_for = summary["answers"]["editor"]["answers"], len(asked)
    assert told == summary["calls"] - summary["task_model_calls"] > paid_for > 0
    kept_answers(replace(free, rounds=9), tmp_path / "run")
    assert len(asked) == paid_for


@pytest.mark.extra("gepa")
def test_a_package_that_owns_its_loop_keeps_to_the_plan_as_well(paid, tmp_path):
    config = replace(paid, agent="gepa")
    plan = plan_run(config)
    assert evolve(config, tmp_path / "run")["calls"] <= plan.search.calls


def test_the_budget_caps_a_plan_but_not_its_test(paid):
    free, capped = plan_run(paid), plan_run(replace(paid, budget={"calls": 100, "usd": 2}))
    assert (capped.search.calls, capped.search.usd) == (100, 2)
    assert capped.test == free.test
    assert capped.search.tokens == free.search.tokens
    assert plan_run(replace(paid, rounds=0)).test.calls == free.test.calls / 2  # one context
    assert plan_all([paid, replace(paid, seed=1)]) == free.times(2)
    compared, with_other = plan_all([paid], []), plan_all([paid], [Priced.name])
    assert compared.test == free.test.plus(plan_lasting(paid))
    assert with_other.test == compared.test.plus(free.test)
    assert with_other.search == compared.search == free.search
    both = [paid, replace(paid, env_args={**paid.env_args, "domain": "lab-0"})]
    assert plan_all(both, []).test.calls == 2 * (free.test.plus(compared.test)).calls  # each is the other's unseen one


def test_what_is_kept_is_counted_without_asking(paid, tmp_path, monkeypatch):
    assert kept_answers(paid) == 0
    summary = evolve(paid, tmp_path / "run")
    before = len(asked)
    assert before == summary["calls"] + summary["test_calls"]
    assert kept_answers(paid, tmp_path / "run") == before
    assert kept_answers(replace(paid, rounds=2), tmp_path / "run") <= before
    assert kept_answers(replace(paid, rounds=9), tmp_path / "run") >= summary["calls"]
    assert len(asked) == before


def test_what_costs_much_is_not_run_unasked(paid, monkeypatch):
    plan = NO_PLAN._replace(search=Usage(usd=6.0))
    confirm(plan, 6.0, yes=False)
    confirm(plan, 5.0, yes=True)
    with pytest.raises(ArgumentError, match=r"6\.00 US dollars.*--yes.*--budget-usd.*--plan"):
        confirm(plan, 5.0, yes=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    for answer in (True, False):
        monkeypatch.setattr(typer, "confirm", lambda *_, answer=answer, **__: answer)
        if answer:
            confirm(plan, 5.0, yes=False)
        else:
            with pytest.raises(typer.Exit):
                confirm(plan, 5.0, yes=False)


def test_a_server_without_prices_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    config = Config.of(task_model="openai:unpriced-model")
    assert unpriced(config) == ["openai:unpriced-model"]
    assert not priced(config)
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"priced-model": [1, 2]}))
    monkeypatch.setenv("LSE_GYM_PRICES", str(prices))
    assert has_price(make_model("openai:priced-model"))
    plan = plan_run(Config.of(task_model="openai:priced-model", rounds=1))
    assert plan.whole.usd > 0
    _load.cache_clear()


def test_a_plan_shows_questions_prompt_gold_and_faults(capsys):
    config = Config.of(rounds=2, editor="writer")
    first = preview(config)
    show_plan(config, None)
    shown = capsys.readouterr().out
    assert "60 feedback, 50 held-out, 60 test; an evaluation asks 60" in shown
    assert first.prompt.system in shown
    assert first.gold in shown
    assert "every gold answer scores 1.0" in shown
    assert "200 calls" not in shown


@pytest.mark.parametrize("agent", ["lse", "hill-climb", "opro", "textgrad", "ace"])
def test_a_plan_says_what_is_a_bound_and_what_an_estimate(agent, capsys):
    show_plan(Config.of(rounds=2, editor="writer", agent=agent), None)
    shown = capsys.readouterr().out
    assert ("are an estimate" in shown) == (agent not in ("lse", "hill-climb"))
    assert (" calls, about " in shown) == ("are an estimate" in shown)


def test_a_plan_tells_once_what_became_of_a_file(tmp_path):
    rows = "".join(f"What is {n} + 1?,{n + 1}\n" for n in range(12))
    (tmp_path / "sums.csv").write_text("question,answer\n" + rows)
    done = run("evolve", "--questions", "sums.csv", "--plan", "--editor", "writer", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (done.stdout + done.stderr).count("question ← question") == 1


def test_broken_golds_of_a_family_of_ones_own_are_told_without_a_plan_too(tmp_path):
    own = ["--env", "LSE/Family-v0", "--env-set", "family=tests.envs.stub:StubFamily", "--domain", "a"]
    words = ["evolve", *own, "--agent", "no-op", "--rounds", "0", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    told = " ".join(done.output.split())
    assert "data: the gold answer is unusable, or does not score 1.0, in 14: feedback-0, feedback-1" in told
    assert has_run(tmp_path / "run")
