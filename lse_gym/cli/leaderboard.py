"""``lse-gym leaderboard``: submit runs, verify and list entries, build and serve the pages, check the tracks."""

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from lse_gym.agents.console import counted
from lse_gym.agents.parallel import make_engine
from lse_gym.cli.common import (
    Address,
    CpusPerWorker,
    EngineName,
    GpusPerWorker,
    Workers,
    app,
    check_pairs,
    err_console,
    out_console,
    writable,
)
from lse_gym.envs.errors import MissingExtraError, unknown
from lse_gym.leaderboard.board import Board, read_submission
from lse_gym.leaderboard.document import read_file
from lse_gym.leaderboard.errors import SubmissionError
from lse_gym.leaderboard.export import export
from lse_gym.leaderboard.ranking import rank
from lse_gym.leaderboard.selfcheck import attack_track
from lse_gym.leaderboard.submission import About, Run, find_runs, pack
from lse_gym.leaderboard.track import Track, all_tracks, find_track
from lse_gym.leaderboard.verify import Options, pending, verify

board_app = typer.Typer(no_args_is_help=True, help="Submit, replay, rank and publish runs. Works on a local board.")
app.add_typer(board_app, name="leaderboard")

DEFAULT = About()
BoardPath = Annotated[Path, typer.Option("--board", help="Directory of the board.")]
TrackName = Annotated[str | None, typer.Option("--track", help="Id of a track; `list --tracks` tells them.")]
BOARD = Path("board")


@board_app.command("submit")
def submit_command(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run directories of `evolve`, directories of `bench`, or submissions packed before."),
    ],
    board: BoardPath = BOARD,
    track: TrackName = None,
    team: Annotated[str, typer.Option(help="Who submits.")] = DEFAULT.team,
    contact: Annotated[str, typer.Option(help="How to reach them.")] = DEFAULT.contact,
    name: Annotated[str, typer.Option(help="Name of the agent on the board.")] = DEFAULT.name,
    version: Annotated[str, typer.Option(help="Version of the agent.")] = DEFAULT.version,
    url: Annotated[str, typer.Option(help="https address of a paper or of the code.")] = DEFAULT.url,
    commit: Annotated[str, typer.Option(help="Commit of the agent's code.")] = DEFAULT.commit,
    description: Annotated[str, typer.Option(help="What is special about it.")] = DEFAULT.description,
    saw_test: Annotated[bool, typer.Option("--saw-test", help="Test questions were seen: it cannot rank.")] = False,
    training_data: Annotated[str, typer.Option(help="What editor or policy was trained on.")] = DEFAULT.training_data,
    external_data: Annotated[str, typer.Option(help="What else the contexts contain.")] = DEFAULT.external_data,
    licence: Annotated[str, typer.Option(help="Licence of the contexts.")] = DEFAULT.licence,
    pack_to: Annotated[
        Path | None, typer.Option("--pack", help="Write the submissions into this folder, and submit nothing.")
    ] = None,
) -> None:
    """Pack finished runs and submit them; one entry an agent, whatever the number of its domains and seeds."""
    about = About(
        team, contact, name, version, url, commit, description, saw_test, training_data, external_data, licence
    )
    refusals = Refusals()
    documents = _documents(runs, all_tracks(board / "tracks"), about, track, refusals)
    if pack_to:
        for name, data in documents:
            with refusals.of(name):
                path = pack_to / f"{read_submission(data)['sha256'][:16]}.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                out_console.print(str(path), markup=False, highlight=False, soft_wrap=True)
    elif documents:
        with Board(board, create=True) as there:
            before = {*there.store.ids()}
            for name, data in documents:
                with refusals.of(name):
                    number = there.submit(data)
                    _tell_entry(there, number, again=number in before)
            if pending(there):
                out_console.print("Next: lse-gym leaderboard verify", highlight=False)
    if refusals.count:
        raise typer.Exit(1)


class Refusals:
    """Tells what is not accepted and goes on: one bad submission does not cost the others."""

    count = 0

    @contextmanager
    def of(self, name: str) -> Generator[None]:
        """Whatever is refused inside is told, with the name of where it came from."""
        try:
            yield
        except SubmissionError as error:
            self.count += 1
            err_console.print(f"{name}: {error}", markup=False, highlight=False, soft_wrap=True)


def _documents(
    paths: Sequence[Path], tracks: Mapping[str, Track], about: About, track: str | None, refusals: Refusals
) -> list[tuple[str, bytes]]:
    """What is to be submitted, each with the name of where it came from."""
    documents: list[tuple[str, bytes]] = []
    found: dict[str, list[Run]] = {}
    for path in paths:
        with refusals.of(str(path)):
            if path.is_file():
                documents.append((str(path), read_file(path)))
            else:
                for run in find_runs(path):
                    found.setdefault(run.contestant, []).append(run)
    for runs in found.values():
        with refusals.of(str(runs[0].path)):
            made = [json.dumps(one, ensure_ascii=False).encode() for one in pack(runs, tracks, about, track)]
            documents += [(str(runs[0].path), data) for data in made]
    return documents


def _tell_entry(board: Board, number: int, again: bool) -> None:
    (row,) = board.store.entries("e.id = ?", [number])
    facts = row["facts"]
    head = f"entry {number}, which was submitted before" if again else f"entry {number}"
    told = f"{head}: {row['agent']} of {row['team']} in {row['track']}, {counted(facts['runs'], 'run')}, "
    told += ": ".join(part for part in (f"test score {facts['claimed']:.3f}; {row['level']}", row["reason"]) if part)
    out_console.print(told, markup=False, highlight=False, soft_wrap=True)


Reason = Annotated[str, typer.Option(help="Why; it is logged, and shown with the history of the entry.")]
Entry = Annotated[int, typer.Argument(help="Number of the entry.")]


@board_app.command("withdraw")
def withdraw_command(entry: Entry, reason: Reason, board: BoardPath = BOARD) -> None:
    """Take an entry off the rankings, pages and tables. It stays in the store, with its history."""
    with Board(board) as there:
        there.withdraw(entry, reason)
    out_console.print(
        f"entry {entry} is withdrawn. `lse-gym leaderboard admit {entry}` brings it back.", highlight=False
    )


@board_app.command("admit")
def admit_command(entry: Entry, reason: Reason, board: BoardPath = BOARD) -> None:
    """Take a mark away from an entry that was flagged as a copy or withdrawn: it ranks again once it is verified."""
    with Board(board) as there:
        there.admit(entry, reason)
    out_console.print(f"entry {entry} is admitted. Next: lse-gym leaderboard verify {entry}", highlight=False)


@board_app.command("renew")
def renew_command(reason: Reason, board: BoardPath = BOARD) -> None:
    """Go on under a new salt, where the old one is lost or known to others. Entries stay, and the log keeps both."""
    with Board(board) as there:
        there.renew(reason)
    out_console.print(
        f"{board / 'salt'} is new. Entries that were replayed wait for: lse-gym leaderboard verify --again",
        highlight=False,
        soft_wrap=True,
    )


@board_app.command("verify")
def verify_command(
    entries: Annotated[list[int] | None, typer.Argument(help="Entries; by default all that wait.")] = None,
    board: BoardPath = BOARD,
    track: TrackName = None,
    reproduce: Annotated[
        bool, typer.Option("--reproduce", help="Execute agents of the package again from their seeds, too.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Verify replayed entries once more.")] = False,
    backend: Annotated[
        list[str] | None,
        typer.Option(help="Serve a model of the track by another name: 'hf:ID@REV=openai:ID'; repeatable."),
    ] = None,
    workers: Workers = None,
    engine: EngineName = "processes",
    address: Address = None,
    cpus_per_worker: CpusPerWorker = None,
    gpus_per_worker: GpusPerWorker = None,
) -> None:
    """Run the submitted contexts again on sealed questions: only what this finds ranks. After a kill, repeat it."""
    failed = 0
    with Board(board) as there:
        backends = dict(_served(backend or (), there.tracks))
        spread = make_engine(engine, workers, address=address, cpus=cpus_per_worker, gpus=gpus_per_worker)
        options = Options(spread, reproduce, backends)
        if track:
            find_track(there.tracks, track)
        wanted = entries or pending(there, again or reproduce)
        for number in wanted:
            (row,) = there.store.entries("e.id = ?", [number]) or [None]
            if row is not None and track and row["track"] != track:
                continue
            columns = (TextColumn(f"entry {number}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            with Progress(
                *columns, console=err_console, transient=True, disable=not err_console.is_terminal
            ) as progress:
                bar = progress.add_task("")
                verdict = verify(
                    there,
                    number,
                    options,
                    lambda done, total, bar=bar, p=progress: p.update(bar, completed=done, total=total),
                )
            failed += verdict.level in ("", "rejected")
            low, high = verdict.details.get("ci95", (0.0, 1.0))
            told = f"{verdict.details['score']:.3f} ({low:.3f} to {high:.3f})" if "score" in verdict.details else ""
            parts = [verdict.level or "postponed, a model failed", told, verdict.reason]
            parts.append(verdict.details.get("reproduction", ""))
            line = ": ".join(part for part in parts if part)
            out_console.print(f"entry {number}: {line}", markup=False, highlight=False, soft_wrap=True)
    if not wanted:
        out_console.print("Nothing waits for verification.", highlight=False)
    if failed:
        raise typer.Exit(1)


def _served(pairs: Sequence[str], tracks: Mapping[str, Track]) -> Iterator[tuple[str, str]]:
    """Models of tracks, each with what serves it; either may have "=" in its name, as in ``openai:ID?style=chat``."""
    check_pairs("--backend", pairs, "hf:ID@REV=openai:ID")
    models = {model for track in tracks.values() for model in track.models}
    for pair in pairs:
        model = max((model for model in models if pair.startswith(f"{model}=")), key=len, default=None)
        if model is None:
            raise unknown("model of a track", pair.partition("=")[0], models)
        yield model, pair.removeprefix(f"{model}=")


@board_app.command("list")
def list_command(
    board: BoardPath = BOARD,
    track: TrackName = None,
    tracks: Annotated[bool, typer.Option("--tracks", help="List the tracks instead.")] = False,
) -> None:
    """List the entries, ranked within their tracks."""
    if tracks:
        table = Table(Column("track", no_wrap=True), "what", "runs", "sealed questions\na run", box=SIMPLE)
        for one in all_tracks(board / "tracks").values():
            told = (one.id, one.title, str(one.seeds * len(one.domains)), str(one.sealed_items))
            table.add_row(*map(escape, told))
        out_console.print(table)
        return
    with Board(board) as there:
        if track:
            find_track(there.tracks, track)
        ranking, withdrawn = rank(there), there.store.ids("level = 'withdrawn'")
    for one, rows in ranking.items():
        if not rows or (track and one != track):
            continue
        table = Table(title=one, title_justify="left", box=SIMPLE, padding=(0, 1), pad_edge=False)
        several = len({row.team for row in rows}) > 1
        table.add_column("rank", justify="right", no_wrap=True)
        table.add_column("entry", justify="right", no_wrap=True)
        table.add_column("agent", overflow="fold")
        table.add_column("sealed score,\n95 % interval", justify="right")
        table.add_column("context,\ntokens", justify="right", no_wrap=True)
        table.add_column("level", no_wrap=True)
        for row in rows:
            low, high = row.ci95
            score = (
                f"{row.score:.3f} ({low:.3f} to {high:.3f})"
                if row.score is not None
                else f"test score {row.claimed:.3f}"
            )
            agent = f"{row.agent}\n{row.team}" if several else row.agent
            told = [str(row.group or ""), str(row.id), agent, score, f"{row.context_tokens:.0f}"]
            table.add_row(*map(escape, [*told, row.level]))
        out_console.print(table)
    if not any(ranking.values()):
        out_console.print("The board has no entries.", highlight=False)
    else:
        out_console.print("Entries of one rank cannot be told apart from the first of them.", highlight=False)
        for row in (row for rows in ranking.values() for row in rows if row.level == "flagged"):
            out_console.print(f"entry {row.id}: {row.reason}", markup=False, highlight=False, soft_wrap=True)
    if withdrawn:
        told = ", ".join(str(entry) for entry in withdrawn)
        out_console.print(f"Withdrawn: {told}.", highlight=False)


@board_app.command("build")
def build_command(
    board: BoardPath = BOARD,
    out: Annotated[Path, typer.Option(callback=writable, help="Directory to write.")] = Path("site"),
) -> None:
    """Write the pages: static files that need no server and load nothing from elsewhere."""
    from lse_gym.leaderboard.pages import build

    with Board(board) as there:
        written = build(there, out)  # where some pages fail it raises at the end, when all others are there
    out_console.print(f"{counted(written, 'page')} written; open {out / 'index.html'}", soft_wrap=True, highlight=False)


@board_app.command("serve")
def serve_command(
    board: BoardPath = BOARD,
    out: Annotated[Path, typer.Option(callback=writable, help="Directory of the pages; built first.")] = Path("site"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of 127.0.0.1; 0 for any free one.")] = 8000,
) -> None:
    """Build the pages and show them on this machine, until interrupted."""
    from lse_gym.leaderboard.pages import PagesError, build
    from lse_gym.leaderboard.serve import serve

    missing = False
    with Board(board) as there:
        try:
            build(there, out)
        except PagesError as error:
            missing = True
            err_console.print(str(error), markup=False, highlight=False, soft_wrap=True)
    serve(out, port, lambda url: out_console.print(f"{url}  (Ctrl-C ends it)", highlight=False, soft_wrap=True))
    if missing:
        raise typer.Exit(1)


@board_app.command("export")
def export_command(
    board: BoardPath = BOARD,
    out: Annotated[Path, typer.Option(callback=writable, help="Directory to write.")] = Path("export"),
) -> None:
    """Write entries.csv and, with `pip install 'lse-gym[data]'`, entries.parquet, a table for Hugging Face datasets."""
    with Board(board) as there:
        for path in export(there, out):
            out_console.print(str(path), markup=False, highlight=False, soft_wrap=True)


@board_app.command("selfcheck")
def selfcheck_command(board: BoardPath = BOARD, track: TrackName = None) -> None:
    """Attack every offline track as cheaters would, and fail those where an attack scores."""
    tracks = all_tracks(board / "tracks")
    chosen = [find_track(tracks, track)] if track else [one for one in tracks.values() if one.offline]
    broken = 0
    for one in chosen:
        try:
            attacks = attack_track(one)
        except MissingExtraError as error:
            if track:
                raise
            err_console.print(f"{one.id} is not checked. {error}", soft_wrap=True, highlight=False, markup=False)
            continue
        table = Table(title=one.id, title_justify="left")
        for column in ("attack", "score", "may score", ""):
            table.add_column(column, justify="left" if column in ("attack", "") else "right")
        for attack in attacks:
            mark = "[green]holds[/]" if attack.holds else "[bold red]broken[/]"
            table.add_row(escape(attack.name), f"{attack.score:.3f}", f"{attack.allowed:.3f}", mark)
        out_console.print(table)
        broken += not all(attack.holds for attack in attacks)
    if broken:
        err_console.print(f"{broken} of {len(chosen)} tracks let an attack score.", highlight=False)
        raise typer.Exit(1)
