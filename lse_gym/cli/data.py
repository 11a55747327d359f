"""``lse-gym data``: what has to be made of downloaded data before it can be used."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from lse_gym.agents.console import counted
from lse_gym.cli.common import app, out_console, say
from lse_gym.envs.datascience.references import Made, make_references, versions

data_app = typer.Typer(no_args_is_help=True, help="Make what downloaded data lacks.")
app.add_typer(data_app, name="data")


@data_app.callback()
def everywhere() -> None:
    """One command for each kind of data."""


@data_app.command("dare-references")
def dare_references_command(
    data_dir: Annotated[Path, typer.Argument(metavar="DIR", help="Directory in DARE-bench's layout.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write to, for references= of LSE/DARE-v0; by default beside the data."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Tell what would change under the versions installed; write nothing.")
    ] = False,
    run_s: Annotated[float, typer.Option(min=1, help="Longest run of a pipeline, in seconds.")] = 200.0,
) -> None:
    """Run the reference pipelines of instruction-following questions, whose outputs are what answers are compared with.

    They run in the sandbox. Outputs depend on the versions of libraries, which are recorded.

    What was there before is compared, and what changes is told.
    """
    table = Table(
        Column("dataset", overflow="fold"),
        "model",
        "output",
        "the question's text followed to the letter",
        show_lines=True,
    )
    made = []
    with out_console.status("Running pipelines"):
        for one in make_references(data_dir, out, check, run_s):
            made.append(one)
            table.add_row(*map(escape, _row(one, check)))
    out_console.print(table)
    told = ", ".join(f"{name} {number}" for name, number in versions().items())
    failed = sum(bool(one.problem) for one in made)
    changed = sum(one.before not in ("new", "same") for one in made)
    counts = f"{counted(len(made), 'question')}: {failed} failed, {changed} unlike before. Made with {told}."
    out_console.print(counts, highlight=False, soft_wrap=True)
    if out is not None and not check:
        say(f"To use them: --env-set references={shlex.quote(str(out))}")
    if failed or (check and changed):
        raise typer.Exit(1)


def _row(made: Made, check: bool) -> tuple[str, str, str, str]:
    state = {"new": "would be new" if check else "made", "same": "same as before"}
    output = made.problem or state.get(made.before, f"unlike before: {made.before}")
    letter = "" if made.problem else made.unlike_text or "gives the same"
    return made.task.dataset, made.model, output, letter
