"""``lse-gym archive`` and ``lse-gym train``."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lse_gym.agents.console import counted
from lse_gym.agents.lse.advantage import ADVANTAGES
from lse_gym.agents.lse.chains import Chains
from lse_gym.agents.lse.loggers import LOGGERS
from lse_gym.agents.lse.preference_settings import DPO, METHODS, SFT, PreferenceArgs, preference_args
from lse_gym.agents.lse.settings import CREDITS, LearnerArgs
from lse_gym.agents.lse.states import State, collect, select_states
from lse_gym.agents.parallel import make_engine
from lse_gym.agents.settings import Settings
from lse_gym.cli.common import (
    DEFAULT,
    Address,
    CpusPerWorker,
    Editor,
    EngineName,
    Env,
    EnvSet,
    FeedbackSize,
    GpusPerWorker,
    MaxEditTokens,
    MaxTokens,
    NoCache,
    Questions,
    Scorer,
    TaskModel,
    Workers,
    app,
    env_settings,
    err_console,
    group_or_names,
    out_console,
    writable,
)
from lse_gym.cli.messages import options_given
from lse_gym.cli.plan import CONFIRM_USD, ConfirmUsd, PlanOnly, Yes, confirm_all, show_plans
from lse_gym.cli.preferences import EditForm, Margin, MostRejected, Rule, states_and_dev, train_by_preferences
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.errors import ArgumentError, unknown
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.extras import require
from lse_gym.envs.models import SHIPPED
from lse_gym.envs.models.huggingface import HuggingFaceModel

if TYPE_CHECKING:
    from lse_gym.agents.lse.learner import Learner

TRAINING = LearnerArgs()
DEV_LENGTHS, DEV_REPORTS = (9, 9), (1, 1)  # eight edits from reports on one question, as a gated search makes them


@app.command("archive")
def archive_command(
    domains: Annotated[
        str, typer.Option(help="Domains, comma-separated, or a group.", rich_help_panel="What")
    ] = "train",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each domain.", rich_help_panel="What")] = 3,
    env: Env = DEFAULT.env,
    feedback_size: FeedbackSize = DEFAULT.feedback_size,
    questions: Questions = None,
    scorer: Scorer = None,
    env_set: EnvSet = None,
    task_model: TaskModel = DEFAULT.task_model,
    editor: Editor = None,
    max_tokens: MaxTokens = DEFAULT.max_tokens,
    no_cache: NoCache = False,
    max_edit_tokens: MaxEditTokens = DEFAULT.max_edit_tokens,
    rounds: Annotated[int, typer.Option(min=0, help="Edits of each run.", rich_help_panel="Search")] = DEFAULT.rounds,
    workers: Workers = None,
    engine: EngineName = "processes",
    address: Address = None,
    cpus_per_worker: CpusPerWorker = None,
    gpus_per_worker: GpusPerWorker = None,
    out: Annotated[Path, typer.Option(callback=writable, help="Directory to write.", rich_help_panel="Output")] = Path(
        "archive"
    ),
    plan: PlanOnly = False,
    confirm_usd: ConfirmUsd = CONFIRM_USD,
    yes: Yes = False,
) -> None:
    """Collect evolution trees over many domains: the states that an editor is trained on. Going on is free."""
    given = {name: value for name, value in locals().items() if name in Settings.__dataclass_fields__}
    settings = Settings(domain=None, **given | env_settings(env, questions, scorer, env_set))
    names = core_env(settings.config().make_env()).family.select(group_or_names(domains))
    runs = {name: [replace(settings, domain=name, seed=number).config() for number in range(seeds)] for name in names}
    if plan:
        show_plans(runs)
        return
    confirm_all(runs, confirm_usd, yes)
    workers_of_engine = make_engine(engine, workers, address=address, cpus=cpus_per_worker, gpus=gpus_per_worker)
    total, done = len(names) * seeds, count(1)

    def tell(one: Settings, summary: dict[str, Any]) -> None:
        scores = f"held-out {summary['seed_score']:.3f} to {summary['best_held_out_score']:.3f}"
        out_console.print(f"{next(done)}/{total}  {one.domain}, seed {one.seed}: {scores}", highlight=False)

    try:
        states = collect(settings, names, range(seeds), out, workers=workers_of_engine, on_run=tell)
    except KeyboardInterrupt:
        err_console.print("Interrupted. Every finished round is kept; the same command goes on.", highlight=False)
        raise typer.Exit(130) from None
    out_console.print(f"{counted(len(states), 'state')} in {out / 'states.jsonl'}", soft_wrap=True, highlight=False)


@app.command("train")
def train_command(
    ctx: typer.Context,
    states: Annotated[
        Path | None,
        typer.Argument(
            help="File of states, as `lse-gym archive` writes it; for dpo and sft also its folder, or pairs. "
            "For lse, --domains may stand in its place."
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(help=f"How: {', '.join(('lse', *METHODS))}.", rich_help_panel="Training")
    ] = "lse",
    editor: Annotated[
        str, typer.Option(help=f"Editor to train: {', '.join(SHIPPED)} or hf:ID-or-path.", rich_help_panel="Models")
    ] = "nano-editor",
    task_model: TaskModel = DEFAULT.task_model,
    env: Env = DEFAULT.env,
    questions: Questions = None,
    scorer: Scorer = None,
    env_set: EnvSet = None,
    domains: Annotated[
        str,
        typer.Option(
            help="Instead of a file: train on the contexts that the editor itself comes to on these, comma-separated "
            "or a group.",
            rich_help_panel="What",
        ),
    ] = "",
    length: Annotated[
        int, typer.Option(min=1, help="With --domains: most edits one after another.", rich_help_panel="What")
    ] = 12,
    report_size: Annotated[
        int, typer.Option(min=1, help="With --domains: most questions of a report.", rich_help_panel="What")
    ] = 3,
    shown: Annotated[
        float,
        typer.Option(
            min=0, help="With --domains: weight of the report's own questions in a score.", rich_help_panel="What"
        ),
    ] = 0.0,
    dev: Annotated[
        str, typer.Option(help="Domains to choose weights by, comma-separated or a group.", rich_help_panel="What")
    ] = "",
    dev_size: Annotated[int, typer.Option(min=1, help="Dev states, at most.", rich_help_panel="What")] = 32,
    min_potential: Annotated[
        float, typer.Option(min=0, help="Least room for improvement of a state.", rich_help_panel="What")
    ] = 0.0,
    advantage: Annotated[
        str, typer.Option(help=f"Advantage: {', '.join(ADVANTAGES)}.", rich_help_panel="Training")
    ] = TRAINING.advantage,
    credit: Annotated[
        str,
        typer.Option(help=f"What has an advantage of its own: {', '.join(CREDITS)}.", rich_help_panel="Training"),
    ] = TRAINING.credit,
    price: Annotated[
        float, typer.Option(min=0, help="What a line costs, with --credit line.", rich_help_panel="Training")
    ] = TRAINING.price,
    whiten: Annotated[
        bool, typer.Option("--whiten", help="Scale the advantages of a step to mean 0.", rich_help_panel="Training")
    ] = TRAINING.whiten,
    steps: Annotated[int, typer.Option(min=1, help="Updates.", rich_help_panel="Training")] = TRAINING.steps,
    states_per_step: Annotated[
        int, typer.Option(min=1, help="States a step.", rich_help_panel="Training")
    ] = TRAINING.states_per_step,
    samples: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"Edits of each state; by default {TRAINING.samples}, of dpo and sft {DPO.samples}.",
            rich_help_panel="Training",
        ),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(
            min=0,
            help=f"Learning rate; by default {TRAINING.lr}, of dpo {DPO.lr}, of sft {SFT.lr}.",
            rich_help_panel="Training",
        ),
    ] = None,
    temperature: Annotated[
        float, typer.Option(min=0, help="Sampling temperature of the editor.", rich_help_panel="Training")
    ] = TRAINING.temperature,
    max_tokens: MaxTokens = DEFAULT.max_tokens,
    max_edit_tokens: Annotated[
        int, typer.Option(min=1, help="Longest answer of the editor, in tokens.", rich_help_panel="Training")
    ] = TRAINING.max_edit_tokens,
    dev_every: Annotated[
        int, typer.Option(min=1, help="Steps between two measurements.", rich_help_panel="Training")
    ] = TRAINING.dev_every,
    patience: Annotated[
        int, typer.Option(min=1, help="Measurements without improvement before the end.", rich_help_panel="Training")
    ] = TRAINING.patience,
    seed: Annotated[int, typer.Option(min=0, help="Seed.", rich_help_panel="Training")] = TRAINING.seed,
    margin: Margin = DPO.margin,
    most_rejected: MostRejected = DPO.most_rejected,
    pair_rule: Rule = DPO.pair_rule,
    form: EditForm = "lines",
    rounds: Annotated[
        int, typer.Option(min=0, help="On-policy rounds on samples of the states.", rich_help_panel="Preferences")
    ] = DPO.rounds,
    max_states: Annotated[
        int, typer.Option(min=0, help="States of an on-policy round; 0 is all.", rich_help_panel="Preferences")
    ] = DPO.max_states,
    beta: Annotated[
        float, typer.Option(help="Weight of staying close to the first weights.", rich_help_panel="Preferences")
    ] = DPO.beta,
    epochs: Annotated[
        float | None,
        typer.Option(
            help=f"Passes over the pairs; by default {DPO.epochs:g} of dpo and {SFT.epochs:g} of sft.",
            rich_help_panel="Preferences",
        ),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Pairs a step.", rich_help_panel="Preferences")] = DPO.batch,
    log_to: Annotated[
        list[str] | None,
        typer.Option(help=f"Log the metrics there too, repeatable: {', '.join(LOGGERS)}.", rich_help_panel="Output"),
    ] = None,
    out: Annotated[Path, typer.Option(callback=writable, help="Directory to write.", rich_help_panel="Output")] = Path(
        "training"
    ),
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the training in --out.", rich_help_panel="Output")
    ] = False,
) -> None:
    """Train an editor: by the improvement that an edit causes (LSE), by pairs of edits (dpo), or by the best (sft)."""
    if method not in ("lse", *METHODS):
        raise unknown("method", method, ("lse", *METHODS))
    if (states is None) == (not domains) or (domains and method != "lse"):
        raise ArgumentError("what to train on? Pass a file of states or, with --method lse, --domains; not both.")
    _check_options(ctx, method)
    given = {name: value for name, value in locals().items() if value is not None}
    place = env_settings(env, questions, scorer, env_set)
    core = core_env(Settings(**place, task_model=task_model, max_tokens=max_tokens, domain=None).config().make_env())
    held_back = core.family.select(group_or_names(dev)) if dev else ()
    if method in METHODS:
        own = {name: value for name, value in given.items() if name in PreferenceArgs.__dataclass_fields__}
        path = SHIPPED.get(editor, editor.removeprefix("hf:"))
        options = {name: given[name] for name in ("dev_size", "min_potential", "form", "resume")}
        options["held_back"] = held_back
        best = train_by_preferences(given["states"], path, core, out, preference_args(**own), **options)
    else:
        require("torch", "hf", "Training")
        from lse_gym.agents.lse.learner import Learner

        chosen: list[State] | Chains
        dev_states: list[State] | Chains
        if states is None:
            chosen, dev_states = _chains(core, domains, held_back, states_per_step, length, report_size, shown, seed)
        else:
            everything, dev_states = states_and_dev(states, held_back, dev_size, seed)
            chosen = select_states(everything, min_potential=min_potential)

        args = LearnerArgs(**{name: given[name] for name in LearnerArgs.__dataclass_fields__ if name in given})
        model = HuggingFaceModel(SHIPPED.get(editor, editor.removeprefix("hf:")), editor)
        best = _learn(Learner(model, core, chosen, dev_states, out, args, resume=resume, loggers=log_to or ()))
    out_console.print(f"The editor is in {best}: --editor hf:{best}", soft_wrap=True, highlight=False)


def _check_options(ctx: typer.Context, method: str) -> None:
    """Raise :class:`ArgumentError` for an option that only another method heeds."""
    reinforced = {"domains", "length", "report_size", "shown", "log_to", *LearnerArgs.__dataclass_fields__}
    preferred = {"form", *PreferenceArgs.__dataclass_fields__} - {"method"}
    others = preferred - reinforced if method == "lse" else reinforced - preferred
    options = {param.name: param.opts[0] for param in ctx.command.params}
    foreign = sorted(options[name] for name in options_given(ctx) & others)
    if foreign:
        raise ArgumentError(f"--method {method} has no {', '.join(foreign)}. Leave it out, or pass another --method.")


def _chains(
    core: ContextEnv, domains: str, dev: Sequence[str], number: int, length: int, size: int, shown: float, seed: int
) -> tuple[Chains, Chains | list[State]]:
    """The states that the editor itself comes to, on the domains to train on and on those that are held back."""
    names = [name for name in core.family.select(group_or_names(domains)) if name not in dev]
    chains = Chains(core, names, number, lengths=(1, length), reports=(1, size), shown=shown, seed=seed)
    return chains, Chains(core, dev, len(dev), lengths=DEV_LENGTHS, reports=DEV_REPORTS, seed=1) if dev else []


def _learn(learner: "Learner") -> Path:
    """Train, and show how far it is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err_console) as progress:
        task = progress.add_task("training", total=learner.args.steps, completed=learner.step_number)

        def tell(row: dict[str, float]) -> None:
            told = "  ".join(f"{name} {row[name]:.3f}" for name in ("improvement", "dev_improvement") if name in row)
            progress.update(task, completed=int(row["step"]) + 1, description=told)

        try:
            return learner.learn(tell)
        except KeyboardInterrupt:
            err_console.print("Interrupted. Go on with the same command and --resume.", highlight=False)
            raise typer.Exit(130) from None
