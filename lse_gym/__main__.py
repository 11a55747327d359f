"""The command line: ``lse-gym evolve | evaluate | archive | train | envs | cache | doctor``."""

import json
import sys
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import gymnasium
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from lse_gym.agents import AGENTS
from lse_gym.agents.live import Live
from lse_gym.agents.lse.advantage import ADVANTAGES
from lse_gym.agents.lse.settings import LearnerArgs
from lse_gym.agents.lse.states import collect, read_states, select_states
from lse_gym.agents.run import Config, evolve
from lse_gym.envs.doctor import checks
from lse_gym.envs.domain import SPLITS
from lse_gym.envs.errors import LSEGymError, ProviderError
from lse_gym.envs.evaluation import core_env, evaluate_context
from lse_gym.envs.extras import require
from lse_gym.envs.models import MODEL_NAMES, NANO
from lse_gym.envs.models.huggingface import HuggingFaceModel
from lse_gym.envs.models.response_cache import cache_path, contents, prune
from lse_gym.envs.registration import ENVS, describe

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
out_console, err_console = Console(), Console(stderr=True)
DEFAULT, TRAINING = Config(), LearnerArgs()
NAMED = ", ".join(MODEL_NAMES)

Env = Annotated[str, typer.Option("--env", help=f"Environment id: {', '.join(ENVS)}.", rich_help_panel="What")]
Domain = Annotated[
    str | None,
    typer.Option(
        help="Domain, e.g. clinic-0; for data of your own a db_id. `lse-gym envs` lists them.", rich_help_panel="What"
    ),
]
DataDir = Annotated[
    Path | None, typer.Option(help="Directory in BIRD's or Spider's layout, for LSE/BIRD-v0.", rich_help_panel="What")
]
Exclude = Annotated[
    Path | None, typer.Option(help="File with ids of questions to leave out (broken golds).", rich_help_panel="What")
]
TaskModel = Annotated[str, typer.Option(help=f"Frozen model that answers: {NAMED}.", rich_help_panel="Models")]
SplitSeed = Annotated[int, typer.Option(help="Seed of the question splits.", rich_help_panel="What")]
Scoring = Annotated[
    str, typer.Option(help="set: BIRD's official accuracy; strict: multisets, and order.", rich_help_panel="What")
]


@app.command("evolve")
def evolve_command(
    env: Env = DEFAULT.env,
    agent: Annotated[str, typer.Option(help=f"Agent: {', '.join(AGENTS)}.", rich_help_panel="Models")] = DEFAULT.agent,
    task_model: TaskModel = DEFAULT.task_model,
    editor: Annotated[
        str, typer.Option(help=f"Model that writes the edits: {NAMED}.", rich_help_panel="Models")
    ] = DEFAULT.editor,
    domain: Domain = None,
    data_dir: DataDir = None,
    exclude: Exclude = None,
    rounds: Annotated[int, typer.Option(min=0, help="Edits to make.", rich_help_panel="Search")] = DEFAULT.rounds,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the search.", rich_help_panel="Search")] = DEFAULT.seed,
    selection: Annotated[
        str | None,
        typer.Option(help="Context edited next: ucb, deepest, best; by default the agent's.", rich_help_panel="Search"),
    ] = DEFAULT.selection,
    order: Annotated[
        str,
        typer.Option(help="paper: each edit from a new batch; code: from the stored report.", rich_help_panel="Search"),
    ] = DEFAULT.order,
    budget_calls: Annotated[
        float | None,
        typer.Option(min=0, help="Hard cap on model calls, task model and editor.", rich_help_panel="Budget"),
    ] = None,
    budget_tokens: Annotated[
        float | None, typer.Option(min=0, help="Hard cap on tokens.", rich_help_panel="Budget")
    ] = None,
    feedback: Annotated[
        str, typer.Option(help="What the editor is shown: gold, error, score.", rich_help_panel="What")
    ] = DEFAULT.feedback,
    max_chars: Annotated[int, typer.Option(min=1, help="Longest context.", rich_help_panel="What")] = DEFAULT.max_chars,
    split_seed: SplitSeed = DEFAULT.split_seed,
    scoring: Scoring = DEFAULT.scoring,
    out: Annotated[
        Path | None, typer.Option(help="Run directory; by default a new one under runs/.", rich_help_panel="Output")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue the run in --out, to the identical result.", rich_help_panel="Output"),
    ] = False,
) -> None:
    """Evolve a context: edit it round after round, watch the held-out score, report the sealed test score."""
    given = dict(locals())
    values: dict[str, Any] = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    values["domain"] = domain or _default_domain(env, values["data_dir"], values["exclude"])
    config = Config(**{name: value for name, value in values.items() if name in Config.__dataclass_fields__})
    folder = out or _new_folder(config)
    with Live(config.rounds, console=err_console) as live:
        try:
            summary = evolve(config, folder, resume=resume, on_node=live.show)
        except (KeyboardInterrupt, OSError, ProviderError) as error:
            again = " ".join(
                [*sys.argv[1:], *([] if out else ["--out", str(folder)]), *([] if resume else ["--resume"])]
            )
            reason = "Interrupted." if isinstance(error, KeyboardInterrupt) else f"{str(error).rstrip('.')}."
            err_console.print(f"{reason} Every finished round is kept; go on with: lse-gym {again}", highlight=False)
            raise typer.Exit(130 if isinstance(error, KeyboardInterrupt) else 1) from None
    _print_summary(summary, folder)


def _default_domain(env: str, data_dir: str | None, exclude: str | None) -> str:
    if env == DEFAULT.env and DEFAULT.domain:
        return DEFAULT.domain
    core = core_env(Config(env=env, domain=None, data_dir=data_dir, exclude=exclude).make_env())
    if len(core.domains) > 1:
        err_console.print(f"{len(core.domains)} domains; taking the first, {core.domains[0]!r}. Choose with --domain.")
    return core.domains[0]


def _new_folder(config: Config) -> Path:
    name = f"{config.env.split('/')[-1]}-{config.domain}-{config.agent}-{config.seed}"
    candidates = (Path("runs") / (name if i == 1 else f"{name}-{i}") for i in count(1))
    return next(path for path in candidates if not path.exists())


def _print_summary(summary: dict[str, Any], folder: Path) -> None:
    low, high = summary["test_ci95"]
    table = Table(title=f"{summary['env_id']} · {summary['domain']} · {summary['agent']}", title_justify="left")
    for column in ("", "seed context", "best context"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("held-out score", f"{summary['seed_score']:.3f}", f"{summary['best_held_out_score']:.3f}")
    best = f"[bold green]{summary['test_score_best']:.3f}[/]"
    table.add_row(f"sealed test score, n = {summary['test_n']}", f"{summary['test_score_seed']:.3f}", best)
    table.add_row("95 % interval", "", f"{low:.3f} to {high:.3f}")
    out_console.print(table)
    out_console.print(
        f"{summary['rounds']} edits, {summary['calls']:.0f} calls, {summary['tokens']:.0f} tokens. Best context: "
        f"{folder / 'best_context.txt'}; picture of the tree: {folder / 'tree.html'}",
        soft_wrap=True,
        highlight=False,
    )


@app.command("evaluate")
def evaluate_command(
    context_file: Annotated[Path, typer.Argument(help="Text file with the context; - for standard input.")],
    env: Env = DEFAULT.env,
    domain: Domain = None,
    split: Annotated[str, typer.Option(help=f"Split: {', '.join(SPLITS)}.", rich_help_panel="What")] = "test",
    task_model: TaskModel = DEFAULT.task_model,
    data_dir: DataDir = None,
    exclude: Exclude = None,
    split_seed: SplitSeed = DEFAULT.split_seed,
    scoring: Scoring = DEFAULT.scoring,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel="Output")] = False,
) -> None:
    """Score a context file on a split, with a 95 % confidence interval."""
    try:
        context = sys.stdin.read() if str(context_file) == "-" else context_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LSEGymError(f"{str(context_file)!r} cannot be read: {error}. Pass a text file with a context.") from None
    directory, excluded = (str(path) if path else None for path in (data_dir, exclude))
    domain = domain or _default_domain(env, directory, excluded)
    config = Config(
        env=env,
        domain=domain,
        task_model=task_model,
        data_dir=directory,
        exclude=excluded,
        split_seed=split_seed,
        scoring=scoring,
    )
    score = evaluate_context(config.make_env(), context, split)
    low, high = score.ci95
    if as_json:
        facts = {"env_id": env, "domain": domain, "split": split, "task_model": task_model}
        print(json.dumps(facts | {"score": score.mean, "n": score.n, "ci95": score.ci95}))  # noqa: T201
    else:
        out_console.print(
            f"{score.mean:.3f}  (95 % interval {low:.3f} to {high:.3f}, n = {score.n}, split {split}, {domain})"
        )


@app.command("archive")
def archive_command(
    domains: Annotated[
        str, typer.Option(help="Domains, comma-separated, or a group.", rich_help_panel="What")
    ] = "train",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each domain.", rich_help_panel="What")] = 3,
    env: Env = DEFAULT.env,
    task_model: TaskModel = DEFAULT.task_model,
    editor: Annotated[
        str, typer.Option(help=f"Model that writes the edits: {NAMED}.", rich_help_panel="Models")
    ] = DEFAULT.editor,
    rounds: Annotated[int, typer.Option(min=0, help="Edits of each run.", rich_help_panel="Search")] = DEFAULT.rounds,
    workers: Annotated[int, typer.Option(min=1, help="Processes.", rich_help_panel="Search")] = 1,
    out: Annotated[Path, typer.Option(help="Directory to write.", rich_help_panel="Output")] = Path("archive"),
) -> None:
    """Collect evolution trees over many domains: the states that an editor is trained on. Going on is free."""
    config = Config(env=env, task_model=task_model, editor=editor, rounds=rounds, domain=None)
    wanted: Any = domains if "," not in domains else [name.strip() for name in domains.split(",")]
    names = core_env(config.make_env()).family.select(wanted)
    total, done = len(names) * seeds, count(1)

    def tell(one: Config, summary: dict[str, Any]) -> None:
        scores = f"held-out {summary['seed_score']:.3f} to {summary['best_held_out_score']:.3f}"
        out_console.print(f"{next(done)}/{total}  {one.domain}, seed {one.seed}: {scores}", highlight=False)

    try:
        states = collect(config, names, range(seeds), out, workers=workers, on_run=tell)
    except KeyboardInterrupt:
        err_console.print("Interrupted. Every finished round is kept; the same command goes on.", highlight=False)
        raise typer.Exit(130) from None
    out_console.print(f"{len(states)} states in {out / 'states.jsonl'}", soft_wrap=True, highlight=False)


@app.command("train")
def train_command(
    states: Annotated[Path, typer.Argument(help="File of states, as `lse-gym archive` writes it.")],
    editor: Annotated[
        str, typer.Option(help="Editor to train: nano or hf:ID-or-path.", rich_help_panel="Models")
    ] = "nano",
    task_model: TaskModel = DEFAULT.task_model,
    env: Env = DEFAULT.env,
    dev: Annotated[
        str, typer.Option(help="Domains of the states to choose weights by, comma-separated.", rich_help_panel="What")
    ] = "",
    dev_size: Annotated[int, typer.Option(min=1, help="Dev states, at most.", rich_help_panel="What")] = 32,
    min_potential: Annotated[
        float, typer.Option(min=0, help="Least room for improvement of a state.", rich_help_panel="What")
    ] = 0.0,
    advantage: Annotated[
        str, typer.Option(help=f"Advantage: {', '.join(ADVANTAGES)}.", rich_help_panel="Training")
    ] = TRAINING.advantage,
    steps: Annotated[int, typer.Option(min=1, help="Updates.", rich_help_panel="Training")] = TRAINING.steps,
    states_per_step: Annotated[
        int, typer.Option(min=1, help="States a step.", rich_help_panel="Training")
    ] = TRAINING.states_per_step,
    samples: Annotated[
        int, typer.Option(min=1, help="Edits of each state.", rich_help_panel="Training")
    ] = TRAINING.samples,
    lr: Annotated[float, typer.Option(min=0, help="Learning rate.", rich_help_panel="Training")] = TRAINING.lr,
    max_tokens: Annotated[
        int, typer.Option(min=1, help="Longest answer of the editor.", rich_help_panel="Training")
    ] = TRAINING.max_tokens,
    dev_every: Annotated[
        int, typer.Option(min=1, help="Steps between two measurements.", rich_help_panel="Training")
    ] = TRAINING.dev_every,
    patience: Annotated[
        int, typer.Option(min=1, help="Measurements without improvement before the end.", rich_help_panel="Training")
    ] = TRAINING.patience,
    seed: Annotated[int, typer.Option(min=0, help="Seed.", rich_help_panel="Training")] = TRAINING.seed,
    out: Annotated[Path, typer.Option(help="Directory to write.", rich_help_panel="Output")] = Path("training"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the training in --out.", rich_help_panel="Output")
    ] = False,
) -> None:
    """Train an editor: the reward of an edit is the improvement that it causes (LSE)."""
    given = {name: value for name, value in locals().items() if name in LearnerArgs.__dataclass_fields__}
    held_back = [name.strip() for name in dev.split(",") if name.strip()]
    everything = read_states(states)
    dev_states = select_states([s for s in everything if s.domain in held_back], order="random", seed=seed)[:dev_size]
    chosen = select_states([s for s in everything if s.domain not in held_back], min_potential=min_potential)
    core = core_env(Config(env=env, task_model=task_model, domain=None).make_env())
    require("torch", "hf", "Training")
    from lse_gym.agents.lse.learner import Learner

    model = HuggingFaceModel(NANO, "nano") if editor == "nano" else HuggingFaceModel(editor.removeprefix("hf:"))
    learner = Learner(model, core, chosen, dev_states, out, LearnerArgs(**given), resume=resume)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err_console) as progress:
        task = progress.add_task("training", total=steps, completed=learner.step_number)

        def tell(row: dict[str, float]) -> None:
            told = "  ".join(f"{name} {row[name]:.3f}" for name in ("improvement", "dev_improvement") if name in row)
            progress.update(task, completed=int(row["step"]) + 1, description=told)

        try:
            best = learner.learn(tell)
        except KeyboardInterrupt:
            err_console.print("Interrupted. Go on with the same command and --resume.", highlight=False)
            raise typer.Exit(130) from None
    out_console.print(f"The editor is in {best}: --editor hf:{best}", soft_wrap=True, highlight=False)


@app.command("envs")
def envs_command() -> None:
    """List the environments, their domains and what they need."""
    table = Table(show_lines=True)
    for column in ("id", "what is edited and rewarded", "domains"):
        table.add_column(column, no_wrap=column == "id")
    for name in ENVS:
        table.add_row(name, *describe(name))
    out_console.print(table)


@app.command("cache")
def cache_command(
    prune_days: Annotated[
        float | None, typer.Option("--prune", min=0, help="Delete responses older than this many days; 0 for all.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Prune this model's only, e.g. openai:gpt-5.")] = None,
) -> None:
    """Show the response cache, or prune it."""
    path = cache_path()
    if path is None or not path.exists():
        off = "off (LSE_GYM_RESPONSE_CACHE)" if path is None else f"empty: {path}"
        out_console.print(f"The response cache is {off}.", soft_wrap=True, highlight=False)
        return
    if prune_days is not None:
        out_console.print(f"{prune(path, model=model, older_than_days=prune_days)} responses deleted.", highlight=False)
    table = Table(title=f"{path}, {path.stat().st_size / 1e6:.1f} MB", title_justify="left")
    for column in ("model", "revision", "responses", "prompt tokens", "completion tokens"):
        table.add_column(column, justify="left" if column in ("model", "revision") else "right")
    for row in contents(path):
        columns = ("model", "revision", "responses", "prompt_tokens", "completion_tokens")
        table.add_row(*(escape(str(row[column])) for column in columns))
    out_console.print(table)


@app.command("doctor")
def doctor_command() -> None:
    """Tell what is installed, what is missing and what would work."""
    failed = False
    for check in checks():
        mark = {True: "[green]ok[/]", False: "[red]broken[/]", None: "[yellow]absent[/]"}[check.ok]
        failed = failed or check.ok is False
        out_console.print(f"{mark:<22} {check.name:<16} {escape(check.detail)}", soft_wrap=True, highlight=False)
    raise typer.Exit(1 if failed else 0)


def main() -> None:
    """Run the command line; errors of this package end it with one line instead of a traceback."""
    try:
        app()
    except (LSEGymError, gymnasium.error.Error) as error:
        err_console.print(f"[bold red]error:[/] {type(error).__name__}: ", end="", highlight=False)
        err_console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
