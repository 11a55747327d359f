"""What stands before the app: no request is looked at before its body is here, whole, in time and of a decent size."""

import asyncio
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

BODY_S, SEND_S = 10.0, 30.0  # for a body to come, and for an answer to be taken
MAX_TARGET = 300  # characters of a path; the API has no queries
MAX_HEAD = 16_384  # bytes of a request's head
MAX_CLIENTS = 10_000  # whose requests are counted: the ones heard of last

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
HEADERS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]


class Guard:
    """ASGI middleware: reads the body under limits, then calls the app; tells what the host itself took.

    Args:
        app: what is guarded.
        max_body: bytes of a body at most.
    """

    def __init__(self, app: App, max_body: int):
        self.app, self.max_body = app, max_body

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began, worked = time.perf_counter(), scope.setdefault("state", {}).setdefault("worked", [])

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                run = sum(worked)
                own = time.perf_counter() - began - run
                told = f"run;dur={run * 1000:.2f}, host;dur={own * 1000:.2f}".encode()
                message["headers"] = [*message["headers"], *HEADERS, (b"server-timing", told)]
            await asyncio.wait_for(send(message), SEND_S)

        problem = _head_problem(scope)
        if problem:
            return await refuse(answer, *problem)
        status, body = await self._body(scope, receive)
        if status:
            return await refuse(answer, status, "the body is too large." if status == 413 else "the body is too slow.")
        pending = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        return await self.app(scope, replay, answer)

    async def _body(self, scope: MutableMapping[str, Any], receive: Receive) -> tuple[int, bytes]:
        """The body, or the status of a refusal."""
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if not told.isdigit() or int(told[:20]) > self.max_body:
            return 413, b""
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_S):
                while True:
                    message = await receive()
                    body += message.get("body", b"")
                    if len(body) > self.max_body:
                        return 413, b""
                    if message["type"] == "http.disconnect" or not message.get("more_body"):
                        return 0, bytes(body)
        except TimeoutError:
            return 408, b""


def _head_problem(scope: MutableMapping[str, Any]) -> tuple[int, str] | None:
    """Why a request is refused by its head alone."""
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_TARGET:
        return 414, "the path is too long."
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD:
        return 431, "the head is too large."
    if {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}:
        return 400, "its length is told twice, which a proxy may read otherwise."
    return None


async def refuse(send: Send, status: int, told: str) -> None:
    """A refusal that also ends the connection: what else comes on it is not read."""
    body = json.dumps({"error": told}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Buckets:
    """How often somebody may ask: a bucket each that fills at a rate, up to a burst. For threads.

    Args:
        rate: requests a second, on the average.
        burst: requests at once.
    """

    def __init__(self, rate: float, burst: float):
        self.rate, self.burst = rate, burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, who: str) -> float:
        """Take one; returns 0, or the seconds until there is one again."""
        with self._lock:
            now = time.monotonic()
            left, at = self._left.pop(who, (self.burst, now))
            left = min(self.burst, left + (now - at) * self.rate)
            wait = max(0.0, (1.0 - left) / self.rate)
            self._left[who] = (left if wait else left - 1.0, now)
            while len(self._left) > MAX_CLIENTS:
                self._left.popitem(last=False)
        return wait


class Places:
    """How many requests of somebody are worked on at a time. For threads.

    Args:
        most: of each.
    """

    def __init__(self, most: int):
        self.most = most
        self._taken: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, who: str) -> bool:
        """Take a place, if there is one."""
        with self._lock:
            taken = self._taken.get(who, 0)
            if taken < self.most:
                self._taken[who] = taken + 1
            return taken < self.most

    def give_back(self, who: str) -> None:
        """Give a place back."""
        with self._lock:
            self._taken[who] -= 1
            if not self._taken[who]:
                del self._taken[who]
