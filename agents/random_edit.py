"""The random baseline: a random walk over contexts, by edits that read nothing."""

import numpy as np

from lse_gym.agents.search import SearchAgent
from lse_gym.envs.core import Observation
from lse_gym.envs.domain import RULER


class RandomEditAgent(SearchAgent):
    """Drops, swaps or repeats a line, or copies a random half of one problem of the report."""

    name = "random"

    def edit(self, observation: Observation, step: int, deterministic: bool = False) -> str:
        """One random edit, fixed by seed and step."""
        del deterministic
        rng = np.random.default_rng(np.random.SeedSequence([self.args.seed, step]))
        lines = observation["context"].splitlines() or [""]
        at, other = (int(i) for i in rng.integers(len(lines), size=2))
        match int(rng.integers(4)):
            case 0:
                del lines[at]
            case 1:
                lines[at], lines[other] = lines[other], lines[at]
            case 2:
                lines.insert(at, lines[other])
            case _:
                problems = observation["feedback"].split(RULER)
                problem = problems[int(rng.integers(len(problems)))].strip().splitlines()
                lines[at + 1 : at + 1] = [line for line in problem if rng.random() < 0.5]
        return "\n".join(lines)[: self._max_chars()]
