import copy
import inspect
import json
import os
import pickle
import re
import subprocess
import sys
import warnings
from ast import literal_eval
from hashlib import blake2b
from pathlib import Path

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env, data_equivalence

from lse_gym.envs.core import ContextEnv
from lse_gym.envs.errors import ArgumentError, DataError, UnknownNameError
from lse_gym.envs.extras import missing
from lse_gym.envs.options import CoreOptions, argument_rows
from tests.envs.specs import CASES, LOCAL, SPECS, TINY, arguments, plain, rollout

SECTIONS = [
    "Description",
    "Action Space",
    "Observation Space",
    "Rewards",
    "Starting State",
    "Episode End",
    "Arguments",
    "Cost",
    "Version History",
]
per_class = pytest.mark.parametrize(
    "env_class", [ContextEnv, *(gym.envs.registration.load_env_creator(spec.entry_point) for spec in SPECS)]
)


def make(made, **more):
    return gym.make(made[0], **made[1], **more)


def test_every_spec_is_a_case():
    assert {"LSE/TextToSQL-v1", "LSE/QA-v1", "LSE/BIRD-v0"} <= {spec.id for spec in SPECS}
    assert all(spec.vector_entry_point and not spec.additional_wrappers and not spec.kwargs for spec in SPECS)


@pytest.mark.filterwarnings("ignore")  # Gymnasium says it twice
@pytest.mark.parametrize("retired", ["LSE/PassageOrder-v0", "LSE/QA-v0"])
def test_a_retired_version_names_the_present_one(retired):
    with pytest.raises(gym.error.DeprecatedEnv, match=retired.replace("-v0", "-v1")):
        gym.make(retired)


def test_gymnasium_check_passes(made):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(make(made).unwrapped)


def test_passive_checker_is_content(made):
    env = make(made, render_mode="ansi")
    assert "PassiveEnvChecker" in repr(env)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rollout(env, 3)
        assert isinstance(env.render(), str)


def test_twin_rollouts_agree(made):
    one, two, other = (rollout(make(made), seed, steps=6) for seed in (11, 11, 12))
    assert data_equivalence(one, two, exact=True)
    assert not data_equivalence(one, other, exact=True)


def test_seeded_reset_forgets_the_past(made):
    env = make(made)
    first, again = (rollout(env, seed=11, steps=6) for _ in range(2))
    assert data_equivalence(first, again, exact=True)


DIGEST = """
import sys, json, lse_gym
from tests.envs.test_registry import digest
print(json.dumps([digest(*case) for case in json.loads(sys.argv[1])]))
"""


def digest(name, kwargs):
    return blake2b(
        repr([plain(rollout(gym.make(name, **kwargs), seed, steps=3)) for seed in (1, 2)]).encode()
    ).hexdigest()


def runnable():
    """The cases that can be run here, in the time of a short test."""
    for case in CASES:
        marks = {mark.name: mark.args for mark in case.marks}
        if not ("long" in marks or any(marks.get("skipif", ())) or ("extra" in marks and missing(*marks["extra"]))):
            yield case.values[0]


def test_processes_and_hash_seeds_agree(tmp_path_factory):
    """One process for every id, as its start costs more than what it is asked; its hashes are not those of here."""
    hash_seed = next(seed for seed in ("0", "4711") if seed != os.environ.get("PYTHONHASHSEED"))
    cases = [arguments(case, tmp_path_factory.mktemp("data")) for case in runnable()]
    cases += [("LSE/TextToSQL-v1", {"domain": ["studio-3", "library-2"]})]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", DIGEST, json.dumps(cases)]
    found = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    expected = [digest(*case) for case in cases]
    told = zip(cases, expected, json.loads(found.stdout), strict=True)
    assert not [case for case, here, there in told if here != there]


def test_spec_survives_json_and_pickle(made):
    env = make(made, max_edits=2, budget={"calls": 5000})
    for spec in (EnvSpec.from_json(env.spec.to_json()), pickle.loads(pickle.dumps(env.spec))):  # noqa: S301 - our own
        assert spec == env.spec
        twin = make(made, max_edits=2, budget={"calls": 5000})
        assert data_equivalence(rollout(gym.make(spec), 5, steps=4), rollout(twin, 5, steps=4), exact=True)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])  # noqa: S301
def test_a_copy_continues_identically(made, duplicate):
    env = make(made).unwrapped
    rollout(env, seed=7, steps=3)
    twin = duplicate(env)
    goings_on = [[e.step(f"Line {i}.") for i in range(3)] + [e.reset()] for e in (env, twin)]
    assert data_equivalence(*goings_on, exact=True)
    assert env._state is not twin._state


def own_arguments(env_class):
    return [n for n, p in inspect.signature(env_class).parameters.items() if p.kind is not p.VAR_KEYWORD]


@per_class
def test_docstring_sections_are_complete_and_in_order(env_class):
    doc = inspect.cleandoc(env_class.__doc__)
    assert re.findall(r"^## (.*)$", doc, re.MULTILINE) == SECTIONS
    assert all(body.strip() for body in re.split(r"^## .*$", doc, flags=re.MULTILINE))


@per_class
def test_every_argument_is_documented_with_its_default(env_class):
    """Those of its own, then those that all share; what has no default in the table has to be given."""
    real = {**inspect.signature(env_class).parameters}
    real = {name: real[name].default for name in own_arguments(env_class)}
    core = inspect.signature(ContextEnv).parameters
    real |= {name: core[name].default for name in CoreOptions.__annotations__ if name not in real}
    told = {name: default for name, _, default, *_ in argument_rows(env_class.__doc__)}
    assert [*told] == [*real]
    for name, default in told.items():
        assert literal_eval(default) == real[name] if default else real[name] in (None, inspect.Parameter.empty)


def test_shared_arguments_are_those_of_the_core():
    assert set(CoreOptions.__annotations__) == set(own_arguments(ContextEnv)) - {"family", "domain"}


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({"domain": "libary-0"}, ["'library-0'", "Did you mean 'library-0'"]),
        ({"domain": "tests"}, ["'train'", "Did you mean 'test'"]),
        ({"domain": ["train", "nope"]}, ["'nope'", "'train'"]),
        ({"domain": 7}, ["7"]),
        ({"domain": []}, ["'train'"]),
        ({"task_model": "raeder"}, ["'reader'", "Did you mean 'reader'"]),
        ({"feedback": "golden"}, ["'gold', 'score'", "Did you mean 'gold'"]),
        ({"max_edit": 3}, ["'max_edits'", "'split_seed'", "Did you mean 'max_edits'"]),
        ({"budget": {"call": 5}}, ["'calls'", "'usd'", "Did you mean 'calls'"]),
        ({"scoring": "sets"}, ["'strict'", "Did you mean 'set'"]),
        ({"max_edits": 0}, ["max_edits=0"]),
        ({"samples": True}, ["samples=True"]),
        ({"feedback_size": 2.5}, ["feedback_size=2.5"]),
        ({"temperature": float("nan")}, ["temperature=nan"]),
        ({"temperature": "hot"}, ["temperature='hot'"]),
        ({"start": "no-such-file.jsonl"}, ["no-such-file.jsonl"]),
    ],
)
def test_a_wrong_argument_says_what_is_right(arguments, shown):
    with pytest.raises((UnknownNameError, ArgumentError, DataError)) as caught:
        gym.make("LSE/TextToSQL-v1", **arguments).reset(seed=0)
    assert all(text in str(caught.value) for text in shown), str(caught.value)


def test_a_wrong_id_names_the_nearest():
    with pytest.raises(gym.error.NameNotFound, match="TextToSQL"):
        gym.make("LSE/TextToSql-v0")
    with pytest.raises(gym.error.DeprecatedEnv, match="TextToSQL-v1"), pytest.warns(DeprecationWarning, match="v1"):
        gym.make("LSE/TextToSQL-v0")
    with pytest.raises(DataError, match=r"dev\.json"):
        gym.make("LSE/BIRD-v0")


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"contxt": "x"}, ["'context'", "'batch'", "Did you mean 'context'"]),
        ({"domain": "libary-0"}, ["Did you mean 'library-0'"]),
        ({"domain": ["library-0"]}, ["['library-0']"]),
        ({"context": 3}, ["options['context'] is of type int, not str"]),
        ({"batch": -1}, ["options['batch']=-1"]),
        ({"batch": 0.5}, ["options['batch']=0.5"]),
        ({"batch": 10**400}, ["options['batch']"]),
    ],
)
def test_a_wrong_reset_option_says_what_is_right_and_changes_nothing(options, shown):
    env, twin = (gym.make("LSE/TextToSQL-v1", domain=["library-0", "library-1"]) for _ in range(2))
    env.reset(seed=3), twin.reset(seed=3)
    with pytest.raises((UnknownNameError, ArgumentError)) as caught:
        env.reset(seed=9, options=options)
    assert all(text in str(caught.value) for text in shown), str(caught.value)
    for follow in (lambda e: e.step("One."), lambda e: e.reset()):
        assert data_equivalence(follow(env), follow(twin), exact=True)


def test_import_is_light():
    heavy = "'torch', 'transformers', 'envs', 'agents', 'sqlglot'"
    code = f"import sys, lse_gym; print([m for m in ({heavy}) if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_command_line_starts_without_what_single_commands_need():
    heavy = "'torch', 'transformers', 'pandas', 'sqlite_utils', 'jinja2', 'jsonschema', 'http.server'"
    code = f"import sys, lse_gym.__main__; print([m for m in ({heavy}) if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("seed", ["01", "007", "٣", "+1", " 1", "1" * 40, ""])
def test_a_drawn_domain_has_one_name(seed):
    """Two names for one domain would count it twice."""
    for spec in LOCAL:
        if spec.id in TINY or spec.id in ("LSE/Custom-v1", "LSE/Editor-v0", "LSE/Family-v0"):
            continue
        name = gym.make(spec.id, disable_env_checker=True).unwrapped.domains[0].rpartition("-")[0]
        with pytest.raises(UnknownNameError, match="Any other seed works too"):
            gym.make(spec.id, domain=f"{name}-{seed}", disable_env_checker=True)
