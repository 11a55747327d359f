"""Edit operations as actions: add, remove, replace or move a line of the context, or stop."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Dict, Discrete, MultiDiscrete
from gymnasium.utils import RecordConstructorArgs

from lse_gym.envs.core import Info, Observation
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.spaces import FreeText
from lse_gym.envs.state import TOLD, TOLD_BY_AGENT

OPERATIONS = ("stop", "add", "remove", "replace", "move")
USED = (*TOLD, *TOLD_BY_AGENT)
STOP, ADD, REMOVE, REPLACE, MOVE = range(len(OPERATIONS))


def apply_operation(context: str, operation: int, item: int, to: int, text: str) -> tuple[str, str]:
    """The context after an operation on its lines, and what was wrong with it (then the context stays as it was).

    Args:
        context: lines of text.
        operation: index into ``OPERATIONS``.
        item: the line that is removed, replaced or moved, from 0.
        to: where a line is added or moved to, from 0; past the end means at the end.
        text: the line that is added, or that replaces one; line breaks become spaces.

    >>> apply_operation("first\\nsecond", MOVE, 1, 0, "")
    ('second\\nfirst', '')
    """
    lines, text = context.split("\n") if context else [], " ".join(text.split())
    if operation not in range(len(OPERATIONS)) or to < 0:
        return context, f"there is no operation {operation} to {to}: the context was kept"
    if operation in (REMOVE, REPLACE, MOVE) and not 0 <= item < len(lines):
        return context, f"there is no line {item} of {len(lines)}: the context was kept"
    if operation in (ADD, REPLACE) and not text:
        return context, "there is no text: the context was kept"
    match operation:
        case 1:
            lines.insert(to, text)
        case 2:
            del lines[item]
        case 3:
            lines[item] = text
        case 4:
            lines.insert(to, lines.pop(item))
    return "\n".join(lines), ""


class EditOperations(gym.Wrapper, RecordConstructorArgs):
    """Actions are operations on the lines of the context: stop, add, remove, replace, move.

    ## Action Space
    ``Dict``: ``operation`` Discrete(5) (stop, add, remove, replace, move), ``item`` and ``to`` Discrete(``max_items``),
    and ``text`` FreeText(``max_text``). Fields that an operation does not need are ignored. "stop" ends the episode
    without an evaluation and with reward 0. An operation on a line that is not there leaves the context as it was and
    is told in ``info["problem"]``.

    With ``texts`` actions are numbers, for policies that write no text: ``MultiDiscrete([5, max_items, max_items,
    len(texts)])`` in the same order, the last one an index into ``texts``.

    ``info["action_mask"]`` is a bool array of shape (5, ``max_items``): whether an operation can be done to a line.
    :meth:`action_masks` tells it for each number of a ``MultiDiscrete`` action by itself, as MaskablePPO asks for it.

    Args:
        env: an env of the namespace ``LSE``.
        max_items: lines that can be addressed, >= 1.
        max_text: longest line that can be added, in characters.
        texts: the lines that can be added; None allows any.
    """

    def __init__(
        self,
        env: gym.Env[Observation, str],
        max_items: int = 64,
        max_text: int = 500,
        texts: Sequence[str] | None = None,
    ):
        RecordConstructorArgs.__init__(self, max_items=max_items, max_text=max_text, texts=texts)
        gym.Wrapper.__init__(self, env)
        if max_items < 1:
            raise ArgumentError(f"max_items={max_items} is not an int >= 1. Pass e.g. max_items=64.")
        if texts is not None and not texts:
            raise ArgumentError("texts is empty: nothing could be added. Pass lines, or None to allow any.")
        self.max_items, self.texts = max_items, texts
        self.action_space: gym.Space[Any] = (
            Dict(
                {
                    "operation": Discrete(len(OPERATIONS)),
                    "item": Discrete(max_items),
                    "to": Discrete(max_items),
                    "text": FreeText(max_text),
                }
            )
            if texts is None
            else MultiDiscrete([len(OPERATIONS), max_items, max_items, len(texts)])
        )
        self._last: Observation | None = None
        self._info: Info = {}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Reset the env."""
        observation, info = self.env.reset(seed=seed, options=options)
        return self._see(observation, info)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, Info]:
        """Do an operation and evaluate the context that it leads to."""
        if self._last is None:
            raise gym.error.ResetNeeded("step() before reset(). Call env.reset() first.")
        read = self._read(action)
        if read is not None and read[0] == STOP:
            info = {**self._info, **dict.fromkeys(("evaluated", "kept", "improvement", *USED), 0.0), "problem": ""}
            observation = {key: np.copy(v) if isinstance(v, np.ndarray) else v for key, v in self._last.items()}
            return observation, 0.0, True, False, {**info, "action_mask": self.mask()}
        context, problem = self._last["context"], f"the action was none of {self.action_space}: the context was kept"
        if read is not None:
            context, problem = apply_operation(context, *read)
        observation, reward, terminated, truncated, info = self.env.step(context)
        info["problem"] = problem or info["problem"]
        observation, info = self._see(observation, info)
        return observation, float(reward), terminated, truncated, info

    def _read(self, action: Any) -> tuple[int, int, int, str] | None:
        """Operation, item, to and text of an action; None where it is none."""
        try:
            if self.texts is None:
                return int(action["operation"]), int(action["item"]), int(action["to"]), str(action["text"])
            operation, item, to, chosen = (int(number) for number in action)
            return operation, item, to, self.texts[chosen] if chosen >= 0 else ""
        except (ArithmeticError, LookupError, TypeError, ValueError):
            return None

    def _see(self, observation: Observation, info: Info) -> tuple[Observation, Info]:
        self._last, self._info = observation, dict(info)
        return dict(observation), {**info, "action_mask": self.mask()}

    def mask(self) -> np.ndarray:
        """Which operations can be done to which lines, bool of shape (operations, ``max_items``)."""
        if self._last is None:
            raise gym.error.ResetNeeded("the mask before reset(). Call env.reset() first.")
        context = self._last["context"]
        lines = len(context.split("\n")) if context else 0
        mask = np.zeros((len(OPERATIONS), self.max_items), dtype=np.bool_)
        mask[[STOP, ADD]] = True
        mask[[REMOVE, REPLACE, MOVE], :lines] = True
        return mask

    def action_masks(self) -> np.ndarray:
        """What each number of a ``MultiDiscrete`` action can be, bool of shape (sum of its sizes,)."""
        mask = self.mask()
        rest = np.ones(self.max_items + len(self.texts or ()), dtype=np.bool_)
        return np.concatenate([mask.any(axis=1), mask[REMOVE] | ~mask[REMOVE].any(), rest])
