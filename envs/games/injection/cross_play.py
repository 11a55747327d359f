"""Every attack against every defence: who is strong against whom."""

from collections.abc import Sequence

import numpy as np

from lse_gym.envs.games.injection.domain import DefenderDomain
from lse_gym.envs.games.injection.game import ATTACKER, DEFENDER, InjectionGame
from lse_gym.envs.games.players import Played


def cross_play(game: InjectionGame, attacks: Sequence[str], defences: Sequence[str], domain: str) -> np.ndarray:
    """The attack success rate of each attack against each defence, on the domain's held-out texts.

    All pairs are one batch, paid from the game's budget; what was asked before is free.

    Args:
        game: the game, for its model and its budget.
        attacks: rows.
        defences: columns.
        domain: name of the domain.

    Returns:
        Rates in [0, 1], float64 of shape (attacks, defences).

    Raises:
        BudgetExhausted: they cannot all be paid.
    """
    items = game.family.items(domain)
    domains = [DefenderDomain(domain, items, attack) for attack in attacks]
    attacked = [q for q in domains[0].splits["held_out"] if domains[0].items[q.id].attacked] if domains else []
    tasks = [game.session.evaluate(one, defence, attacked) for one in domains for defence in defences]
    found = game.session.run(tasks)
    rates = [np.mean([v.followed for v in domains[0].verdicts(attacked, e.responses)]) for e in found]
    return np.array(rates, dtype=np.float64).reshape(len(attacks), len(defences))


def texts_of(played: Played) -> tuple[list[str], list[str]]:
    """The attacks and the defences of an episode, by round."""
    by_agent = {
        agent: [move.texts[0] for move in played.moves if move.agent == agent] for agent in (ATTACKER, DEFENDER)
    }
    return by_agent[ATTACKER], by_agent[DEFENDER]
