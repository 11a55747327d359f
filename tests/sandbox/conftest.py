"""A sandbox of each kind that works here."""

from functools import partial

import pytest

from lse_gym.envs.sandbox import confinement
from tests.sandbox.started import start, why_not


@pytest.fixture(scope="session", params=[*confinement.KINDS])
def kind(request):
    """Each confinement in turn; skipped where it does not work."""
    if problem := why_not(request.param):
        pytest.skip(problem)
    return request.param


@pytest.fixture(scope="session")
def make(kind):
    """Start a sandbox of that kind."""
    return partial(start, kind)


@pytest.fixture(scope="session")
def sandbox(make):
    with make() as sandbox:
        yield sandbox
