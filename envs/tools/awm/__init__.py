"""Agent World Model's worlds: services over databases, read from its eight files and run in a sandbox."""
