"""HiLL's game of a hinter and a reasoner (arXiv 2604.00698)."""
