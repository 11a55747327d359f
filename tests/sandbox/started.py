"""Sandboxes as tests start them: of one kind, with what is here to be called in them."""

import os
import time
from pathlib import Path

import pytest

from lse_gym.envs.sandbox import Limits, Sandbox, SandboxError, confinement

HERE = str(Path(__file__).parent)
SMALL = Limits(cpu_s=5, wall_s=15, memory_bytes=128 << 20, scratch_bytes=4 << 20, output_bytes=4 << 10)


def why_not(kind):
    """Why a confinement does not work here, or nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(confinement.CHOICE, kind)
        try:
            confinement.choose()
        except SandboxError as error:
            return str(error)
    return ""


def start(kind, **options):
    """Start a sandbox that can call the functions of this folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(confinement.CHOICE, kind)
        patch.syspath_prepend(HERE)
        return Sandbox(**{"preload": ["inside"], "limits": SMALL} | options)


def run(box, source, **options):
    """Run a program in a box."""
    return box.call("inside:run", source, **options).result(60)


def descendants(process):
    """Numbers of all processes that come of one; of one that has just ended there are none."""
    try:
        told = Path(f"/proc/{process}/task/{process}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    children = [int(number) for number in told.split()]
    return [*children, *(number for child in children for number in descendants(child))]


def living(processes):
    """Those that do not end within seconds."""
    deadline = time.monotonic() + 5
    while left := [process for process in processes if os.path.exists(f"/proc/{process}")]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    return left
