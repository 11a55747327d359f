"""``lse-gym envs``, ``cache`` and ``doctor``: what there is."""

from collections.abc import Mapping
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from lse_gym.agents.console import counted
from lse_gym.agents.settings import Config, Settings
from lse_gym.cli.common import (
    CUSTOM,
    DEFAULT,
    DataDir,
    EnvSet,
    Questions,
    Scorer,
    app,
    env_settings,
    err_console,
    out_console,
    say,
)
from lse_gym.envs.doctor import checks
from lse_gym.envs.domain import SPLITS, Domain, Family
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.models.response_cache import cache_path, contents, prune
from lse_gym.envs.registration import ENVS, describe


@app.command("envs")
def envs_command(
    env: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="List the domains of this one and their questions."),
    ] = None,
    questions: Questions = None,
    scorer: Scorer = None,
    env_set: EnvSet = None,
    data_dir: DataDir = None,
) -> None:
    """List the environments, their domains and what they need; or the domains of one."""
    if env or questions:
        place = env_settings(env or DEFAULT.env, questions, scorer, env_set, data_dir)
        _tell_domains(Settings(**place, domain=None).config())
        return
    table = Table(show_lines=True)
    for column in ("id", "what is edited and rewarded", "domains"):
        table.add_column(column, no_wrap=column == "id")
    for name in ENVS:
        table.add_row(name, *describe(name))
    out_console.print(table)


def _tell_domains(config: Config) -> None:
    family = core_env(config.make_env()).family
    groups, sizes, notes = _groups(family), {}, {}
    with err_console.status("") as status:  # some have to be examined first
        for name in groups:
            status.update(escape(name))
            sizes[name], notes[name] = family.sizes(name), family.note(name)
    told = {"group": groups, "notes": notes}
    beside = {
        title: texts for title, texts in told.items() if any(texts.values()) and "\n" not in "".join(texts.values())
    }
    table = Table(
        Column("domain", no_wrap=True),
        *(Column(split, justify="right") for split in SPLITS),
        *(Column(title, overflow="fold") for title in beside),
    )
    for name in groups:
        rest = (escape(texts[name]) for texts in beside.values())
        table.add_row(escape(name), *(str(sizes[name][split]) for split in SPLITS), *rest)
    out_console.print(table)
    if "notes" not in beside:
        _tell_notes(notes)
    if remarks := family.remarks():
        out_console.print(escape(remarks), highlight=False, soft_wrap=True)
    if config.env == CUSTOM:
        _tell_prompts(family.load(family.select(None)[0]))


def _groups(family: Family) -> dict[str, str]:
    """By domain, whether it is one to train or to test on; "" where a family has no such groups."""
    names = dict.fromkeys(name for group in family.groups.values() for name in group)
    split = {group: members for group, members in family.groups.items() if group in ("train", "test")}
    return {name: ", ".join(group for group, members in split.items() if name in members) for name in names}


def _tell_notes(notes: Mapping[str, str]) -> None:
    """Notes of several lines, which no column holds."""
    for name, note in notes.items():
        if note:
            indented = note.replace("\n", "\n  ")
            say(f"{name}: {indented}")


def _tell_prompts(domain: Domain) -> None:
    """Show how a prompt begins, and three questions with their right answers; none of the test split."""

    def tell(text: str) -> None:
        out_console.print(escape(text), highlight=False, soft_wrap=True)

    tell(f"\n{domain.system(domain.seed_context)}")
    for question in [*domain.splits["feedback"], *domain.splits["held_out"]][:3]:
        tell(f"\n{domain.user(question)}\n→ {question.gold}")


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
        deleted = counted(prune(path, model=model, older_than_days=prune_days), "response")
        out_console.print(f"{deleted} deleted.", highlight=False)
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
    marks = {True: "[green]ok[/]    ", False: "[red]broken[/]", None: "[yellow]absent[/]"}
    found = checks()
    width = max(len(check.name) for check in found)
    for check in found:
        line = f"{marks[check.ok]}  {check.name:<{width}}  {escape(check.detail)}"
        out_console.print(line, soft_wrap=True, highlight=False)
    failed = any(check.ok is False for check in found)
    raise typer.Exit(1 if failed else 0)
