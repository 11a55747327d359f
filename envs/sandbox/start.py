"""Started as a process of its own by :mod:`lse_gym.envs.sandbox.sandbox`: the supervisor of one sandbox.

The package around this folder is not imported for it: that takes longer than all the rest.
"""

import sys
from pathlib import Path
from types import ModuleType

OWN = "lse_gym"


def stand_in() -> None:
    """From now on modules of this folder are imported under their names, without the package around them."""
    for name in (OWN, f"{OWN}.envs", f"{OWN}.envs.sandbox"):
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__path__ = [str(Path(__file__).parent)]


def stand_back() -> None:
    """From now on the package is imported as it is."""
    for name in [name for name in sys.modules if name.partition(".")[0] == OWN]:
        del sys.modules[name]


def main() -> None:
    """Run the supervisor on the socket whose number is the first argument."""
    stand_in()
    from lse_gym.envs.sandbox import supervisor

    supervisor.run(int(sys.argv[1]), int(sys.argv[2]))


if __name__ == "__main__":
    main()
