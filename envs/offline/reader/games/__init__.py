"""The prompts of the two-player games: a solver for each part."""
