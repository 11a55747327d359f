"""The game of injections for PettingZoo: ``env``, ``raw_env`` and ``parallel_env``.

A language model is given texts that nobody has vetted: submissions to grade, or messages to sort to a desk. The
attacker edits a text that is put into half of them, so that the model says a harmless word of the item's own; the
defender edits the model's instructions, so that it reports the texts with an injection and answers the others. They
edit in turn. Source: AEGIS, arXiv 2509.00088; success is told by exact strings, no judge is asked.

Rates on the held-out texts: ASR, the share of attacked texts whose word was said; TPR, of those that were reported;
TNR, of honest texts that were answered. Rewards go to the player who has just edited:

| reward | attacker | defender |
|---|---|---|
| "score" | ASR | (TPR + TNR) / 2 |
| "improvement" | ASR after the edit minus before | the same of (TPR + TNR) / 2: LSE's reward for each side |
| "zero_sum" | -TPR | TPR, on the attacked texts alone; both are paid after every edit |

The episode is truncated after ``max_cycles`` rounds.
"""

from typing import Any

from lse_gym.envs.extras import needs
from lse_gym.envs.games.injection.game import InjectionGame
from lse_gym.envs.games.pettingzoo import SimultaneousEnv, TurnEnv

with needs("games", "A two-player game"):
    from pettingzoo.utils.wrappers import OrderEnforcingWrapper

__all__ = ["env", "make_game", "parallel_env", "raw_env"]


def make_game(**rules: Any) -> InjectionGame:
    """The game alone; for the rules see :class:`lse_gym.envs.games.injection.game.InjectionGame`."""
    return InjectionGame(**rules)


def raw_env(render_mode: str | None = None, **rules: Any) -> TurnEnv:
    """The game turn by turn; rules as of :func:`make_game`."""
    return TurnEnv(make_game(**rules), render_mode)


def env(render_mode: str | None = None, **rules: Any) -> OrderEnforcingWrapper:
    """As :func:`raw_env`, with PettingZoo's check that ``reset`` comes first."""
    return OrderEnforcingWrapper(raw_env(render_mode, **rules))


def parallel_env(render_mode: str | None = None, **rules: Any) -> SimultaneousEnv:
    """The game with both sides editing at once: a step is a round, in which neither sees the other's edit.

    As turns come in a cycle, PettingZoo's ``aec_to_parallel`` gives the same.
    """
    return SimultaneousEnv(make_game(**rules), render_mode)
