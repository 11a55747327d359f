"""The LSE agent: an editor model rewrites contexts, an evolution tree decides which one (arXiv 2603.18620)."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from lse_gym.agents.search import ORDERS, Order, SearchAgent, SearchArgs
from lse_gym.agents.tree import UCB_C, Selection, Tree
from lse_gym.envs.budget import Budget
from lse_gym.envs.core import Observation
from lse_gym.envs.editing import editor_prompt, parse_edit
from lse_gym.envs.errors import unknown
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.evaluator import MeteredModel
from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Request

MAX_EDIT_TOKENS = 16_384  # response length of the editor in the paper's released code


@dataclass(frozen=True)
class Args(SearchArgs):
    """Arguments of the LSE agent."""

    editor: str = "writer"
    """the model that writes the edits"""
    selection: Selection = "ucb"
    """which context is edited next: "ucb" (the paper's), "deepest" (a chain) or "best" (greedy)"""
    ucb_c: float = UCB_C
    """weight of the exploration bonus"""
    order: Order = "paper"
    """"paper": every edit is made from a batch not used before; "code": from the selected node's stored report"""
    temperature: float = 0.7
    """sampling temperature of the editor (the released code forces 0.7 where it was 0)"""
    record: str | None = None
    """file that keeps the editor's responses"""


class LSEAgent(SearchAgent):
    """Learning to Self-Evolve at test time.

    >>> import gymnasium as gym, lse_gym
    >>> env = gym.make("LSE/TextToSQL-v0", domain="clinic-0")
    >>> agent = LSEAgent(env).learn(2)
    >>> agent.tree.best["performance"] > agent.tree.nodes[0]["performance"]
    True

    Args:
        env: an env of the namespace ``LSE`` on one domain.
        args: see :class:`Args`.
    """

    name = "lse"
    Args = Args
    args: Args

    def __init__(self, env: gym.Env | None = None, **args: Any):
        super().__init__(env, **args)
        if self.args.order not in ORDERS:
            raise unknown("order", self.args.order, ORDERS)
        self.order = self.args.order
        budget = core_env(env).budget if env is not None else Budget()
        self.editor = MeteredModel(make_model(self.args.editor, record=self.args.record), budget)

    def _new_tree(self) -> Tree:
        return Tree(self.args.selection, self.args.ucb_c)

    def edit(self, observation: Observation, step: int, deterministic: bool = False) -> str:
        """Ask the editor; an answer without a usable edit leaves the context as it was."""
        prompt = editor_prompt(observation["context"], observation["feedback"], self._max_chars())
        temperature = 0.0 if deterministic else self.args.temperature
        seed = self.args.seed * 1_000_003 + step
        request = Request("", prompt, MAX_EDIT_TOKENS, temperature, seed)
        new = parse_edit(self.editor.complete([request])[0].text, observation["context"])
        return observation["context"] if new is None else new
