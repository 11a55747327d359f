"""The core env: one step is one context edit, its reward the improvement on held-out questions."""

import os
from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Annotated, Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Dict

from lse_gym.envs.archive import Start, read_archive
from lse_gym.envs.arguments import Count, Range, checked
from lse_gym.envs.budget import Budget, Usage
from lse_gym.envs.domain import Domain, Family
from lse_gym.envs.errors import unknown
from lse_gym.envs.gate import look, try_edit
from lse_gym.envs.metered import Task
from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import TaskModel
from lse_gym.envs.options import check_reset, with_shared_arguments
from lse_gym.envs.report import FeedbackMode, Report
from lse_gym.envs.session import Session
from lse_gym.envs.spaces import FreeText
from lse_gym.envs.state import MAX_FEEDBACK_CHARS, NO_REPORT, Info, Observation, State, Visit, tell, visit
from lse_gym.envs.text import clean, clean_action
from lse_gym.envs.undo import run

EDIT = Usage(edits=1)


class ContextEnv(gym.Env[Observation, str]):
    """Edit the context of a frozen task model; the reward is how much better it then answers held-out questions.

    ## Description
    An episode lives in one domain. The agent sees the context, and a report on how the task model did with it on a
    batch of feedback questions; it answers with a new context. Source: Learning to Self-Evolve (LSE), arXiv 2603.18620;
    with ``max_edits=1`` this is its single-step training problem, with more its evolution at test time.

    ## Action Space
    ``FreeText(max_chars)``: the new context, whole. Control characters become U+FFFD, what exceeds ``max_chars`` is cut
    off, anything but a string leaves the context as it was; each is scored and told in ``info["problem"]``.

    ## Observation Space
    | key | type and shape | unit | range |
    |---|---|---|---|
    | context | str | text | at most ``max_chars`` characters |
    | feedback | str | text | report on the feedback batch, at most 1,000,000 characters |
    | feedback_score | float64 () | mean score of the batch | [0, 1] |
    | remaining_budget | float64 (4,) | fraction left of edits, calls, tokens, usd | [0, 1]; 1 without a cap |

    ## Rewards
    ``r = S(c_after) - S(c_before)`` with ``S`` the mean score over the held-out questions, the same before and after;
    in [-1, 1]. Rewards of an episode add up to the improvement over its start. Test questions never enter.

    ## Starting State
    ``reset`` draws the domain (if several), the start context (if an archive) and, with a seed, the first feedback
    batch; all three from ``np_random``. Feedback batches have one fixed order for all agents, as in the paper
    (appendix A); every reset and step takes the next one. A reset with a seed also forgets the responses paid for so
    far.

    ## Episode End
    ``terminated`` after ``max_edits`` edits; ``truncated`` when the budget cannot pay the evaluation in full: the edit
    then costs nothing, is not applied and earns 0, and ``info["evaluated"]`` is 0. An unpaid reset observes no
    feedback, and as nothing can be measured against it, the first step after it is truncated. A step after the last
    edit goes on, is paid for, and warns.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | family | Family | | | the domains; fixed by the registered id |
    | domain | str, sequence or None | None | | a name, several, a group, or None for the family's default group |
    | max_edits | int | 10 | edits per episode | 1 is LSE's single-step objective |
    | start | str | "seed" | | "seed", a text file, or an archive: a .jsonl file with ``domain`` and ``context`` |
    | feedback | str | "gold" | | what the report shows: "gold", "error" or "score" |
    | task_model | str | "reader" | | the frozen model, see :func:`lse_gym.envs.models.make_model` |
    | samples | int | 1 | responses per question | a score is their mean |
    | temperature | float | 0.0 | | sampling temperature of the task model |
    | max_tokens | int | 512 | tokens | longest response of the task model |
    | budget | dict or None | None | see ``Budget`` | hard caps for the life of the env, e.g. ``{"calls": 5000}`` |
    | feedback_size | int | 10 | questions | size of a feedback batch (paper: 10) |
    | gate | int | 0 | kept edits | with 1 or more, edits pass a gate, and held-out questions follow after so many |
    | max_chars | int | 8000 | characters | longest context |
    | record | str or None | None | path | file that keeps every response; a later env with it repeats none |
    | render_mode | str or None | None | | "ansi": ``render`` returns the last step as text |

    ``reset(options=...)`` takes ``context`` (start there), ``domain`` (a name) and ``batch`` (show that feedback batch
    again, without taking the next): with them a tree search revisits any context, free of charge.

    With ``gate=n`` an edit is kept where it does better on the batch that the last observation reported on; else the
    context stays and ``info["kept"]`` is 0. Batches without a mistake are passed over. Held-out questions are asked
    after every ``n``-th edit that is kept, at the end of an episode, and before the budget gets too small: the reward
    comes then, for all edits since, and is 0 otherwise.

    ## Cost
    Calls per reset and per step: ``(feedback_size + held-out questions) * samples``, less those already paid for. With
    a gate a step without a measurement costs two feedback batches and those that are passed over.

    ``info`` tells ``domain``, ``batch``, ``edits``, ``held_out_score``, ``improvement``, ``context_chars``,
    ``evaluated`` (1.0 where the held-out score was measured, or 0.0), ``kept`` (1.0 where the context is now that of
    the action, or 0.0) and ``problem`` (what was wrong with the action, or ""); what the task model used in this
    step as ``calls``, ``prompt_tokens``, ``completion_tokens``, their sum ``tokens``, ``cached_tokens`` (of the prompt)
    and ``usd``; and the same with ``editor_`` before, for what an agent has paid from the env's budget since the last
    step or reset with a seed.

    ## Version History
    v0: first version.
    """

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if cls.__doc__ and ContextEnv.__doc__:
            cls.__doc__ = with_shared_arguments(cls.__doc__, ContextEnv.__doc__)

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012 - as Gymnasium declares it
    remote: ClassVar[bool] = False  # whether another machine decides what is drawn, and from which seed

    @checked
    def __init__(
        self,
        family: Family,
        *,
        domain: str | Sequence[str] | None = None,
        max_edits: Count = 10,
        start: str | os.PathLike[str] = "seed",
        feedback: FeedbackMode = "gold",
        task_model: str = "reader",
        samples: Count = 1,
        temperature: Annotated[float, Range(0)] = 0.0,
        max_tokens: Count = 512,
        budget: Mapping[str, float] | None = None,
        feedback_size: Count = 10,
        gate: Annotated[int, Range(0)] = 0,
        max_chars: Count = 8000,
        record: str | os.PathLike[str] | None = None,
        render_mode: str | None = None,
    ):
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise unknown("render mode", render_mode, self.metadata["render_modes"], "None renders nothing.")
        self.family = family
        self.domains = family.select(domain)
        archive = None if start == "seed" else read_archive(Path(start), self.domains, max_chars)
        self.starts: Sequence[Start] | None = archive
        self.max_edits, self.feedback_mode, self.feedback_size = int(max_edits), feedback, int(feedback_size)
        self.gate, self.max_chars, self.render_mode = int(gate), max_chars, render_mode
        model, sampling = (
            make_model(task_model, record=record),
            {"samples": int(samples), "max_tokens": int(max_tokens)},
        )
        self.session = Session(model, Budget(budget), temperature=temperature, **sampling)
        self.action_space = FreeText(max_chars)
        texts = {"context": FreeText(max_chars), "feedback": FreeText(MAX_FEEDBACK_CHARS)}
        score, budget_left = Box(0.0, 1.0, (), np.float64), Box(0.0, 1.0, (4,), np.float64)
        self.observation_space = Dict(texts | {"feedback_score": score, "remaining_budget": budget_left})
        self._next_batch = 0
        self._state: State | None = None
        self._last: Info = {}
        self._by_agent = Usage()  # what others than the task model had paid from the budget at the last step
        self._edits_paid = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Start an episode; see *Starting State* and *Arguments* of the class.

        Raises:
            UnknownNameError: an option or domain that does not exist.
            ProviderError: the task model failed; nothing has changed, call again.
        """
        return run([self], [self.reset_task(seed, options)])[0]

    def step(self, action: str) -> tuple[Observation, float, bool, bool, Info]:
        """Replace the context by ``action`` and evaluate it.

        Raises:
            ProviderError: the task model failed; nothing has changed, call again.
        """
        return run([self], [self.step_task(action)])[0]

    def reset_task(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> Task[tuple[Observation, Info]]:
        """``reset`` as a task for :func:`run`."""
        super().reset(seed=seed)
        check_reset(options)
        options = options or {}
        domain, context, problem = self._draw_start(options)
        if seed is not None:
            self.session.forget()
            self._by_agent = self._spent_by_agent()
            self._next_batch = int(self.np_random.integers(-(-len(domain.splits["feedback"]) // self.feedback_size)))
        batch = options.get("batch", self._next_batch)
        found = yield from self._look(State(domain, context, batch))
        self._state = found.state
        if not (found.lacking or "batch" in options):
            self._next_batch = found.state.batch + 1
        return self._observation(), self._tell(0.0, problem, found)

    def step_task(self, action: Any) -> Task[tuple[Observation, float, bool, bool, Info]]:
        """``step`` as a task for :func:`run`."""
        if self._state is None:
            raise gym.error.ResetNeeded("step() before reset(). Call env.reset() first.")
        before = self._state
        if before.edits == self.max_edits:
            gym.logger.warn("step() after the end of the episode goes on, and is paid for. Call env.reset() first.")
        context, problem = clean_action(action, before.context, self.max_chars)
        after = before._replace(context=context, batch=self._next_batch, edits=before.edits + 1)
        found = yield from self._move(before, after)
        if found.lacking:
            return self._observation(), 0.0, False, True, self._tell(0.0, problem, found._replace(state=before))
        self._state = found.state
        self.budget.charge(EDIT)
        self._edits_paid += 1
        self._next_batch = found.state.batch + 1
        reward = found.state.held_out_score - before.held_out_score
        info = self._tell(reward, problem, found)
        self._by_agent = self._spent_by_agent()
        return self._observation(), reward, self._state.edits >= self.max_edits, False, info

    @property
    def model(self) -> TaskModel:
        """The task model."""
        return self.session.model

    @property
    def budget(self) -> Budget:
        """The ledger that task model and editor are charged to."""
        return self.session.budget

    @property
    def report(self) -> Report:
        """The report behind the last observation's ``feedback``, as data."""
        return self._state.feedback.data if self._state else NO_REPORT.data

    @property
    def domain_name(self) -> str:
        """The domain of the running episode, or the first of the env's domains before any."""
        return self._state.domain.name if self._state else self.domains[0]

    @property
    def context(self) -> str:
        """The context of the running episode; "" before any."""
        return self._state.context if self._state else ""

    @property
    def held_out_scores(self) -> tuple[float, ...]:
        """The last measured score of each held-out question; () before any."""
        return self._state.held_out_scores if self._state else ()

    def render(self) -> str | None:
        """The last step in a few lines of text (``render_mode="ansi"``)."""
        if self.render_mode is None or self._state is None:
            return None
        return "\n".join([*(f"{key}: {value}" for key, value in self._last.items()), "", self._state.context])

    def _draw_start(self, options: dict[str, Any]) -> tuple[Domain, str, str]:
        name, context = options.get("domain"), options.get("context")
        if name is None and context is None and self.starts is not None:
            name, context = self.starts[int(self.np_random.integers(len(self.starts)))]
        elif name is None and context is not None and self._state is not None:
            name = self._state.domain.name  # a jump to a context stays in its domain
        elif name is None:
            name = self.domains[int(self.np_random.integers(len(self.domains)))]
        domain = self.family.load(name)
        return domain, *clean(domain.seed_context if context is None else context, self.max_chars)

    def _move(self, before: State, after: State) -> Task[Visit]:
        """Task: what comes of an edit, with its price; or what is lacking."""
        if not self.budget.affords(EDIT):
            return Visit(before, lacking="the budget of edits is used up")
        if isnan(before.held_out_score):
            return Visit(before, lacking="the start of the episode was not paid for")
        if not self.gate:
            return (yield from self._look(after))
        tried = yield from try_edit(self.session, before, after, self.feedback_size)
        if tried.lacking:
            return tried
        return (yield from self._look(tried.state)).after(tried)

    def _look(self, state: State) -> Task[Visit]:
        if not self.gate:
            return visit(self.session, state, self.feedback_size, self.feedback_mode)
        last = state.edits >= self.max_edits
        return look(self.session, state, self.feedback_size, self.feedback_mode, self.gate, last)

    def _observation(self) -> Observation:
        assert self._state is not None
        return {
            "context": self._state.context,
            "feedback": self._state.feedback,
            "feedback_score": np.array(self._state.feedback_score, dtype=np.float64),
            "remaining_budget": self.budget.fractions(),
        }

    def _spent_by_agent(self) -> Usage:
        return self.budget.spent.minus(self.budget.by_task_model)

    def _tell(self, improvement: float, problem: str, found: Visit) -> Info:
        self._last = tell(found, improvement, problem, self._spent_by_agent().minus(self._by_agent))
        return dict(self._last)
