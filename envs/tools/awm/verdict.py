"""What a scenario's verifier says of the database that an attempt left, and what is different in it."""

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from lse_gym.envs.sandbox import Box, Result
from lse_gym.envs.tools.awm.names import COMPLETE, INITIAL, JOURNALS, LEFT, OTHERS, WORK
from lse_gym.envs.tools.awm.warm import GUEST, libraries, then
from lse_gym.envs.tools.report import Ending

VERIFIER_S = 20.0  # wall clock of one verifier
FAILURES = {
    "time": "the verifier takes too long",
    "cpu": "the verifier takes too long",
    "memory": "the verifier takes too much memory",
    "output": "the verifier returns too much",
    "died": "the verifier ended its process",
}
NO_DATABASE = "the service left no database that can be read"

Files = Mapping[str, bytes]


def left_in(box: Box) -> Files:
    """The files of the database that a service worked on, by suffix."""
    files = {suffix: box.file(WORK + suffix) for suffix in JOURNALS}
    return {suffix: content for suffix, content in files.items() if content is not None}


def judge(initial: bytes, left: Files, code: str, answer: str) -> Future[Ending]:
    """Ask a verifier, in a box that holds nothing but two databases.

    Args:
        initial: the database as the attempt found it.
        left: the files of its copy as the attempt left them, see :func:`left_in`.
        code: the verifier.
        answer: the final answer.
    """
    if "" not in left:
        nothing: Future[Ending] = Future()
        nothing.set_result(Ending(answer, {}, _others(NO_DATABASE)))
        return nothing
    box = libraries().open({INITIAL: initial, **{LEFT + suffix: content for suffix, content in left.items()}})
    settled = box.call(f"{GUEST}.verifier:settle", None)
    judged = box.call(f"{GUEST}.verifier:verify", {"code": code, "answer": answer}, VERIFIER_S)

    def end(result: Result) -> Ending:
        box.close()
        return _ending(settled.result(), result, answer)

    return then(judged, end)


def _ending(settled: Result, judged: Result, answer: str) -> Ending:
    """An ending of two results, of which the second is whatever foreign code made it."""
    if settled.failure or not isinstance(settled.value, dict):
        return Ending(answer, {}, _others(NO_DATABASE))
    said: Any = judged.value
    if judged.failure:
        verdict = _others(FAILURES.get(judged.failure, "the verifier failed"))
    elif not isinstance(said, dict) or not all(isinstance(said.get(key), str) for key in ("result", "reason")):
        verdict = _others("the verifier's verdict cannot be read")
    else:
        verdict = COMPLETE if said["result"] == COMPLETE else _others(said["reason"])
    return Ending(answer, settled.value, verdict)


def _others(reason: str) -> str:
    """A verdict that is not "complete", with the reason where it is more than that the task is not done."""
    return f"{OTHERS}: {reason}" if reason else OTHERS
