"""What every game is: a state machine in which players take turns at texts, on one session and one budget."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any, ClassVar, NamedTuple

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Dict, Space
from gymnasium.utils import seeding

from lse_gym.envs.arguments import check
from lse_gym.envs.budget import Usage
from lse_gym.envs.errors import BudgetExhausted
from lse_gym.envs.metered import MeteredModel
from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Request
from lse_gym.envs.session import Session
from lse_gym.envs.text import clean, one_line

Info = dict[str, Any]
Policy = Callable[[dict[str, Any]], Any]
"""what a player is: an observation to an action"""
TOLD = Usage._fields[1:]


MAX_SHOWN_CHARS = 300  # of a text in a transcript


class Move(NamedTuple):
    """One turn as it was played: who, in which phase, the texts of the action, the rewards, and what came of it."""

    agent: str
    phase: str
    texts: tuple[str, ...]
    rewards: dict[str, float]
    outcome: str


class Result(NamedTuple):
    """What a turn leads to: the next state and player, the rewards of all, and whether the episode is over.

    ``state`` is what the game knows of itself; ``told`` is its part of the info; ``outcome`` one line for people.
    """

    state: Any
    active: str
    rewards: Mapping[str, float]
    outcome: str
    terminated: bool = False
    truncated: bool = False


class Game(ABC):
    """The rules of a game, and where an episode of it stands. The forms for PettingZoo and Gymnasium drive it.

    A turn happens whole or not at all: where a model fails, the game is as it was, and the turn can be repeated. Where
    the budget cannot pay a turn, the episode is truncated.

    Attributes:
        name: with its version, e.g. "hint_v0".
        agents: the players; the first one begins.
        observation_space: of every player; what a player is not to see is empty.
        action_spaces: by player.
        cyclic: whether the players always take turns in the same order.
        task_agent: the player in whose place the task model can be, "" for none.
        active: whose turn it is.
        rewards: of the last turn, by player.
        moves: what was played since the reset.
    """

    name: ClassVar[str]
    agents: ClassVar[tuple[str, ...]]
    cyclic: ClassVar[bool] = False
    task_agent: ClassVar[str] = ""
    observation_space: Dict
    action_spaces: Mapping[str, Space]

    def __init__(self, session: Session, max_chars: int, max_cycles: int | None = None):
        self.session, self.max_chars, self.max_cycles = session, max_chars, max_cycles
        self.rng: np.random.Generator = seeding.np_random(None)[0]
        self.state: Any = None
        self.active = self.agents[0]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self.terminated = self.truncated = False
        self.turns = 0
        self.moves: list[Move] = []
        self.problems = dict.fromkeys(self.agents, "")
        self.meters = {"": session.metered}  # the task model, and the models of players
        self.usage = Usage()  # of all of them, in the last turn
        self._spent = Usage()

    @property
    def over(self) -> bool:
        """Whether the episode has ended."""
        return self.terminated or self.truncated

    def reset(self, seed: int | None = None, options: Mapping[str, Any] | None = None) -> None:
        """Begin an episode; with a seed, forget what was paid for so far."""
        check("options", Mapping | None, options)  # with other names too: PettingZoo's own tests pass some
        with self.whole():
            if seed is not None:
                self.rng = seeding.np_random(seed)[0]
                self.forget()
            self.turns, self.problems, self.moves = 0, dict.fromkeys(self.agents, ""), []
            self._spent = self._paid()
            self._take(self.begin(options or {}))

    def act(self, action: Any) -> None:
        """Play the turn of :attr:`active`. What is no action is played as an empty one, and told in ``problems``.

        Raises:
            ResetNeeded: there is no episode.
            ProviderError: the model failed; nothing has changed.
        """
        if self.state is None or self.over:
            raise ResetNeeded("act() without a running episode. Call reset() first.")
        agent, phase = self.active, self.phase
        texts, problem = self._read(agent, action)
        try:
            with self.whole():
                result = self.play(texts)
            self.problems = {**self.problems, agent: problem}
        except BudgetExhausted as error:
            result = Result(self.state, agent, {}, str(error), truncated=True)
            self.problems = dict.fromkeys(self.agents, str(error))
        self.turns += 1
        self._take(result)
        self.moves = [*self.moves, Move(agent, phase, texts, self.rewards, result.outcome)]
        if self.max_cycles is not None and not self.over and self.cycles >= self.max_cycles:
            self.truncated = True

    @contextmanager
    def whole(self) -> Generator[None]:
        """Around what may fail: then the game is as it was, but that responses it got stay paid for."""
        mark, stream = dict(vars(self)), self.rng.bit_generator.state
        memories = [(meter, meter.memory) for meter in self.meters.values()]
        try:
            yield
        except BaseException:
            vars(self).update(mark)
            self.rng.bit_generator.state = stream
            for meter, memory in memories:
                meter.memory = memory
            raise

    def forget(self) -> None:
        """Forget the responses paid for so far."""
        for meter in self.meters.values():
            meter.memory = {}

    def meter(self, agent: str, model: str, record: str | os.PathLike[str] | None = None) -> MeteredModel:
        """A model in the place of a player, behind the game's budget.

        Where the player answers as the game's task model does, a model of its name shares its memory, and its costs are
        those of the task model. Every other model is charged as an editor is.

        Args:
            agent: the player.
            model: see :func:`lse_gym.envs.models.make_model`.
            record: file that keeps its responses.
        """
        if agent == self.task_agent and model == self.session.model.name and record is None:
            return self.session.metered
        made = make_model(model, record=record)
        if agent not in self.meters or self.meters[agent].model is not made:  # else it knows what was asked before
            self.meters[agent] = MeteredModel(made, self.session.budget)
        return self.meters[agent]

    def _paid(self) -> Usage:
        return reduce(Usage.plus, (meter.spent for meter in self.meters.values()))

    def forfeit(self, problem: str) -> None:
        """End the episode because a player cannot go on, such as one that the budget does not pay."""
        self.problems, self.truncated = dict.fromkeys(self.agents, problem), True
        self.rewards = dict.fromkeys(self.agents, 0.0)

    def _take(self, result: Result) -> None:
        self.state, self.active = result.state, result.active
        self.rewards = {agent: float(result.rewards.get(agent, 0.0)) for agent in self.agents}
        self.terminated, self.truncated = result.terminated, result.truncated
        spent = self._paid()
        self.usage, self._spent = spent.minus(self._spent), spent

    def _read(self, agent: str, action: Any) -> tuple[tuple[str, ...], str]:
        """The texts of an action, as many as there have to be, and what was wrong with it."""
        wanted = self.texts(agent)
        several = isinstance(action, (tuple, list))
        given = tuple(action) if several else (action,) if isinstance(action, str) else ()
        told = f"a {type(action).__name__}" + f" of {len(given)}" * several
        asked = "a str" if wanted == 1 else f"a tuple of {wanted} texts"
        problems = [] if len(given) == wanted else [f"{told} is not {asked}: what is missing was played as empty"]
        texts = []
        for text in given[:wanted]:
            cleaned, problem = clean(text, self.max_chars) if isinstance(text, str) else ("", "not a text")
            texts.append(cleaned)
            problems += [problem] if problem else []
        texts += [""] * (wanted - len(texts))
        return tuple(texts), "; ".join(dict.fromkeys(problems))

    def noop(self, agent: str) -> Any:
        """The action that does nothing."""
        return "" if self.texts(agent) == 1 else ("",) * self.texts(agent)

    def info(self, agent: str) -> Info:
        """Floats and strings, the same keys every time; nothing that a player must not see."""
        usage = dict(zip(TOLD, map(float, self.usage[1:]), strict=True))
        return {**self.tell(agent), "phase": self.phase, "problem": self.problems[agent], **usage}

    @property
    def cycles(self) -> int:
        """How many cycles are complete: rounds of all players where these take turns, else turns."""
        return self.turns // len(self.agents) if self.cyclic else self.turns

    def transcript(self) -> str:
        """The episode so far, for people: the beginning of each text, and what came of the turn."""
        return "\n\n".join(_shown(move) for move in self.moves)

    @property
    @abstractmethod
    def phase(self) -> str:
        """What is to be done now, in a few words."""

    @abstractmethod
    def texts(self, agent: str) -> int:
        """How many texts an action of a player has; one is a text, more are a tuple."""

    @abstractmethod
    def begin(self, options: Mapping[str, Any]) -> Result:
        """Draw an episode from :attr:`rng`; options that it does not know are left alone."""

    @abstractmethod
    def play(self, texts: Sequence[str]) -> Result:
        """What an action of the active player leads to; nothing is changed yet.

        Raises:
            BudgetExhausted: it cannot be paid.
            ProviderError: a model failed.
        """

    @abstractmethod
    def observe(self, agent: str) -> dict[str, Any]:
        """What a player sees."""

    @abstractmethod
    def tell(self, agent: str) -> Info:
        """The game's own part of the info."""

    @abstractmethod
    def requests(self, agent: str) -> list[Request]:
        """What a language model in the place of the player is asked now, one request a text of its action."""

    def action(self, agent: str, texts: Sequence[str]) -> Any:
        """The action that a language model's answers to :meth:`requests` are."""
        return texts[0] if self.texts(agent) == 1 else tuple(texts)

    def model_policy(self, agent: str, metered: MeteredModel) -> Policy:
        """A language model in the place of a player: asked what :meth:`requests` says, once an action."""

        def policy(observation: dict[str, Any]) -> Any:
            del observation  # the game knows what is to be asked
            responses = metered.complete(self.requests(agent))
            return self.action(agent, [response.text for response in responses])

        return policy


def _shown(move: Move) -> str:
    texts = (f"  {one_line(text, MAX_SHOWN_CHARS)}" for text in move.texts)
    earned = "".join(f", {agent} earns {reward:.3f}" for agent, reward in move.rewards.items() if reward)
    return "\n".join([f"{move.agent}, {move.phase}:", *texts, f"-> {move.outcome}{earned}"])
