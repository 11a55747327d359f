"""All commands of ``lse-gym leaderboard``."""

from lse_gym.cli import leaderboard, play, pull_requests  # noqa: F401 - they register
