"""Secrets, and the one place that takes them out of what is written: errors, answers, records, revisions and logs."""

import base64
import html
import json
import logging
import os
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit, urlunsplit

MASK = "[redacted]"
SHORTEST = 6  # characters of a secret: shorter values are words that may stand in any text
SHORTEST_OTHER = 16  # of a variable that only sounds like one
PLACEHOLDERS = frozenset("anything dummy dummykey empty lm-studio no-key not-needed nothing ollama unused".split())
URL_VARIABLES = ("OPENAI_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_KEY = re.compile(r"API_?KEY$", re.IGNORECASE)
_OTHER = re.compile(r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD)$", re.IGNORECASE)
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:api_?key|(?:access|private|secret)_key|token|secret|password|passwd)$", re.IGNORECASE
)
_USERINFO = re.compile(r"(?<=://)[^\s/@'\"<>]+@")
_PUBLIC_QUERY = ("api-version",)
_noted: set[str] = set()  # secrets that were read once, whatever the environment says now


def note(*secrets: str) -> None:
    """Take these for secrets from now on, in every form that a text may have them in."""
    for secret in secrets:
        if len(secret) >= SHORTEST and secret.lower() not in PLACEHOLDERS:
            _noted.update(form for form in _forms(secret) if len(form) >= SHORTEST)


def note_environment() -> None:
    """Note the keys that the environment holds now, and what its addresses have to hide."""
    for name, value in os.environ.items():
        if _KEY.search(name) or (len(value) >= SHORTEST_OTHER and _OTHER.search(name)):
            note(value.strip())
    for name in URL_VARIABLES:
        note(*url_secrets(os.environ.get(name, "")))


def redact_known(text: str) -> str:
    """``text`` without the secrets noted so far; nothing else of it changes. For answers of a model."""
    for secret in sorted(_noted, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def redact(text: str) -> str:
    """``text`` without secrets, nor what stands before the host in a URL. For messages and logs.

    >>> redact("no answer from https://me:hunter2@host/v1")
    'no answer from https://[redacted]@host/v1'
    """
    note_environment()
    return _USERINFO.sub(f"{MASK}@", redact_known(text))


def without_secrets(data: Any) -> Any:
    """``data``, as JSON has it, without the texts under names of secrets; these are noted, too.

    >>> without_secrets({"family_args": {"api_key": "hunter2", "max_token": 5}})
    {'family_args': {'api_key': '[redacted]', 'max_token': 5}}
    """
    if isinstance(data, Mapping):
        return {name: _hidden(name, value) for name, value in data.items()}
    return [without_secrets(value) for value in data] if isinstance(data, list | tuple) else data


def _hidden(name: object, value: Any) -> Any:
    if isinstance(value, str) and value and _SECRET_NAME.search(str(name)):
        note(value)
        return MASK
    return without_secrets(value)


def public_url(url: str) -> str:
    """``url`` as it may be shown and recorded: without user, password and values of the query.

    One that has none of them stays as it is, to the byte, as it is part of the key of every stored answer.

    >>> public_url("https://me:pw@host:8000/v1?api-version=1&sig=abc"), public_url("http://localhost:8000/v1/")
    ('https://host:8000/v1?api-version=1&sig=[redacted]', 'http://localhost:8000/v1/')
    """
    parts = _split(url)
    if parts is None:  # no URL: whatever stands before an @ or after a ? may be meant as one of them
        return f"{MASK if '@' in url else ''}{url.rpartition('@')[1]}{url.rpartition('@')[2].partition('?')[0]}"
    if "@" not in parts.netloc and not parts.query:
        return url
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    shown = "&".join(f"{name}={value if name in _PUBLIC_QUERY else MASK}" for name, value in pairs)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, shown, ""))


def url_secrets(url: str) -> Iterator[str]:
    """What a URL has to hide: user, password, both as a header has them, and the values of the query."""
    parts = _split(url)
    userinfo = url.rpartition("@")[0].rpartition("://")[2] if parts is None else parts.netloc.rpartition("@")[0]
    if userinfo:
        user, _, password = userinfo.partition(":")
        yield from (userinfo, unquote(userinfo), password, unquote(password), user if not password else "")
    query = url.partition("?")[2] if parts is None else parts.query
    yield from (value for name, value in parse_qsl(query) if name not in _PUBLIC_QUERY)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for one that is no number
        return parts if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


def _forms(secret: str) -> Iterable[str]:
    encoded = secret.encode("utf-8", "surrogatepass")
    return (secret, quote(encoded, safe=""), html.escape(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1],
            base64.b64encode(encoded).decode())  # fmt: skip


class RedactingFilter(logging.Filter):
    """Redacts what a logger writes, tracebacks included."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place; every record passes."""
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = redact("".join(traceback.format_exception(*record.exc_info)).rstrip())
        return True


def redact_logs(*names: str) -> None:
    """Put a :class:`RedactingFilter` on the loggers of these names, once."""
    for name in names:
        logger = logging.getLogger(name)
        if not any(isinstance(there, RedactingFilter) for there in logger.filters):
            logger.addFilter(RedactingFilter())
