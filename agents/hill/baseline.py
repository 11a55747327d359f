"""What a reward is compared with: its group, or what its player usually gets."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from lse_gym.agents.lse.advantage import advantages


class Baseline(Protocol):
    """Turns the rewards of groups into advantages; ``value`` is all that it remembers."""

    value: float

    def advantages(self, rewards: Sequence[Sequence[float]]) -> list[np.ndarray]:
        """One array for each group."""
        ...


class RoleBaseline:
    """SPIRAL's role-conditioned baseline (arXiv 2506.24119): a moving average of the returns of one player.

    Args:
        decay: weight of the old average, in [0, 1).
    """

    def __init__(self, decay: float = 0.95):
        self.decay, self.value = decay, 0.0

    def advantages(self, rewards: Sequence[Sequence[float]]) -> list[np.ndarray]:
        """Each reward less the average so far, which then moves towards the mean of these."""
        found = [np.asarray(group, float) - self.value for group in rewards]
        if found:
            mean = float(np.mean([reward for group in rewards for reward in group]))
            self.value = self.decay * self.value + (1 - self.decay) * mean
        return found


class GroupBaseline:
    """GRPO's: each reward less the mean of its group, divided by its standard deviation; a group of equals gets 0."""

    value = 0.0

    def advantages(self, rewards: Sequence[Sequence[float]]) -> list[np.ndarray]:
        """One array for each group."""
        return [advantages("grpo", np.zeros(1), np.asarray([group], float))[0] for group in rewards]
