"""What all commands share: the app, the consoles, and the options that mean the same everywhere."""

import logging
import os
from collections.abc import Iterable
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import typer

from lse_gym import __version__
from lse_gym.agents.bench.contestant import read_value
from lse_gym.agents.console import Console
from lse_gym.agents.files import check_out
from lse_gym.agents.parallel import ENGINES
from lse_gym.agents.settings import Settings
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.models import MODEL_NAMES
from lse_gym.envs.registration import ENVS, env_class


def say(text: str, console: Console | None = None) -> None:
    """Print text as it is: wrapped between words on a terminal, one line elsewhere."""
    console = console or out_console
    console.print(text, markup=False, highlight=False, soft_wrap=not console.is_terminal)


class _Notices(logging.Handler):
    """Prints what the models wait for, above whatever is drawn live."""

    def emit(self, record: logging.LogRecord) -> None:
        err_console.print(record.getMessage(), markup=False, highlight=False, soft_wrap=True)


def show_waits() -> None:
    """Show on standard error what task models and editors wait for."""
    logger = logging.getLogger("lse_gym.models")
    logger.addHandler(_Notices())
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _without_cache(given: bool) -> bool:
    if given:
        os.environ["LSE_GYM_RESPONSE_CACHE"] = "off"
    return given


app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)
out_console, err_console = Console(), Console(stderr=True)
DEFAULT = Settings()


def _tell_version(given: bool) -> None:
    if given:
        out_console.print(f"lse-gym {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def everywhere(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """What every command has."""
    del version


NAMED = ", ".join(MODEL_NAMES)


def group_or_names(domains: str) -> str | list[str]:
    """What ``--domains`` means: a group or a name as it is, several names where there are commas."""
    return [name.strip() for name in domains.split(",")] if "," in domains else domains


def writable(path: Path | None) -> Path | None:
    """Callback of ``--out``: what cannot be written is told before any work."""
    if path is not None:
        check_out(path)
    return path


CUSTOM = "LSE/Custom-v1"


def check_pairs(option: str, pairs: Iterable[str] | None, example: str) -> None:
    """Raise for what a repeatable option was given that is no ``key=value``."""
    for pair in pairs or ():
        if "=" not in pair:
            raise ArgumentError(f"{option} {pair!r} is no key=value. Write e.g. {option} {example}.")


def env_settings(
    env: str,
    questions: str | None = None,
    scorer: str | None = None,
    pairs: Iterable[str] | None = None,
    data_dir: Path | None = None,
    exclude: Path | None = None,
) -> dict[str, Any]:
    """What :class:`Settings` have of the env and its data, from what a command line says of them."""
    args = {name: value for name, value in (("questions", questions), ("scorer", scorer)) if value is not None}
    check_pairs("--env-set", pairs, "held_out_size=30")
    for key, _, value in (pair.partition("=") for pair in pairs or ()):
        args[key.strip()] = read_value(value)
    own = questions is not None or scorer is not None
    if own and env in ENVS and env != DEFAULT.env and "questions" not in signature(env_class(env)).parameters:
        raise ArgumentError(
            f"--questions and --scorer: {env} takes no questions of your own. "
            f"Leave --env out, for {CUSTOM}, or leave them out."
        )
    files = {"data_dir": str(data_dir) if data_dir else None, "exclude": str(exclude) if exclude else None}
    return {"env": CUSTOM if own and env == DEFAULT.env else env, "env_args": args, **files}


Env = Annotated[str, typer.Option("--env", help=f"Environment id: {', '.join(ENVS)}.", rich_help_panel="What")]
Domain = Annotated[
    str | None,
    typer.Option(
        help="Domain, e.g. clinic-0; for data of your own a db_id. `lse-gym envs` lists them.", rich_help_panel="What"
    ),
]
Questions = Annotated[
    str | None,
    typer.Option(
        help="Questions of your own, for LSE/Custom-v1 or LSE/Hint-v0: a .jsonl or .csv file, or hf:ID.",
        rich_help_panel="What",
    ),
]
Scorer = Annotated[
    str | None,
    typer.Option(
        help="How their answers are scored: exact, numeric, latex, multiple_choice, regex, f1, json, sql, "
        "or package.module:function.",
        rich_help_panel="What",
    ),
]
EnvSet = Annotated[
    list[str] | None,
    typer.Option("--env-set", help="Argument of the environment, repeatable: key=value.", rich_help_panel="What"),
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Directory with the data (LSE/BIRD-v0, LSE/DARE-v0, LSE/MMLURedux-v0).", rich_help_panel="What"),
]
Exclude = Annotated[
    Path | None, typer.Option(help="File with ids of questions to leave out (broken golds).", rich_help_panel="What")
]
FeedbackSize = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Questions of a feedback batch, that is of a report; by default the env's own, mostly 10.",
        rich_help_panel="What",
    ),
]
Gate = Annotated[
    int,
    typer.Option(
        min=0,
        help="With 1 or more an edit must do better on the batch it was made from; measure after so many kept.",
        rich_help_panel="Search",
    ),
]
MaxTokens = Annotated[
    int, typer.Option(min=1, help="Longest answer of the task model, in tokens.", rich_help_panel="Models")
]
TaskModel = Annotated[
    str | None,
    typer.Option(
        help=f"Frozen model that answers: {NAMED}; by default the env's own, mostly reader.", rich_help_panel="Models"
    ),
]
Editor = Annotated[
    str | None,
    typer.Option(
        help=f"Model that writes the edits: {NAMED}; by default LSE_GYM_EDITOR, or writer.", rich_help_panel="Models"
    ),
]
NoCache = Annotated[
    bool,
    typer.Option(
        "--no-cache",
        callback=_without_cache,
        help="Ask for every answer anew; the response cache is neither read nor written.",
        rich_help_panel="Models",
    ),
]
MaxEditTokens = Annotated[
    int, typer.Option(min=1, help="Longest answer of the editor, in tokens.", rich_help_panel="Models")
]
WHERE = "Where"  # it runs
EngineName = Annotated[
    str, typer.Option("--engine", help=f"What spreads the work: {' or '.join(ENGINES)}.", rich_help_panel=WHERE)
]
Address = Annotated[
    str | None,
    typer.Option(
        help="Ray cluster: auto, or HOST:PORT of its head; by default RAY_ADDRESS, or one of this machine alone.",
        rich_help_panel=WHERE,
    ),
]
CpusPerWorker = Annotated[
    float | None,
    typer.Option(min=0, help="Processors that Ray reserves for a worker; by default 1.", rich_help_panel=WHERE),
]
GpusPerWorker = Annotated[
    float | None,
    typer.Option(min=0, help="GPUs that Ray reserves for a worker; by default none.", rich_help_panel=WHERE),
]
WORKERS = "Workers: {} by default, with ray as many as there is room for."
Workers = Annotated[int | None, typer.Option(min=1, help=WORKERS.format("1 process"), rich_help_panel=WHERE)]
SplitSeed = Annotated[int, typer.Option(help="Seed of the question splits.", rich_help_panel="What")]
Scoring = Annotated[
    str, typer.Option(help="set: BIRD's official accuracy; strict: multisets, and order.", rich_help_panel="What")
]
