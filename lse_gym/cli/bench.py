"""``lse-gym bench`` and ``lse-gym report``: optimizers under one budget, and the tables and figures of it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from lse_gym.agents import AGENTS, agent_class
from lse_gym.agents.bench.contestant import parse_contestant
from lse_gym.agents.bench.figures import budget_figure, length_figure, training_figure
from lse_gym.agents.bench.grid import Grid, Job, default_domains, error_file, jobs_of, run_grid
from lse_gym.agents.bench.report import by_env, report
from lse_gym.agents.bench.result import Result, read_results, this_source
from lse_gym.agents.bench.statistics import estimate
from lse_gym.agents.console import counted
from lse_gym.agents.files import write_text
from lse_gym.agents.parallel import make_engine
from lse_gym.agents.settings import Settings
from lse_gym.cli.common import (
    DEFAULT,
    WHERE,
    WORKERS,
    Address,
    CpusPerWorker,
    DataDir,
    Editor,
    EngineName,
    EnvSet,
    Exclude,
    FeedbackSize,
    Gate,
    GpusPerWorker,
    MaxEditTokens,
    MaxTokens,
    NoCache,
    Questions,
    Scorer,
    TaskModel,
    app,
    env_settings,
    err_console,
    group_or_names,
    out_console,
    writable,
)
from lse_gym.cli.plan import CONFIRM_USD, ConfirmUsd, PlanOnly, Yes, confirm_all, show_models, show_plans
from lse_gym.envs.errors import MissingExtraError, unknown
from lse_gym.envs.extras import available
from lse_gym.envs.registration import ENVS, is_remote

APART = ("sb3", "moi")  # agents that need a file of their own, or passages: named, or they do not take part
BUDGET_CALLS = 1300  # pays for about 20 edits
PROCESSES = 2
QUICK_DOMAINS, QUICK_ROUNDS, QUICK_CALLS = 3, 8, 600.0


@app.command("bench")
def bench_command(
    agent: Annotated[
        list[str] | None,
        typer.Option(
            help="Who takes part, repeatable: AGENT, or 'LABEL: AGENT,key=value,…'; your own is package.module:Class. "
            "By default every agent that needs no training, on any env.",
            rich_help_panel="What",
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(help=f"Environment ids, repeatable: {', '.join(ENVS)}.", rich_help_panel="What"),
    ] = None,
    domains: Annotated[
        str | None,
        typer.Option(help="Domains, comma-separated, or a group; by default test domains.", rich_help_panel="What"),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Seeds of each domain, and of its questions.", rich_help_panel="What")
    ] = 3,
    first_seed: Annotated[
        int, typer.Option(min=0, help="The first of them, to go on where others ended.", rich_help_panel="What")
    ] = 0,
    questions: Questions = None,
    scorer: Scorer = None,
    env_set: EnvSet = None,
    data_dir: DataDir = None,
    exclude: Exclude = None,
    feedback_size: FeedbackSize = DEFAULT.feedback_size,
    gate: Gate = DEFAULT.gate,
    task_model: TaskModel = DEFAULT.task_model,
    editor: Editor = None,
    max_tokens: MaxTokens = DEFAULT.max_tokens,
    no_cache: NoCache = False,
    max_edit_tokens: MaxEditTokens = DEFAULT.max_edit_tokens,
    score_with: Annotated[
        list[str] | None,
        typer.Option(help="Task models that score the contexts found as well, repeatable.", rich_help_panel="Models"),
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=0, help="Edits of a run, at most.", rich_help_panel="Budget")
    ] = DEFAULT.rounds,
    budget_calls: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Hard cap on the calls of a run, task model and editor; "
            f"by default {BUDGET_CALLS:,}, at a host the track's.",
            rich_help_panel="Budget",
        ),
    ] = None,
    budget_tokens: Annotated[
        float | None, typer.Option(min=0, help="Hard cap on tokens.", rich_help_panel="Budget")
    ] = None,
    budget_usd: Annotated[
        float | None, typer.Option(min=0, help="Hard cap on US dollars.", rich_help_panel="Budget")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="3 domains, 1 seed, 8 edits, 600 calls.", rich_help_panel="Budget")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help=WORKERS.format(f"{PROCESSES} processes"), rich_help_panel=WHERE),
    ] = None,
    engine: EngineName = "processes",
    address: Address = None,
    cpus_per_worker: CpusPerWorker = None,
    gpus_per_worker: GpusPerWorker = None,
    reference: Annotated[
        str | None, typer.Option(help="Contestant to compare with; by default the best.", rich_help_panel="Output")
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            callback=writable, help="Directory to write; what is there is not run again.", rich_help_panel="Output"
        ),
    ] = Path("bench"),
    plan: PlanOnly = False,
    confirm_usd: ConfirmUsd = CONFIRM_USD,
    yes: Yes = False,
) -> None:
    """Run optimizers on the same domains under the same hard budget, and print the table of a paper."""
    if quick:
        seeds, rounds = 1, QUICK_ROUNDS
    if budget_calls is None and not any(map(is_remote, env or ())):
        budget_calls = QUICK_CALLS if quick else BUDGET_CALLS
    settings = [env_settings(one, questions, scorer, env_set, data_dir, exclude) for one in env or [DEFAULT.env]]
    shared = Settings(
        **settings[0],  # but for the env, the same for all
        task_model=task_model,
        editor=editor,
        feedback_size=feedback_size,
        gate=gate,
        max_tokens=max_tokens,
        max_edit_tokens=max_edit_tokens,
        rounds=rounds,
        budget_calls=budget_calls,
        budget_tokens=budget_tokens,
        budget_usd=budget_usd,
    )
    wanted = group_or_names(domains) if domains else None
    places = [place for one in settings for place in default_domains(one["env"], shared, wanted)]
    contestants = [parse_contestant(text) for text in agent or _everyone()]
    labels = [one.label for one in contestants]
    if reference is not None and reference not in labels:
        raise unknown("contestant", reference, labels)
    grid = Grid(
        contestants,
        places[:QUICK_DOMAINS] if quick else places,
        range(first_seed, first_seed + seeds),
        shared,
        score_with or (),
    )
    runs = {
        one.label: [job.settings.config() for job in jobs_of(grid, out) if job.contestant is one]
        for one in grid.contestants
    }
    if plan:
        show_plans(runs, score_with or ())
        return
    confirm_all(runs, confirm_usd, yes, score_with or ())
    show_models(config for configs in runs.values() for config in configs)
    workers_of_engine = make_engine(
        engine, workers, address=address, cpus=cpus_per_worker, gpus=gpus_per_worker, otherwise=PROCESSES
    )
    board = _Board(grid)
    with Live(board.render(), console=err_console, refresh_per_second=4, transient=True) as live:

        def tell(job: Job, result: Result | None, error: Exception | None) -> None:
            line = board.add(job, result, error)
            live.update(board.render())
            if not err_console.is_terminal:  # where nothing is redrawn, every run is a line
                err_console.print(line, markup=False, highlight=False, soft_wrap=True)

        try:
            results = run_grid(grid, out, workers=workers_of_engine, on_result=tell, source=this_source())
        except KeyboardInterrupt:
            err_console.print("Interrupted. Every finished round is kept; the same command goes on.", highlight=False)
            raise typer.Exit(130) from None
    if results:  # of a reference that failed there are none
        _write_report(results, out, reference if reference in {result.label for result in results} else None)
    for line in board.failures:
        err_console.print(line, markup=False, highlight=False, soft_wrap=True)
    if board.failures:
        failed = counted(len(board.failures), "run")
        err_console.print(f"{failed} failed; the same command tries again.", highlight=False)
        raise typer.Exit(1)


@app.command("report")
def report_command(
    results: Annotated[list[Path], typer.Argument(help="Files of results, as `lse-gym bench` writes them.")],
    training: Annotated[
        list[Path] | None, typer.Option(help="Directories of `lse-gym train`, for the learning curve; repeatable.")
    ] = None,
    reference: Annotated[str | None, typer.Option(help="Contestant to compare with; by default the best.")] = None,
    out: Annotated[Path, typer.Option(callback=writable, help="Directory to write.")] = Path("report"),
) -> None:
    """Make every table and figure from recorded results."""
    read = [result for path in results for result in read_results(path)]
    out.mkdir(parents=True, exist_ok=True)
    _write_report(read, out, reference)
    if training:
        training_figure(training, out / "training.svg")


def _write_report(results: list[Result], out: Path, reference: str | None) -> None:
    text = report(results, reference)
    write_text(out / "report.md", text)
    if out_console.is_terminal:  # tables as wide as it is
        out_console.print(Markdown(text), highlight=False)
    else:
        out_console.print(text, markup=False, highlight=False, soft_wrap=True)
    try:
        envs = by_env(results)
        for env, group in envs.items():
            ending = ".svg" if len(envs) == 1 else f"-{env.rpartition('/')[2]}.svg"
            budget_figure(group, out / f"budget{ending}")
            length_figure(group, out / f"length{ending}")
        beside = " and figures beside it"
    except MissingExtraError as error:
        err_console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        beside = ", without figures"
    out_console.print(f"{out / 'report.md'}{beside}", soft_wrap=True, highlight=False)


def _everyone() -> list[str]:
    """Every agent that needs no training and whose package is installed."""
    names = [name for name in AGENTS if name not in APART]
    packages = {name: agent_class(name).package for name in names}
    missing = [name for name, package in packages.items() if package and not available(package)]
    for name in missing:
        err_console.print(f"without {name}: pip install 'lse-gym[{packages[name]}]'", markup=False, highlight=False)
    return [name for name in names if name not in missing]


class _Board:
    """The live table: what is done, and how it looks so far."""

    def __init__(self, grid: Grid):
        self.labels = [contestant.label for contestant in grid.contestants]
        self.each = len(grid.domains) * len(grid.seeds)
        self.found: dict[str, list[Result]] = {label: [] for label in self.labels}
        self.failures: list[str] = []
        columns = (TextColumn("running"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.progress = Progress(*columns, console=err_console)
        self.bar = self.progress.add_task("", total=self.each * len(self.labels))

    def add(self, job: Job, result: Result | None, error: Exception | None) -> str:
        """Take in the end of a run; returns a line that tells it."""
        self.progress.advance(self.bar)
        where = f"{job.contestant.label}, {job.settings.domain}, seed {job.settings.seed}"
        if result is not None:
            self.found[job.contestant.label].append(result)
            told = f"{where}: test {result.start:.3f} to {result.best:.3f}"
        else:
            told = f"failed: {where}: {type(error).__name__}: {error}"
            told += f" (traceback: {error_file(job)})" if error_file(job).exists() else ""
            self.failures.append(told)
        task = self.progress.tasks[self.bar]
        return f"{task.completed:.0f}/{task.total:.0f} {told}"

    def render(self) -> Group:
        """The table as it stands."""
        table = Table()
        for column in ("contestant", "runs", "test, best context", "gain"):
            table.add_column(column, justify="left" if column == "contestant" else "right")
        for label, group in self.found.items():
            told = (lambda r: r.best, lambda r: r.gain) if group else ()
            values = [f"{estimate(group, value).mean:.3f}" for value in told]
            table.add_row(label, f"{len(group)}/{self.each}", *values)
        return Group(table, self.progress)
