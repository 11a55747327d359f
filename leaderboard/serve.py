"""A small server for the pages, for local viewing: regular files of one folder, to this machine alone."""

import os
import stat
import threading
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR, socket
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from lse_gym.leaderboard.errors import BoardError

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
MAX_CONNECTIONS = 32  # at a time; a browser opens six
CONNECTION_S = 20.0  # of one connection, from its first byte to its last: who is slower is cut off
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class _Handler(SimpleHTTPRequestHandler):
    def setup(self) -> None:
        super().setup()
        self.deadline = threading.Timer(CONNECTION_S, _cut, [self.connection])
        self.deadline.daemon = True
        self.deadline.start()

    def finish(self) -> None:
        self.deadline.cancel()
        super().finish()

    def send_head(self) -> BinaryIO | None:
        """Send the status and the headers; returns the file to send after them, if any."""
        host, port = self.headers.get("Host", ""), self.connection.getsockname()[1]
        if host not in (f"127.0.0.1:{port}", f"localhost:{port}"):  # else any web page could read this one (rebinding)
            return self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        asked = unquote(urlsplit(self.path).path, errors="replace")
        asked += "index.html" * asked.endswith("/")
        file = _open(Path(self.directory), asked)
        if file is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", self.guess_type(asked))
        self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
        self.end_headers()
        return file

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


class _Server(ThreadingHTTPServer):
    def __init__(self, *args: Any) -> None:
        self.free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a connection that broke off is its client's affair."""


def _cut(connection: socket) -> None:
    try:
        connection.shutdown(SHUT_RDWR)
    except OSError:  # closed already
        return


def _open(folder: Path, asked: str) -> BinaryIO | None:
    """The regular file that a path means, or None for dotfiles, links, folders and what is not there."""
    path = folder
    for part in filter(None, asked.split("/")):
        path = path / part
        if part.startswith(".") or {"\0", "\\", ":", os.sep} & {*part} or os.path.islink(path):
            return None
    try:
        descriptor = os.open(path, _OPEN)  # a link that came in the meantime is not followed
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    return None


def serve(folder: Path, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve a folder on 127.0.0.1 until interrupted.

    Args:
        folder: what to serve: regular files without a dot before their name; links are not followed.
        port: 0 takes any that is free.
        on_ready: called with the address.

    Raises:
        BoardError: the port is taken.
    """
    try:
        server = _Server(("127.0.0.1", port), partial(_Handler, directory=str(folder.resolve())))
    except OSError as error:
        raise BoardError(f"port {port} cannot be served: {error}. Pass another --port, or 0 for any.") from None
    with server:
        on_ready(f"http://127.0.0.1:{server.server_address[1]}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
