"""What a command imports: what it needs, and Ctrl-C meanwhile ends it in one word."""

import subprocess
import sys

import pytest

from lse_gym.cli.main import app
from lse_gym.cli.shell import COMMANDS

# The process interrupts itself as it comes to import the module: with a signal, as Ctrl-C does.
INTERRUPTED = """
import os, signal, sys
sys.argv = [{program!r}, "--version"]
signal.signal(signal.SIGINT, signal.{before})
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
from lse_gym.__main__ import main
main()
"""


def interrupted(program, module, before="default_int_handler"):
    code = INTERRUPTED.format(program=program, module=module, before=before)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("module", ["lse_gym.envs.registration", "gymnasium", "numpy", "typer", "lse_gym.cli.common"])
def test_control_c_ends_the_command_in_one_word_whatever_is_being_imported(module):
    done = interrupted("/usr/bin/lse-gym", module)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted.\n")


def test_control_c_is_as_ever_in_the_programs_of_others_and_where_it_is_ignored():
    done = interrupted("my_program.py", "gymnasium")
    assert done.stderr.splitlines()[-1] == "KeyboardInterrupt"
    done = interrupted("lse-gym", "gymnasium", before="SIG_IGN")  # as under nohup
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("lse-gym ")


def test_every_command_is_known_by_its_module():
    for command in app.registered_commands:
        assert command.callback.__module__ == f"lse_gym.cli.{COMMANDS[command.name]}"
    assert {command.name for command in (*app.registered_commands, *app.registered_groups)} == set(COMMANDS)


@pytest.mark.parametrize("words", ["--version", "evolve --help", "envs"])
def test_no_command_imports_what_only_others_need(words):
    code = "import sys; sys.argv[1:] = sys.argv[1:]; import atexit; atexit.register(lambda: print(*sys.modules))"
    code += "; from lse_gym.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *words.split()], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    heavy = {"lse_gym.cli.leaderboard", "lse_gym.cli.train", "asyncio", "httpx", "torch", "transformers"}
    heavy |= {"sqlite_utils", "jinja2", "pandas", "datasets", "matplotlib"}
    assert heavy & set(done.stdout.split()) == set()
