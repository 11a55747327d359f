"""The process of a host: one at a time on a board, in front of it limits on connections."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lse_gym.agents.files import held_file
from lse_gym.envs.extras import needs
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.errors import BoardError
from lse_gym.leaderboard.host.app import make_app
from lse_gym.leaderboard.host.guard import MAX_HEAD
from lse_gym.leaderboard.host.service import Host
from lse_gym.leaderboard.host.store import STORE, PlayStore
from lse_gym.leaderboard.track import Track

with needs("host", "A host of played tracks"):
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_S, IDLE_S = 10.0, 60.0  # for the head of a request to come, and between two requests of a connection
MAX_CONNECTIONS = 1000  # at a time
STRANGERS_OF_ADDRESS, STRANGERS = 100, 400  # connections on which no token has come yet
LOCK = "played.lock"


class PatientOnce(H11Protocol):
    """A connection whose requests have to begin and come to the end of their head in time.

    It is a stranger's until a request with the token of a team has come on it, and that team's from then on. There are
    so many of strangers at a time, in all and of an address; beyond that the oldest is cut, so that there is always
    room for who has a token. A team that has as many as it may is refused on another one, which ends with that.
    """

    team = ""
    _deadline: asyncio.TimerHandle | None = None
    _opened: float

    def connection_made(self, transport: Any) -> None:
        """Wait for a head."""
        super().connection_made(transport)
        self._opened, self.stranger = self.loop.time(), True
        self.app_state = {**self.app_state, "recognise": self._recognise}  # the state of each of its requests
        self._arm()
        self._make_room()

    def _recognise(self, team: str, most: int) -> bool:
        """Whether the connection may be the team's, which then has at most so many."""
        self.stranger = False
        if self.team != team:
            others = sum(isinstance(one, PatientOnce) and one.team == team for one in self.connections)
            self.team = team if others < most else ""
        return self.team == team

    def _make_room(self) -> None:
        strangers = [one for one in self.connections if isinstance(one, PatientOnce) and one.stranger]
        here = [one for one in strangers if one.address == self.address]
        for group, most in ((here, STRANGERS_OF_ADDRESS), (strangers, STRANGERS)):
            if len(group) > most:
                oldest = min(group, key=lambda one: one._opened)
                oldest.stranger = False  # as it is none any more
                oldest.transport.abort()
                return

    @property
    def address(self) -> str:
        """Where it comes from."""
        return self.client[0] if self.client else ""

    def data_received(self, data: bytes) -> None:
        """Wait no longer than for one head."""
        if self._idle():
            self._arm()
        super().data_received(data)
        if not self._idle():
            self._disarm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._disarm()
        super().connection_lost(exc)

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _arm(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_S, self.transport.abort)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def serve(board_path: Path, tracks: Sequence[Track], address: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Host tracks until interrupted.

    Args:
        board_path: the owner's board.
        tracks: what is played.
        address: where to listen.
        port: 0 takes any that is free.
        on_ready: called with the address once requests are answered.

    Raises:
        BoardError: the port is taken, another host runs on this board, or a track cannot be played.
    """
    taken = BoardError(f"another host runs on {str(board_path)!r}.")
    with (
        Board(board_path) as board,
        held_file(board_path / LOCK, taken),
        listen(address, port) as listening,
        PlayStore(board_path / STORE) as store,
    ):
        host = Host(board, store, tracks)
        host.catch_up()
        where = listening.getsockname()
        shown = f"[{where[0]}]" if ":" in where[0] else where[0]
        on_ready(f"http://{shown}:{where[1]}")
        with suppress(KeyboardInterrupt):
            make_server(host).run(sockets=[listening])


def make_server(host: Host) -> uvicorn.Server:
    """The server of a host, not yet running."""
    config = uvicorn.Config(
        make_app(host),
        http=PatientOnce,
        ws="none",
        lifespan="off",
        proxy_headers=False,  # else anybody could say whose requests these are
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="critical",
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=int(IDLE_S),
        timeout_graceful_shutdown=30,
        h11_max_incomplete_event_size=MAX_HEAD,
    )
    return uvicorn.Server(config)


def listen(address: str, port: int) -> socket.socket:
    """A socket to serve on; BoardError where the port is taken.

    Its connections send at once: an answer has a head and a body, and the kernel would keep the body back until the
    head is acknowledged, which clients put off for 40 ms. (asyncio sees to that for sockets that it makes itself.)
    """
    try:
        listening = socket.create_server(
            (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=1024
        )
    except OSError as error:
        raise BoardError(f"{address} port {port} cannot be served: {error}. Pass another --port, or 0.") from None
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # those that it accepts have it from here
    return listening
