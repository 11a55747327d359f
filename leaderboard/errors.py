"""The errors of the leaderboard."""

from collections.abc import Iterable

from lse_gym.envs.errors import LSEGymError


class BoardError(LSEGymError, ValueError):
    """A leaderboard, a track or a salt that cannot be used as asked."""


class SubmissionError(LSEGymError, ValueError):
    """A submission that is not accepted.

    Attributes:
        reasons: everything that is wrong with it, one sentence each.
    """

    def __init__(self, reasons: Iterable[str]):
        self.reasons = list(reasons)
        super().__init__("\n".join(["the submission is not accepted:", *(f"- {reason}" for reason in self.reasons)]))
