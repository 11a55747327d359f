"""The embedded, procedural text-to-SQL family."""
