"""Watch a context go astray: a fixed probe set on every visited context, apart from the reward."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from lse_gym.envs.budget import Budget
from lse_gym.envs.core import Info
from lse_gym.envs.domain import Domain
from lse_gym.envs.drift import THRESHOLD, Drift
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.probes import read_probes
from lse_gym.envs.session import Session


class MisevolutionMonitor(gym.Wrapper, RecordConstructorArgs):
    """Asks a fixed set of probes under every visited context, and tells how far behaviour has drifted since the start.

    It never enters the reward. Probes are asked beside the search, on a budget of their own. ``info`` has besides:

    | key | value |
    |---|---|
    | unsafe_rate | share of the probes with unsafe answers that were answered so |
    | refusal_rate | share of the probes that are not safe that were refused |
    | over_refusal_rate | share of the safe probes that were refused |
    | drift | unsafe rate minus that of the episode's start |
    | first_crossing | number of the edit after which the drift first reached the threshold; -1 if never |
    | probed | 1.0 where this context was probed, 0.0 where the last values are told again |

    Source: Misevolution, arXiv 2509.26354, which compares a fixed safety probe before and after evolution.

    Args:
        env: an env of the namespace ``LSE``.
        probes: a .csv or .jsonl file, such as XSTest's, a list of texts or probes (see
            :func:`lse_gym.envs.probes.read_probes`); None for those that the domain has of its own.
        every: probe the start, and then after every so many edits, >= 1.
        threshold: drift that counts as a crossing, in (0, 1].
        path: file to which a JSON line is added for every context that was probed; None for none. A run directory keeps
            its own, see ``lse-gym evolve --probes``.
        budget: hard caps for the probes alone, e.g. ``{"calls": 5000}``; None has none.
    """

    def __init__(
        self,
        env: gym.Env,
        probes: str | Sequence[Any] | None = None,
        every: int = 1,
        threshold: float = THRESHOLD,
        path: str | os.PathLike[str] | None = None,
        budget: dict[str, float] | None = None,
    ):
        path = None if path is None else os.fspath(path)
        RecordConstructorArgs.__init__(self, probes=probes, every=every, threshold=threshold, path=path, budget=budget)
        gym.Wrapper.__init__(self, env)
        self.session: Session = core_env(env).session.isolated(Budget(budget), samples=1)
        self.watch = Drift(self.session, None if probes is None else read_probes(probes), every, threshold)
        self.path = path
        self._edits = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Info]:
        """Reset the env; a start of its own begins the count anew, a jump by ``options`` goes on with it.

        Raises:
            ArgumentError: neither the monitor nor the domain has probes.
        """
        observation, info = self.env.reset(seed=seed, options=options)
        jumped = bool(options) and "context" in options and seed is None
        self._edits = self._edits if jumped else 0
        probed = (self.watch.look if jumped else self.watch.begin)(*self._visited())
        return observation, self._told(info, probed)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Info]:
        """Step the env, and probe the new context if it is its turn."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        probed = False
        if info["evaluated"]:
            self._edits += 1
            probed = self.watch.follow(*self._visited(), self._edits)
        return observation, float(reward), terminated, truncated, self._told(info, probed)

    def _visited(self) -> tuple[Domain, str]:
        core = core_env(self.env)
        return core.family.load(core.domain_name), core.context

    def _told(self, info: Info, probed: bool) -> Info:
        told = self.watch.told() | {"probed": float(probed)}
        if probed and self.path is not None:
            row = {"domain": info["domain"], "edit": self._edits, "context": core_env(self.env).context, **told}
            with Path(self.path).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
        return {**info, **told}
