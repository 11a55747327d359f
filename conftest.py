"""For all tests: not the user's cache, one editor, one thread a worker; without an extra, a skip that names it."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from lse_gym.envs.errors import MissingExtraError
from lse_gym.envs.extras import extras, missing, module_of

os.environ["LSE_GYM_RESPONSE_CACHE"] = "off"
os.environ["LSE_GYM_EDITOR"] = "writer"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # the package behind textgrad asks the network otherwise
os.environ.setdefault("OMP_NUM_THREADS", "1")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has it ignored in what it runs in the background
settings.register_profile("loaded", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("loaded")  # a busy machine is no fault

EXTRA = {module_of(package): extra for extra, packages in reversed(extras().items()) for package in packages}


def install(extra):
    """Why a test is skipped."""
    return f"pip install 'lse-gym[{extra}]'"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """A test module that imports what an extra brings is skipped without it."""
    report = yield
    error = report.call.excinfo.value.__cause__ if report.failed else None
    if isinstance(error, MissingExtraError):
        error = error.__cause__
    package = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and EXTRA.get(package):
        report.outcome, report.longrepr = "skipped", (str(collector.path), None, f"Skipped: {install(EXTRA[package])}")
    return report


def pytest_runtest_setup(item):
    """A test marked ``extra("data")`` is skipped without that extra."""
    for mark in item.iter_markers("extra"):
        if missing(*mark.args):
            pytest.skip(install(*mark.args))
