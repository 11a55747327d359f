"""Started as a process of its own by :mod:`lse_gym.envs.sandbox.sandbox`: the supervisor of one sandbox.

The package around this folder is not imported for it: that takes longer than all the rest.
"""

import sys
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent


def main() -> None:
    """Run the supervisor on the socket whose number is the first argument."""
    for name in ("lse_gym", "lse_gym.envs", "lse_gym.envs.sandbox"):
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__path__ = [str(FOLDER)]
    from lse_gym.envs.sandbox import supervisor

    supervisor.run(int(sys.argv[1]), int(sys.argv[2]))


if __name__ == "__main__":
    main()
