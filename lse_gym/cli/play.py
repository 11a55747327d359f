"""``lse-gym leaderboard host``, ``team`` and ``play``: tracks on secret domains, played at their owner's host."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from lse_gym.agents import AGENTS
from lse_gym.agents.bench.contestant import settings_of
from lse_gym.agents.console import counted
from lse_gym.agents.live import Live
from lse_gym.agents.plan import plan_run
from lse_gym.agents.settings import Config, Settings
from lse_gym.cli.common import DEFAULT, Editor, MaxEditTokens, app, check_pairs, err_console, out_console, say, writable
from lse_gym.cli.leaderboard import BOARD, BoardPath, board_app
from lse_gym.cli.messages import command_line, words_of
from lse_gym.cli.plan import CONFIRM_USD, ConfirmUsd, PlanOnly, Yes, confirm
from lse_gym.envs.errors import ArgumentError, ProviderError
from lse_gym.envs.redaction import redact_logs
from lse_gym.envs.remote.client import Client
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.errors import BoardError
from lse_gym.leaderboard.player import kept_play, new_play, play_track, runs_of
from lse_gym.leaderboard.text import alike, name_problem
from lse_gym.leaderboard.track import all_tracks, find_track

__all__ = ["app"]
MAX_NAME = 80  # characters of a team's name


@board_app.command("host")
def host_command(
    tracks: Annotated[list[str], typer.Argument(help="Ids of the tracks to play; `list --tracks` tells them.")],
    board: BoardPath = BOARD,
    address: Annotated[
        str, typer.Option(help="Where to listen; for others than this machine put a proxy with https before it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any free one.")] = 8321,
) -> None:
    """Host tracks for others to play: secret domains, task model, budget and clock are here. Until interrupted."""
    from lse_gym.leaderboard.host.server import serve

    Board(board, create=True).store.close()
    known = all_tracks(board / "tracks")
    chosen = [find_track(known, name) for name in dict.fromkeys(tracks)]

    _log_to_console()

    def ready(url: str) -> None:
        out_console.print(f"{url}  (Ctrl-C ends it; every step is kept)", highlight=False, soft_wrap=True)
        say(f"tracks {', '.join(one.id for one in chosen)}; board {board.resolve()}", err_console)

    serve(board, chosen, address, port, ready)


class _Log(logging.Handler):
    """Prints what the host logs, through the console, as models and players may be quoted in it."""

    def emit(self, record: logging.LogRecord) -> None:
        err_console.print(self.format(record), markup=False, highlight=False, soft_wrap=True)


def _log_to_console() -> None:
    logger, handler = logging.getLogger("lse_gym.host"), _Log()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False
    redact_logs(logger.name)


@board_app.command("team")
def team_command(
    name: Annotated[str | None, typer.Argument(help="Name of the team; none lists all teams.")] = None,
    board: BoardPath = BOARD,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take its token away; its plays stay.")] = False,
) -> None:
    """Give a team a token to play with, another one if it has one; shown once, as the host keeps its digest alone."""
    from lse_gym.leaderboard.host.store import STORE, PlayStore
    from lse_gym.leaderboard.host.tokens import new_token

    with Board(board, create=True) as there:
        others = there.store.teams()
    with PlayStore(board / STORE) as store:
        if name is None:
            for team in store.teams():
                say(f"{team.name}{', revoked ' + team.revoked if team.revoked else ''}")
            return
        if revoke:
            if not store.revoke(name):
                raise BoardError(f"there is no team {name!r}. `lse-gym leaderboard team` lists them.")
            out_console.print("The token is good for nothing any more, within seconds.", highlight=False)
            return
        problem = name_problem(name) or ("" if 0 < len(name) <= MAX_NAME else f"has not 1 to {MAX_NAME} characters")
        others += [team.name for team in store.teams()]
        twin = next((one for one in others if one != name and alike(one, name)), None)
        if problem or twin is not None:
            raise ArgumentError(f"name={name!a} {problem or f'looks like {twin!a}, another team'}. Take another name.")
        known = next((team for team in store.teams() if team.name == name), None)
        token, team = new_token(name, known.id if known else None)
        store.add_team(team)
    if known:
        say("The token that the team had before is good for nothing any more, within seconds.", err_console)
    out_console.print(token, markup=False, highlight=False, soft_wrap=True)


@board_app.command("play")
def play_command(
    context: typer.Context,
    track: Annotated[str, typer.Argument(help="Id of a track that the host plays.")],
    url: Annotated[str, typer.Option(envvar="LSE_GYM_HOST", help="Address of the host; LSE_GYM_TOKEN has the token.")],
    agent: Annotated[str, typer.Option(help=f"Agent: {', '.join(AGENTS)}.")] = DEFAULT.agent,
    argument: Annotated[
        list[str] | None, typer.Option("--set", help="Argument of the agent, repeatable, e.g. --set temperature=0.")
    ] = None,
    editor: Editor = None,
    rounds: Annotated[int, typer.Option(min=0, help="Edits to make on each domain.")] = DEFAULT.rounds,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the search.")] = DEFAULT.seed,
    max_edit_tokens: MaxEditTokens = DEFAULT.max_edit_tokens,
    play: Annotated[str | None, typer.Option(help="Name of the play; by default a new one.")] = None,
    name: Annotated[str, typer.Option(help="Name of the agent on the board.")] = "",
    version: Annotated[str, typer.Option(help="Version of the agent.")] = "",
    link: Annotated[str, typer.Option(help="https address of a paper or of the code.")] = "",
    commit: Annotated[str, typer.Option(help="Commit of the agent's code.")] = "",
    description: Annotated[str, typer.Option(help="What is special about it.")] = "",
    training_data: Annotated[str, typer.Option(help="What editor or policy was trained on.")] = "none",
    out: Annotated[
        Path | None,
        typer.Option(callback=writable, help="Folder of the runs; by default plays/PLAY. One that is there goes on."),
    ] = None,
    plan: PlanOnly = False,
    confirm_usd: ConfirmUsd = CONFIRM_USD,
    yes: Yes = False,
) -> None:
    """Play a track at a host: a run on each of its secret domains, then the sealed score. Repeat it after a kill."""
    check_pairs("--set", argument, "temperature=0")
    settings = Settings(editor=editor, rounds=rounds, seed=seed, max_edit_tokens=max_edit_tokens, domain=None)
    config = replace(settings, agent=agent, **settings_of(agent, argument or ())).config()
    client = Client(url)
    facts = client.get(f"tracks/{track}")
    kept = kept_play(out) if out else None
    if play and kept and play != kept:
        raise ArgumentError(
            f"play={play!r}: {str(out)!r} holds the play {kept!r}. Pass another --out, or leave it out."
        )
    play = play or kept or new_play(agent)
    runs = runs_of(config, url, facts, play)
    if plan:
        _show_plan(facts, runs)
        return
    confirm(plan_run(next(iter(runs.values()))), confirm_usd, yes)
    out = out or Path("plays") / play.replace(":", "-")
    about = {"name": name or agent.rpartition(":")[2], "kind": agent, "editor": config.editor or ""}
    about |= {"version": version, "url": link, "commit": commit}
    about |= {"description": description, "training_data": training_data}
    say(f"play {play} of {track} at {url}; runs in {out}", err_console)

    def begin(domain: str) -> None:
        say(f"{domain}, run {[*runs].index(domain) + 1} of {len(runs)}", err_console)

    try:
        with Live(config.rounds, console=err_console) as live:
            summaries, state = play_track(client, runs, about, out, on_start=begin, on_node=live.show)
    except (KeyboardInterrupt, ProviderError) as error:
        begun = kept_play(out)
        if begun is None and not isinstance(error, KeyboardInterrupt):
            raise  # nothing was played: there is nothing to go on with
        given = words_of(context)
        missing = [
            word for name, value in (("--url", url), ("--out", out)) if name not in given for word in (name, f"{value}")
        ]
        again = command_line("leaderboard", "play", *given, *missing)
        reason = "Interrupted." if isinstance(error, KeyboardInterrupt) else f"{str(error).rstrip('.')}."
        kept = f"Every step is kept at the host; go on with: {again}" if begun else "Nothing was played."
        say(f"{reason} {kept}", err_console)
        raise typer.Exit(130 if isinstance(error, KeyboardInterrupt) else 1) from None
    _tell(summaries, state)


def _tell(summaries: Mapping[str, Mapping[str, Any]], state: Mapping[str, Any]) -> None:
    title = "score on the test questions, which are sealed: drawn from the host's secret"
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1), pad_edge=False)
    for column in ("domain", "seed context", "best context", "calls", "edits"):
        table.add_column(column, justify="left" if column == "domain" else "right")
    for domain, one in summaries.items():
        scores = (f"{one[name]:.3f}" if name in one else "" for name in ("test_score_seed", "test_score_best"))
        table.add_row(escape(domain), *scores, f"{one['task_model_calls']:,.0f}", str(one["rounds"]))
    out_console.print(table)
    if any("test_n" not in one for one in summaries.values()):
        say("All runs have ended, and the host has not entered the play yet. The same command asks again.")
        return
    mean = sum(one["test_score_best"] for one in summaries.values()) / len(summaries)
    entry = f"; entry {state['entry']} of the board, level played" if state["entry"] else ""
    entry = f"; not on the board: {state['refusal']}" if state.get("refusal") else entry
    say(f"sealed score {mean:.3f} over {counted(len(summaries), 'secret domain')}{entry}")


def _show_plan(facts: Mapping[str, Any], runs: Mapping[str, Config]) -> None:
    first, sizes = next(iter(runs.values())), facts["sizes"]
    caps = ", ".join(f"{cap:,.10g} {name}" for name, cap in facts["budget"].items()) or "no cap"
    batch = min(facts["feedback_size"], sizes["feedback"])
    once = (sizes["held_out"] + batch) * facts["samples"] * facts["max_turns"]
    agent = first.make_agent(None)
    calls = agent.most_editor_calls() * first.rounds * len(runs)
    say("A plan: nothing was run, and no play begun.\n")
    say(f"track       {facts['id']}: {facts['title']}")
    say(f"runs        {len(runs)}, one a domain: {', '.join(facts['domains'])}, drawn for this play alone")
    say(f"task model  {facts['task_model']}, at the host, which pays it")
    say(f"agent       {first.agent}, {counted(first.rounds, 'edit')} a run, seed {first.seed}")
    say(f"budget      {caps} of the task model a run; {facts['run_hours']:g} hours a run")
    told = f"{sizes['test']:,} sealed questions a run, asked after the last"
    say(f"questions   an evaluation takes at most {once:,} calls; {told}")
    if agent.editors:
        say(f"editor      {', '.join(agent.editors)}: at most {calls:,} calls in all, yours to pay")
