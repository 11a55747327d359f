"""Text-to-SQL on real SQLite files."""
