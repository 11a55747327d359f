"""Messages on a stream: a head of JSON and a body of bytes, with open files beside them. Never a pickle."""

import json
import os
import socket
import struct
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

LENGTHS = struct.Struct("!II")  # bytes of the head, bytes of the body
CHUNK = 1 << 18
FILES = 64  # that come with one message at most


class Message(NamedTuple):
    """What was said; ``files`` are descriptors that now belong to who reads it."""

    head: dict[str, Any]
    body: bytes
    files: list[int]

    def close(self) -> None:
        """Close the files."""
        for file in self.files:
            os.close(file)


def pack(head: dict[str, Any], body: bytes = b"") -> bytes:
    """One message as it goes over the wire; ``head["files"]`` says how many files come with it."""
    text = json.dumps(head).encode()
    return LENGTHS.pack(len(text), len(body)) + text + body


def send(link: socket.socket, head: dict[str, Any], body: bytes = b"", files: Sequence[int] = ()) -> None:
    """Send one message, waiting for room."""
    data = memoryview(pack(head | {"files": len(files)} if files else head, body))
    sent = socket.send_fds(link, [data[:CHUNK]], files) if files else 0
    link.sendall(data[sent:])


class Reader:
    """Puts messages together from what a stream gives; for the two sides that trust each other."""

    def __init__(self, link: socket.socket):
        self._link = link
        self._data = bytearray()
        self._files: deque[int] = deque()

    def read(self) -> list[Message] | None:
        """The messages that are complete after one more read; None at the end of the stream."""
        data, files, _, _ = socket.recv_fds(self._link, CHUNK, FILES)
        self._files.extend(files)
        if not data:
            self.close()
            return None
        self._data += data
        return list(self._complete())

    def close(self) -> None:
        """Close what came and nobody took."""
        while self._files:
            os.close(self._files.popleft())

    def _complete(self):
        while len(self._data) >= LENGTHS.size:
            head_bytes, body_bytes = LENGTHS.unpack_from(self._data)
            start, end = LENGTHS.size + head_bytes, LENGTHS.size + head_bytes + body_bytes
            if len(self._data) < end:
                return
            head = json.loads(self._data[LENGTHS.size : start])
            body = bytes(self._data[start:end])
            del self._data[:end]
            yield Message(head, body, [self._files.popleft() for _ in range(head.get("files", 0))])
