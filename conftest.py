"""Modules that need an extra are collected for their doctests only where it is installed."""

from importlib.util import find_spec

NANO = ("evaluate", "packed", "tokenizer", "train")
collect_ignore = [] if find_spec("transformers") else [f"lse_gym/envs/models/nano/{name}.py" for name in NANO]
