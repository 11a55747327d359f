"""`LSE/ToolUse-v0` as other envs are used: turns, records, kills, vector envs, menus, and no way around the tools."""

import time

import gymnasium as gym
import numpy as np
import pytest

import lse_gym  # noqa: F401 - registers the ids
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.models.base import Response, TaskModel
from lse_gym.envs.session import Session
from lse_gym.envs.tools.procedural.family import OfficeFamily
from lse_gym.envs.tools.report import Ending
from lse_gym.wrappers.menu import EditMenu
from tests.command import Command, run
from tests.envs.test_vector import same, singles_step, sub_info

ID, DOMAIN = "LSE/ToolUse-v0", "marina-0"
EVOLVE = ["evolve", "--env", ID, "--domain", DOMAIN, "--agent", "random", "--rounds", "4", "--seed", "1"]


class Says(TaskModel):
    """Says what it is told to, whatever it is asked."""

    name, revision = "says", "1"

    def __init__(self, say):
        self.say = say

    def complete(self, requests):
        return [Response(self.say(request), 1, 1) for request in requests]

    def count_tokens(self, text):
        return len(text)


def test_who_knows_what_should_change_and_only_says_it_has_done_nothing():
    domain = OfficeFamily().load(DOMAIN)
    tasks = [question for question in domain.splits["test"] if Ending.read(question.gold).changes]
    golds = {domain.user(question): question.gold for question in tasks}
    assert len(golds) > 40
    forms = ("{}", "<answer>{}</answer>", "<tool_response>\n{}\n</tool_response>", "<tool_call>{}</tool_call>")
    for form in forms:
        session = Session(Says(lambda request, form=form: form.replace("{}", golds[request.user])))
        assert not session.run([session.evaluate(domain, "", tasks)])[0].scores.any()


@pytest.mark.parametrize("max_turns", [0, -1, 2.5, True, "3"])
def test_a_number_of_turns_is_a_count(max_turns):
    with pytest.raises(ArgumentError, match="max_turns="):
        gym.make(ID, max_turns=max_turns)


def test_fewer_turns_are_told_and_kept():
    scores, calls = [], []
    for max_turns in (1, 3, 10):
        env = gym.make(ID, domain=DOMAIN, max_turns=max_turns).unwrapped
        domain = env.family.load(DOMAIN)
        assert f"at most {max_turns} messages" in domain.system("")
        env.reset(seed=0, options={"context": domain.oracle_context})
        scores.append(env.reset(seed=0)[1]["held_out_score"])
        *_, info = env.step(domain.oracle_context)
        scores[-1] = info["held_out_score"]
        calls.append(info["calls"])
        assert all(len(problem.transcript) < 2 * max_turns for problem in env.report.problems)
    assert scores[0] < scores[1] <= scores[2]
    assert calls[0] == 40 < calls[1] <= calls[2] <= 400


def test_a_vector_env_is_its_envs_one_by_one():
    options = {"domain": [DOMAIN, "archive-1"], "max_edits": 2, "budget": {"calls": 720}}
    envs, singles = gym.make_vec(ID, num_envs=2, **options), [gym.make(ID, **options) for _ in range(2)]
    observations, infos = envs.reset(seed=[4, 5])
    for i, env in enumerate(singles):
        observation, info = env.reset(seed=4 + i)
        assert same({key: observations[key][i] for key in observation}, observation)
        assert same(sub_info(infos, i), info)
    ends = set()
    for actions in (("Pages count from 0.", "a\ud800\x00"), ("", "### Instructions\nLook up ids."), ("One more.", "")):
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        for i, env in enumerate(singles):
            observation, *numbers, info = singles_step(env, actions[i])
            assert numbers == [rewards[i], terminated[i], truncated[i]]
            assert same({key: observations[key][i] for key in observation}, observation)
            assert same(sub_info(infos, i), info)
            ends.add((bool(terminated[i]), bool(truncated[i])))
    assert {(True, False), (False, True)} <= ends, "edits end an episode, and the cap does"
    envs.close()


def test_a_record_answers_a_later_run(tmp_path):
    def episode(**options):
        env = gym.make(ID, domain=DOMAIN, **options)
        return repr([env.reset(seed=3), env.step("Look things up first.")])

    record = tmp_path / "responses.jsonl"
    first = episode(record=str(record))
    size = record.stat().st_size
    assert episode(record=str(record)) == first == episode(task_model=f"replay:{record}")
    assert record.stat().st_size == size


def test_a_run_that_was_killed_comes_to_the_same(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run(*EVOLVE, "--out", whole, cwd=tmp_path).returncode == 0
    killed = Command(*EVOLVE, "--out", cut, cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not (cut / "trajectory.jsonl").exists() or (cut / "trajectory.jsonl").read_text().count("\n") < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert not (cut / "summary.json").exists()
    assert run(*EVOLVE, "--out", cut, "--resume", cwd=tmp_path).returncode == 0
    for name in ("trajectory.jsonl", "responses.jsonl"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


def test_a_menu_offers_edits_of_a_playbook():
    env = EditMenu(gym.make(ID, domain=DOMAIN))
    playbook = "Do what is asked.\nLook things up first.\nSay what was done."
    offered = np.flatnonzero(env.reset(seed=0, options={"context": playbook})[1]["action_mask"])
    assert {*range(1, 11)} & {*offered}, "what the writer makes of single problems"
    assert {11, 12} <= {*offered}, "lines to drop"
    for action in offered:
        env.reset(seed=0, options={"context": playbook})
        *_, info = env.step(int(action))
        assert info["evaluated"] == 1.0
        assert (env.unwrapped.context == playbook) == (action == 0)
        assert all(problem.transcript for problem in env.unwrapped.report.problems)
