"""From the shell to a command and back: what is shown, in which encoding, and how errors are told."""

import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from types import TracebackType
from typing import Any

import gymnasium
import typer
from rich.markup import escape

from lse_gym.cli.common import app, err_console, show_waits
from lse_gym.cli.messages import in_options
from lse_gym.cli.streams import show_what_can_be_shown
from lse_gym.envs.errors import ArgumentError, LSEGymError
from lse_gym.envs.redaction import redact

# command -> the module of lse_gym.cli that registers it
COMMANDS = {
    "bench": "bench",
    "report": "bench",
    "evolve": "evolve",
    "evaluate": "evaluate",
    "envs": "tell",
    "cache": "tell",
    "doctor": "tell",
    "archive": "train",
    "train": "train",
    "pairs": "preferences",
    "leaderboard": "boards",
    "data": "data",
}
app.info.help = "Evolve the context of a language model, compare optimizers, train editors, and keep a leaderboard."


def register(words: Sequence[str]) -> None:
    """Import what the command line ``words`` needs: the module of its command, or all of them for any other word."""
    first = words[0] if words else ""
    if first != "--version":
        import_module(f"lse_gym.cli.{COMMANDS.get(first, 'main')}")


def run() -> None:
    """Run the command line; errors of this package and of files end it with one line instead of a traceback."""
    sys.excepthook = tell_bug
    show_what_can_be_shown()
    if not sys.warnoptions:  # else the user wants to see them
        warnings.simplefilter("ignore")  # what libraries say to those who program with them
        os.environ.setdefault("PYTHONWARNINGS", "ignore")  # in the processes of bench and others too
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait for each other sleep; read as Torch loads
    show_waits()
    register(sys.argv[1:])
    root = typer.main.get_command(app)
    for_a_terminal(root)
    try:
        check_words(root, sys.argv[1:])
        root(prog_name="lse-gym")
    except (LSEGymError, gymnasium.error.Error) as error:
        _end(root, f"{type(error).__name__}: {error}")
    except OSError as error:  # a full disk, a directory that is gone, one that cannot be read
        name = f": {str(error.filename)!r}" if error.filename is not None else ""
        _end(root, f"{error.strerror or type(error).__name__}{name}.", 1)


def tell_bug(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """Print a traceback as Python does, but through the console: messages may quote models and submissions."""
    err_console.out(redact("".join(traceback.format_exception(kind, error, where))), end="", highlight=False)


def for_a_terminal(command: Any) -> None:
    """Make help texts fit to be printed: brackets as they are, no marks of Markdown, no type beside a switch."""
    for inner in getattr(command, "commands", {}).values():
        for_a_terminal(inner)
    own_help = command.get_help_option(typer.Context(command, **app.info.context_settings or {}))
    for told in (command, *command.params, own_help):
        if getattr(told, "help", None):
            told.help = escape(told.help.replace("`", ""))
        if getattr(told, "is_flag", False):
            told.display_type_rich = lambda ctx: None


def running(root: Any) -> Any:
    """The command that the words of this command line lead to."""
    for word in sys.argv[1:]:
        if word not in getattr(root, "commands", {}):
            break
        root = root.commands[word]
    return root


def check_words(root: Any, words: Sequence[str]) -> None:
    """Raise for the id of an env by itself, as `envs` takes it, where the command takes it with an option."""
    if not any("--env" in param.opts for param in running(root).params):
        return
    for before, word in pairwise(words):
        if word.startswith("LSE/") and not before.startswith("-"):
            raise ArgumentError(f"{word!r} stands by itself, expected behind an option. Pass --env {word}.")


def _end(root: Any, message: str, status: int = 2) -> None:
    err_console.print("[bold red]error:[/] ", end="", highlight=False)
    err_console.print(in_options(message, running(root)), markup=False, highlight=False, soft_wrap=True)
    sys.exit(status)
