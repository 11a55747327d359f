"""The commands of ``lse-gym``."""
