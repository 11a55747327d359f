"""HiLL at the size of ``nano`` and beyond it: a reasoner and a hinter that learn together (arXiv 2604.00698)."""
