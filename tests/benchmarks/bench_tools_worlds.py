"""Embedded offices: what a tool call costs beside the SQL that it runs, and an attempt beside its calls.

    python tests/benchmarks/bench_tools_worlds.py

A call of every tool is timed against its own statements, executed bare on the same connection with the same
parameters. Medians of several rounds in one run; processor time.
"""

from contextlib import closing
from statistics import median
from time import process_time

from lse_gym.envs.tools.procedural.family import make_world
from lse_gym.envs.tools.procedural.lookups import Session
from lse_gym.envs.tools.procedural.office import Office
from lse_gym.envs.tools.procedural.plans import Clerk, follow
from tests.tools.offices import drawn

NAME = "marina-1"
LIMIT = 5.0  # a call, times its SQL
ROUNDS, REPEATS = 15, 200


class Recording:
    """A connection that keeps the statements that are executed."""

    def __init__(self, connection):
        self.connection, self.statements = connection, []

    def execute(self, statement, parameters=()):
        """Execute and remember."""
        self.statements.append((statement, parameters))
        return self.connection.execute(statement, parameters)


def seconds(run) -> float:
    """Seconds of one run, the median of several rounds."""
    took = []
    for _ in range(ROUNDS):
        start = process_time()
        for _ in range(REPEATS):
            run()
        took.append((process_time() - start) / REPEATS)
    return median(took)


def calls_of(world) -> dict[str, dict]:
    """A call that works of as many tools as there are plans for, by name."""
    found: dict[str, dict] = {}
    for task, _, _ in drawn(NAME, world, 120):
        with closing(world.open()) as office:
            _, calls = follow(Clerk(world.theme, world.house).plan(task), office.call)
            found |= {call.name: call.arguments for call in calls if call.name not in found}
    return found


def compared(office: Office, service, name: str, arguments: dict) -> tuple[float, float] | None:
    """Seconds of a call and of its statements; None for a call that works only once."""
    session = office._session
    recording = Recording(session.connection)
    service.call(Session(recording, session.opened, session.drafts), name, arguments)  # ty: ignore[invalid-argument-type]
    statements = recording.statements
    if service.call(session, name, arguments).startswith("Error:"):
        return None

    def bare():
        for statement, parameters in statements:
            session.connection.execute(statement, parameters).fetchall()

    return seconds(lambda: service.call(session, name, arguments)), seconds(bare)


def main() -> int:
    """Print the table; exit status 1 above the limit."""
    world, slow = make_world(NAME), []
    for name, arguments in sorted(calls_of(world).items()):
        with closing(world.open()) as office:
            found = compared(office, world.service, name, arguments)
        if found:
            call, bare = found
            slow.append(call / bare)
            print(f"  {name:18} {1e6 * call:7.1f} us, its SQL {1e6 * bare:7.1f} us: {call / bare:.2f} x")
    print(f"a call: {median(slow):.2f} x its SQL, the slowest {max(slow):.2f} x; limit {LIMIT} x")

    def attempt():
        with closing(world.open()) as office:
            office.finish("")

    def changing():
        with closing(world.open()) as office:
            office.call("add_note", {"stay": world.rows["record"][3][world.theme.record.id], "text": "seen"})
            office.finish("")

    took = 1e6 * seconds(attempt), 1e6 * seconds(changing)
    print("open, finish and close an office: {:.0f} us; with a change {:.0f} us".format(*took))
    return max(slow) > LIMIT


if __name__ == "__main__":
    raise SystemExit(main())
