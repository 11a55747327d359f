"""Ids of the namespace ``LSE``."""


def register_all() -> None:
    """Register every id."""
