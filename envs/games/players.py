"""Players: a language model by its name, a policy of your own, or one of the two that need neither."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from lse_gym.envs.errors import ArgumentError, BudgetExhausted
from lse_gym.envs.games.game import Game, Move, Policy

if TYPE_CHECKING:
    from pettingzoo import AECEnv

IDLE = ("random", "no-op")


def make_player(game: Game, agent: str, player: str | Policy, record: str | None = None) -> Policy:
    """A policy for a player. A model is paid from the game's budget, see :meth:`Game.meter`.

    Args:
        game: the game.
        agent: the player.
        player: "random", "no-op", the name of a model (``module:Class`` included), or a policy of your own.
        record: file that keeps the responses of a model.
    """
    if player == "random":
        return lambda observation: game.action_spaces[agent].sample()
    if player == "no-op":
        return lambda observation: game.noop(agent)
    if isinstance(player, str):
        return game.model_policy(agent, game.meter(agent, player, record))
    if callable(player):
        return player
    raise ArgumentError(f"{agent}={player!r} is no player. Pass {IDLE}, the name of a model, or observation -> action.")


class Played(NamedTuple):
    """An episode: what each player earned, the turns, and the last infos."""

    rewards: dict[str, float]
    moves: list[Move]
    infos: dict[str, dict[str, Any]]


def play(
    env: "AECEnv",
    players: Mapping[str, str | Policy],
    seed: int | None = None,
    options: dict[str, Any] | None = None,
    records: Mapping[str, str] | None = None,
) -> Played:
    """Play one episode of a game.

    A player that the budget cannot pay ends it, truncated.

    Args:
        env: ``env()`` or ``raw_env()`` of a game.
        players: a player for each agent, see :func:`make_player`.
        seed: of the episode, and of the random players.
        options: of ``reset``.
        records: by player, the file that keeps the responses of its model; the task model has ``record=`` of the game.
    """
    turns: Any = env.unwrapped
    game: Game = turns.game
    if {*players} != {*game.agents}:
        raise ArgumentError(f"players for {[*players]} were given, not for {[*game.agents]}.")
    kept = records or {}
    policies = {agent: make_player(game, agent, player, kept.get(agent)) for agent, player in players.items()}
    env.reset(seed=seed, options=options)
    if seed is not None:
        for number, agent in enumerate(game.agents):
            game.action_spaces[agent].seed(seed + number)
    earned, infos = dict.fromkeys(game.agents, 0.0), {}
    while env.agents:  # not agent_iter(), which wants a step after every turn, forfeited ones too
        agent = env.agent_selection
        observation, reward, terminated, truncated, info = env.last()
        assert observation is not None
        earned[agent] += reward
        infos[agent] = info
        if terminated or truncated:
            env.step(None)
            continue
        try:
            action = policies[agent](observation)
        except BudgetExhausted as error:
            turns.forfeit(str(error))
            continue
        env.step(action)
    return Played(earned, game.moves, infos)
