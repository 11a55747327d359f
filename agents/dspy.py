"""DSPy's own optimizers (Khattab et al., arXiv 2310.03714), on the env's session and budget. Extra ``dspy``."""

import logging
import warnings
from abc import abstractmethod
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Annotated, Any, Self
from unittest.mock import patch

import gymnasium as gym
import numpy as np

from lse_gym.agents.editor_agent import EditorAgent, EditorArgs
from lse_gym.agents.search import Callback
from lse_gym.agents.shots import shots_of, with_shots
from lse_gym.envs.arguments import Range
from lse_gym.envs.core import EDIT, ContextEnv, Observation
from lse_gym.envs.domain import Question
from lse_gym.envs.errors import ArgumentError, BudgetExhausted
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.extras import require
from lse_gym.envs.session import Evaluation

MAX_FAILURES = 10**9  # the package counts what fails; here nothing does


@dataclass(frozen=True)
class Args(EditorArgs):
    """Arguments of DSPy's optimizers."""

    bootstrapped: Annotated[int, Range(0, 1_000)] = 4
    """most examples that the task model got right by itself (the package's max_bootstrapped_demos: 4)"""
    shots: Annotated[int, Range(1, 1_000)] = 16
    """most examples in all (the package's max_labeled_demos: 16)"""


class DSPyAgent(EditorAgent):
    """One of DSPy's optimizers: its program is a context, which our session evaluates.

    Instructions and demonstrations of the program become a context, with examples in the form of the env's own
    questions. Feedback questions with their golds are the training set, held-out questions the validation set. One
    timestep is one program that is validated; the cap on calls is exact, which the package's own is not.

    Args:
        env: an env of the namespace ``LSE`` on one domain that shows golds (``feedback="gold"``).
        args: see :class:`Args`.
    """

    package = "dspy"
    Args = Args

    @abstractmethod
    def optimizer(self, dspy: ModuleType, run: "_Run", steps: int) -> Any:
        """The program that the package's optimizer makes in ``steps`` validations, or what else it returns."""

    def most_answers(self, edits: int, held_out: int, batch: int) -> int:
        """Whole validations, and for each the questions of the training set that bootstrapping may go through."""
        core = core_env(self.require_env())
        training = len(core.family.load(core.domain_name).splits["feedback"]) if self.args.bootstrapped else 0
        return held_out + batch + edits * (held_out + training)

    def __init__(self, env: gym.Env | None = None, **args: Any):
        super().__init__(env, **args)
        if env is not None and core_env(env).feedback_mode != "gold":
            told = f"feedback={core_env(env).feedback_mode!r} hides golds, which the agent {self.name!r} trains on."
            raise ArgumentError(f"{told} Leave it out.")

    def _search(self, env: gym.Env, total_timesteps: int, callback: Callback | None) -> Self:
        """Optimize for ``total_timesteps`` validations, or until the budget is used up.

        The package cannot go on where it stopped, so a second call runs both parts again, on responses that are paid.
        """
        dspy = require("dspy", "dspy", f"The agent {self.name!r}")
        core = core_env(env)
        if self._start is None:
            observation, info = env.reset(seed=self.args.seed)
            if not info["evaluated"]:
                return self
            self._start = observation
        steps = self.memory["steps"] = self.memory.get("steps", 0) + total_timesteps
        self.tree = self._new_tree()
        run = _Run(self, core, dspy, self._start, callback)
        try:
            run.validate(self._start["context"])
            if steps:
                run.prepare()
                with _silent(dspy), dspy.context(lm=run.editor(), adapter=_adapter(dspy), num_threads=1):
                    self.optimizer(dspy, run, steps)
        except _Over as end:
            if end.__cause__ is not None and not isinstance(end.__cause__, BudgetExhausted):
                raise end.__cause__ from None
        return self

    _start: Observation | None = None
    paid_edits = 0


class BootstrapAgent(DSPyAgent):
    """DSPy's BootstrapFewShotWithRandomSearch, as it is: labelled and bootstrapped examples, sets drawn at random."""

    name = "dspy-bootstrap"

    def most_editor_calls(self) -> int:
        """None: there is no editor in it."""
        return 0

    def optimizer(self, dspy: ModuleType, run: "_Run", steps: int) -> Any:
        """Its candidates are numbered from -3: the seed context, labels alone, first bootstrapped ones, then drawn."""
        search = dspy.BootstrapFewShotWithRandomSearch(
            metric=run.metric,
            max_bootstrapped_demos=self.args.bootstrapped,
            max_labeled_demos=self.args.shots,
            num_candidate_programs=max(0, steps - 2),
            num_threads=1,
            max_errors=MAX_FAILURES,
        )
        restrict = range(-3, steps - 2)
        return search.compile(run.program(), trainset=run.trainset, valset=run.valset, restrict=restrict)


@dataclass(frozen=True)
class MIPROArgs(Args):
    """Arguments of MIPROv2."""

    shots: Annotated[int, Range(1, 1_000)] = 4
    """most examples in all (the package's max_labeled_demos: 4)"""
    candidates: Annotated[int, Range(2, 1_000)] = 4
    """instructions, and sets of examples, to choose from (the package's num_candidates; its "light": 3 and 6)"""


class MIPROAgent(DSPyAgent):
    """DSPy's MIPROv2, as it is: instructions by the editor times sets of examples, chosen by a Bayesian search."""

    name = "dspy-mipro"
    Args = MIPROArgs

    def most_editor_calls(self) -> int:
        """For every candidate one, and those that sum up the questions (at most 10 and one), shared by all edits."""
        return self.args.candidates + 12

    def optimizer(self, dspy: ModuleType, run: "_Run", steps: int) -> Any:
        """Every trial is validated in full, as the package does with 50 held-out questions or fewer."""
        require("optuna", "dspy", f"The agent {self.name!r}")
        search = dspy.MIPROv2(
            metric=run.metric,
            max_bootstrapped_demos=self.args.bootstrapped,
            max_labeled_demos=self.args.shots,
            auto=None,
            num_candidates=self.args.candidates,
            num_threads=1,
            max_errors=MAX_FAILURES,
            seed=self.args.seed + 1,  # it takes 0 for none
        )
        return search.compile(
            run.program(),
            trainset=run.trainset,
            valset=run.valset,
            num_trials=steps,
            minibatch=False,
            program_aware_proposer=False,  # the program is a context: its code says nothing of the task
        )


class _Over(BaseException):
    """Ends the package's loops, which go on after any Exception: the budget is used up, or what it came from."""


class _Run:
    """One run: the program, the metric and the editor of the package in one object."""

    def __init__(
        self, agent: DSPyAgent, core: ContextEnv, dspy: ModuleType, start: Observation, callback: Callback | None
    ):
        self.agent, self.core, self.dspy, self.start, self.callback = agent, core, dspy, start, callback
        self.domain = core.family.load(core.domain_name)
        self.calls = 0
        self._questions: dict[str, tuple[str, Question]] = {}
        self._shots: dict[str, str] = {}
        self._scores: dict[tuple[str, str], float] = {}
        self.trainset: list[Any] = []
        self.valset: list[Any] = []

    def prepare(self) -> None:
        """Get the questions to train and to validate on."""
        rng = np.random.default_rng(np.random.SeedSequence([self.agent.args.seed]))
        with _ending():
            (pool,) = self.core.session.run([self.core.session.feedback_questions(self.domain, self.start["context"])])
        self.trainset = self._examples("feedback", [pool[int(i)] for i in rng.permutation(len(pool))])
        self.valset = self._examples("held_out", self.domain.splits["held_out"])

    def _examples(self, split: str, questions: Sequence[Question]) -> list[Any]:
        """Questions with their golds in the package's form; those of equal wording are one."""
        new = {self.domain.user(one): one for one in questions if self.domain.user(one) not in self._questions}
        self._questions |= {text: (split, one) for text, one in new.items()}
        made = (self.dspy.Example(question=text, answer=one.gold) for text, one in new.items())
        return [example.with_inputs("question") for example in made]

    def program(self) -> Any:
        """The program to optimize: the seed context, and no examples."""
        run, dspy = self, self.dspy

        class Program(dspy.Module):
            def __init__(self) -> None:
                super().__init__()
                signature = dspy.Signature("question -> answer", run.start["context"] or " ")
                self.answer = dspy.Predict(signature)

            def forward(self, question: str) -> Any:
                context = run.context(self.answer.signature.instructions, self.answer.demos)
                prediction = dspy.Prediction(answer=run.answer(context, question))
                if dspy.settings.trace is not None:
                    dspy.settings.trace.append((self.answer, {"question": question}, prediction))
                return prediction

        return Program()

    def context(self, instructions: str, demos: list[Any]) -> str:
        """Instructions and demonstrations as a context."""
        shown = [self._shot(demo["question"]) for demo in demos if demo["question"] in self._questions]
        return with_shots(instructions.strip(), [text for text in shown if text], self.core.max_chars)

    def _shot(self, text: str) -> str:
        """The worked example of a question; of one that takes several turns the answer that was right."""
        if text not in self._shots:
            attempt = self.domain.gold_attempt(self._questions[text][1])
            shots = shots_of(self.core.session.report(self.domain, [attempt], "gold"))
            self._shots[text] = shots[0].text if shots else ""
        return self._shots[text]

    def answer(self, context: str, text: str) -> str:
        """What the task model answers; of held-out questions all are asked at once, as one batch."""
        split, question = self._questions[text]
        if split == "held_out":
            self.validate(context)
            self._last = self._scores[context, text]
            return ""
        evaluation = self._evaluate(context, [question])
        self._last = float(evaluation.scores[0])
        if self._last == 1.0:
            shots = shots_of(self.core.session.report(self.domain, evaluation.attempts, "gold"))
            self._shots |= {text: shots[0].text} if shots else {}
        return evaluation.responses[0]

    def metric(self, example: Any, prediction: Any, trace: Any = None) -> float | bool:
        """The score of the answer that was just given: threads there are none."""
        del example, prediction
        return self._last if trace is None else self._last == 1.0

    def validate(self, context: str) -> None:
        """Score a context on the held-out questions, once, and keep it in the tree."""
        held_out, nodes = self.domain.splits["held_out"], self.agent.tree.nodes
        if (context, self.domain.user(held_out[0])) in self._scores:
            return
        with _ending():
            if len(nodes) > self.agent.paid_edits:
                self.core.budget.charge(EDIT)
                self.agent.paid_edits += 1
        scores = self._evaluate(context, held_out).scores
        self._scores |= {(context, self.domain.user(q)): float(one) for q, one in zip(held_out, scores, strict=True)}
        score = float(scores.mean())
        node = self.agent.tree.add(nodes[0] if nodes else None, context, score, round_idx=len(nodes))
        info = {"domain": self.domain.name, "problem": "", "evaluated": 1.0, "held_out_score": score}
        with _ending():
            goes_on = self.callback is None or self.callback(self.agent, node, info) is not False
        if not goes_on:
            raise _Over

    def _evaluate(self, context: str, questions: Sequence[Question]) -> Evaluation:
        with _ending():
            return self.core.session.run([self.core.session.evaluate(self.domain, context, questions)])[0]

    def editor(self) -> Any:
        """The editor as a language model of the package."""
        run, dspy = self, self.dspy

        class Editor(dspy.BaseLM):
            def forward(self, prompt: str | None = None, messages: Any = None, **_: Any) -> Any:
                told = prompt or "\n\n".join(str(message["content"]) for message in messages or ())
                text = run.ask(told)
                message = SimpleNamespace(content=text, tool_calls=None)
                choice = SimpleNamespace(message=message, finish_reason="stop")
                return SimpleNamespace(choices=[choice], usage={}, model="lse-gym")

        return Editor("lse-gym", cache=False)

    def ask(self, prompt: str) -> str:
        """What the editor says; where that is nothing, the package wants a word all the same."""
        self.calls += 1
        with _ending():
            return self.agent.ask(prompt, 0, call=self.calls).strip() or "Nothing."


@contextmanager
def _ending() -> Generator[None]:
    """What is raised inside ends the package's loops."""
    try:
        yield
    except Exception as error:
        raise _Over from error


def _adapter(dspy: ModuleType) -> Any:
    """The package's adapter for editors that do not keep to its form: all that is said is the answer then."""
    from dspy.utils.exceptions import AdapterParseError

    class Lenient(dspy.ChatAdapter):
        def parse(self, signature: Any, completion: str) -> dict[str, Any]:
            try:
                return super().parse(signature, completion)
            except AdapterParseError:
                return dict.fromkeys(signature.output_fields, completion.strip())

    return Lenient(use_json_adapter_fallback=False)


@contextmanager
def _silent(dspy: ModuleType) -> Generator[None]:
    """Without what the package prints, draws and logs."""
    import tqdm
    from dspy.propose import grounded_proposer
    from dspy.teleprompt import bootstrap, random_search, utils

    class Quiet(tqdm.tqdm):
        def __init__(self, *args: Any, **options: Any):
            super().__init__(*args, **options | {"disable": True})

    logger = logging.getLogger("dspy")
    level = logger.level
    with ExitStack() as stack:
        for module in (bootstrap, random_search, utils, grounded_proposer):
            stack.enter_context(patch.object(module, "print", lambda *_, **__: None, create=True))
        stack.enter_context(patch.object(tqdm, "tqdm", Quiet))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.callback(logger.setLevel, level)
        logger.setLevel(logging.CRITICAL)
        yield
