"""A chat-completions server on loopback, with `reader` behind it and faults on demand."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.reader import Reader

Fault = Callable[["Handler", int], bool]  # does something else than answer, and says so


class Handler(BaseHTTPRequestHandler):
    """Answers like OpenAI's API, as far as a client can tell."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "ChatServer"

    def do_POST(self) -> None:
        payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = self.server.take_number(payload, self.headers.get("Authorization"))
        if self.server.fault(self, number):
            return
        if self.path.startswith("/v1/completions"):  # plain text: it says what it was asked at last
            self.reply(200, {"choices": [{"text": payload["prompt"][-6:] + "\nmore", "finish_reason": "stop"}]})
            return
        system = next((m["content"] for m in payload["messages"] if m["role"] == "system"), "")
        user = payload["messages"][-1]["content"]
        (response,) = Reader().complete([Request(system, user, payload.get("max_tokens", 512))])
        usage = {"prompt_tokens": response.prompt_tokens, "completion_tokens": response.completion_tokens}
        self.reply(200, {"choices": [{"message": {"role": "assistant", "content": response.text}}], "usage": usage})

    def reply(self, status: int, body: object, **headers: str) -> bool:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)
        return True

    def hang_up(self) -> bool:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
        return True

    def stall(self, seconds: float) -> bool:
        time.sleep(seconds)
        return self.hang_up()

    def log_message(self, format: str, *args: object) -> None:
        del format, args


class ChatServer(ThreadingHTTPServer):
    """Counts requests; ``fault`` may answer instead of the model."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, fault: Fault):
        super().__init__(("127.0.0.1", 0), Handler)
        self.fault = fault
        self.payloads: list[dict] = []
        self.keys: set[str | None] = set()
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []

    def take_number(self, payload: dict, key: str | None) -> int:
        with self._lock:
            self.payloads.append(payload)
            self.keys.add(key)
            return len(self.payloads) - 1

    def handle_error(self, request: object, client_address: object) -> None:
        del request, client_address  # clients that are gone are part of the tests

    def process_request(self, request: socket.socket, client_address: object) -> None:
        self._open.append(request)
        super().process_request(request, client_address)

    def server_close(self) -> None:
        """Die with every connection, as a killed process does."""
        super().server_close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def serve(fault: Fault = lambda handler, number: False) -> Iterator[ChatServer]:
    server = ChatServer(fault)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
