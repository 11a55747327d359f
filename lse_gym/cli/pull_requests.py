"""``lse-gym leaderboard check`` and ``workflow``: submissions that come as pull requests."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from lse_gym.agents.console import counted
from lse_gym.agents.files import write_new
from lse_gym.cli.common import err_console, out_console, writable
from lse_gym.cli.leaderboard import BOARD, BoardPath, board_app
from lse_gym.envs.errors import ArgumentError
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.check import check_file, files_of, summary, workflow
from lse_gym.leaderboard.track import all_tracks


@board_app.command("check")
def check_command(
    files: Annotated[
        list[Path], typer.Argument(help="Submissions as `submit --pack` writes them, or folders of them.")
    ],
    board: BoardPath = BOARD,
    summary_to: Annotated[
        Path | None,
        typer.Option("--summary", help="Append a summary in Markdown to this file, say $GITHUB_STEP_SUMMARY."),
    ] = None,
) -> None:
    """Check submissions as `submit` would, and write nothing: a line each, and exit code 1 where one is refused.

    Tracks, limits and copies are those of the board, if there is one; its salt is not needed.
    """
    findings = []
    with ExitStack() as stack:
        there = stack.enter_context(Board(board)) if (board / "board.sqlite").exists() else None
        tracks = all_tracks(board / "tracks")
        for path in files_of(files):
            findings.append(check_file(path, tracks, there))
            console = err_console if findings[-1].reasons else out_console
            console.print(str(findings[-1]), markup=False, highlight=False, soft_wrap=True)
    if not findings:
        out_console.print("There is nothing to check.", highlight=False)
    if summary_to:
        with summary_to.open("a", encoding="utf-8") as file:
            file.write(summary(findings))
    refused = sum(bool(finding.reasons) for finding in findings)
    if refused:
        err_console.print(f"{refused} of {counted(len(findings), 'submission')} refused.", highlight=False)
        raise typer.Exit(1)


@board_app.command("workflow")
def workflow_command(
    out: Annotated[
        Path | None,
        typer.Option(help="File to write, say .github/workflows/leaderboard.yml; by default it is printed."),
    ] = None,
) -> None:
    """Tell a workflow of GitHub Actions that checks pull requests, and verifies and publishes what was merged."""
    if out is None:
        out_console.out(workflow(), end="", highlight=False)
        return
    writable(out.parent)
    out.parent.mkdir(parents=True, exist_ok=True)
    if not write_new(out, workflow().encode()):
        raise ArgumentError(f"--out {str(out)!r} is there already. Pass another file, or delete it.")
    out_console.print(str(out), markup=False, highlight=False, soft_wrap=True)
