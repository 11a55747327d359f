"""A real submission and a board, as the tests of the leaderboard have them."""

from tests.leaderboard.conftest import board, document, packed, run_folder

__all__ = ["board", "document", "packed", "run_folder"]
