"""``lse-gym evolve``."""

import json
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from lse_gym.agents import AGENTS
from lse_gym.agents.bench.contestant import settings_of
from lse_gym.agents.console import counted
from lse_gym.agents.files import folder_name, read_objects
from lse_gym.agents.live import Live
from lse_gym.agents.plan import plan_run
from lse_gym.agents.run import evolve, has_run, read_config
from lse_gym.agents.settings import Config, Settings
from lse_gym.agents.watch import Probes
from lse_gym.cli.common import (
    CUSTOM,
    DEFAULT,
    DataDir,
    Domain,
    Editor,
    Env,
    EnvSet,
    Exclude,
    FeedbackSize,
    Gate,
    MaxEditTokens,
    MaxTokens,
    NoCache,
    Questions,
    Scorer,
    Scoring,
    SplitSeed,
    TaskModel,
    app,
    check_pairs,
    env_settings,
    err_console,
    out_console,
    say,
    writable,
)
from lse_gym.cli.messages import command_line, options_given
from lse_gym.cli.plan import CONFIRM_USD, ConfirmUsd, PlanOnly, Yes, confirm, priced, show_facts, show_faults, show_plan
from lse_gym.envs.errors import ArgumentError, ProviderError, RunDirectoryError
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.models.response_cache import cache_path
from lse_gym.envs.models.tally import tell
from lse_gym.envs.text import one_line

MAX_SAID_CHARS = 300  # of what an editor said


@app.command("evolve")
def evolve_command(
    ctx: typer.Context,
    env: Env = DEFAULT.env,
    agent: Annotated[str, typer.Option(help=f"Agent: {', '.join(AGENTS)}.", rich_help_panel="Models")] = DEFAULT.agent,
    argument: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Argument of the agent, repeatable, e.g. --set temperature=0.", rich_help_panel="Models"
        ),
    ] = None,
    task_model: TaskModel = DEFAULT.task_model,
    editor: Editor = None,
    domain: Domain = None,
    questions: Questions = None,
    scorer: Scorer = None,
    context: Annotated[
        Path | None, typer.Option(help="Text file with the context to start from.", rich_help_panel="What")
    ] = None,
    env_set: EnvSet = None,
    data_dir: DataDir = None,
    exclude: Exclude = None,
    rounds: Annotated[int, typer.Option(min=0, help="Edits to make.", rich_help_panel="Search")] = DEFAULT.rounds,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the search.", rich_help_panel="Search")] = DEFAULT.seed,
    selection: Annotated[
        str | None,
        typer.Option(help="Context edited next: ucb, deepest, best, pareto; or the agent's.", rich_help_panel="Search"),
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
    budget_usd: Annotated[
        float | None,
        typer.Option(min=0, help="Hard cap on US dollars, by the prices of the models.", rich_help_panel="Budget"),
    ] = None,
    budget_edits: Annotated[
        float | None, typer.Option(min=0, help="Hard cap on edits, beside --rounds.", rich_help_panel="Budget")
    ] = None,
    feedback: Annotated[
        str, typer.Option(help="What the editor is shown: gold, error, score.", rich_help_panel="What")
    ] = DEFAULT.feedback,
    feedback_size: FeedbackSize = DEFAULT.feedback_size,
    gate: Gate = DEFAULT.gate,
    max_tokens: MaxTokens = DEFAULT.max_tokens,
    max_edit_tokens: MaxEditTokens = DEFAULT.max_edit_tokens,
    no_cache: NoCache = False,
    max_chars: Annotated[int, typer.Option(min=1, help="Longest context.", rich_help_panel="What")] = DEFAULT.max_chars,
    split_seed: SplitSeed = DEFAULT.split_seed,
    scoring: Scoring = DEFAULT.scoring,
    probes: Annotated[
        str | None,
        typer.Option(
            help="Watch every context by probes: a .csv or .jsonl file, or 'family', the domain's own.",
            rich_help_panel="Probes",
        ),
    ] = None,
    probes_every: Annotated[
        int, typer.Option(min=1, help="Probe after every so many edits.", rich_help_panel="Probes")
    ] = Probes.every,
    probes_calls: Annotated[
        float | None,
        typer.Option(min=0, help="Hard cap on calls of the probes, beside the budget.", rich_help_panel="Probes"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            callback=writable, help="Run directory; by default a new one under runs/.", rich_help_panel="Output"
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue the run in --out, to the identical result; it needs no other option, but --rounds may grow.",
            rich_help_panel="Output",
        ),
    ] = False,
    plan: PlanOnly = False,
    confirm_usd: ConfirmUsd = CONFIRM_USD,
    yes: Yes = False,
) -> None:
    """Evolve a context: edit it round after round, watch the held-out score, report the test score."""
    given = dict(locals())
    if resume and not out:
        raise ArgumentError("--resume needs --out, the directory of the run to continue. Pass --out runs/NAME.")
    names = options_given(ctx)
    there = _recorded(out, names) if out and resume and has_run(out) else None
    base = Settings.of(there) if there else Settings(domain=None)
    if "env" in names and env != base.env:
        base = replace(base, env=env, domain=None, env_args={})
    if "agent" in names and agent != base.agent:
        base = replace(base, agent=agent, agent_args={})
    values = {name: value for name, value in given.items() if name in names & Settings.__dataclass_fields__.keys()}
    values |= {"start": str(context)} if context else {}
    values |= env_settings(base.env, questions, scorer, env_set, data_dir, exclude)
    check_pairs("--set", argument, "temperature=0")
    values |= settings_of(base.agent, argument or ())
    for of in ("env_args", "agent_args"):
        values[of] = getattr(base, of) | values.get(of, {})
    settings = replace(base, **{name: value for name, value in values.items() if value is not None})
    if there and replace(settings, rounds=there.rounds) == Settings.of(there):
        config = replace(there, rounds=settings.rounds)
    else:
        config = on_a_domain(settings, tell=not plan).config()
    if plan:
        show_plan(config, out)
        return
    if priced(config):
        confirm(plan_run(config), confirm_usd, yes)
    watched = Probes(probes, probes_every, calls=probes_calls) if probes else None
    _run(config, out or _new_folder(config), resume, watched)


def _recorded(folder: Path, names: set[str]) -> Config | None:
    """What the run in a folder was told, beside which only what is given counts; None where its secrets are missing."""
    try:
        return read_config(folder)
    except RunDirectoryError:
        if not names - BESIDE_A_RUN:
            raise
        return None


OF_PROBES = ("probes", "probes_every", "probes_calls")
# what may stand beside --resume, as the run in --out says the rest
BESIDE_A_RUN = frozenset(("out", "resume", "rounds", "plan", "confirm_usd", "yes", "no_cache", *OF_PROBES))


def _run(config: Config, folder: Path, resume: bool, probes: Probes | None) -> None:
    def start() -> None:
        show_facts(config, folder)
        show_faults(config)

    with Live(config.rounds, console=err_console) as live:
        try:
            summary = evolve(config, folder, resume=resume, on_node=live.show, on_start=start, probes=probes)
        except (KeyboardInterrupt, OSError, ProviderError) as error:
            if not has_run(folder) and not isinstance(error, KeyboardInterrupt):
                raise  # nothing is kept: there is nothing to go on with
            reason = "Interrupted." if isinstance(error, KeyboardInterrupt) else f"{str(error).rstrip('.')}."
            uncached = ["--no-cache"] if cache_path() is None else []
            again = command_line("evolve", "--out", str(folder), "--resume", *uncached)
            kept = f"Every finished round is kept; go on with: {again}" if has_run(folder) else "Nothing was kept."
            err_console.print(f"{reason} {kept}", markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(130 if isinstance(error, KeyboardInterrupt) else 1) from None
    _print_summary(summary, folder)
    rows = read_objects(folder / "trajectory.jsonl")
    _tell_shorter(summary, rows)
    _tell_cap(summary, config)
    if summary["edits"] and summary["best_held_out_score"] <= summary["seed_score"]:
        _tell_no_gain(summary, rows, folder)


def on_a_domain(settings: Settings, tell: bool = True) -> Settings:
    """With a domain where none is named: that of the default env, else the first; tells what became of a file."""
    if settings.env == DEFAULT.env or (settings.domain and settings.env != CUSTOM):
        return replace(settings, domain=settings.domain or DEFAULT.domain)
    core = core_env(settings.config().make_env())
    if len(core.domains) > 1:
        err_console.print(f"{len(core.domains)} domains; taking the first, {core.domains[0]!r}. Choose with --domain.")
    if settings.env == CUSTOM and tell:
        err_console.print(core.family.note(core.domains[0]), markup=False, highlight=False, soft_wrap=True)
    return replace(settings, domain=core.domains[0])


def _new_folder(config: Config) -> Path:
    name = folder_name(f"{config.env.split('/')[-1]}-{config.domain}-{config.agent}-{config.seed}")
    candidates = (Path("runs") / (name if i == 1 else f"{name}-{i}") for i in count(1))
    return next(path for path in candidates if not path.exists())


def _tell_shorter(summary: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """That one half as long did as well: which of equals is the best is LSE's rule, and part of every record."""
    equal = [row for row in rows if row["performance"] == summary["best_held_out_score"]]
    shortest = min(equal, key=lambda row: len(row["context"]))
    chars = len(shortest["context"])
    if 2 * chars <= summary["best_context_chars"]:
        say(
            f"Of equal held-out scores the deepest context is the best one. That of round {shortest['round_idx']} has "
            f"{counted(chars, 'character')} instead of {summary['best_context_chars']:,}; trajectory.jsonl holds it.",
            err_console,
        )


def _tell_cap(summary: dict[str, Any], config: Config) -> None:
    """That the budget ended a run before its rounds."""
    caps = [f"--budget-{name} {cap:,.10g}" for name, cap in config.budget.items()]
    if summary["edits"] < config.rounds and caps:
        more = "a larger one makes another run, with another --out, and takes from the response cache what is there"
        say(
            f"{counted(summary['edits'], 'edit')} of {config.rounds:,}: no other fits into {', '.join(caps)}; {more}.",
            err_console,
        )


def _tell_no_gain(summary: dict[str, Any], rows: list[dict[str, Any]], folder: Path) -> None:
    edits = counted(summary["edits"], "edit")
    told = [f"Nothing was gained by {edits}: no context is better than the start on the held-out questions."]
    if len({row["context"] for row in rows}) == 1 and summary["rounds"]:
        told.append("Every edit left the context as it was." + _last_word(folder / "edits.jsonl"))
    for line in told:  # what stand-ins cannot do was said before the run
        say(line, err_console)


def _last_word(edits: Path) -> str:
    """What the editor said last, before the context that it gave; "" where there is no editor."""
    lines = edits.read_bytes().splitlines() if edits.exists() else []
    rows = [row for row in map(json.loads, lines) if isinstance(row, list)]
    said = str(rows[-1][1]).partition("<prompt>")[0].strip() if rows else ""
    return f" The editor's last word: {one_line(said, MAX_SAID_CHARS)}" if said else ""


def _print_summary(summary: dict[str, Any], folder: Path) -> None:
    table = Table(title=f"{summary['env_id']} · {summary['domain']} · {summary['agent']}", title_justify="left")
    for column in ("", "seed context", "best context"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("held-out score", f"{summary['seed_score']:.3f}", f"{summary['best_held_out_score']:.3f}")
    if "test_n" in summary:
        (low, high), best = summary["test_ci95"], f"[bold green]{summary['test_score_best']:.3f}[/]"
        table.add_row(f"test score, n = {summary['test_n']}", f"{summary['test_score_seed']:.3f}", best)
        table.add_row("95 % interval", "", f"{low:.3f} to {high:.3f}")
        tested = f"outside of the budget, for the test, {summary['test_calls']:,.0f} of "
        tested += f"at most {counted(summary['test_calls_cap'], 'call')}."
    else:
        tested = "the host tells sealed scores once all runs of the play have ended; go on with --resume then."
    out_console.print(table)
    edits = counted(summary["edits"], "edit")
    if summary["rounds"] < summary["edits"]:
        edits += f" in {counted(summary['rounds'], 'measurement')}"
    spent = [edits, counted(summary["calls"], "call"), counted(summary["tokens"], "token")]
    say(f"{', '.join(spent)}; {tested}")
    if "probes" in summary:
        _tell_probes(summary["probes"])
    for what, name in (("Best context", "best_context.txt"), ("Picture of the tree", "tree.html")):
        out_console.print(f"{what}: {folder / name}", markup=False, highlight=False, soft_wrap=True)
    for who, facts in summary["answers"].items():
        option = "--max-edit-tokens" if who == "editor" else "--max-tokens"
        tell_answers(facts, who, option)


def _tell_probes(facts: dict[str, Any]) -> None:
    start, best = facts["start"], facts["best"]
    rates = ", ".join(
        f"{name.replace('_', '-')} {start[name]:.2f}" + (f" to {best[name]:.2f}" if best else "") for name in start
    )
    edit, threshold = facts["first_crossing"], f"{facts['threshold']:g}"
    crossed = f"never reached {threshold}" if edit is None else f"reached {threshold} after edit {edit}"
    asked = f"{facts['number']} a context, {counted(facts['calls'], 'call')} outside of the budget"
    say(f"Probes, {asked}: {rates}; drift {crossed}.")


def tell_answers(facts: dict[str, Any], who: str, option: str) -> None:
    """Tell what a user should know of the answers of the task model or the editor."""
    for line in tell(facts, f"the {who.replace('_', ' ')}", option):
        say(line, err_console)
