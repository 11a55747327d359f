"""The game of hints with one side played by a model: a Gymnasium env for the other."""

import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete

from lse_gym.envs.arguments import Count, Range, Seed, checked
from lse_gym.envs.domain import Split
from lse_gym.envs.errors import ArgumentError, BudgetExhausted, unknown
from lse_gym.envs.games import hill
from lse_gym.envs.games.game import Info
from lse_gym.envs.games.hint.game import HINTER_AGENT, REASONER, HintGame
from lse_gym.envs.games.hint.menu import DEFAULT, EACH, features
from lse_gym.envs.games.hint.questions import make_exercises
from lse_gym.envs.games.players import make_player
from lse_gym.envs.games.problems.family import Difficulty
from lse_gym.envs.options import check_known

SIDES = {"hinter": HINTER_AGENT, "reasoner": REASONER}
RESET_OPTIONS = ("domain", "question")
DRAWS = 100  # questions that are drawn until one is hard


class HintPlayerEnv(gym.Env[Any, Any]):
    """Write hints for a model whose answers to a question were all wrong; the reward is help that carries over.

    ## Description
    One side of the game :mod:`lse_gym.envs.games.hint_v0`, the other side is played by a model: what
    ``gym.make("LSE/Hint-v0", opponent="reader")`` makes. ``side="hinter"``: the opponent has answered a question
    ``num_samples`` times, all wrong; a hint is rewarded by how many of its answers are right with it, and how little
    these rely on it. ``side="reasoner"``: answer questions, and with hints what was all wrong. Source: HiLL,
    arXiv 2604.00698; :mod:`lse_gym.envs.games.hill` has the formulas.

    ## Action Space
    Hinter: ``FreeText(max_chars)``, of which the last ``<hint>`` element is the hint; with ``actions="menu"``
    ``Discrete(len(menu))``, a hint from a list. Reasoner: a tuple of ``num_samples`` texts, or a text if that is 1.
    What is malformed or missing is played as an empty text and told in ``info["problem"]``, as everywhere.

    ## Observation Space
    | key | type and shape | unit | range |
    |---|---|---|---|
    | phase | str | text | "no hint", "hint" or "hinted" |
    | system | str | text | the player's role: for the reasoner the prompt before the question |
    | question | str | text | at most 200,000 characters, as the others |
    | hint | str | text | the hint to answer with; "" for a hinter |
    | attempt | str | text | one of the wrong answers; "" for a reasoner, as the next two |
    | solution | str | text | the reference solution |
    | past_hints | str | text | hints that did not help, a line each |
    | round | float64 () | rounds of hints | >= 0 |

    With ``actions="menu"``: ``Box`` float32 of shape (1 + 4 hints,), see :func:`lse_gym.envs.games.hint.menu.features`.

    ## Rewards
    Hinter: -0.2 for a hint that fails a gate (no hint, tells the answer, too long); 0 where all answers are then alike;
    else ``(1 - p^n - (1-p)^n) exp(min(D, 0) / 0.3)`` with ``p`` the share of right answers among ``n`` and ``D`` the
    reliance of the right ones, which is negative where they need the hint; in [-0.2, 1]. Reasoner: the share of right
    answers in the group that is kept, at the end; in [0, 1].

    ## Starting State
    ``reset`` draws the domain (if several) and a question of ``split``, and for a hinter again until one is hard, at
    most 100 times; all from ``np_random``. A reset with a seed also forgets the responses paid for so far.

    ## Episode End
    ``terminated`` with the first hint that helps, or after the only round; ``truncated`` after ``max_hint_rounds`` > 1
    rounds, or when the budget cannot pay a turn.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | side | str | "hinter" | | who acts: "hinter" or "reasoner" |
    | opponent | str | "reader" | | the model of the other side, "random" or "no-op" |
    | actions | str | "text" | | of a hinter: "text" or "menu" |
    | menu | sequence or None | None | | hints to choose from; None has one for each step of the embedded problems |
    | questions | str, path, list or None | None | | questions of your own, as ``LSE/Custom-v1`` takes them |
    | scorer | str or None | None | | of your questions; None is told from them |
    | difficulty | str or None | None | | of the embedded problems: "easy", "medium", "hard", None for all |
    | domain | str, sequence or None | None | | a name, several, a group, or None for the first group |
    | split | str | "feedback" | | which questions: "feedback" or "held_out" |
    | split_seed | int | 0 | | another seed draws or splits the questions otherwise |
    | num_samples | int | 4 | answers | of a group, HiLL's N (there 8) |
    | max_hint_rounds | int | 1 | rounds | hints for one question, one after the other |
    | reward | str | "transfer_weighted_non_deg" | | or "non_deg", "variance", "transfer_weighted_variance" |
    | max_prompt_tokens | int | 2048 | tokens | a longer prompt with the hint fails the last gate |
    | temperature | float | 1.0 | | of the models' sampling |
    | max_tokens | int | 512 | tokens | longest answer of a model |
    | budget | dict or None | None | see ``Budget`` | hard caps for the life of the env |
    | max_chars | int | 8000 | characters | longest text of an action |
    | record | str or None | None | path | file that keeps every response; a later env with it repeats none |
    | render_mode | str or None | None | | "ansi": ``render`` returns the transcript |

    ``reset(options=...)`` takes ``domain`` and ``question``, an id of the split.

    ## Cost
    ``num_samples`` calls for each question that is drawn, and for each hint; where the opponent has log-probabilities,
    two for each right answer with a hint, else ``2 num_samples`` for a twin of the question.

    ## Version History
    v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012 - as Gymnasium declares it

    @checked
    def __init__(
        self,
        side: Literal["hinter", "reasoner"] = "hinter",
        opponent: str = "reader",
        actions: Literal["text", "menu"] = "text",
        menu: Sequence[str] | None = None,
        questions: Any = None,
        scorer: str | None = None,
        difficulty: Difficulty | None = None,
        domain: str | Sequence[str] | None = None,
        split: Split = "feedback",
        split_seed: Seed = 0,
        num_samples: Count = hill.NUM_SAMPLES,
        max_hint_rounds: Count = 1,
        reward: hill.Kind = "transfer_weighted_non_deg",
        max_prompt_tokens: Count = 2048,
        temperature: Annotated[float, Range(0)] = 1.0,
        max_tokens: Count = 512,
        budget: Mapping[str, float] | None = None,
        max_chars: Count = 8000,
        record: str | os.PathLike[str] | None = None,
        render_mode: str | None = None,
    ):
        if actions == "menu" and side != "hinter":
            raise unknown(f"kind of actions of a {side}", actions, ["text"], "A menu has hints, for a hinter.")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise unknown("render mode", render_mode, self.metadata["render_modes"], "None renders nothing.")
        if menu is not None and (isinstance(menu, str) or not menu or not all(isinstance(hint, str) for hint in menu)):
            raise ArgumentError(f"menu={menu!r} is no list of hints. Pass menu=['a hint', …], or None for ours.")
        if actions == "menu" and menu is None and questions is not None:
            raise ArgumentError("actions='menu' with questions of your own needs menu=['a hint', …].")
        self.agent = SIDES[side]
        self.other = REASONER if side == "hinter" else HINTER_AGENT
        is_model = opponent not in ("random", "no-op")
        self.game = HintGame(
            make_exercises(questions, scorer, difficulty, split_seed),
            domain=domain,
            split=split,
            num_samples=num_samples,
            max_hint_rounds=max_hint_rounds,
            reward=reward,
            task_model=opponent if side == "hinter" and is_model else None,
            max_prompt_tokens=max_prompt_tokens,
            temperature=temperature,
            max_tokens=max_tokens,
            budget=budget,
            max_chars=max_chars,
            record=record if side == "hinter" else None,
        )
        self.opponent, self.render_mode = opponent, render_mode
        kept = None if side == "hinter" else record
        self._metered = self.game.meter(self.other, opponent, kept) if is_model else None
        self.menu = tuple(DEFAULT if menu is None else menu) if actions == "menu" else ()
        self.action_space = Discrete(len(self.menu)) if self.menu else self.game.action_spaces[self.agent]
        texts = {key: space for key, space in self.game.observation_space.items() if key != "active"}
        shape = (1 + EACH * len(self.menu),)
        self.observation_space = Box(0.0, 1.0, shape, np.float32) if self.menu else Dict(texts)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Info]:
        """Begin with a question that the agent has a turn at; see *Starting State* of the class.

        Raises:
            UnknownNameError: an option, domain or question that does not exist.
            ArgumentError: no question was hard.
            ProviderError: the opponent failed; call again.
        """
        super().reset(seed=seed)
        check_known(options, RESET_OPTIONS)
        if seed is not None:
            self.game.forget()
            self.game.action_spaces[self.other].seed(seed)  # of a random opponent
        self.game.rng = self.np_random
        with self.game.whole():
            for _ in range(DRAWS):
                self.game.reset(options=options)
                self._let_play()
                if not self.game.terminated:
                    return self._observation(), self.game.info(self.agent)
            raise ArgumentError(
                f"of {DRAWS} questions none was hard for {self.opponent!r}: each had a right answer. Pass "
                "difficulty='hard', harder questions, or a smaller num_samples."
            )

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Info]:
        """Play a turn, then those of the opponent until it is the agent's again.

        Raises:
            ProviderError: the opponent failed; nothing has changed, call again.
        """
        game = self.game
        if game.state is None:
            raise gym.error.ResetNeeded("step() before reset(). Call env.reset() first.")
        reward = 0.0
        if not game.over:
            with game.whole():
                game.act(self._text(action) if self.menu else action)
                reward = game.rewards[self.agent] + self._let_play()
        return self._observation(), reward, game.terminated, game.truncated, game.info(self.agent)

    def render(self) -> str | None:
        """The transcript of the episode (``render_mode="ansi"``)."""
        return self.game.transcript() if self.render_mode == "ansi" else None

    def _let_play(self) -> float:
        """The opponent's turns; what the agent earns in them."""
        game, earned = self.game, 0.0
        while not game.over and game.active == self.other:
            policy = (
                game.model_policy(self.other, self._metered)
                if self._metered
                else make_player(game, self.other, self.opponent)
            )
            try:
                action = policy(game.observe(self.other))
            except BudgetExhausted as error:
                game.forfeit(str(error))
                break
            game.act(action)
            earned += game.rewards[self.agent]
        return earned

    def _text(self, action: Any) -> str:
        return f"<hint>{self.menu[int(action)]}</hint>" if self.action_space.contains(action) else ""

    def _observation(self) -> Any:
        seen = self.game.observe(self.agent)
        del seen["active"]
        return features(self.menu, seen, self.game.max_hint_rounds) if self.menu else seen
