"""The random baseline: a random walk over contexts, by edits that understand nothing."""

import numpy as np

from lse_gym.agents.search import SearchAgent
from lse_gym.envs.core import Observation
from lse_gym.envs.report import Report, report_of


class RandomEditAgent(SearchAgent):
    """Drops, swaps or repeats a line, or copies two lines of a problem: its question and any other, right or wrong.

    Half of the edits copy, so that contexts grow about as fast as they are worn down.
    """

    name = "random"

    def edit(self, observation: Observation, step: int, deterministic: bool = False) -> str:
        """One random edit, fixed by seed and step."""
        del deterministic
        rng = np.random.default_rng(np.random.SeedSequence([self.args.seed, step]))
        lines = observation["context"].splitlines() or [""]
        at, other = (int(i) for i in rng.integers(len(lines), size=2))
        match int(rng.integers(6)):
            case 0:
                del lines[at]
            case 1:
                lines[at], lines[other] = lines[other], lines[at]
            case 2:
                lines.insert(at, lines[other])
            case _:
                lines += _two_lines(report_of(observation["feedback"]), rng)
        return "\n".join(lines)[: self._max_chars()]


def _two_lines(report: Report, rng: np.random.Generator) -> list[str]:
    index = int(rng.integers(max(1, len(report.problems))))
    lines = (report.lines(index) if report.problems else report.head.splitlines())[1:] or [""]
    second = int(rng.integers(len(lines)))
    return [lines[0], lines[second]]
