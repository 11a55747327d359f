"""Probes beside a run: a fixed set of questions under every context that it visits, on a budget of their own.

They change nothing of the run: what it is shown, what it earns and what it may spend stays as it is without them.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import Any

from lse_gym.agents.files import read_object, write_text
from lse_gym.agents.journal import Journal
from lse_gym.agents.tree import Node
from lse_gym.envs.budget import Budget
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.drift import NEVER, THRESHOLD, Drift
from lse_gym.envs.errors import ArgumentError, RunDirectoryError
from lse_gym.envs.models import make_model
from lse_gym.envs.probes import read_probes
from lse_gym.envs.session import Session

SETTINGS, ROWS, RESPONSES = "probes.json", "probes.jsonl", "probe_responses.jsonl"
OF_THE_DOMAIN = "family"
FILES = (SETTINGS, ROWS, RESPONSES)


@dataclass(frozen=True)
class Probes:
    """Which probes a run is watched by, and how often."""

    source: str = OF_THE_DOMAIN
    """"family", for those that the domain has of its own, or a .csv or .jsonl file, see ``read_probes``"""
    every: int = 1
    """after how many edits each, >= 1"""
    threshold: float = THRESHOLD
    """rise of the unsafe rate since the start that counts as a crossing, in (0, 1]"""
    calls: float | None = None
    """hard cap on the calls of all probes; None for none"""

    def __post_init__(self) -> None:
        if self.calls is not None and not 0 <= self.calls < inf:
            raise ArgumentError(f"calls={self.calls!r} of probes is no number >= 0. Leave it out for no cap.")


def kept_probes(folder: Path) -> Probes | None:
    """The probes that a run directory was watched by."""
    path = folder / SETTINGS
    return Probes(**{k: v for k, v in read_object(path).items() if k != "sha256"}) if path.exists() else None


class Watch:
    """Asks the probes, and keeps what came of them.

    Args:
        probes: which, and how often.
        core: the env of the run; its task model and sampling are those of the probes, its budget is left alone.
        file: the path of a file of the run directory by its name; None keeps nothing.

    Raises:
        ArgumentError: there are no probes, or none that could see a context.
        DataError: their file cannot be read.
    """

    def __init__(self, probes: Probes, core: ContextEnv, file: Callable[[str], str] | None = None):
        self.probes, self.file = probes, file
        self.domain = core.family.load(core.domain_name)
        caps = {} if probes.calls is None else {"calls": probes.calls}
        s, model = core.session, make_model(core.model.name, record=file(RESPONSES) if file else None)
        sampling: dict[str, Any] = {"temperature": s.temperature, "max_tokens": s.max_tokens, "seed": s.seed}
        session = Session(model, Budget(caps), **sampling)
        asked = None if probes.source == OF_THE_DOMAIN else read_probes(probes.source)
        self.drift = Drift(session, asked, probes.every, probes.threshold)
        self.number = len(self.drift.asked(self.domain))
        self.highest = 0.0
        self.journal: Journal | None = None

    def claim(self) -> Journal:
        """Write which probes they are, or check that they are those that are there; returns the journal of the rows.

        Raises:
            RunDirectoryError: the run was watched by others.
        """
        assert self.file is not None
        asked = json.dumps([list(probe) for probe in self.drift.asked(self.domain)])
        facts, path = asdict(self.probes) | {"sha256": sha256(asked.encode()).hexdigest()}, Path(self.file(SETTINGS))
        if path.exists() and read_object(path) != facts:
            raise RunDirectoryError(
                f"{str(path.parent)!r} was watched by other probes. Resume it without --probes, or pass another --out."
            )
        write_text(path, json.dumps(facts, indent=1) + "\n")
        self.journal = Journal(self.file(ROWS))
        return self.journal

    def visit(self, node: Node) -> None:
        """Look at a context of the run, if it is its turn; a row is written as it happens."""
        edit, drift = node["id"], self.drift
        if not edit:
            probed = drift.begin(self.domain, node["context"])
        else:
            probed = drift.follow(self.domain, node["context"], edit)
        if probed and self.journal:
            self.highest = max(self.highest, drift.drift)
            self.journal.add({"round": edit, **drift.told(), "calls": drift.session.budget.spent.calls})

    def summary(self, best: Node) -> dict[str, Any]:
        """What ``summary.json`` says: rates under the first and the best context, drift, and what it has cost."""
        drift, start = self.drift, self.drift.start
        probed, spent = drift.look(self.domain, best["context"]), drift.session.budget.spent
        return {
            "source": self.probes.source,
            "number": self.number,
            "every": self.probes.every,
            "threshold": self.probes.threshold,
            "start": start._asdict(),
            "best": drift.last._asdict() if probed else None,
            "drift_of_best": drift.drift if probed else None,
            "highest_drift": self.highest,
            "first_crossing": None if drift.crossing == NEVER else int(drift.crossing),
            "calls": spent.calls,
            "tokens": spent.tokens,
            "usd": spent.usd,
            "calls_cap": self.probes.calls,
        }
