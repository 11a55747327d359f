"""The server for local viewing, on real sockets: what it does not give, and for how long it listens."""

import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from lse_gym.leaderboard import serve as module
from lse_gym.leaderboard.serve import MAX_CONNECTIONS
from tests.patience import STALL_S


@contextmanager
def serving(folder):
    server = module._Server(("127.0.0.1", 0), partial(module._Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(port, path="/", host=None, method="GET"):
    """The whole answer to one request."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        head = f"{method} {path} HTTP/1.0\r\nHost: {host or f'127.0.0.1:{port}'}\r\n\r\n"
        connection.sendall(head.encode("latin-1"))
        return read(connection)


def read(connection):
    answer = b""
    with suppress(ConnectionError):
        while data := connection.recv(65_536):
            answer += data
    return answer


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    (folder / "entries").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "index.html").write_text("front page")
    (folder / "entries" / "1.html").write_text("an entry")
    (folder / ".salt").write_text("secret")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "key.txt").write_text("secret")
    with suppress(OSError):
        (folder / "link.txt").symlink_to(tmp_path / "outside" / "key.txt")
        (folder / "linked").symlink_to(tmp_path / "outside")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "fifo")
    return folder


def test_files_are_served_and_nothing_else(site):
    with serving(site) as port:
        assert ask(port).endswith(b"front page")
        assert ask(port, "/index.html?x=1#y").endswith(b"front page")
        assert b"200" in ask(port, "/entries/1.html").split(b"\r\n")[0]
        assert b"Content-Length: 8" in ask(port, "/entries/1.html", method="HEAD")
        for path in (
            "/.salt", "/%2esalt", "/.git/config", "/link.txt", "/linked/key.txt", "/../outside/key.txt",
            "/..%2foutside/key.txt",
            "/entries/..%2f..%2foutside/key.txt", "/entries", "/entries/", "/empty/", "/fifo", "/no", "/a\0b", "/%00",
            "//outside/key.txt", f"//{site.parent}/outside/key.txt", "/" + "a/" * 5000, "/%ff",
        ):  # fmt: skip
            answer = ask(port, path)
            assert answer.split(b"\r\n")[0].split()[1] in (b"404", b"400", b"414"), (path, answer)
            assert b"secret" not in answer
            assert b"1.html" not in answer, "no list of a folder"


def test_only_this_host_is_answered(site):
    with serving(site) as port:
        assert ask(port, host=f"localhost:{port}").endswith(b"front page")
        for host in (
            "evil.example",
            f"evil.example:{port}",
            "127.0.0.1",
            f"127.0.0.1:{port + 1}",
            f"127.0.0.1:{port}.evil.example",
        ):
            answer = ask(port, host=host)
            assert answer.split(b"\r\n")[0].split()[1] == b"421", host
            assert b"front page" not in answer


def test_a_slow_client_is_cut_off(site, monkeypatch):
    monkeypatch.setattr(module, "CONNECTION_S", 0.5)
    with serving(site) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
        start = time.monotonic()
        with suppress(ConnectionError):
            for byte in b"GET / HTTP/1.0\r\nX: " + b"a" * 500:  # each byte alone is in time
                slow.sendall(bytes([byte]))
                time.sleep(0.05)
        assert read(slow) == b""
        assert time.monotonic() - start < 8.0 + STALL_S
        assert ask(port).endswith(b"front page"), "the others are served all the same"


def test_connections_are_bounded(site, monkeypatch):
    monkeypatch.setattr(module, "CONNECTION_S", 1.0)
    with serving(site) as port:
        before = threading.active_count()
        held = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(MAX_CONNECTIONS + 20)]
        time.sleep(0.3)
        assert threading.active_count() - before <= 2 * MAX_CONNECTIONS, "a thread and a timer each"
        assert all(read(connection) == b"" for connection in held), "all were closed in the end"
        for connection in held:
            connection.close()
        deadline = time.monotonic() + 10
        while not (answer := ask(port)).endswith(b"front page") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert answer.endswith(b"front page")


def test_links_in_the_way_to_the_folder_are_the_owners(site, tmp_path):
    (tmp_path / "alias").symlink_to(site)
    with module._open(Path(tmp_path / "alias").resolve(), "/index.html") as file:
        assert file.read() == b"front page"
