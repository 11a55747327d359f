"""What a chat-completions server says where it does not answer, in every form that servers have, as a typed error."""

import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urljoin

from lse_gym.envs.errors import (
    AuthenticationError,
    ContextLengthError,
    NoToolsError,
    ProviderError,
    QuotaError,
    UnknownModelError,
)
from lse_gym.envs.redaction import public_url, redact
from lse_gym.envs.text import UNPRINTABLE

RETRIED = frozenset((408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529))
LIMITED = frozenset((429, 503, 529))  # where a server may name a pause
MAX_WORDS = 300  # characters of a server's own words in a message
PARAMETERS = ("max_completion_tokens", "max_tokens", "temperature", "seed", "stop")  # what may be left out or renamed
SYSTEM = "the system role"

_TOO_LONG = re.compile(
    r"maximum context length|context (?:size|window|length)|exceed_context_size|prompt is too long|too many tokens|"
    r"input (?:is|length) (?:too long|exceeds)|input token count .{0,40}exceeds",
    re.IGNORECASE,
)
_REFUSES = re.compile(
    r"unsupported|not supported|not support|not permitted|not allowed|unrecogni[sz]ed|unknown|unexpected|cannot find",
    re.IGNORECASE,
)
_NO_SYSTEM = re.compile(
    r"(?:system|developer) (?:role|message|instruction|prompt)s?\b.{0,60}(?:\bnot\b|n't|unsupported)|"
    r"(?:not support|unsupported).{0,40}system (?:role|message|instruction|prompt)|roles must alternate",
    re.IGNORECASE | re.DOTALL,
)
_NO_TOOLS = re.compile(  # vLLM, llama.cpp, Ollama, OpenRouter
    r"tool.?choice.{0,80}requires|enable-auto-tool-choice|tools? param requires --jinja|"
    r"(?:not|n't|no \w+ found that) support (?:\w+ )?(?:tools?|function)\b|"
    r"\b(?:tools?|functions?|tool calling)\b.{0,30}(?:not supported|unsupported)",
    re.IGNORECASE | re.DOTALL,
)
_NO_KEY = re.compile(r"\bapi[ _-]?key\b.{0,40}(?:not valid|invalid|incorrect|missing)", re.IGNORECASE | re.DOTALL)
_FLAGGED = re.compile(r"flagged|moderation|content.?filter|content polic|safety", re.IGNORECASE)
_FILTERED = re.compile(r"content_?filter|content_?policy|content management policy|ResponsibleAI", re.IGNORECASE)
_BUSY = re.compile(r"(?:loading|overloaded|warming up|starting up|cold start)", re.IGNORECASE)
_AMOUNT = r"\d{1,9}(?:\.\d{1,9})?\s?(?:ms|milliseconds?|hours?|h|minutes?|mins?|m|seconds?|secs?|s)(?![a-z])"
_WAIT = re.compile(
    rf"(?:try again|retry|wait|resets?|available)\b[^\d\n]{{0,40}}((?:{_AMOUNT}\s?){{1,3}})", re.IGNORECASE
)
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|milli|h|m|s)", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "milli": 0.001, "h": 3600.0, "m": 60.0, "s": 1.0}


class Transient(Exception):  # noqa: N818 - not an error of ours yet
    """A try that failed in a way that another one may not.

    Attributes:
        wait_s: the pause that the server asked for; 0.0 where it asked for none.
        limited: whether it answers, and only has too much to do: then time alone is the limit, not the tries.
    """

    def __init__(self, reason: str, wait_s: float = 0.0, limited: bool = False):
        super().__init__(reason)
        self.wait_s, self.limited = wait_s, limited


class Filtered(Exception):  # noqa: N818 - not an error of ours: the answer is empty
    """The server does not answer this prompt, for what it says; asking again would not help."""


class Unsupported(Exception):  # noqa: N818 - not an error of ours: the request is sent again without it
    """Something that this model does not take: a parameter, or the system role."""

    def __init__(self, parameter: str, words: str):
        super().__init__(words)
        self.parameter = parameter


class Refusal(NamedTuple):
    """What the body of a refusal says, wherever it says so; every field may be empty, none holds a secret."""

    words: str = ""
    code: str = ""
    parameter: str = ""


def read_refusal(data: bytes) -> Refusal:
    """Find the server's own words: OpenAI's form, vLLM's flat one, FastAPI's details, Gemini's list, a string, a page.

    >>> read_refusal(b'[{"error": {"code": 400, "message": "no such field"}}]').words
    'no such field'
    """
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        text = data[: 20 * MAX_WORDS].decode("utf-8", "replace")
        return Refusal(_words(re.sub(r"<(?:style|script)\b.*?</|<[^<>]{0,200}>", " ", text, flags=re.DOTALL)))
    try:
        return _find(body)
    except RecursionError:
        return Refusal()


def _find(body: Any) -> Refusal:
    if isinstance(body, str):
        return Refusal(_words(body))
    if isinstance(body, list):  # Gemini's list of one, FastAPI's list of details
        found = [_find(part) for part in body[:8]]
        return Refusal(_words("; ".join(one.words for one in found if one.words)), *_first(found))
    if not isinstance(body, Mapping):
        return Refusal()
    for name in ("error", "errors", "detail", "choices"):
        if body.get(name):
            inner = _find(body[name])
            if inner.words or inner.code:
                return inner
    words = next((body[name] for name in ("message", "msg", "detail", "title") if isinstance(body.get(name), str)), "")
    place = body.get("loc")
    parameter = body.get("param") or (place[-1] if isinstance(place, list) and place else "")
    if isinstance(place, list):
        words = f"{'.'.join(map(str, place[:6]))}: {words}"
    codes = (body.get(name) for name in ("code", "type", "status"))
    code = next((str(c) for c in codes if c and not isinstance(c, (int, float, list, dict))), "")
    return Refusal(_words(words), _words(code)[:60], _words(str(parameter))[:60])


def _first(found: list[Refusal]) -> tuple[str, str]:
    return next((f.code for f in found if f.code), ""), next((f.parameter for f in found if f.parameter), "")


def _words(text: str) -> str:
    """Text of a server as part of a message of ours: no secrets, one printable line, not longer than it helps."""
    line = " ".join(UNPRINTABLE.sub(" ", redact(text[: 100 * MAX_WORDS])).split())
    return line if len(line) <= MAX_WORDS else f"{line[:MAX_WORDS]} …"


def classify(status: int, data: bytes, headers: Mapping[str, str], model: str, url: str) -> Exception:
    """The error that a refusal is.

    Args:
        status: of HTTP.
        data: the body.
        headers: of the answer.
        model: name of the model that was asked.
        url: the server's address, as it may be shown.
    """
    refusal = read_refusal(data)
    words, code, _ = refusal
    told = f" ({code})" if code else ""
    said = f": {words.rstrip('.')}" if words else ""
    if (_FLAGGED if status == 403 else _FILTERED).search(f"{code} {words}") and status in (400, 403, 422):
        return Filtered(f"HTTP {status}{told}{said}")
    if status in (401, 403) or (status == 400 and _NO_KEY.search(words)):
        return AuthenticationError(f"{url} refused the key{told}{said}. Set OPENAI_API_KEY to a valid one.")
    if code == "insufficient_quota" or status == 402:
        return QuotaError(f"the quota at {url} is used up{told}{said}. Top it up, then repeat: no answer is lost.")
    if code in ("context_length_exceeded", "string_above_max_length") or _TOO_LONG.search(f"{code} {words}"):
        advice = "Lower max_chars, feedback_size or max_turns."
        return ContextLengthError(f"a prompt is too long for {model!r}{told}{said}. {advice}")
    if status in (400, 404, 422, 500, 501) and (refusal.parameter == "tools" or _NO_TOOLS.search(words)):
        return NoToolsError(
            f"{url} takes no tools as it was started{told}{said}. Start vLLM with --enable-auto-tool-choice "
            "--tool-call-parser NAME, llama.cpp with --jinja; or leave out ?tools=native, and calls are text."
        )
    if status in (400, 422) and (unsupported := _unsupported(refusal)):
        return Unsupported(unsupported, words or code)
    if status == 404 or code == "model_not_found":
        advice = f"`GET {url}/models` lists what it has; an address usually ends in /v1."
        return UnknownModelError(f"{url} has no model {model!r}{told}{said}. {advice}")
    if status in RETRIED:
        limited = status in LIMITED
        wait_s = (asked_wait(headers) or named_wait(data)) if limited else 0.0
        busy = limited and _BUSY.search(f"{code} {words}") is not None
        return Transient(f"HTTP {status}{told}{said}", wait_s, limited=status == 429 or busy or wait_s > 0)
    if 300 <= status < 400:
        address = public_url(urljoin(f"{url}/chat/completions", headers.get("location", ""))).removesuffix(
            "/chat/completions"
        )
        new = f"to {_words(address)}" if headers.get("location") else "to the new address"
        return ProviderError(f"{url} sends requests elsewhere (HTTP {status}). Set OPENAI_BASE_URL {new}.")
    return ProviderError(f"{url} refused a request with HTTP {status}{told}{said}.")


def _unsupported(refusal: Refusal) -> str:
    words, code, parameter = refusal
    if _NO_SYSTEM.search(words):
        return SYSTEM
    if code in ("unsupported_parameter", "unsupported_value") and parameter:
        return parameter
    if not _REFUSES.search(f"{words} {code}") and code != "extra_forbidden":
        return ""
    if parameter in PARAMETERS:
        return parameter
    places = {name: found.start() for name in PARAMETERS if (found := re.search(rf"\b{name}\b", words))}
    return min(places, key=lambda name: places[name], default="")


def asked_wait(headers: Mapping[str, str]) -> float:
    """The pause in the headers, in seconds: milliseconds, seconds or a date; 0.0 for none.

    >>> asked_wait({"retry-after-ms": "1500"}), asked_wait({"retry-after": "soon"}), asked_wait({"retry-after": "nan"})
    (1.5, 0.0, 0.0)
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        given = headers.get(name, "")
        try:
            seconds = float(given) * unit
        except ValueError:
            try:
                seconds = parsedate_to_datetime(given).timestamp() - time.time()
            except (ValueError, TypeError, OverflowError, IndexError):
                continue
        if 0 < seconds < math.inf:
            return seconds
    waits = [named_wait(f"retry {headers.get(f'x-ratelimit-reset-{what}', '')}".encode()) for what in _used_up(headers)]
    return max(waits, default=0.0)


def _used_up(headers: Mapping[str, str]) -> list[str]:
    """Of what none is left, in OpenAI's headers: "requests", "tokens"."""
    return [what for what in ("requests", "tokens") if headers.get(f"x-ratelimit-remaining-{what}", "").strip() == "0"]


def named_wait(data: bytes) -> float:
    """The pause that a body names in words or in a field, in seconds; 0.0 for none.

    >>> named_wait(b'{"message": "Please try again in 1m30.5s."}'), named_wait(b'{"retryDelay": "17s"}')
    (90.5, 17.0)
    >>> named_wait(b'{"retry_after": 2.5}'), named_wait(b"try again in 250ms"), named_wait(b"retry later")
    (2.5, 0.25, 0.0)
    """
    text = data[: 20 * MAX_WORDS].decode("utf-8", "replace")
    for match in re.finditer(
        r'"(?:retry_?(?:after|delay)|estimated_time)"\s*:\s*"?(\d{1,9}(?:\.\d{1,9})?)s?"?\s*[,}]', text, re.IGNORECASE
    ):
        return float(match[1])
    for match in _WAIT.finditer(text):
        return sum(float(number) * _SECONDS[unit.lower()] for number, unit in _parts(match[1]))
    return 0.0


def _parts(text: str) -> Iterator[tuple[str, str]]:
    for match in _PART.finditer(text):
        yield match[1], match[2]
