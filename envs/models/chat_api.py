"""One POST to a chat-completions server: sent until it is answered, for as long as the deadline allows."""

import asyncio
import json
import logging
import random
import threading
import weakref
from collections.abc import Coroutine
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

from lse_gym.envs.errors import ArgumentError, ProviderError, UnavailableError
from lse_gym.envs.extras import require
from lse_gym.envs.models.base import Response
from lse_gym.envs.models.chat_refusal import Filtered, Transient, classify, read_refusal
from lse_gym.envs.models.chat_reply import Malformed, Refused, asked_text, estimate, read_reply
from lse_gym.envs.models.loop_thread import LoopThread
from lse_gym.envs.redaction import note, note_environment, public_url, redact_logs, url_secrets

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

MAX_TRIES = 6
TRIES_UNREACHED = 3  # of a server that was never there in this process
TRIES_MALFORMED = 2  # of an answer that cannot be read: each one may have been paid for
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0
CONNECT_S = 4.0  # to a server that was never there in this process; one that was gets the whole time of a try
DEADLINE_S = 600.0
TELL_EVERY_S = 10.0  # between two words on what is waited for
MAX_BODY_BYTES = 16 * 2**20
MAX_REQUEST_CHARS = 2000  # of an address
CHAT, COMPLETIONS = "chat/completions", "completions"
LOCAL = ("localhost", "127.0.0.1", "::1")  # no proxy leads there
LOGGERS = ("lse_gym.models", "httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "proxy", "socks")))

log = logging.getLogger("lse_gym.models")


class ChatAPI:
    """A server that speaks OpenAI's chat-completions protocol, behind the proxy that the environment names.

    Thread-safe. Connections are kept and used again; a thread of its own drives them, so that a time limit holds
    however slowly a server drips. What it waits for is told to the logger ``lse_gym.models`` (INFO).

    Args:
        base_url: such as ``http://localhost:8000/v1``. User and password in it are sent as basic authorisation where
            there is no key, a query goes with every request; neither is shown.
        key: sent as a bearer token where given; never part of a message or an error.
        timeout_s: of one try, in seconds, from the connection to the last byte.
        deadline_s: of one request with all its tries and waits, in seconds.
        connections: most requests at a time.
        max_tries: tries per request, but for those that end in a wait that the server asks for.
        seed: of the jitter between tries.
        endpoint: below ``base_url``.

    Raises:
        MissingExtraError: httpx is not installed.
    """

    def __init__(
        self,
        base_url: str,
        key: str = "",
        *,
        timeout_s: float = 120.0,
        deadline_s: float = DEADLINE_S,
        connections: int = 16,
        max_tries: int = MAX_TRIES,
        seed: int = 0,
        endpoint: str = CHAT,
    ):
        self._httpx = require("httpx", "api", "A model behind a server (openai:)")
        self.url = public_url(base_url).rstrip("/")
        self._target, userinfo = _target(base_url, endpoint)
        self.timeout_s, self.deadline_s, self.max_tries, self.connections = (
            timeout_s,
            deadline_s,
            max_tries,
            connections,
        )
        self._key, self._auth = key, None if key or userinfo is None else self._httpx.BasicAuth(*userinfo)
        self._random, self._lock = random.Random(seed), threading.Lock()
        self._open_at = 0.0  # time of the loop before which no request may go out: the server asked for a pause
        self._reached, self._told_at = False, -TELL_EVERY_S
        self._loop: LoopThread | None = None
        note_environment()
        note(key, *url_secrets(base_url))
        redact_logs(*LOGGERS)

    def run(self, task: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine that calls :meth:`complete` on the thread of the connections; waits for its result."""
        with self._lock:
            if self._loop is None or not self._loop.alive:  # dead after a fork
                self.__dict__.pop("_client", None)
                self.__dict__.pop("_slots", None)
                self._loop = LoopThread()
                weakref.finalize(self, self._loop.stop)
            loop = self._loop
        return loop.run(task)

    @cached_property
    def _slots(self) -> asyncio.Semaphore:
        return asyncio.Semaphore(self.connections)

    @cached_property
    def _client(self) -> "httpx.AsyncClient":
        limits = self._httpx.Limits(max_connections=self.connections, max_keepalive_connections=self.connections)
        local = urlsplit(self._target).hostname in LOCAL
        try:
            client = self._httpx.AsyncClient(
                limits=limits, trust_env=not local, timeout=self.timeout_s, auth=self._auth
            )
        except (ImportError, ValueError, self._httpx.InvalidURL) as error:
            why = f"{type(error).__name__}: {error}" if isinstance(error, ImportError) else type(error).__name__
            raise ArgumentError(
                f"the proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY cannot be used ({why}). "
                "Set it to e.g. http://host:3128; for socks5:// pip install 'httpx[socks]'."
            ) from None
        if self._loop is not None:
            self._loop.at_end(client.aclose)
        return client

    async def complete(self, payload: dict[str, Any]) -> Response:
        """Send a request until it is answered; call it inside :meth:`run`.

        Raises:
            ProviderError: it never was, or the server refused it for good.
            Unsupported: something has to go.
        """
        async with self._slots:
            return await self._complete(payload)

    async def _complete(self, payload: dict[str, Any]) -> Response:
        now = asyncio.get_running_loop().time
        body, end = json.dumps(payload).encode(), now() + self.deadline_s
        prompt = asked_text(payload)
        tries = malformed = failures = 0
        while True:
            await self._turn(end)
            try:
                return await self._try(body, str(payload.get("model")), prompt, end - now())
            except Malformed as failure:
                malformed += 1
                if malformed >= TRIES_MALFORMED:
                    raise ProviderError(f"{self.url}: {failure}. An address usually ends in /v1.") from None
                reason, wait_s = str(failure), 0.0
            except Transient as failure:
                reason, wait_s = str(failure), failure.wait_s
                tries += not failure.limited
                most = self.max_tries if self._reached else min(self.max_tries, TRIES_UNREACHED)
                if tries >= most:
                    raise UnavailableError(self._gave_up(reason, tries)) from None
            failures += 1
            await self._pause(reason, wait_s, failures, end)

    def _gave_up(self, reason: str, tries: int) -> str:
        if self._reached:
            return f"{self.url} did not answer in {tries} tries; the last one: {reason}."
        return f"{self.url} did not answer in {tries} tries: {reason}. Start the server, or set OPENAI_BASE_URL."

    async def _turn(self, end: float) -> None:
        now = asyncio.get_running_loop().time
        while (wait := self._open_at - now()) > 0:
            await asyncio.sleep(min(wait, max(0.0, end - now())))
            if now() >= end:
                raise UnavailableError(f"{self.url} let no request through in {self._deadline()}.")

    async def _pause(self, reason: str, asked_s: float, failures: int, end: float) -> None:
        """Wait before the next try: as long as the server asks, for every request alike, else longer each time."""
        now = asyncio.get_running_loop().time()
        wait = self._random.uniform(0.5, 1.0) * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(failures - 1, 20))
        wait = asked_s + self._random.uniform(0, 0.1) if asked_s else wait
        if now + wait > end:
            asks = f"asks for a pause of {asked_s:.0f} s" if asked_s else "did not answer"
            raise UnavailableError(f"{self.url} {asks}, and {self._deadline()} is over; the last try: {reason}.")
        if asked_s:
            if now + wait > self._open_at + 1:
                log.info("waiting %.0f s, as %s asks: %s", wait, self.url, reason)
            self._open_at = max(self._open_at, now + wait)
            return
        if wait > 2 and now >= self._told_at + TELL_EVERY_S:
            self._told_at = now
            log.info("waiting %.0f s before %s is asked again: %s", wait, self.url, reason)
        await asyncio.sleep(wait)

    def _deadline(self) -> str:
        return f"the deadline of {self.deadline_s:g} s (LSE_GYM_DEADLINE_S)"

    async def _try(self, body: bytes, model: str, prompt: str, left_s: float) -> Response:
        status, data, headers = await self._post(body, min(self.timeout_s, max(0.001, left_s)))
        if 200 <= status < 300:
            try:
                return read_reply(data, prompt)
            except Refused as refusal:
                status = refusal.status
            except Malformed as malformed:
                words = read_refusal(data).words
                raise Malformed(f"{malformed}{f' ({words})' if words else ''}") from None
        error = classify(status, data, headers, model, self.url)
        if isinstance(error, Filtered):  # one answer that is empty, as where the filter stops the model itself
            log.info("%s does not answer a prompt, which counts as an empty answer: %s", self.url, error)
            return Response("", estimate(prompt), 0, 0, "content_filter", 0, True)
        raise error

    async def _post(self, body: bytes, limit_s: float) -> tuple[int, bytes, "httpx.Headers"]:
        httpx = self._httpx
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
        headers |= {"Authorization": f"Bearer {self._key}"} if self._key else {}
        connect = limit_s if self._reached else min(CONNECT_S, limit_s)
        timeout = httpx.Timeout(limit_s, connect=connect, pool=None)
        kind = ""
        try:
            async with (
                asyncio.timeout(limit_s),
                self._client.stream("POST", self._target, content=body, headers=headers, timeout=timeout) as response,
            ):
                self._reached = True
                return response.status_code, await self._read(response), response.headers
        except (httpx.ConnectTimeout, httpx.ConnectError, httpx.ProxyError) as error:
            kind = _cause(error)
            if isinstance(error, httpx.ConnectTimeout) and not self._reached:
                raise UnavailableError(
                    f"{self.url} did not answer within {connect:g} s. Start the server, or set OPENAI_BASE_URL."
                ) from None
        except TimeoutError:
            kind = f"time-out after {limit_s:.3g} s, see LSE_GYM_TIMEOUT_S"
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            kind = "time-out" if isinstance(error, httpx.TimeoutException) else type(error).__name__
        raise Transient(f"the connection failed ({kind})")  # outside of the handlers: nothing of httpx is chained

    async def _read(self, response: "httpx.Response") -> bytes:
        announced = response.headers.get("content-length", "")
        data = bytearray()
        if not (announced.isascii() and announced.isdigit() and int(announced[:20]) > MAX_BODY_BYTES):
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > MAX_BODY_BYTES:
                    break
            else:
                return bytes(data)
        raise ProviderError(f"{self.url} sent more than {MAX_BODY_BYTES >> 20} MiB as one answer. It was not read on.")


def check_url(base_url: str) -> None:
    """Raise :class:`ArgumentError` for what is no address of a server."""
    _target(base_url)


def _target(base_url: str, endpoint: str = CHAT) -> tuple[str, tuple[str, str] | None]:
    """The address of a request, and the user and password that ``base_url`` has."""
    advice = "Set OPENAI_BASE_URL to e.g. http://localhost:8000/v1."
    try:
        parts = urlsplit(base_url.strip())
        _ = parts.port
    except ValueError:
        raise ArgumentError(f"base URL {public_url(base_url)!r} is not a URL. {advice}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or len(base_url) > MAX_REQUEST_CHARS:
        raise ArgumentError(f"base URL {public_url(base_url)!r} is not an http(s) URL. {advice}")
    userinfo, at, host = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    path = f"{parts.path.rstrip('/').removesuffix(f'/{CHAT}')}/{endpoint}"
    target = urlunsplit((parts.scheme, host, path, parts.query, ""))
    return target, (unquote(user), unquote(password)) if at else None


def _cause(error: BaseException) -> str:
    """Why there is no connection, in words that hold nothing of the address."""
    kinds = (ConnectionRefusedError, "connection refused"), (TimeoutError, "time-out")
    seen: BaseException | None = error
    while seen is not None:
        told = next((words for kind, words in kinds if isinstance(seen, kind)), "")
        if told:
            return told
        seen = seen.__cause__ or seen.__context__
    text = str(error).lower()
    names = {
        "name or service": "no such host",
        "nodename": "no such host",
        "certificate": "its certificate is not valid",
    }
    return next((told for part, told in names.items() if part in text), type(error).__name__)
