"""Games in the two forms of PettingZoo: turn by turn (AEC), and all players at once (parallel)."""

import sys
from typing import Any

from gymnasium.spaces import Dict, Space

from lse_gym.envs.errors import unknown
from lse_gym.envs.extras import needs
from lse_gym.envs.games.game import Game, Info
from lse_gym.envs.text import plain

with needs("games", "A two-player game"):
    from pettingzoo import AECEnv, ParallelEnv

RENDER_MODES = ("ansi", "human")
Observation = dict[str, Any]


def metadata(name: str, cyclic: bool) -> dict[str, Any]:
    """What PettingZoo wants to know of a game; only what takes turns in a cycle can be converted by it."""
    return {"name": name, "render_modes": [*RENDER_MODES], "render_fps": 1, "is_parallelizable": cyclic}


class _Form:
    """What both forms share: the game with its spaces, and its transcript as rendering."""

    def _set_up(self, game: Game, render_mode: str | None) -> None:
        if render_mode not in (None, *RENDER_MODES):
            raise unknown("render mode", render_mode, RENDER_MODES, "None renders nothing.")
        self.game, self.render_mode = game, render_mode
        self.metadata = metadata(game.name, game.cyclic)
        self.possible_agents, self.agents = [*game.agents], []
        self._observation_spaces = {agent: Dict({**game.observation_space}) for agent in game.agents}

    def observation_space(self, agent: str) -> Dict:
        """What a player sees; the same object every time."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> Space:
        """What a player does; the same object every time."""
        return self.game.action_spaces[agent]

    def render(self) -> str | None:
        """The transcript so far: returned with "ansi", written to the terminal with "human"."""
        if self.render_mode == "human":
            sys.stdout.write(f"{plain(self.game.transcript())}\n")
        return self.game.transcript() if self.render_mode == "ansi" else None

    def close(self) -> None:
        """There is nothing to let go of."""


class TurnEnv(_Form, AECEnv):
    """A game turn by turn: only the player whose turn it is acts, in whatever order the rules have.

    Args:
        game: the game.
        render_mode: "ansi", "human" or None.
    """

    def __init__(self, game: Game, render_mode: str | None = None):
        AECEnv.__init__(self)
        self._set_up(game, render_mode)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin an episode, see :meth:`Game.reset`."""
        self.game.reset(seed, options)
        self.agents = [*self.possible_agents]
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self._take()
        self._skip_agent_selection = None

    def observe(self, agent: str) -> Observation:
        """What a player sees now."""
        return self.game.observe(agent)

    def step(self, action: Any) -> None:
        """Play the turn of ``agent_selection``; None for one whose episode has ended."""
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self.game.act(action)
        self._cumulative_rewards[agent] = 0.0
        self._take()
        self._accumulate_rewards()
        self._deads_step_first()

    def forfeit(self, problem: str) -> None:
        """End the episode: a player cannot go on."""
        self.game.forfeit(problem)
        self._take()
        self._deads_step_first()

    def _take(self) -> None:
        game = self.game
        self.rewards = dict(game.rewards)
        self.terminations = dict.fromkeys(self.agents, game.terminated)
        self.truncations = dict.fromkeys(self.agents, game.truncated)
        self.infos: dict[str, Info] = {agent: game.info(agent) for agent in self.agents}
        self.agent_selection = game.active


class SimultaneousEnv(_Form, ParallelEnv):
    """A game with both players stepping every time.

    Where the rules have a cycle, a step is a whole one: the actions are played in its order. Else a step is one turn:
    who is not ``active`` does nothing, whatever it passes ("" is as good as anything).

    Args:
        game: the game.
        render_mode: "ansi", "human" or None.
    """

    def __init__(self, game: Game, render_mode: str | None = None):
        self._set_up(game, render_mode)

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, Info]]:
        """Begin an episode, see :meth:`Game.reset`."""
        self.game.reset(seed, options)
        self.agents = [*self.possible_agents]
        return self._observations(), self._infos()

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Info]]:
        """Play a turn, or a cycle of turns."""
        if not self.agents:
            return {}, {}, {}, {}, {}
        game, rewards = self.game, dict.fromkeys(self.agents, 0.0)
        for _ in range(len(self.agents) if game.cyclic else 1):
            if not game.over:
                game.act(actions.get(game.active, game.noop(game.active)))
                rewards = {agent: rewards[agent] + game.rewards[agent] for agent in rewards}
        terminations = dict.fromkeys(self.agents, game.terminated)
        truncations = dict.fromkeys(self.agents, game.truncated)
        told = self._observations(), rewards, terminations, truncations, self._infos()
        self.agents = [] if game.over else self.agents
        return told

    def _observations(self) -> dict[str, Observation]:
        return {agent: self.game.observe(agent) for agent in self.agents}

    def _infos(self) -> dict[str, Info]:
        return {agent: self.game.info(agent) for agent in self.agents}
