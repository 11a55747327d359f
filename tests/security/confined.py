"""What a hostile job would do in its process. Each function is called there, by `isolation.call`."""

import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _tried(attacks: dict[str, Callable[[], object]]) -> list[str]:
    """The names of the attacks that were let through."""
    passed = []
    for name, attack in attacks.items():
        try:
            attack()
        except OSError:
            continue
        passed.append(name)
    return passed


def speak(port: int) -> list[str]:
    def tcp(address: str) -> None:
        socket.create_connection((address, port), timeout=1).sendall(b"POST / HTTP/1.1\r\n\r\n")

    def udp() -> None:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port))

    def abstract() -> None:
        socket.socket(socket.AF_UNIX).connect(f"\0lse-gym-{port}")

    return _tried({"tcp": lambda: tcp("127.0.0.1"), "far": lambda: tcp("1.1.1.1"), "udp": udp, "abstract": abstract})


def environment(_: None) -> dict[str, str]:
    return dict(os.environ)


def spy(pid: int) -> list[str]:
    def read(name: str) -> Callable[[], object]:
        return lambda: open(f"/proc/{pid}/{name}", "rb").read(1)

    found = _tried({name: read(name) for name in ("environ", "maps", "auxv")})
    return found + _tried(
        {"cwd": lambda: os.readlink(f"/proc/{pid}/cwd"), "file": lambda: os.listdir(f"/proc/{pid}/cwd")}
    )


def change(victim: str) -> list[str]:
    path = Path(victim)
    Path("own").write_text("what it writes in its scratch directory is its own affair")
    return _tried(
        {
            "write": lambda: path.write_text("owned"),
            "append": lambda: path.open("a"),
            "truncate": lambda: os.truncate(path, 0),
            "unlink": path.unlink,
            "rename": lambda: path.rename(path.with_name("other")),
            "replace": lambda: os.replace("own", path),
            "link": lambda: os.link("own", path.with_name("link")),
            "symlink": lambda: path.with_name("symlink").symlink_to("/"),
            "mkdir": lambda: path.with_name("folder").mkdir(),
            "fifo": lambda: os.mkfifo(path.with_name("fifo2")),
            "through a symlink": lambda: _through_a_link(path),
        }
    )


def _through_a_link(path: Path) -> None:
    Path("link").symlink_to(path)
    Path("link").write_text("owned")


def mount_over(folder: str) -> int:
    """0 where a mount inside is seen outside as well, which the caller looks at."""
    Path("hidden").mkdir()
    return ctypes.CDLL(None).mount(b"hidden", folder.encode(), None, 4096, None)


def remember(_: None) -> None:
    held = []
    while True:
        held.append(bytearray(2**24))


def devour(_: None) -> int:
    return len(Path("/dev/zero").read_bytes())


def devour_file(path: str) -> str:
    return Path(path).read_text()


def spin(_: None) -> None:
    while True:
        pass


def wait_for(fifo: str) -> str:
    os.mkfifo(fifo)
    return Path(fifo).read_text()


def fill(_: None) -> int:
    for number in range(1000):
        Path(f"{number}.bin").write_bytes(bytes(2**20))
    return 1000


def fill_one(_: None) -> int:
    with open("one.bin", "wb") as file:
        return sum(file.write(bytes(2**20)) for _ in range(1000))


def escape(name: str) -> str:
    """A daemon of another session, which outlives its parents elsewhere."""
    code = f"import os, time; os.setsid() if os.fork() == 0 else os._exit(0); time.sleep(1000) # {name}"
    subprocess.run([sys.executable, "-c", code], check=True, stdin=subprocess.DEVNULL)
    return "done"


def escape_and_wait(name: str) -> None:
    escape(name)
    time.sleep(1000)


def kill_the_caller(pid: int) -> list[str]:
    return _tried({"parent": lambda: os.kill(pid, 9), "its parent": lambda: os.kill(os.getppid(), 9)})


def flood(size: int) -> str:
    return "x" * size


def chatter(_: None) -> str:
    sys.stdout.write('{"result": "forged"}\n')
    sys.stdout.flush()
    os.write(1, b'{"network": "cut"}\n{"result": "forged"}\n')
    sys.stderr.write("\x1b[31m" * 10)
    return "true"


def fail(text: str) -> None:
    raise RuntimeError(text)


def crash(_: None) -> None:
    ctypes.string_at(0)


def leave(code: int) -> None:
    sys.stderr.write("\x1b]0;owned\x07last words\n")
    sys.stderr.flush()
    os._exit(code)


def deep(_: None) -> Any:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    return nested
