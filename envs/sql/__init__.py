"""Text-to-SQL on real SQLite files, and the safe executor on its own."""

from lse_gym.envs.sql.executor import Digest, Limits, Result, digest_many, execute, execute_many

__all__ = ["Digest", "Limits", "Result", "digest_many", "execute", "execute_many"]
