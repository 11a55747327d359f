"""The leaderboard: submit, replay, rank and publish run directories."""
