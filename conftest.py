"""For all tests: not the user's cache, one editor, one thread a worker, doctests of an extra only where it is there."""

import os
import signal
from importlib.util import find_spec

TORCH = [f"nano/{name}" for name in ("evaluate", "packed", "tokenizer", "train")] + ["generation", "shared_prefix"]
collect_ignore = [] if find_spec("transformers") else [f"lse_gym/envs/models/{name}.py" for name in TORCH]
collect_ignore += [] if find_spec("trl") else ["lse_gym/agents/lse/trl.py"]
os.environ["LSE_GYM_RESPONSE_CACHE"] = "off"
os.environ["LSE_GYM_EDITOR"] = "writer"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # the package behind textgrad asks the network otherwise
os.environ.setdefault("OMP_NUM_THREADS", "1")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has it ignored in what it runs in the background
