"""Envs driven side by side, all or none: where the task model fails, every env is as it was before."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from lse_gym.envs.budget import Usage
from lse_gym.envs.metered import Task
from lse_gym.envs.models.base import Request, Response

if TYPE_CHECKING:
    from lse_gym.envs.core import ContextEnv

T = TypeVar("T")


class Mark(NamedTuple):
    """An env as it was: its attributes, its stream of randomness, and its memory of responses."""

    attributes: dict[str, Any]
    stream: Mapping[str, Any]
    memory: dict[Request, Response]


def run(envs: Sequence["ContextEnv"], tasks: Iterable[Task[T]]) -> list[T]:
    """Drive one task per env, with one model batch at a time for all of them.

    Raises:
        ProviderError: the model failed; every env is as it was, but that responses it got before stay paid for.
    """
    marks = [Mark(dict(vars(e)), e.np_random.bit_generator.state, e.session.metered.memory) for e in envs]
    try:
        return envs[0].session.run(tasks)
    except BaseException:
        for env, mark in zip(envs, marks, strict=True):
            env.session.metered.memory = mark.memory
            env.budget.settle(Usage(), Usage(edits=mark.attributes["_edits_paid"] - env._edits_paid))
            vars(env).update(mark.attributes)
            env.np_random.bit_generator.state = mark.stream
        raise
