"""Text-to-SQL: how the reader answers, by rules and by worked examples."""
