"""Tracks: what is fixed so that numbers can be compared. Each is a JSON file; one that has entries never changes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from lse_gym.agents.settings import Settings
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.domain import SPLITS
from lse_gym.envs.errors import unknown
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.models import MODELS
from lse_gym.leaderboard.errors import BoardError

TRACKS = Path(__file__).parent / "tracks"
_suites: dict[bytes, str] = {}  # digests of this process


@dataclass(frozen=True)
class Track:
    """The conditions of a ranking. Everything that a score depends on is pinned."""

    id: str
    """ends in its version, ``-v1``: a change of anything below is another track"""
    title: str
    """one line for people"""
    env: str
    """id of the env"""
    domains: tuple[str, ...]
    """what an entry has runs on, all of it"""
    seeds: int
    """runs a domain at least, each of another seed"""
    models: Mapping[str, str]
    """task models and their revisions: the first is evolved for and ranks, the others are transfer"""
    budget: Mapping[str, float]
    """hard caps of one run on "calls", "tokens" or "usd", editor included"""
    max_context_tokens: int
    """longest context that ranks, a token being four characters, alike for all models"""
    sealed_items: int
    """sealed questions a domain"""
    settings: Mapping[str, Any]
    """every other setting of a run that scores depend on, by its name in :class:`lse_gym.agents.settings.Settings`"""
    suite_sha256: str
    """digest of the public questions, golds and prompts: see :func:`suite_digest`"""
    tolerance: float = 0.0
    """share of public test items whose score may come out otherwise on another machine"""
    max_rounds: int = 1000
    """most edits that a run is executed again with"""
    max_seconds: float = 900.0
    """longest that executing one run again may take, by the wall clock"""

    @property
    def task_model(self) -> str:
        """The model that the contexts are evolved for."""
        return next(iter(self.models))

    @property
    def offline(self) -> bool:
        """Whether anybody can replay it with what the package ships."""
        return all(model in MODELS for model in self.models)

    def run_settings(self, domain: str) -> Settings:
        """The run that this track asks for, on one domain."""
        settings: dict[str, Any] = {f"budget_{name}": cap for name, cap in self.budget.items()}
        settings |= self.settings
        return Settings(env=self.env, task_model=self.task_model, domain=domain, **settings)

    def core(self, model: str | None = None, split_seed: int = 0) -> ContextEnv:
        """An env of this track, with the task model or another one, and the public questions of a split seed."""
        own = replace(self.run_settings(self.domains[0]), task_model=model or self.task_model, split_seed=split_seed)
        return core_env(own.config().make_env())


def read_track(path: Path) -> Track:
    """Read a track.

    Raises:
        BoardError: the file is no track.
    """
    try:
        track = Track(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        known = ", ".join(field.name for field in fields(Track))
        raise BoardError(f"{str(path)!r} is no track: {error}. A track has the keys {known}.") from None
    if track.id != path.stem:
        raise BoardError(f"{str(path)!r} holds track {track.id!r}. Name the file after its track.")
    return replace(track, domains=tuple(track.domains))


def write_track(track: Track, folder: Path) -> Path:
    """Write a track to ``folder``, with the digest of what this version of the package asks; returns its file.

    Raises:
        BoardError: there is a track of that id, which may have entries.
    """
    path = folder / f"{track.id}.json"
    if path.exists():
        raise BoardError(
            f"{str(path)!r} is there, and a track never changes. Give it another id, as of the next version."
        )
    made = replace(track, suite_sha256=suite_digest(track))
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(made), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def all_tracks(*folders: Path) -> dict[str, Track]:
    """The tracks of the package, and those in ``folders``, by id."""
    paths = [path for folder in (TRACKS, *folders) for path in sorted(folder.glob("*.json"))]
    return {path.stem: read_track(path) for path in paths}


def find_track(tracks: Mapping[str, Track], name: str) -> Track:
    """The track of that id; UnknownNameError where there is none."""
    if name not in tracks:
        raise unknown("track", name, tracks, "`lse-gym leaderboard list --tracks` tells what they are.")
    return tracks[name]


def suite_digest(track: Track) -> str:
    """SHA-256 of what the track is about: of every domain the prompt around a context, all questions and golds."""
    family, digest = track.core("reader").family, sha256()
    for name in track.domains:
        domain = family.load(name)
        splits = [[(q.id, domain.user(q), q.gold) for q in domain.splits[split]] for split in SPLITS]
        digest.update(canonical([name, domain.seed_context, domain.system(""), splits]))
    return digest.hexdigest()


def check_suite(track: Track) -> None:
    """Raise :class:`BoardError` where this version of the package asks other questions than the track fixed."""
    key = canonical([track.env, track.domains, track.settings])
    found = _suites.get(key) or _suites.setdefault(key, suite_digest(track))
    if found != track.suite_sha256:
        raise BoardError(
            f"track {track.id!r} was made for a suite of digest {track.suite_sha256[:12]}, and this version of the "
            f"package has {found[:12]}. Use the version of the package that the track was made with."
        )


def base_name(model: str) -> str:
    """A model without the backend that serves it and without its revision.

    >>> base_name("hf:Qwen/Qwen3-4B-Instruct-2507@cdbee75f"), base_name("openai:Qwen/Qwen3-4B-Instruct-2507")
    ('Qwen/Qwen3-4B-Instruct-2507', 'Qwen/Qwen3-4B-Instruct-2507')
    """
    return model.rpartition(":")[2].partition("@")[0] if model not in MODELS else model


def canonical(value: object) -> bytes:
    """``value`` as JSON, the same bytes for equal values; what digests are made of."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
