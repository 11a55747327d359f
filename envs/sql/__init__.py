"""Text-to-SQL on real SQLite files, and the safe executor on its own."""

from lse_gym.envs.sql.executor import Limits, Result, execute, execute_many

__all__ = ["Limits", "Result", "execute", "execute_many"]
