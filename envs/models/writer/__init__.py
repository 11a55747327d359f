"""The offline editor ``writer``."""
