"""The command line: ``lse-gym`` and one of ``evolve``, ``bench``, ``train``, ``leaderboard`` and more."""

import sys


def main() -> None:
    """Run the command line; nothing is imported before Ctrl-C ends it in one word."""
    try:
        from lse_gym.cli.main import run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
