"""A small server for the pages, for local viewing."""

from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lse_gym.envs.errors import BoardError

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class _Handler(SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


def serve(folder: Path, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve a folder on 127.0.0.1 until interrupted.

    Args:
        folder: what to serve.
        port: 0 takes any that is free.
        on_ready: called with the address.

    Raises:
        BoardError: the port is taken.
    """
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, directory=str(folder)))
    except OSError as error:
        raise BoardError(f"port {port} cannot be served: {error}. Pass another --port, or 0 for any.") from None
    with server:
        on_ready(f"http://127.0.0.1:{server.server_address[1]}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
