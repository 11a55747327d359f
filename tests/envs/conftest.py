import pytest

from tests.envs.specs import CASES, arguments
from tests.sql.layouts import write_bird


@pytest.fixture(scope="session")
def tiny_bird(tmp_path_factory):
    return write_bird(tmp_path_factory.mktemp("bird"), each=8)


@pytest.fixture(params=CASES, scope="session")
def made(request, tmp_path_factory):
    """Id and arguments of every registered env."""
    return arguments(request.param, tmp_path_factory.mktemp("data"))
