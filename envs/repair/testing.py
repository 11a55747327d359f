"""Unit tests of a function that a model wrote: called in the sandbox, compared here."""

import reprlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from typing import Any, NamedTuple

from lse_gym.envs.repair.functions import Arguments
from lse_gym.envs.sandbox import Limits, Result, Sandbox, per_process

RUN = "lse_gym.envs.repair.inside"
LIMITS = Limits(cpu_s=2.0, wall_s=10.0, memory_bytes=256 << 20, scratch_bytes=1 << 20, threads=4)
AT_ONCE = 8  # boxes
MAX_CODE_CHARS = 20_000
NUMBERS, LARGEST = (int, float), 1e15
MOST_REMEMBERED = 20_000  # runs; the same function is never run twice, so that it always has the same score


class UnitTests(NamedTuple):
    """Calls of a function and what each has to return; ``base`` is how many of them it passes unrepaired."""

    name: str
    calls: Sequence[Arguments]
    wanted: Sequence[Any]
    base: int = 0

    def score(self, passed: int) -> float:
        """UnitTests passed beyond those that pass anyway, as a share of those that fail, in [0, 1]."""
        return max(0.0, (passed - self.base) / (len(self.calls) - self.base))


class Ran(NamedTuple):
    """How many tests passed, and the first thing that went wrong, or ""."""

    passed: int
    error: str = ""


_remembered: dict[bytes, Ran] = {}


def run(codes: Sequence[str], tests: Sequence[UnitTests]) -> list[Ran]:
    """Run the tests of several functions, each in a box of its own.

    Raises:
        SandboxError: nothing can confine foreign code here.
    """
    cases = {_key(code, one): (code, one) for code, one in zip(codes, tests, strict=True)}
    todo = [key for key in cases if key not in _remembered]
    for some in (todo[i : i + AT_ONCE] for i in range(0, len(todo), AT_ONCE)):
        with ExitStack() as opened:
            boxes = [opened.enter_context(_sandbox().open()) for _ in some]
            calls = [box.call(f"{RUN}:results", _given(*cases[key])) for key, box in zip(some, boxes, strict=True)]
            for key, result in zip(some, calls, strict=True):
                _remembered[key] = _ran(result.result(), cases[key][1])
    found = [_remembered[_key(code, one)] for code, one in zip(codes, tests, strict=True)]
    while len(_remembered) > MOST_REMEMBERED:
        del _remembered[next(iter(_remembered))]
    return found


def _key(code: str, tests: UnitTests) -> bytes:
    return blake2b(repr((code, tests.name, tests.calls, tests.wanted)).encode(errors="surrogatepass")).digest()


def _given(code: str, tests: UnitTests) -> dict[str, Any]:
    """What a box is told: no more than it has to call."""
    calls = [[*call.values()] for call in tests.calls]
    return {"code": code[:MAX_CODE_CHARS], "name": tests.name, "calls": calls}


def _ran(result: Result, tests: UnitTests) -> Ran:
    values = result.value
    if result.failure:
        return Ran(0, (result.message or result.failure).strip().rpartition("\n")[2][:300])
    if not isinstance(values, list) or len(values) != len(tests.calls):
        return Ran(0, "The function ended the interpreter.")
    passed, error = 0, ""
    for call, wanted, value in zip(tests.calls, tests.wanted, values, strict=True):
        returned = isinstance(value, list) and len(value) == 1
        right = returned and _same(value[0], wanted)
        passed += right
        if not right and not error:
            got = f"returns {_shown(value[0])}" if returned else f"raises {_shown(value)}"
            error = f"{tests.name}({_told(call)}) {got[:200]}, not {wanted!r}."
    return Ran(passed, error and f"{len(tests.calls) - passed} of {len(tests.calls)} tests fail: {error}")


def _same(value: Any, wanted: Any) -> bool:
    """Equal, but True is not 1, and numbers may differ by what arithmetic does; no deeper than ``wanted`` is."""
    if isinstance(wanted, list):
        return isinstance(value, list) and len(value) == len(wanted) and all(map(_same, value, wanted))
    if type(wanted) in NUMBERS and type(value) in NUMBERS and -LARGEST < value < LARGEST:
        return abs(value - wanted) < 1e-9
    return type(value) is type(wanted) and value == wanted


def _shown(value: Any) -> str:
    """A result as it is told, whatever it is: nested without end, or a number of thousands of digits."""
    try:
        return value if isinstance(value, str) else reprlib.repr(value)
    except (ValueError, RecursionError):
        return f"a {type(value).__name__}"


def _told(call: Mapping[str, Any]) -> str:
    return ", ".join(f"{value!r}" for value in call.values())


@per_process
def _sandbox() -> Sandbox:
    return Sandbox([RUN], limits=LIMITS)
