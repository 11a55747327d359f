"""The command line: ``lse-gym`` and one of ``evolve``, ``bench``, ``train``, ``leaderboard`` and more."""

import sys

from lse_gym.interrupt import raise_again


def main() -> None:
    """Run the command line; Ctrl-C ends it in one word."""
    try:
        raise_again()
        from lse_gym.cli.shell import run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
