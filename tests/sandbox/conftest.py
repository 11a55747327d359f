"""A sandbox of each kind that works here."""

from pathlib import Path

import pytest

from lse_gym.envs.sandbox import Limits, Sandbox, SandboxError, confinement

HERE = str(Path(__file__).parent)
SMALL = Limits(cpu_s=5, wall_s=5, memory_bytes=128 << 20, scratch_bytes=4 << 20, output_bytes=4 << 10)


@pytest.fixture(scope="session", params=[*confinement.KINDS])
def kind(request):
    """Each confinement in turn; skipped where it does not work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(confinement.CHOICE, request.param)
        try:
            confinement.choose()
        except SandboxError as error:
            pytest.skip(str(error))
        yield request.param


@pytest.fixture(scope="session")
def make(kind):
    """Start a sandbox that can call the functions of this folder."""

    def start(**options):
        options = {"preload": ["inside"], "limits": SMALL} | options
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(confinement.CHOICE, kind)
            patch.syspath_prepend(HERE)
            return Sandbox(**options)

    return start


@pytest.fixture(scope="session")
def sandbox(make):
    with make() as sandbox:
        yield sandbox
