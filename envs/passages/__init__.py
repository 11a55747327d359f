"""The order of retrieved passages as a context: an embedded family whose best order is known."""
