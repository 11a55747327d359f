"""TextGrad from its own package (Yuksekgonul et al., arXiv 2406.07496), on the env's budget. Extra ``textgrad``."""

import os
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import count
from types import ModuleType
from typing import Annotated, Any
from unittest.mock import patch

from lse_gym.agents.editor_agent import EditorAgent, EditorArgs, quoted
from lse_gym.envs.arguments import Range
from lse_gym.envs.core import Observation
from lse_gym.envs.editing import editor_prompt, parse_edit
from lse_gym.envs.extras import require
from lse_gym.envs.report import report_of

ROLE = "instructions that a language model follows when it answers questions"
START, END = "<IMPROVED_VARIABLE>", "</IMPROVED_VARIABLE>"  # what the package looks for in an optimizer's answer


@dataclass(frozen=True)
class Args(EditorArgs):
    """Arguments of the package's TextGrad."""

    losses: Annotated[int, Range(1, 1_000)] = 3
    """problems of the report that a loss is computed for; each costs a critic call an edit"""


class TextGradPackageAgent(EditorAgent):
    """TextGrad's own loss, backward pass and optimizer, made reproducible; the step is written on our editor prompt.

    A loss is what the report says about one problem. The criticisms that the backward pass collects go to the editor as
    notes, beside the whole report that every agent sees. An answer without an edit leaves the context as it was, where
    the package raises. A rewrite that does not raise the held-out score is reverted, as by the native agent.

    Args:
        env: an env of the namespace ``LSE``.
        args: see :class:`Args`.
    """

    name, package = "textgrad-package", "textgrad"
    Args = Args

    def most_editor_calls(self) -> int:
        """A critic for every loss and one for their sum, and the optimizer."""
        return self.args.losses + 2

    def edit(self, observation: Observation, step: int, deterministic: bool = False) -> str:
        """Forward, backward, step."""
        textgrad = _import()
        calls, context = count(), observation["context"]

        class Engine(textgrad.engine.EngineLM):
            model_string = "lse-gym"

            def generate(engine, content: str, system_prompt: str | None = None, **_: Any) -> str:  # noqa: N805
                told = f"{system_prompt}\n\n{content}" if system_prompt else content
                if START not in told:
                    return self.ask(told, step, deterministic, call=next(calls))
                prompt = editor_prompt(context, observation["feedback"], self._max_chars(), quoted(told))
                edit = parse_edit(self.ask(prompt, step, deterministic, call=next(calls)), context)
                return f"{START}{context if edit is None else edit}{END}"

            __call__ = generate

        engine = Engine()
        with _reproducible(textgrad.Variable):
            textgrad.set_backward_engine(engine, override=True)
            instructions = textgrad.Variable(context, requires_grad=True, role_description=ROLE)
            report = report_of(observation["feedback"])
            told = [report.entry(index) for index in range(len(report.problems))][: self.args.losses]
            losses = [_loss(textgrad, instructions, problem) for problem in told]
            if losses:
                textgrad.sum(losses).backward()
            textgrad.TextualGradientDescent([instructions], engine=engine, verbose=0).step()
        return instructions.value


def _loss(textgrad: ModuleType, instructions: Any, problem: str) -> Any:
    from textgrad.autograd.string_based_ops import StringBasedFunction

    evaluate = StringBasedFunction(
        lambda instructions: problem, function_purpose="What came of one question under the instructions."
    )
    return evaluate(inputs={"instructions": instructions})


def _import() -> ModuleType:
    """The package, without the folder ``logs`` that it makes where it is imported, and without a request for prices."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("TEXTGRAD_LOG_DIR", os.path.join(tempfile.gettempdir(), "lse-gym-textgrad"))
    return require("textgrad", "textgrad", "The agent 'textgrad-package'")


def _reproducible(variable: type) -> AbstractContextManager[Any]:
    """Gradients are kept in sets ordered by address; here variables hash by the order in which they are made."""
    numbers, hashes = count(), {}

    def in_order(one: object) -> int:
        return hashes.setdefault(id(one), (next(numbers), one))[0]  # ``one`` is held, so that no id comes twice

    return patch.object(variable, "__hash__", in_order)
