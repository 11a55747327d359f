"""Text-to-SQL: how the writer explains golds, by rules and by worked examples."""
