"""`LSE/DataScience-v0` as other envs are used: sandboxed, side by side, recorded, gone on with; without its extra."""

import gymnasium as gym
import numpy as np
import pytest

import lse_gym  # noqa: F401 - registers the ids
from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Config
from lse_gym.envs import extras
from lse_gym.envs.datascience.executor import check_place
from lse_gym.envs.datascience.procedural.family import ProceduralDataScienceFamily
from lse_gym.envs.errors import ArgumentError, MissingExtraError
from tests.datascience.houses import mean
from tests.datascience.playing import call, outcome

pytestmark = pytest.mark.extra("ds")
ID = "LSE/DataScience-v0"
SMALL = {"domain": "winery-1", "held_out_size": 6, "feedback_size": 2}
FAMILY = ProceduralDataScienceFamily()


def test_what_the_oracle_knows_is_worth_a_lot():
    env = gym.make(ID, domain="ferry-0")
    _, info = env.reset(seed=0)
    assert info["held_out_score"] < 0.4
    _, reward, *_, after = env.step(env.unwrapped.family.load("ferry-0").oracle_context)
    assert after["held_out_score"] > 0.95
    assert reward == after["held_out_score"] - info["held_out_score"]


def test_the_analysts_scripts_run_in_the_sandbox_and_files_are_the_questions_own():
    domain = FAMILY.load("ferry-0")
    first, other = domain.splits["held_out"][:2]
    files = [*domain.files(first)]
    assert outcome(domain, first, call(first.gold, files)).score > 0.9
    assert "metadata.txt" in files
    lacking = outcome(domain, first, call(first.gold, []))
    assert (lacking.score, lacking.error.partition(":")[0]) == (0.0, "code error")
    unknown = next(iter({*domain.files(other)} - {*files}))
    assert "there is no file" in outcome(domain, first, call(first.gold, [unknown])).error


def test_the_header_is_the_houses():
    """Names and order of columns: under another header the same numbers score nothing."""
    domain = FAMILY.load("ferry-0")
    question = next(q for q in domain.splits["test"] if q.id.endswith("_if"))
    swapped = question.gold.replace("result.to_csv", "result = result[result.columns[::-1]]\nresult.to_csv")
    renamed = question.gold.replace("result.to_csv", 'result["more"] = 1\nresult.to_csv')
    files = [*domain.files(question)]
    for code in (swapped, renamed):
        found = outcome(domain, question, call(code, files))
        assert found.score == 0
        assert "in another order, or more" in found.error


def test_a_script_that_failed_and_one_that_is_repeated_tell_the_same_again():
    domain = FAMILY.load("ferry-0")
    question = domain.splits["test"][0]
    files = [*domain.files(question)]
    for code in ("raise ValueError('so')", question.gold, "print(open('train.csv').read())"):
        once, again = (outcome(domain, question, call(code, files)) for _ in range(2))
        assert once == again
    after = outcome(domain, question, call("1 / 0", files), call(question.gold, files))
    assert after.score == outcome(domain, question, call(question.gold, files)).score > 0


def test_many_envs_are_as_one():
    contexts = ("Round everything.", FAMILY.load("winery-1").oracle_context)
    envs = gym.make_vec(ID, 2, **SMALL)
    first, info = envs.reset(seed=[3, 4])
    _, rewards, *_, after = envs.step(contexts)
    for i, context in enumerate(contexts):
        env = gym.make(ID, **SMALL)
        observation, alone = env.reset(seed=3 + i)
        assert observation["feedback"] == first["feedback"][i]
        assert alone["held_out_score"] == info["held_out_score"][i]
        *_, alone = env.step(context)
        assert alone["held_out_score"] == after["held_out_score"][i]
        assert alone["improvement"] == rewards[i]
    assert np.ptp(rewards) > 0.3


def test_a_record_answers_a_later_run(tmp_path):
    def episode(**options):
        env = gym.make(ID, **SMALL, **options)
        return repr([env.reset(seed=3), env.step("Look at the columns first.")])

    record = tmp_path / "responses.jsonl"
    first = episode(record=str(record))
    size = record.stat().st_size
    assert episode(record=str(record)) == first == episode(task_model=f"replay:{record}")
    assert record.stat().st_size == size


def test_a_run_that_goes_on_comes_to_what_a_whole_one_does(tmp_path):
    def run(folder, rounds, **more):
        env_args = {"held_out_size": 6}
        config = Config.of(env=ID, domain="winery-1", agent="hill-climb", rounds=rounds, env_args=env_args)
        return evolve(config, tmp_path / folder, **more)

    run("whole", 2)
    run("cut", 1)
    run("cut", 2, resume=True)
    for name in ("trajectory.jsonl", "summary.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setattr(extras, "available", lambda *modules: False)
    check_place.cache_clear()
    with pytest.raises(MissingExtraError, match=r"lse-gym\[ds\]"):
        gym.make(ID, **SMALL).reset(seed=0)
    check_place.cache_clear()


@pytest.mark.parametrize("wrong", [{"held_out_size": 0}, {"split_seed": -1}])
def test_wrong_arguments_are_told(wrong):
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        gym.make(ID, **wrong)


def test_other_split_seeds_ask_about_other_datasets_of_the_same_world():
    one, two = (ProceduralDataScienceFamily(seed).load("vet-0") for seed in (0, 1))
    assert one.oracle_context == two.oracle_context
    shared = {q.text for q in one.splits["test"]} & {q.text for q in two.splits["test"]}
    assert len(shared) < 3
    assert mean(len(domain.splits["test"]) for domain in (one, two)) == 40
