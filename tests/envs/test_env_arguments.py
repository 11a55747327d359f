"""A wrong argument of any env is told when it is made, in one sentence of ours, whichever env and argument it is."""

from inspect import signature
from itertools import product

import pytest

from lse_gym.envs.errors import LSEGymError
from lse_gym.envs.options import CoreOptions
from lse_gym.envs.registration import env_class
from tests.envs.specs import CASES, SPECS, arguments

ODD = [-1, 0, 1.5, float("nan"), "x", "", b"x", None, True, [], {}, ("a", 1), object()]
WRONG = [
    ("split_seed", -1, "split_seed=-1 is not an int >= 0"),
    ("split_seed", "x", "split_seed='x' is not an int >= 0"),
    ("samples", 0, "samples=0 is not an int >= 1"),
    ("temperature", float("inf"), "temperature=inf is not a finite number >= 0"),
    ("max_edits", 2.0, "max_edits=2.0 is not an int >= 1"),
    ("feedback", "golds", "'golds' is not a known feedback"),
    ("record", 3, "record=3 is not a str or a PathLike or None"),
    ("split_sed", 1, "Did you mean 'split_seed'?"),
]


@pytest.fixture
def case(request, tmp_path, monkeypatch):
    """The class of an env and what it needs, in a directory where a record may be kept."""
    monkeypatch.chdir(tmp_path)
    name, needed = arguments(request.param, tmp_path)
    return env_class(name), needed


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_an_odd_argument_is_taken_or_told_at_once(case):
    """No error of Python's, numpy's or another package comes through."""
    made, needed = case
    names = {**signature(made).parameters, **CoreOptions.__annotations__}.keys() - {"options"}
    wrong = []
    for argument, value in product(sorted(names), ODD):
        try:
            made(**{**needed, argument: value}).close()
        except LSEGymError:
            pass
        except Exception as error:
            wrong.append(f"{argument}={value!r}: {type(error).__name__}: {error}")
    assert wrong == []


@pytest.mark.parametrize("name", [spec.id for spec in SPECS])
def test_what_is_wrong_is_told_before_data_is_looked_for(name):
    made = env_class(name)
    for argument, value, told in WRONG:
        if argument in CoreOptions.__annotations__ or "split_seed" in signature(made).parameters:
            with pytest.raises(LSEGymError) as error:
                made(**{argument: value})
            assert told in str(error.value)
