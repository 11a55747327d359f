"""The offline task model ``reader``."""
