"""The modules of the package and their files, found in their folders, whether there are links to these or not."""

from importlib import import_module
from pathlib import Path

PARTS = "cli docs envs agents wrappers leaderboard".split()


def modules(part):
    """The modules of a part of the package, by name, with their files."""
    root = Path(str(import_module(f"lse_gym.{part}").__file__)).parent
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root).with_suffix("").parts
        yield ".".join(["lse_gym", part, *(name for name in inside if name != "__init__")]), path


MODULES = {name: path for part in PARTS for name, path in modules(part)}
