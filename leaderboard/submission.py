"""A submission: what a run directory, or several of one agent, come to as one JSON document."""

import json
import platform
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import lse_gym
from lse_gym.agents import AGENTS
from lse_gym.agents.run import FACTS
from lse_gym.agents.settings import BY_ENV, Config, Settings
from lse_gym.leaderboard.document import check_schema, read_file
from lse_gym.leaderboard.errors import SubmissionError
from lse_gym.leaderboard.track import Track, base_name, canonical, find_track

FORMAT, SCHEMA_VERSION = "lse-gym/submission", 1
PACKAGES = "gymnasium numpy torch transformers vllm gepa textgrad stable-baselines3 sb3-contrib".split()
SPENT = ("edits", "calls", "tokens", "usd")
MAX_JOURNAL_BYTES = 100_000_000  # a journal names each context at every round; a submission has it once
OF_A_RUN = ("domain", "seed", "split_seed", "data_sha256")  # settings in which the runs of one entry differ
LEDGER = ("calls", "tokens", "usd", "editor_calls", "editor_tokens", "editor_usd")


@dataclass(frozen=True)
class About:
    """What the submitter says; everything else is taken from the runs."""

    team: str = "local"
    """who submits; limits are per team"""
    contact: str = ""
    """how to reach them"""
    name: str = ""
    """name of the agent on the board; by default the agent's own"""
    version: str = ""
    """version of the agent"""
    url: str = ""
    """https address of a paper or of the code"""
    commit: str = ""
    """commit of the agent's code"""
    description: str = ""
    """what is special, in a few sentences"""
    saw_test: bool = False
    """whether anything of the test questions was seen"""
    training_data: str = "none"
    """what the editor or policy was trained on"""
    external_data: str = "none"
    """what else the contexts contain"""
    licence: str = "CC-BY-4.0"
    """of the contexts"""


class Run(NamedTuple):
    """A finished run directory, read."""

    path: Path
    config: dict[str, Any]
    summary: dict[str, Any]
    rows: list[dict[str, Any]]

    @property
    def contestant(self) -> str:
        """What the runs of one entry have in common: all settings but the domain and the seeds."""
        return contestant(self.config)


def contestant(config: Mapping[str, Any]) -> str:
    """The settings that the runs of one entry have in common."""
    return canonical({key: value for key, value in config.items() if key not in OF_A_RUN}).decode()


def find_runs(path: Path) -> list[Run]:
    """The finished runs at ``path``: a run directory, or a folder with such at any depth, as ``bench`` writes them.

    Raises:
        SubmissionError: there is none, or one is damaged.
    """
    configs = [path / "config.json"] if (path / "config.json").exists() else sorted(path.rglob("config.json"))
    finished = [config.parent for config in configs if (config.parent / "summary.json").exists()]
    if not finished:
        raise SubmissionError([f"{str(path)!r} has no finished run. {_how_to_finish(path, configs)}"])
    return [_read_run(folder) for folder in finished]


def _how_to_finish(path: Path, configs: Sequence[Path]) -> str:
    packed = next(iter(sorted(path.glob("*.json"))), None)
    if packed and not configs:
        return f"What is packed is given by its file, as {str(packed)!r}."
    if not configs:
        return f"Make one: {shlex.join(['lse-gym', 'evolve', '--out', str(path)])}"
    commands = [shlex.join(["lse-gym", "evolve", "--out", str(one.parent), "--resume"]) for one in configs[:5]]
    more = f" and {len(configs) - 5} more" if len(configs) > 5 else ""
    return f"{len(configs)} began and did not end. Finish: {'; '.join(commands)}{more}"


def _read_run(folder: Path) -> Run:
    try:
        config, summary = (json.loads(read_file(folder / name)) for name in ("config.json", "summary.json"))
        journal = read_file(folder / "trajectory.jsonl", MAX_JOURNAL_BYTES)
        rows = [json.loads(line) for line in journal.splitlines()]
        run = Run(folder, _by_short_names(config), summary, rows)
        check_schema(_packed(run, {}), "run")
        check_schema(summary["editor"], "optional")
    except SubmissionError as error:
        raise SubmissionError([f"the run {str(folder)!r} is damaged", *error.reasons]) from None
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise SubmissionError([f"the run {str(folder)!r} cannot be read: {type(error).__name__}: {error}"]) from None
    return run


def _by_short_names(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a ``config.json`` holds, in the words of a submission."""
    read = Config.from_json(config)  # imports nothing that it names
    facts = {name: config[name] for name in FACTS if name in config}
    return facts | asdict(Settings.of(read)) | {name: read.of_env(name) for name in BY_ENV}


def pack(runs: Sequence[Run], tracks: Mapping[str, Track], about: About, track: str | None = None) -> list[dict]:
    """Make one document per contestant among the runs.

    Args:
        runs: finished runs.
        tracks: what there is.
        about: what the submitter says.
        track: id of the track; by default the first that a contestant's runs cover within the tightest budget.

    Raises:
        SubmissionError: no track fits; told for each.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.contestant, []).append(run)
    chosen = [find_track(tracks, track) if track else _fitting(group, tracks) for group in groups.values()]
    return [_document(group, one, about) for group, one in zip(groups.values(), chosen, strict=True)]


def _fitting(runs: Sequence[Run], tracks: Mapping[str, Track]) -> Track:
    reasons, fitting, others = [], [], 0
    for track in tracks.values():
        if not _is_about(track, runs[0].config):
            others += 1
            continue
        misfit = _misfit(runs, track)
        if misfit:
            reasons.append(f"{track.id}: {misfit}")
        else:
            fitting.append(track)
    if not fitting:
        config = runs[0].config
        of = f"{config.get('agent')!r} on {config.get('env')} with {config.get('task_model')}"
        more = [f"{others} tracks are about other environments or task models"] * bool(others)
        raise SubmissionError([f"the runs of {of} fit no track", *reasons, *more])
    return min(fitting, key=lambda track: (-len(track.domains), *track.budget.values()))


def _is_about(track: Track, config: Mapping[str, Any]) -> bool:
    """Whether runs of this configuration are on the env of a track, with its task model."""
    return config.get("env") == track.env and base_name(str(config.get("task_model"))) == base_name(track.task_model)


def _misfit(runs: Sequence[Run], track: Track) -> str:
    """Why runs cannot go into a track, or ""."""
    config = runs[0].config
    wrong = [name for name, value in track.settings.items() if config.get(name) != value]
    if wrong:
        return "it has " + ", ".join(f"{name}={track.settings[name]!r}" for name in wrong)
    for name, cap in track.budget.items():
        spent = config.get(f"budget_{name}") or max(run.summary[name] for run in runs)
        if spent > cap:
            return (
                f"its budget is {cap:,.0f} {name}, and the runs had {spent:,.0f} (--budget-{name} {cap:g} keeps to it)"
            )
    short = [d for d in track.domains if len({r.config["seed"] for r in runs if r.config["domain"] == d}) < track.seeds]
    return f"it wants {track.seeds} seeds of each of {', '.join(track.domains)}" if short else ""


def _document(runs: Sequence[Run], track: Track, about: About) -> dict[str, Any]:
    config = runs[0].config
    contexts: dict[str, str] = {}
    packed = [_packed(run, contexts) for run in runs if run.config["domain"] in track.domains]
    if not packed:
        raise SubmissionError([f"no run is on a domain of {track.id}: {', '.join(track.domains)}"])
    document = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "track": track.id,
        "suite_sha256": track.suite_sha256,
        "team": {"name": about.team, "contact": about.contact},
        "agent": {
            "name": about.name or config["agent"],
            "kind": config["agent"],
            "editor": runs[0].summary["editor"],
            "version": about.version or (lse_gym.__version__ if config["agent"] in AGENTS else ""),
            "url": about.url,
            "commit": about.commit,
            "description": about.description,
        },
        "contexts": contexts,
        "runs": packed,
        "environment": {
            "lse_gym": str(config["lse_gym"]),
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
            "packages": dict(_packages()),
        },
        "declarations": {
            name: getattr(about, name) for name in ("saw_test", "training_data", "external_data", "licence")
        },
    }
    return document | {"sha256": digest(document)}


def _packages() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def _packed(run: Run, contexts: dict[str, str]) -> dict[str, Any]:
    rows = []
    for row in run.rows:
        key = text_digest(row["context"])
        contexts[key] = row["context"]
        kept = {name: row[name] for name in ("id", "parent_id", "round_idx", "performance", "feedback_score", "batch")}
        rows.append(kept | {"context": key, "spent": {name: row["spent"][name] for name in SPENT}})
    packed = {
        "domain": run.config["domain"],
        "seed": run.config["seed"],
        "config": run.config,
        "trajectory": rows,
        "best": best_row(rows)["id"],
        "ledger": {name: run.summary[name] for name in LEDGER},
        "claimed": {name: run.summary[name] for name in ("test_scores_seed", "test_scores_best")},
    }
    for row, link in zip(rows, chain(packed), strict=True):
        row["hash"] = link
    return packed


def best_row(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The row of the best held-out score; of equals the deepest, then the latest, as the tree picks it."""
    depths: list[int] = []
    for row in rows:
        depths.append(0 if row["parent_id"] is None else depths[row["parent_id"]] + 1)
    return max(rows, key=lambda row: (row["performance"], depths[row["id"]], row["id"]))


def best_context(run: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """The context that a run of a document ended with."""
    return document["contexts"][run["trajectory"][run["best"]]["context"]]


def chain(run: Mapping[str, Any]) -> list[str]:
    """The hash of every row: of the row and of the hash before it, the first one of domain, seed and config."""
    link = sha256(canonical([run["domain"], run["seed"], run["config"]])).hexdigest()
    links = []
    for row in run["trajectory"]:
        link = sha256(canonical([link, {k: v for k, v in row.items() if k != "hash"}])).hexdigest()
        links.append(link)
    return links


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of a document but for its own digest: what identifies it."""
    return sha256(canonical({k: v for k, v in document.items() if k != "sha256"})).hexdigest()


def text_digest(text: str) -> str:
    """SHA-256 of a text."""
    return sha256(text.encode()).hexdigest()
