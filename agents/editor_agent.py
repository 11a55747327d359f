"""What all agents share that let a language model write the edits."""

import logging
import os
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import gymnasium as gym

from lse_gym.agents.search import Order, SearchAgent, SearchArgs
from lse_gym.agents.tree import UCB_C, Selection, Tree
from lse_gym.envs.arguments import Range
from lse_gym.envs.budget import Budget
from lse_gym.envs.core import Observation
from lse_gym.envs.editing import editor_prompt, parse_edit
from lse_gym.envs.errors import ContextLengthError
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.metered import MeteredModel
from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Request

log = logging.getLogger("lse_gym.models")  # as what is waited for
MAX_EDIT_TOKENS = 16_384  # response length of the editor in the released code of LSE


def default_editor() -> str:
    """The editor where none is named: ``LSE_GYM_EDITOR``, or ``writer``, which runs offline on every env."""
    return os.environ.get("LSE_GYM_EDITOR") or "writer"


def edit_seed(seed: int, step: int) -> int:
    """The seed of the requests for one edit, another one for each run and step below 1,000,003.

    Not a ``SeedSequence``: nothing is drawn from this number as it is, each model makes a generator's seed of it. It is
    part of the keys of records and caches, and of what submissions are executed again with. Another formula would part
    every recorded run from its responses, and would tell no two edits apart that this one does not.
    """
    return seed * 1_000_003 + step


@dataclass(frozen=True)
class EditorArgs(SearchArgs):
    """Arguments of every agent with an editor."""

    editor: str | None = None
    """the model that writes the edits; None is :func:`default_editor`"""
    selection: Selection = "best"
    """which context is edited next: "ucb", "deepest" (a chain) or "best" (greedy)"""
    ucb_c: Annotated[float, Range(0, 1e6)] = UCB_C
    """weight of the exploration bonus of "ucb\""""
    order: Order = "paper"
    """"paper": every edit is made from a batch not used before; "code": from the selected node's stored report"""
    temperature: Annotated[float, Range(0, 100)] = 0.7
    """sampling temperature of the editor (LSE's released code forces 0.7 where it was 0)"""
    max_edit_tokens: Annotated[int, Range(1, 1_000_000)] = MAX_EDIT_TOKENS
    """longest answer of the editor, in tokens"""
    record: str | None = None
    """file that keeps the editor's responses"""


class EditorAgent(SearchAgent):
    """An agent whose edits come from an editor, paid from the env's budget.

    A subclass says what the editor is told besides the context and the report, in :meth:`notes`.

    Args:
        env: an env of the namespace ``LSE``.
        args: fields of ``Args``.
    """

    Args = EditorArgs
    args: Any
    bare: ClassVar[bool] = False
    """whether an answer without tags is a context all the same, as in the code of some papers; else it is no edit"""

    def __init__(self, env: gym.Env | None = None, **args: Any):
        super().__init__(env, **args)
        self.order = self.args.order
        budget = core_env(env).budget if env is not None else Budget()
        if self.args.editor is None:  # what is saved names it, so that it is loaded with the same
            self.args = replace(self.args, editor=default_editor())
        self.editor = MeteredModel(make_model(self.args.editor, record=self.args.record), budget)
        self.editors = {self.args.editor: self.editor}

    def most_editor_calls(self) -> int:
        """One call, which writes the new context."""
        return 1

    def _new_tree(self) -> Tree:
        return Tree(self.args.selection, self.args.ucb_c)

    def edit(self, observation: Observation, step: int, deterministic: bool = False) -> str:
        """Ask the editor; an answer without a usable edit leaves the context as it was."""
        notes = self.notes(observation, step, deterministic)
        prompt = editor_prompt(observation["context"], observation["feedback"], self._max_chars(), notes)
        new = parse_edit(self.ask(prompt, step, deterministic), observation["context"], self.bare)
        return observation["context"] if new is None else new

    def notes(self, observation: Observation, step: int, deterministic: bool) -> str:
        """What the editor is told before the context; nothing by default."""
        del observation, step, deterministic
        return ""

    def ask(self, prompt: str, step: int, deterministic: bool = False, call: int = 0) -> str:
        """The editor's answer; "" to a prompt beyond its window, which so costs one edit and not the run.

        ``call`` counts the calls of one edit.

        Raises:
            BudgetExhausted: the editor cannot be paid.
        """
        temperature = 0.0 if deterministic else self.args.temperature
        request = Request("", prompt, self.args.max_edit_tokens, temperature, edit_seed(self.args.seed, step), call)
        try:
            return self.editor.complete([request])[0].text
        except ContextLengthError as error:
            log.warning("The editor is not asked for one edit: %s", error)
            return ""


def quoted(text: str) -> str:
    """``text`` with a mark before every line, so that nothing in it reads as a heading of the prompt."""
    return "\n".join(f"> {line}" for line in text.split("\n"))
