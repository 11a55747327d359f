"""The whole command line: ``app`` with every command."""

from lse_gym.cli import bench, boards, data, evaluate, evolve, preferences, tell, train  # noqa: F401 - they register
from lse_gym.cli.common import app as app
