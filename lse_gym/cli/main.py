"""The whole command line: ``app`` with every command."""

from lse_gym.cli import bench, data, evolve, leaderboard, tell, train  # noqa: F401 - they register their commands
from lse_gym.cli.common import app as app
