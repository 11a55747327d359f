"""Envs whose questions take tools: vector envs, caps, plans, menus; on the toy shelf."""

import numpy as np
import pytest

from lse_gym.agents.plan import plan_run
from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Config
from lse_gym.wrappers.menu import EditMenu
from tests.tools.shelf import Clerk, make


def test_a_vector_env_is_its_envs_one_by_one_and_asks_one_batch_a_turn():
    together, alone = Clerk(), Clerk()
    envs = make(together, 3, budget={"calls": 300})
    singles = [make(alone, budget={"calls": 300}) for _ in range(3)]
    observation, infos = envs.reset(seed=5)
    firsts = [env.reset(seed=5 + i) for i, env in enumerate(singles)]
    assert observation["feedback"] == tuple(first[0]["feedback"] for first in firsts)
    batches = len(together.batches)
    for step in range(4):
        actions = [f"Line {i} of {step}." for i in range(3)]
        observation, rewards, _, truncated, infos = envs.step(actions)
        each = [env.step(action) for env, action in zip(singles, actions, strict=True)]
        assert rewards.tolist() == [one[1] for one in each]
        assert truncated.tolist() == [one[3] for one in each]
        assert infos["calls"].tolist() == [one[4]["calls"] for one in each]
        assert observation["feedback"] == tuple(one[0]["feedback"] for one in each)
        np.testing.assert_array_equal(observation["remaining_budget"], [one[0]["remaining_budget"] for one in each])
    assert len(together.batches) - batches <= 4 * 3, "an attempt of the clerk has three turns"
    assert together.calls < alone.calls, "what two of them ask alike is asked once"


@pytest.mark.parametrize("cap", [100, 130, 200])
def test_calls_are_capped_for_all_turns_before_the_first(cap):
    model = Clerk()
    env = make(model, budget={"calls": cap})
    env.reset(seed=0)
    steps = [env.step(f"Line {i}.") for i in range(10)]
    assert model.calls == env.budget.spent.calls <= cap
    assert steps[-1][3], "an evaluation that may need four calls a question does not fit any more"
    assert cap - model.calls < 8 * 4
    assert env.budget.affords(env.budget.remaining)


def test_a_menu_edits_a_context_by_what_the_report_tells():
    env = EditMenu(make(Clerk()))
    env.reset(seed=1)
    report = env.unwrapped.report
    assert all(problem.transcript and problem.gold_changes for problem in report.problems)
    for action in range(env.action_space.n):
        env.reset(seed=1)
        *_, info = env.step(action)
        assert info["evaluated"] in (0.0, 1.0)


@pytest.mark.parametrize("agent", ["lse", "opro"])
def test_no_run_costs_more_than_its_plan_with_all_turns_and_their_report(agent, tmp_path):
    model, family = "tests.tools.shelf:Talker", {"family": "tests.tools.shelf:ShelfFamily"}
    config = Config.of(
        env="LSE/Family-v0", env_args=family, task_model=model, editor=model, agent=agent, rounds=2, domain="a"
    )
    plan = plan_run(config)
    summary = evolve(config, tmp_path / "run")
    assert 0 < summary["calls"] <= plan.search.calls
    assert 0 < summary["tokens"] <= plan.search.tokens
    assert plan.editor.tokens / 4 < summary["editor_tokens"] <= plan.editor.tokens
    assert summary["test_calls_cap"] <= plan.test.calls
