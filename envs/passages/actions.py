"""Numbers instead of text: actions that set or change an order, and what a policy without language sees of it."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box, MultiDiscrete

Actions = Literal["text", "priorities", "positions", "operation"]
ACTIONS: tuple[Actions, ...] = ("text", "priorities", "positions", "operation")
OPERATIONS = ("swap", "move", "drop", "restore")
SWAP, MOVE, DROP, RESTORE = range(len(OPERATIONS))


def action_space(kind: Actions, passages: int) -> Space:
    """The space of numeric actions over ``passages`` passages."""
    if kind == "priorities":
        return Box(-1.0, 1.0, (passages,), np.float32)
    if kind == "positions":
        return MultiDiscrete([passages + 1] * passages)
    return MultiDiscrete([len(OPERATIONS), passages, passages])


def apply_action(kind: Actions, action: Any, order: Sequence[int], passages: int) -> tuple[list[int], str]:
    """The order after a numeric action, and what was wrong with it (then the order stays as it was).

    >>> apply_action("priorities", [0.1, -0.5, 0.9], [0, 1, 2], 3)[0]
    [2, 0]
    >>> apply_action("positions", [1, 0, 3], [0, 1, 2], 3)[0]
    [1, 0]
    >>> apply_action("operation", [MOVE, 2, 0], [0, 1, 2], 3)[0]
    [2, 0, 1]
    """
    try:
        numbers = np.asarray(action, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    shape = (3,) if kind == "operation" else (passages,)
    if numbers.shape != shape or not np.isfinite(numbers).all():
        return [*order], f"an action must be {shape[0]} finite numbers: the order was kept"
    if kind == "priorities":
        return [int(p) for p in np.argsort(-numbers, kind="stable") if numbers[p] >= 0], ""
    if kind == "positions":
        return [int(p) for p in np.argsort(numbers, kind="stable") if numbers[p] < passages], ""
    return _operate(*(int(number) for number in numbers), [*order], passages)


def _operate(operation: int, item: int, to: int, order: list[int], passages: int) -> tuple[list[int], str]:
    """Swap two positions, move or drop the passage at one, or put the passage ``item`` back at a position."""
    if operation not in range(len(OPERATIONS)):
        return order, f"there is no operation {operation}: the order was kept"
    if operation == RESTORE:
        if item in order or not 0 <= item < passages:
            return order, f"passage {item + 1} is not among those left out: the order was kept"
        order.insert(to, item)
    elif not 0 <= item < len(order) or (operation == SWAP and not 0 <= to < len(order)):
        return order, f"there are {len(order)} positions, not {item} or {to}: the order was kept"
    elif operation == SWAP:
        order[item], order[to] = order[to], order[item]
    elif operation == MOVE:
        order.insert(to, order.pop(item))
    else:
        del order[item]
    return order, ""


def observation_space(passages: int) -> Box:
    """The space of :func:`features`."""
    return Box(-1.0, 1.0, (2 * passages + 2,), np.float32)


def features(order: Sequence[int], scores: Sequence[float], feedback_score: float, edits_left: float) -> np.ndarray:
    """float32 of shape (2 K + 2,): the retriever's scores of the K passages, their positions, and two scalars.

    Positions go from 0 (first) to 1 (last), -1 is left out; then come the feedback score and the share of the edits
    that is left.
    """
    positions = np.full(len(scores), -1.0)
    positions[list(order)] = np.arange(len(order)) / max(1, len(order) - 1)
    return np.concatenate([scores, positions, [feedback_score, edits_left]]).astype(np.float32)
