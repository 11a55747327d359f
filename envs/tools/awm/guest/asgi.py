"""One HTTP request to an application in this process, through ASGI (asgi.readthedocs.io): no socket, no server."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode

from lse_gym.envs.tools.awm.guest.openapi import Operation

MAX_BODY_BYTES = 64 << 10  # kept of a response; what is longer is cut, and its handler ended
CUT = b" ... (cut)"
FAILED = (500, "Internal Server Error")


class _Enough(Exception):  # noqa: N818 - no error
    """The response is longer than what is kept."""


async def request(app: Any, operation: Operation, arguments: Mapping[str, Any]) -> tuple[int, str]:
    """Call an operation; the status and the body of the response.

    A handler that raises is answered as servers answer for it. What is no Exception, such as SystemExit, is raised.
    """
    scope, body = _message(operation, dict(arguments))
    status, parts = 0, []
    unread, answered = [{"type": "http.request", "body": body, "more_body": False}], asyncio.Event()

    async def receive() -> dict[str, Any]:
        if unread:
            return unread.pop()
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(event: dict[str, Any]) -> None:
        nonlocal status
        status = event.get("status", status)
        parts.append(event.get("body", b""))
        if sum(map(len, parts)) > MAX_BODY_BYTES:
            raise _Enough
        if event["type"] == "http.response.body" and not event.get("more_body"):
            answered.set()

    try:
        await app(scope, receive, send)
    except _Enough:
        parts[:] = [b"".join(parts)[:MAX_BODY_BYTES], CUT]
    except Exception:  # the application has answered 500 before it raises, as a rule
        if not status:
            return FAILED
    return status, b"".join(parts).decode("utf-8", "replace")


def _message(operation: Operation, given: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The scope of a request, and its body."""
    path = operation.path
    for name in operation.in_path:
        path = path.replace(f"{{{name}}}", quote(_text(given.pop(name, "")), safe="", errors="replace"))
    pairs = [(name, _text(one)) for name in operation.in_query for one in _values(given.pop(name, None))]
    headers = [(b"host", b"service")]
    for name in operation.in_header:
        headers += [
            (name.lower().encode(), _text(one).encode("latin-1", "replace")) for one in _values(given.pop(name, None))
        ]
    body = b""
    if given or operation.in_body or operation.any_body:
        bare = operation.bare_body and len(given) == 1
        body = json.dumps(next(iter(given.values())) if bare else given).encode()
        headers.append((b"content-type", b"application/json"))
    headers.append((b"content-length", str(len(body)).encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": operation.method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": urlencode(pairs, errors="replace").encode(),
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    return scope, body


def _values(value: Any) -> list[Any]:
    """What a parameter is sent as: nothing for None, several for a list."""
    return [] if value is None else value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    """A value as it stands in a path or query.

    >>> _text(True), _text(3), _text("a b")
    ('true', '3', 'a b')
    """
    return value if isinstance(value, str) else json.dumps(value)
