"""Playing a track at a host: an agent on each of its secret domains, in run directories that can be gone on with."""

import secrets
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from lse_gym.agents.files import own_folder
from lse_gym.agents.run import complete, evolve, has_run, read_config
from lse_gym.agents.search import Callback
from lse_gym.agents.settings import Config
from lse_gym.envs.remote.client import Client

REMOTE = "LSE/Remote-v0"


def runs_of(config: Config, url: str, facts: Mapping[str, Any], play: str) -> dict[str, Config]:
    """The runs of a play by their domains: one agent, and for each a domain of the track."""
    args = {"url": url, "track": facts["id"], "play": play, "task_model": facts["task_model"]}
    domains = facts["domains"]
    return {domain: replace(config, env=REMOTE, env_args={**args, "domain": domain}) for domain in domains}


def kept_play(out: Path) -> str | None:
    """The play that the run directories in a folder belong to; None where there are none yet."""
    folders = sorted(path.parent for path in out.glob("*/config.json"))
    return next((str(read_config(folder).env_args["play"]) for folder in folders), None)


def new_play(agent: str) -> str:
    """A name for a play that is given none."""
    return f"{agent.rpartition(':')[2][:40]}-{secrets.token_hex(4)}"


def play_track(
    client: Client,
    runs: Mapping[str, Config],
    about: Mapping[str, str],
    out: Path,
    *,
    on_start: Callable[[str], None] | None = None,
    on_node: Callback | None = None,
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Play the runs of a track, one after another; what was played before is gone through again, free of charge.

    Args:
        client: a line to the host.
        runs: see :func:`runs_of`.
        about: what the board is told of the agent, see the host's ``about``.
        out: folder of the run directories, one a domain.
        on_start: called with the name of each domain before its run.
        on_node: see :func:`lse_gym.agents.run.evolve`.

    Returns:
        The summary of each run, by domain, and where the play stands at the host; sealed scores are in the
        summaries as soon as the host tells them, which is when all runs have ended.

    Raises:
        LSEGymError: the host is away, or refuses; every finished step is kept there, and playing again goes on.
    """
    first = next(iter(runs.values()))
    with closing(first.make_env()) as env:
        first.make_agent(env)  # what cannot play is told before a play begins
    begun = client.post("plays", {"track": first.env_args["track"], "name": first.env_args["play"]})
    state = client.get(f"plays/{begun['play']}")
    if state["entry"] is None:
        client.post(f"plays/{begun['play']}/about", about)
    summaries = {}
    for domain, config in runs.items():
        if on_start:
            on_start(domain)
        folder = out / own_folder(domain)
        summaries[domain] = evolve(config, folder, resume=has_run(folder), on_node=on_node)
    state = client.get(f"plays/{begun['play']}")
    for run in state["runs"]:  # whose ends are told once all have ended
        domain, end = run["domain"], run["end"]
        if end and "test_n" not in summaries[domain]:
            summaries[domain] = complete(out / own_folder(domain), end["scores"], end["used"])
    return summaries, state
