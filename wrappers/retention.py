"""What an evolved context still knows of what it was shown before, and what is left without it."""

from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from lse_gym.envs.budget import Budget
from lse_gym.envs.core import Info
from lse_gym.envs.errors import ArgumentError, BudgetExhausted
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.retention import ask_again
from lse_gym.envs.session import Session


class Retention(gym.Wrapper, RecordConstructorArgs):
    """Scores every visited context on the feedback batches that were shown before it.

    It never enters the reward. The batches are asked again beside the search, on a budget of their own. ``info`` has
    besides, all 0.0 while nothing was shown before:

    | key | value |
    |---|---|
    | retention | mean score on the earlier batches under this context, in [0, 1] |
    | backward_transfer | that score less the one that each batch had when it was shown, in [-1, 1] |
    | forgetting | mean of how far each batch is now below the best it has been since, in [0, 1] |
    | without_context | held-out score under no context over that under this one; 1.0 where the context is not needed |
    | retained | 1.0 where this context was asked, 0.0 where the last values are told again |

    Sources: those of :mod:`lse_gym.envs.retention`; forgetting, Chaudhry et al., arXiv 1801.10112.

    Args:
        env: an env of the namespace ``LSE``.
        batches: the latest earlier batches that are asked again, >= 1; None asks all.
        budget: hard caps for this alone, e.g. ``{"calls": 5000}``; None has none.
    """

    def __init__(self, env: gym.Env, batches: int | None = None, budget: dict[str, float] | None = None):
        RecordConstructorArgs.__init__(self, batches=batches, budget=budget)
        gym.Wrapper.__init__(self, env)
        if batches is not None and (isinstance(batches, bool) or not isinstance(batches, int) or batches < 1):
            raise ArgumentError(f"batches={batches!r} is not None or an int >= 1. Pass e.g. batches=5.")
        self.batches = batches
        self.session: Session = core_env(env).session.isolated(Budget(budget), samples=1)
        self._begin()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Info]:
        """Reset the env; a start of its own forgets the batches shown, a jump by ``options`` goes on with them."""
        observation, info = self.env.reset(seed=seed, options=options)
        if seed is not None or not options or "context" not in options:
            self._begin()
        return observation, self._told(observation, info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Info]:
        """Step the env, and ask what was shown before under the new context."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, float(reward), terminated, truncated, self._told(observation, info)

    def _begin(self) -> None:
        self._shown: dict[int, float] = {}  # batch -> its score when it was shown
        self._best: dict[int, float] = {}  # and its best since
        self._last = {"retention": 0.0, "backward_transfer": 0.0, "forgetting": 0.0, "without_context": 0.0}

    def _told(self, observation: Any, info: Info) -> Info:
        asked = bool(info["evaluated"]) and self._ask(int(info["batch"]), info["held_out_score"])
        if info["evaluated"]:
            for scores in (self._shown, self._best):
                scores.setdefault(int(info["batch"]), float(observation["feedback_score"]))
        return {**info, **self._last, "retained": float(asked)}

    def _ask(self, present: int, held_out: float) -> bool:
        """Score this context on the earlier batches; False where there are none, or their budget is used up."""
        core = core_env(self.env)
        domain = core.family.load(core.domain_name)
        earlier = [batch for batch in self._shown if batch != present]
        shown = {batch: self._shown[batch] for batch in (earlier[-self.batches :] if self.batches else earlier)}
        if not shown:
            return False
        try:
            found = ask_again(self.session, domain, core.context, shown, core.feedback_size, held_out)
        except BudgetExhausted:
            return False
        for batch, score in found.now.items():
            self._best[batch] = max(self._best[batch], score)
        lost = [self._best[batch] - score for batch, score in found.now.items()]
        self._last = {
            "retention": found.retention,
            "backward_transfer": found.backward_transfer,
            "forgetting": sum(lost) / len(lost),
            "without_context": found.without_context,
        }
        return True
