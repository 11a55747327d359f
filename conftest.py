"""Modules that need an extra are collected for their doctests only where it is installed."""

from importlib.util import find_spec

TORCH = [f"nano/{name}" for name in ("evaluate", "packed", "tokenizer", "train")] + ["generation", "shared_prefix"]
collect_ignore = [] if find_spec("transformers") else [f"lse_gym/envs/models/{name}.py" for name in TORCH]
