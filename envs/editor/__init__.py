"""The editor evolved: the context is the instruction that an editor works by (STOP, arXiv 2310.02304)."""
