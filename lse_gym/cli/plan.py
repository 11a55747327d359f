"""``--plan``: what a command would do and cost, with nothing run; and the question before it costs much."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from lse_gym.agents.console import counted
from lse_gym.agents.plan import (
    NO_PLAN,
    Plan,
    Preview,
    estimates,
    faults,
    has_price,
    kept_answers,
    models_of,
    plan_lasting,
    plan_run,
    preview,
)
from lse_gym.agents.settings import Config
from lse_gym.cli import about
from lse_gym.cli.common import err_console, out_console, say
from lse_gym.envs.budget import Usage
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.models import make_model

OWN = "LSE/Family-v0"
CONFIRM_USD = 5.0
MAX_SHOWN = 6000  # characters of a prompt

PlanOnly = Annotated[
    bool,
    typer.Option(
        "--plan",
        help="Run nothing: tell the questions, calls, tokens and dollars at most, the first prompt, what is cached.",
        rich_help_panel="Budget",
    ),
]
ConfirmUsd = Annotated[
    float,
    typer.Option(min=0, help="Ask first where it may cost more than so many US dollars.", rich_help_panel="Budget"),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; go ahead.", rich_help_panel="Budget")]


def show_plan(config: Config, folder: Path | None) -> None:
    """Tell all of one run."""
    plan, first = plan_run(config), preview(config)
    say("A plan: nothing was run.\n")
    show_facts(config)
    _show_questions(first)
    show_costs({"search": plan.search, "  task model": plan.task_model, "  editor": plan.editor, "test": plan.test})
    show_total(plan, config)
    kept = kept_answers(config, folder if folder and (folder / "config.json").exists() else None)
    say(f"{counted(kept, 'answer')} would come from the cache before the first that has to be asked for.")
    show_first(first)


def show_plans(runs: Mapping[str, Sequence[Config]], others: Sequence[str] | None = None) -> None:
    """Tell what several runs come to, a row for each label, and the first prompt."""
    plans = {label: plan_all(configs, others) for label, configs in runs.items()}
    everything = [config for configs in runs.values() for config in configs]
    say(f"A plan of {counted(len(everything), 'run')}: nothing was run.\n")
    first = everything[0]
    show_facts(first)
    sample = preview(first)
    _show_questions(sample)
    show_costs({f"{label}, {counted(len(runs[label]), 'run')}": plan.whole for label, plan in plans.items()})
    show_total(sum_of(plans.values()), *everything)
    show_first(sample)


def plan_all(configs: Sequence[Config], others: Sequence[str] | None = None) -> Plan:
    """The plan of runs that differ in their seeds: that of the first on each domain, so many times.

    Args:
        configs: the runs.
        others: task models that score the contexts found as well; None where the runs are not compared.
    """
    alike: dict[tuple[str, str | None], list[Config]] = {}
    for config in configs:
        alike.setdefault((config.env, config.domain), []).append(config)
    plans = []
    for first, *more in alike.values():
        one = plan_run(first)
        if others is not None:
            domains = sum(env == first.env for env, _ in alike)  # of two or more, each is another's unseen one
            tests = one.test.plus(one.test) if domains > 1 else one.test
            one = one._replace(test=tests.plus(plan_lasting(first)))
        for model in others or ():
            scored = plan_run(replace(first, env_args={**first.env_args, "task_model": model}))
            one = one._replace(test=one.test.plus(scored.test))
        plans.append(one.times(1 + len(more)))
    return sum_of(plans)


def sum_of(plans: Iterable[Plan]) -> Plan:
    """All of them together."""
    return reduce(Plan.plus, plans, NO_PLAN)


def confirm_all(
    runs: Mapping[str, Sequence[Config]], limit: float, yes: bool, others: Sequence[str] | None = None
) -> None:
    """:func:`confirm` for several runs."""
    if any(has_price(make_model(name)) for name in others or ()) or priced(
        *(config for configs in runs.values() for config in configs)
    ):
        confirm(sum_of(plan_all(configs, others) for configs in runs.values()), limit, yes)


def show_facts(config: Config, folder: Path | None = None) -> None:
    """Tell what runs, and what the stand-ins in it cannot do."""
    for label, text in about.lines(config, folder):
        say(f"{label:<11} {text}", err_console)
    for line in about.limits(config):
        say(line, err_console)


def show_models(configs: Iterable[Config]) -> None:
    """Tell which models several runs have, and what the stand-ins among them cannot do."""
    runs = [*configs]
    for label in ("task model", "editor"):
        texts = dict.fromkeys(text for config in runs for told, text in about.lines(config) if told == label)
        for text in texts:
            say(f"{label:<11} {text}", err_console)
    for line in dict.fromkeys(line for config in runs for line in about.limits(config)):
        say(line, err_console)


def show_faults(config: Config) -> None:
    """Tell what is wrong with the golds of a family of one's own; those of this package are right."""
    if config.env == OWN:
        core = core_env(config.make_env())
        for problem in faults(core.family.load(core.domain_name)):
            say(f"data: {problem}", err_console)


def _show_questions(first: Preview) -> None:
    sizes = ", ".join(f"{count:,} {split.replace('_', '-')}" for split, count in first.sizes.items())
    once = first.sizes["held_out"] + first.batch
    say(f"questions: {sizes}; an evaluation asks {once:,}: all held-out, {first.batch} of feedback")


def show_costs(rows: Mapping[str, Usage]) -> None:
    """A table of upper bounds."""
    table = Table("", "calls at most", "tokens at most", "US$ at most", box=None, padding=(0, 2, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    for label, usage in rows.items():
        table.add_row(label, f"{usage.calls:,.0f}", f"{usage.tokens:,.0f}", f"{usage.usd:,.2f}")
    out_console.print(table)


def show_total(plan: Plan, *configs: Config) -> None:
    """The sum in one line, and what is not in it."""
    whole = plan.whole
    reasons = [*dict.fromkeys(filter(None, map(estimates, _one_an_agent(configs))))]
    say(
        f"in all at most {whole.calls:,.0f} calls{', about' if reasons else ','} {whole.tokens:,.0f} tokens, "
        f"{whole.usd:,.2f} US dollars; contexts and answers are seldom as long as they may get"
    )
    for reason in reasons:
        say(
            f"Calls are a bound; tokens and dollars of the editor are an estimate, as {reason}. Caps hold all the same."
        )
    for name in unpriced(*configs):
        say(f"The prices of {name} are not known, so its calls count as free. Name a file of prices: LSE_GYM_PRICES.")


def _one_an_agent(configs: Sequence[Config]) -> list[Config]:
    return [*{config.agent: config for config in configs}.values()]


def unpriced(*configs: Config) -> list[str]:
    """The models behind servers that count as free."""
    models = models_of(*configs)
    return sorted(name for name in models if name.startswith("openai:") and not has_price(models[name]))


def show_first(first: Preview) -> None:
    """The first prompt as it is sent, the answer that is right, and what is wrong with the data."""
    for role, text in (("system", first.prompt.system), ("user", first.prompt.user)):
        say(f"\n--- first prompt, {role} ---")
        say(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}\n[… {len(text) - MAX_SHOWN:,} characters more]")
    say(f"\n--- gold ---\n{first.gold}\n")
    for told in filter(None, (first.note, *first.problems)):
        say(f"data: {told}")
    if not first.problems:
        say("data: every gold answer scores 1.0")


def confirm(plan: Plan, limit: float, yes: bool) -> None:
    """Ask before what may cost more than ``limit`` US dollars.

    Raises:
        ArgumentError: there is nobody to ask.
        typer.Exit: the answer is no.
    """
    if yes or plan.whole.usd <= limit:
        return
    told = f"This may cost up to {plan.whole.usd:,.2f} US dollars, more than --confirm-usd {limit:,.10g}"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ArgumentError(f"{told}. Pass --yes to run it all the same, --budget-usd to cap it, or --plan to see why.")
    say(f"{told}. --plan tells why, --budget-usd caps it.", err_console)
    if not typer.confirm("Run it?", err=True):
        raise typer.Exit(1)


def priced(*configs: Config) -> bool:
    """Whether any model of these runs has a price."""
    return any(map(has_price, models_of(*configs).values()))
