"""Asking a host: one JSON request at a time, repeated until it is answered, which a host never does twice."""

import json
import logging
import time
import weakref
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from lse_gym.envs.errors import ArgumentError, AuthenticationError, ProviderError, UnavailableError
from lse_gym.envs.extras import require
from lse_gym.envs.models.environment import environment_key
from lse_gym.envs.redaction import note, public_url
from lse_gym.envs.remote.wire import TOKEN_VARIABLE, VERSION

log = logging.getLogger("lse_gym.remote")
PURPOSE = "An env at a host (LSE/Remote-v0)"
CONNECT_S = 5.0  # for a connection
TIMEOUT_S, ABOUT_S = 300.0, 30.0  # of one try: a request of a run waits for the host's task model, others do not
PATIENCE_S = 180.0  # for a host that was there and is away, as when it is started again, or has no room
BRIEFLY_S = 2.0  # for one that has not answered yet: the address may be wrong
WAIT_S, LONGEST_WAIT_S = 0.2, 5.0  # between two tries
MAX_BYTES = 32_000_000  # of an answer
ABSENT = "Check the address, and with its owner that `lse-gym leaderboard host` runs there."
AWAY = (0, 502, 503, 504)  # no answer at all, or that of a proxy
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Client:
    """A team's line to a host. Threads may share it; a copy or pickle makes a connection of its own.

    Args:
        url: address of the host; plain http to this machine only, as the token would be there for all to read.
        token: the team's token; None takes it from ``LSE_GYM_TOKEN``.

    Raises:
        MissingExtraError: httpx is not installed.
        ArgumentError: no address that a token is sent to.
    """

    def __init__(self, url: str, token: str | None = None):
        require("httpx", "api", PURPOSE)
        self.url, self._token, self._met = _checked(url), token, False
        if token:
            note(token)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_http"}

    @cached_property
    def _http(self) -> Any:
        httpx = require("httpx", "api", PURPOSE)
        local = urlsplit(self.url).hostname in LOOPBACK
        made = httpx.Client(base_url=self.url, trust_env=not local)
        weakref.finalize(self, made.close)
        return made

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if "_http" in vars(self):
            vars(self).pop("_http").close()

    def get(self, path: str) -> dict[str, Any]:
        """What a path of the host holds."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send an object; returns the answer. Sent again, it is not executed again.

        Raises:
            UnavailableError: the host is away, or has no room, for longer than is waited.
            AuthenticationError: it does not know the token.
            ArgumentError: it refuses the request, and says why.
            ProviderError: it failed.
        """
        return self._ask("POST", path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, content: bytes | None) -> dict[str, Any]:
        httpx, began, wait = require("httpx", "api", PURPOSE), time.monotonic(), WAIT_S
        of_a_run, where = "/runs/" in path, public_url(self.url)
        while True:
            try:
                status, data, after = self._send(method, path, content, TIMEOUT_S if of_a_run else ABOUT_S)
            except (httpx.HTTPError, OSError) as error:
                status, data, after = 0, {}, 0.0
                told = f"no host answers at {where}: {str(error) or type(error).__name__}. {ABSENT}"
            else:
                told = f"the host {where} says: {str(data.get('error', f'status {status}'))[:1000]}"
            if status == 200:
                self._met = True
                return data
            if not (status in AWAY or status == 429 or data.get("busy")):
                raise _error(status, told)
            patience = PATIENCE_S if self._met or status not in AWAY else BRIEFLY_S
            if wait == WAIT_S and status in AWAY and self._met:
                log.warning("%s It is tried for %.0f s.", told, patience)
            if time.monotonic() > began + patience:
                raise UnavailableError(told) from None
            time.sleep(min(max(wait, after), LONGEST_WAIT_S))
            wait *= 2

    def _send(self, method: str, path: str, content: bytes | None, timeout: float) -> tuple[int, dict[str, Any], float]:
        token = self._token or environment_key(TOKEN_VARIABLE)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        limits = require("httpx", "api", PURPOSE).Timeout(timeout, connect=CONNECT_S)
        asked = self._http.stream(method, f"/{VERSION}/{path}", content=content, headers=headers, timeout=limits)
        with asked as response:
            got = bytearray()
            for piece in response.iter_bytes():
                got += piece
                if len(got) > MAX_BYTES:
                    raise ProviderError(f"the host {public_url(self.url)} sends more than {MAX_BYTES:,} bytes.")
        try:
            data = json.loads(got)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            status = response.status_code
            data = {"error": f"what comes back is no JSON (status {status}), as of another server. {ABSENT}"}
            return (status if status != 200 else 500), data, 0.0
        after = response.headers.get("Retry-After", "")
        return response.status_code, data, float(after) if after.isdecimal() else 0.0


def _error(status: int, told: str) -> Exception:
    if status == 401:
        return AuthenticationError(f"{told} Set {TOKEN_VARIABLE} to the token that its owner gave you.")
    return ArgumentError(told) if status < 500 else ProviderError(told)


def odd(error: Exception) -> ProviderError:
    """What is raised where an answer is not what it should be."""
    return ProviderError(f"what the host answers is not what this version reads ({type(error).__name__}: {error}).")


def _checked(url: str) -> str:
    advice = "Pass e.g. url='https://play.example.org', or 'http://127.0.0.1:8321' for this machine."
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        _ = parts.port
    except ValueError:
        raise ArgumentError(f"url={public_url(url)!r} is no address. {advice}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        raise ArgumentError(f"url={public_url(str(url))!r} is no address of a host. {advice}")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ArgumentError(
            f"url={url!r} is not https: everybody on the way could read the token. Ask its owner for an https address, "
            "or go through a tunnel to this machine (ssh -L)."
        )
    return url.rstrip("/")
