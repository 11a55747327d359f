"""The command line: ``lse-gym`` and one of ``evolve``, ``bench``, ``train``, ``leaderboard`` and more."""

import sys
import traceback
from types import TracebackType

import gymnasium

from lse_gym.cli import bench, evolve, leaderboard, tell, train  # noqa: F401 - they register their commands
from lse_gym.cli.common import app, err_console, show_waits
from lse_gym.envs.errors import LSEGymError
from lse_gym.envs.redaction import redact

app.info.help = __doc__


def tell_bug(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """Print a traceback as Python does, but through the console: messages may quote models and submissions."""
    err_console.out(redact("".join(traceback.format_exception(kind, error, where))), end="", highlight=False)


def main() -> None:
    """Run the command line; errors of this package end it with one line instead of a traceback."""
    sys.excepthook = tell_bug
    show_waits()
    try:
        app()
    except (LSEGymError, gymnasium.error.Error) as error:
        err_console.print(f"[bold red]error:[/] {type(error).__name__}: ", end="", highlight=False)
        err_console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
