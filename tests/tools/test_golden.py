"""The bytes that task models and editors see of an attempt with tools; whoever changes them changes the files."""

from pathlib import Path

from lse_gym.envs.session import Session
from tests.tools.shelf import Clerk, ShelfDomain

GOLDEN = Path(__file__).parent / "golden"
DOMAIN = ShelfDomain()


def test_the_bytes_of_a_prompt():
    assert DOMAIN.system("Be exact.") == (GOLDEN / "prompt.txt").read_text(encoding="utf-8")


def test_the_bytes_of_a_report():
    session = Session(Clerk())
    attempts = session.run([session.evaluate(DOMAIN, "Context.", DOMAIN.splits["held_out"])])[0].attempts
    found = "\n\n".join(session.report(DOMAIN, attempts, mode).entry(1) for mode in ("gold", "error", "score"))
    assert found == (GOLDEN / "report.txt").read_text(encoding="utf-8")
