"""Agent World Model's services: a call through the warm service against a server that is started for an episode.

    python tests/benchmarks/bench_awm.py [DATA_DIR]

Prints, for each scenario of a data directory (or the one of the tests): seconds until a fresh interpreter with uvicorn
answers its first call, as Agent World Model's own runner has it once an episode; seconds of a call through the warm
service, of an attempt's first call, and of a verdict; and the ratios. Needs `pip install uvicorn` besides the extra.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from statistics import median

from lse_gym.envs.errors import DataError
from lse_gym.envs.tools.awm.domain import AWMDomain, ServiceWorkplace
from lse_gym.envs.tools.awm.family import AWMFamily
from tests.tools.awm_fixture import write_awm

STARTS, ATTEMPTS, CALLS = 5, 20, 20
PATIENCE_S = 60


def server_s(domain: AWMDomain) -> float:
    """Seconds from the start of an interpreter to the server's first answer."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        database, code = Path(folder, "final.db"), Path(folder, "server.py")
        database.write_bytes(domain.examined.initial)
        head = "import warnings\nwarnings.filterwarnings('ignore')\n"
        tail = f"\nimport uvicorn\nuvicorn.run(app, host='127.0.0.1', port={port}, log_level='error')\n"
        code.write_text(head + re.split(r"\nif __name__|\nimport uvicorn", domain.scenario.code)[0] + tail)
        begun = time.perf_counter()
        environment = {**os.environ, "DATABASE_PATH": f"sqlite:///{database}"}
        with subprocess.Popen([sys.executable, str(code)], env=environment, stderr=subprocess.DEVNULL) as server:
            try:
                while not answers(port):
                    if server.poll() is not None or time.perf_counter() > begun + PATIENCE_S:
                        raise RuntimeError("the server does not answer")
                    time.sleep(0.002)
                return time.perf_counter() - begun
            finally:
                server.kill()


def answers(port: int) -> bool:
    """Whether a server answers there, whatever it says."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/an/address", timeout=10).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def timed(times: int, work: Callable[[], object]) -> float:
    """The median of seconds."""
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return median(seconds)


def measure(domain: AWMDomain) -> tuple[float, float, float, float]:
    """Seconds of a server's start, of a warm call, of an attempt's first call, and of its verdict."""
    question = domain.splits["feedback"][0]
    tool = min(domain.tools, key=lambda tool: len(tool.parameters["required"]))
    arguments = dict.fromkeys(tool.parameters["required"], 1)
    firsts, calls, verdicts = [], [], []
    for _ in range(ATTEMPTS):
        workplace = domain.open(question)

        def call(workplace: ServiceWorkplace = workplace) -> object:
            return workplace.call(tool.name, arguments).result()

        firsts.append(timed(1, call))
        calls.append(timed(CALLS, call))
        verdicts.append(timed(1, lambda workplace=workplace: workplace.finish("").result()))
        workplace.close()
    return timed(STARTS, lambda: server_s(domain)), median(calls), median(firsts[1:]), median(verdicts)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        family = AWMFamily(sys.argv[1] if len(sys.argv) > 1 else write_awm(Path(folder)))
        print("| scenario | server, s | call, ms | ratio | first call, ms | verdict, ms | ratio of an attempt |")
        print("|---|---|---|---|---|---|---|")
        for name in family.groups["all"]:
            try:
                domain = family.load(name)
            except DataError:
                continue
            server, call, first, verdict = measure(domain)
            parts = f"{server:.2f} | {call * 1e3:.2f} | {server / call:.0f} | {first * 1e3:.1f} | {verdict * 1e3:.1f}"
            print(f"| {name} | {parts} | {server / (first + verdict):.0f} |", flush=True)


if __name__ == "__main__":
    main()
