"""The game of hints for PettingZoo: ``env``, ``raw_env`` and ``parallel_env``.

A reasoner answers a question ``num_samples`` times. Are all answers wrong, the question is hard: the hinter sees one of
them and the reference solution, and writes ``num_hints`` hints; the reasoner, who never sees the solution, answers with
each hint that passes the gates. Source: HiLL, arXiv 2604.00698; :mod:`lse_gym.envs.games.hill` has every formula.

Rewards: the hinter's is that of HiLL, the mean over its hints; the reasoner's is the share of right answers of the
group that is kept, which is the all-wrong one unless that of the best hint replaces it. A question that is not hard
ends the episode: the hinter has no turn and earns 0.

The episode ends with the first hint that helps, or after ``max_hint_rounds`` rounds.
"""

from typing import Any

from lse_gym.envs.extras import needs
from lse_gym.envs.games.hint.game import HintGame
from lse_gym.envs.games.hint.questions import make_exercises
from lse_gym.envs.games.pettingzoo import SimultaneousEnv, TurnEnv

with needs("games", "A two-player game"):
    from pettingzoo.utils.wrappers import OrderEnforcingWrapper

__all__ = ["env", "make_game", "parallel_env", "raw_env"]


def make_game(
    questions: Any = None, scorer: str | None = None, difficulty: Any = None, split_seed: int = 0, **rules: Any
) -> HintGame:
    """The game alone.

    Args:
        questions: see :func:`lse_gym.envs.games.hint.questions.make_exercises`, as for the next three.
        scorer: of questions of your own.
        difficulty: of the embedded questions.
        split_seed: draws or splits the questions.
        rules: see :class:`lse_gym.envs.games.hint.game.HintGame`.
    """
    return HintGame(make_exercises(questions, scorer, difficulty, split_seed), **rules)


def raw_env(render_mode: str | None = None, **arguments: Any) -> TurnEnv:
    """The game turn by turn; arguments as of :func:`make_game`."""
    return TurnEnv(make_game(**arguments), render_mode)


def env(render_mode: str | None = None, **arguments: Any) -> OrderEnforcingWrapper:
    """As :func:`raw_env`, with PettingZoo's check that ``reset`` comes first."""
    return OrderEnforcingWrapper(raw_env(render_mode, **arguments))


def parallel_env(render_mode: str | None = None, **arguments: Any) -> SimultaneousEnv:
    """The game with both players stepping every time; arguments as of :func:`make_game`.

    This is a form of its own: the order of turns depends on the answers, so PettingZoo's ``aec_to_parallel`` does not
    hold.
    """
    return SimultaneousEnv(make_game(**arguments), render_mode)
