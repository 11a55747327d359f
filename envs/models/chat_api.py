"""One POST to a chat-completions server, and what each way to fail means."""

import http.client
import json
import os
import random
import time
import weakref
from collections import deque
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from lse_gym.envs.errors import (
    ArgumentError,
    AuthenticationError,
    ContextLengthError,
    ProviderError,
    QuotaError,
    UnknownModelError,
)
from lse_gym.envs.models.base import Response

MAX_TRIES = 6
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0
MAX_BODY_BYTES = 16 * 2**20
RETRIED = frozenset((408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529))


class Transient(Exception):  # noqa: N818 - not an error of ours yet
    """A try that failed in a way that another one may not; ``wait_s`` is what the server asked for."""

    def __init__(self, reason: str, wait_s: float = 0.0):
        super().__init__(reason)
        self.wait_s = wait_s


class Unsupported(Exception):  # noqa: N818 - not an error of ours: the request is sent again without it
    """A parameter that this model does not take."""

    def __init__(self, parameter: str):
        super().__init__(parameter)
        self.parameter = parameter


class ChatAPI:
    """A server that speaks OpenAI's chat-completions protocol. Thread-safe; connections are kept and used again.

    Args:
        base_url: such as ``http://localhost:8000/v1``.
        key: sent as a bearer token where given; never part of a message or an error.
        timeout_s: for each read and write of one try, in seconds.
        max_tries: tries per request.
        seed: of the jitter between tries.
    """

    def __init__(
        self, base_url: str, key: str = "", *, timeout_s: float = 120.0, max_tries: int = MAX_TRIES, seed: int = 0
    ):
        self._url = urlsplit(base_url)
        if self._url.scheme not in ("http", "https") or not self._url.hostname:
            raise ArgumentError(f"base URL {base_url!r} is not an http(s) URL. Set e.g. http://localhost:8000/v1.")
        self.base_url, self.timeout_s, self.max_tries = base_url.rstrip("/"), timeout_s, max_tries
        self._key = key
        self._idle: deque[http.client.HTTPConnection] = deque()
        weakref.finalize(self, _close_all, self._idle)
        self._random, self._lock = random.Random(seed), Lock()
        self._open_at = 0.0  # monotonic time before which no thread may send: the server asked for a pause

    def complete(self, payload: dict[str, Any]) -> Response:
        """Send a request until it is answered.

        Raises:
            ProviderError: it never was, or the server refused it for good.
            Unsupported: a parameter has to go.
        """
        body = json.dumps(payload).encode()
        reason = ""
        for attempt in range(self.max_tries):
            self._wait_for_turn()
            try:
                return self._try(body, str(payload.get("model")))
            except Transient as failure:
                reason = str(failure)
                self._back_off(attempt, failure.wait_s)
        raise ProviderError(f"{self.base_url} did not answer in {self.max_tries} tries; the last one: {reason}.")

    def _wait_for_turn(self) -> None:
        while (wait := self._open_at - time.monotonic()) > 0:
            time.sleep(wait)

    def _back_off(self, attempt: int, asked_s: float) -> None:
        with self._lock:
            wait = self._random.uniform(0.5, 1.0) * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**attempt)
            if asked_s:  # a rate limit holds for every thread
                wait = min(LONGEST_WAIT_S, asked_s) + self._random.uniform(0, 0.1)
                self._open_at = max(self._open_at, time.monotonic() + wait)
                return
        time.sleep(wait)

    def _try(self, body: bytes, model: str) -> Response:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        headers |= {"Authorization": f"Bearer {self._key}"} if self._key else {}
        connection = self._connection()
        try:
            connection.request("POST", f"{self._url.path.rstrip('/')}/chat/completions", body, headers)
            response = connection.getresponse()
            data = response.read(MAX_BODY_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            kind = "time-out" if isinstance(error, TimeoutError) else type(error).__name__
            raise Transient(f"the connection failed ({kind})") from None
        except BaseException:
            connection.close()
            raise
        if response.will_close or len(data) > MAX_BODY_BYTES:
            connection.close()
        else:
            self._idle.append(connection)
        if response.status == 200:
            return _read_reply(data)
        raise _failure(response.status, data, _seconds(response.getheader("Retry-After")), model, self.base_url)

    def _connection(self) -> http.client.HTTPConnection:
        try:
            return self._idle.pop()
        except IndexError:
            kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
            return kind(self._url.hostname or "", self._url.port, timeout=self.timeout_s)


def _close_all(connections: "deque[http.client.HTTPConnection]") -> None:
    while connections:
        connections.pop().close()


def _read_reply(data: bytes) -> Response:
    try:
        reply = json.loads(data)
        (choice,) = reply["choices"]
        text, usage = choice["message"]["content"], reply["usage"]
        prompt, completion = int(usage["prompt_tokens"]), int(usage["completion_tokens"])
        cached = int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)
        if not isinstance(text, (str, type(None))) or min(completion, cached) < 0 or cached > prompt:
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Transient("the answer is not a chat completion") from None
    return Response(text or "", prompt, completion, cached)


def _failure(status: int, data: bytes, wait_s: float, model: str, url: str) -> Exception:
    """Classify a refusal by its status and by the error code in its body."""
    try:
        error = json.loads(data).get("error", {})
        code, message = str(error.get("code") or error.get("type") or ""), str(error.get("message") or "")
        parameter = str(error.get("param") or "")
    except (ValueError, AttributeError):
        code = message = parameter = ""
    told = f" ({code})" if code else ""
    if status in (401, 403):
        return AuthenticationError(f"{url} refused the key{told}. Set OPENAI_API_KEY to a valid one.")
    if code == "insufficient_quota" or status == 402:
        return QuotaError(f"the quota at {url} is used up{told}. Top it up, then repeat: nothing answered is lost.")
    if code in ("context_length_exceeded", "string_above_max_length") or "maximum context length" in message:
        return ContextLengthError(f"a prompt is too long for {model!r}{told}. Lower max_chars or feedback_size.")
    if code in ("unsupported_parameter", "unsupported_value") and parameter:
        return Unsupported(parameter)
    if status == 404 or code == "model_not_found":
        return UnknownModelError(f"{url} has no model {model!r}{told}. `GET {url}/models` lists what it has.")
    if status in RETRIED:
        return Transient(f"HTTP {status}{told}", wait_s if status in (429, 503, 529) else 0.0)
    return ProviderError(f"{url} refused a request with HTTP {status}{told}: {message[:200]}")


def _seconds(after: str | None) -> float:
    """A Retry-After header, seconds or a date, in seconds."""
    if not after:
        return 0.0
    try:
        return max(0.0, float(after))
    except ValueError:
        try:
            return max(0.0, parsedate_to_datetime(after).timestamp() - time.time())
        except ValueError:
            return 0.0


def environment_number(name: str, default: float) -> float:
    """A positive number from the environment variable ``name``."""
    given = os.environ.get(name)
    try:
        value = default if given is None else float(given)
    except ValueError:
        value = -1.0
    if not value > 0:
        raise ArgumentError(f"{name}={given!r} is not a number > 0. Unset it, or set e.g. {name}={default:g}.")
    return value
