"""A host in this process, on a small track, for tests that play."""

import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import gymnasium as gym

from lse_gym.envs.core import ContextEnv
from lse_gym.envs.evaluation import core_env
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.host.secret import draw, secret_env
from lse_gym.leaderboard.host.server import STORE, listen, make_server
from lse_gym.leaderboard.host.service import Host
from lse_gym.leaderboard.host.store import PlayStore
from lse_gym.leaderboard.host.tokens import new_token
from lse_gym.leaderboard.track import Track, all_tracks, read_track, write_track


@dataclass
class Hosted:
    """A running host."""

    url: str
    host: Host
    board: Path

    @property
    def store(self) -> PlayStore:
        return self.host.store

    def token(self, name: str) -> str:
        """A token for a new team."""
        token, team = new_token(name)
        self.store.add_team(team)
        return token


def make_track(folder: Path, **changes) -> Track:
    """A small track of questions that are answered in no time, written to a board."""
    like = all_tracks()["tools-reader-1500-v1"]
    small = {
        "id": "small-v1",
        "title": "Small",
        "env": "LSE/QA-v1",
        "domains": ("brewing-0", "apiary-0"),
        "seeds": 1,
        "models": {"reader": "1"},
        "budget": {"calls": 1000},
        "sealed_items": 20,
        "settings": {"feedback": "gold", "feedback_size": 5},
    }
    return read_track(write_track(replace(like, **{**small, **changes}), folder / "tracks"))


@contextmanager
def hosting(folder: Path, *tracks: Track) -> Generator[Hosted]:
    """Host tracks of a board until the end."""
    with Board(folder, create=True) as board, listen("127.0.0.1", 0) as listening, PlayStore(folder / STORE) as store:
        host = Host(board, store, tracks or [make_track(folder)])
        host.catch_up()
        server = make_server(host)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Hosted(f"http://127.0.0.1:{listening.getsockname()[1]}", host, folder)
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def remote_envs(hosted: Hosted) -> Generator[Callable[..., gym.Env]]:
    """Makes envs at a host, by the track and further arguments, and closes them in the end."""
    with ExitStack() as opened:

        def make(track: str = "small-v1", **more) -> gym.Env:
            return opened.enter_context(closing(gym.make("LSE/Remote-v0", url=hosted.url, track=track, **more)))

        yield make


def local_twin(hosted: Hosted, env: gym.Env) -> ContextEnv:
    """The env of the same secret, made here, where the run of ``env`` begins."""
    core = core_env(env)
    _, play, _, run = core._at().split("/")
    track = hosted.host.tracks[core.track["id"]]
    twin = secret_env(track, draw(hosted.host._secrets[track.id], track, play, int(run)), core.domain_name)
    twin.max_edits = core.max_edits
    return twin
