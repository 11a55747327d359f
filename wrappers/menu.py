"""A menu of candidate edits, so that choosing an edit is a Discrete action and its consequences are numbers."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.utils import RecordConstructorArgs

from lse_gym.envs.arguments import Range, checked
from lse_gym.envs.core import ContextEnv, Info, Observation
from lse_gym.envs.editing import editor_prompt, parse_edit
from lse_gym.envs.errors import BudgetExhausted
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.metered import MeteredModel, Task, drive
from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Request
from lse_gym.envs.report import report_of

STATE, EACH = 7, 5  # numbers that describe the state, and each candidate
MAX_EDIT_TOKENS = 1024  # of a proposal, which concerns a single problem


class Candidates(NamedTuple):
    """The contexts that the actions lead to, and which of them are offered, bool of shape (actions,)."""

    contexts: list[str]
    offered: np.ndarray


class Menu:
    """Proposes edits of a context from its feedback: what an editor makes of each problem, and lines to drop.

    Action 0 keeps the context. Actions 1 to ``problems`` are the edits that the editor makes when it is shown one
    problem of the report only. The last ``lines`` actions drop a line, the newest first. An edit that changes nothing,
    or that an earlier action makes as well, is not offered.

    The editor is paid from the budget of each env; one that cannot pay is offered the lines to drop alone.

    Args:
        editor: the model that proposes, see :func:`lse_gym.envs.models.make_model`.
        problems: problems of a report to ask about, >= 0.
        lines: lines that can be dropped, >= 0.
    """

    @checked
    def __init__(
        self, editor: str = "writer", problems: Annotated[int, Range(0)] = 10, lines: Annotated[int, Range(0)] = 5
    ):
        self.problems, self.lines = problems, lines
        self.editor = make_model(editor)
        self.actions = 1 + problems + lines
        self.action_space = Discrete(self.actions)
        shape = (STATE + EACH * self.actions,)
        self.observation_space = Box(-1.0, 1.0, shape, dtype=np.float32)

    def propose(self, cores: Sequence[ContextEnv], observations: Sequence[Observation]) -> list[Candidates]:
        """Candidates for the state of each env, all of them proposed in one batch."""
        pairs = zip(cores, observations, strict=True)
        proposed = drive([self._ask(core, observation) for core, observation in pairs], self.editor)
        return [self._candidates(o, texts) for o, texts in zip(observations, proposed, strict=True)]

    def _ask(self, core: ContextEnv, observation: Observation) -> Task[list[str]]:
        report, context = report_of(observation["feedback"]), observation["context"]
        alone = [report.only([problem]).text() for problem in report.problems[: self.problems]]
        requests = [Request("", editor_prompt(context, one, core.max_chars), MAX_EDIT_TOKENS) for one in alone]
        try:
            answers, _ = yield from MeteredModel(self.editor, core.budget).ask(requests)
        except BudgetExhausted:
            return []
        edits = [parse_edit(answer.text, context) for answer in answers]
        return [context if edit is None else edit[: core.max_chars] for edit in edits]

    def _candidates(self, observation: Observation, proposed: Sequence[str]) -> Candidates:
        context = observation["context"]
        lines = context.split("\n")
        dropped = ["\n".join(lines[:i] + lines[i + 1 :]) for i in reversed(range(1, len(lines)))][: self.lines]
        contexts = [context] * self.actions
        contexts[1 : 1 + len(proposed)] = proposed
        contexts[1 + self.problems : 1 + self.problems + len(dropped)] = dropped
        first = {text: action for action, text in reversed([*enumerate(contexts)])}
        return Candidates(contexts, np.array([first[text] == action for action, text in enumerate(contexts)]))

    def chosen(self, candidates: Candidates, action: Any) -> tuple[str, str]:
        """The context that an action leads to, and what was wrong with it (then it is the context that there is)."""
        if self.action_space.contains(action):
            return candidates.contexts[int(action)], ""
        return candidates.contexts[0], f"the action was none of {self.action_space}: the context was kept"

    def features(self, observation: Observation, candidates: Candidates, max_chars: int) -> np.ndarray:
        """The state and its candidates as float32 of shape (7 + 5 ``actions``,), each number in [-1, 1].

        State: feedback score, the four fractions of the budget that are left, the length of the context as a share of
        ``max_chars``, its lines / 100. Candidate: whether it is offered, lines that it adds / 4 and takes away / 4,
        the change of the length / 200 characters, and the share of the proposals that add one of its lines.
        """
        context = observation["context"]
        state = [
            float(observation["feedback_score"]),
            *observation["remaining_budget"],
            len(context) / max_chars,
            (context.count("\n") + 1) / 100,
        ]
        old = set(context.split("\n"))
        added = [set(text.split("\n")) - old for text in candidates.contexts]
        taken = [old - set(text.split("\n")) for text in candidates.contexts]
        each = [
            [
                float(candidates.offered[i]),
                len(added[i]) / 4,
                len(taken[i]) / 4,
                (len(text) - len(context)) / 200,
                sum(bool(added[i] & other) for other in added) / self.actions,
            ]
            for i, text in enumerate(candidates.contexts)
        ]
        return np.clip(np.concatenate([state, np.ravel(each)]), -1, 1).astype(np.float32)


class EditMenu(gym.Wrapper, RecordConstructorArgs):
    """Actions choose from a :class:`Menu` (Discrete, with masks); observations are numbers about state and candidates.

    ## Action Space
    ``Discrete(1 + problems + lines)``: keep the context, take the edit proposed for a problem, or drop a line. An
    action that is not offered keeps the context, and so does what is no action, which is told in ``info["problem"]``.
    ``action_masks()`` and ``info["action_mask"]``, bool of shape (actions,), tell what is offered, as MaskablePPO of
    sb3-contrib asks.

    ## Observation Space
    ``Box`` float32 of shape (7 + 5 actions,), see :meth:`Menu.features`.

    Args:
        env: an env of the namespace ``LSE``.
        editor: see :class:`Menu`.
        problems: see :class:`Menu`.
        lines: see :class:`Menu`.
    """

    def __init__(self, env: gym.Env[Observation, str], editor: str = "writer", problems: int = 10, lines: int = 5):
        RecordConstructorArgs.__init__(self, editor=editor, problems=problems, lines=lines)
        gym.Wrapper.__init__(self, env)
        self.menu = Menu(editor, problems, lines)
        self.action_space, self.observation_space = self.menu.action_space, self.menu.observation_space
        self._candidates: Candidates | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, Info]:
        """Reset the env and propose."""
        return self._see(*self.env.reset(seed=seed, options=options))

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, Info]:
        """Make the chosen edit, evaluate it, and propose the next ones."""
        if self._candidates is None:
            raise gym.error.ResetNeeded("step() before reset(). Call env.reset() first.")
        context, problem = self.menu.chosen(self._candidates, action)
        observation, reward, terminated, truncated, info = self.env.step(context)
        seen, info = self._see(observation, {**info, "problem": problem or info["problem"]})
        return seen, float(reward), terminated, truncated, info

    def action_masks(self) -> np.ndarray:
        """What is offered, bool of shape (actions,)."""
        if self._candidates is None:
            raise gym.error.ResetNeeded("action_masks() before reset(). Call env.reset() first.")
        return self._candidates.offered.copy()

    def _see(self, observation: Observation, info: Info) -> tuple[np.ndarray, Info]:
        core = core_env(self.env)
        (self._candidates,) = self.menu.propose([core], [observation])
        seen = self.menu.features(observation, self._candidates, core.max_chars)
        return seen, {**info, "action_mask": self.action_masks()}
