"""GEPA from its own package (Agrawal et al., arXiv 2507.19457), on the env's session and budget. Extra ``gepa``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, Self

import gymnasium as gym

from lse_gym.agents.editor_agent import EditorAgent, EditorArgs
from lse_gym.agents.search import Callback
from lse_gym.agents.tree import Node
from lse_gym.envs.arguments import Range
from lse_gym.envs.core import EDIT, ContextEnv, Observation
from lse_gym.envs.domain import Attempt, Domain, Question
from lse_gym.envs.editing import editor_prompt, parse_edit
from lse_gym.envs.errors import BudgetExhausted
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.extras import require
from lse_gym.envs.text import clean

COMPONENT = "instructions"


@dataclass(frozen=True)
class Args(EditorArgs):
    """Arguments of GEPA."""

    minibatch: Annotated[int, Range(1, 1_000)] = 3
    """feedback questions of a proposal (the package's default: 3)"""


class GEPAAgent(EditorAgent):
    """GEPA's own loop: Pareto selection over held-out questions, minibatch acceptance; our editor prompt, an exact cap.

    Candidates are proposed by the editor from the same report that every agent sees. Feedback questions are the
    package's training set, held-out questions its validation set. One timestep is one proposal; the cap on calls is
    exact, which the package's own is not. Rejected proposals are no nodes of the tree.

    Args:
        env: an env of the namespace ``LSE`` on one domain.
        args: see :class:`Args`.
    """

    name = package = "gepa"
    bare = True  # output_extractor of the package, where there is no block
    Args = Args

    def most_answers(self, edits: int, held_out: int, batch: int) -> int:
        """What the package is allowed, its last iteration beyond that, and the start."""
        iteration = 2 * self.args.minibatch + held_out
        return held_out + batch + _most_calls(edits, self.args.minibatch, held_out) + iteration

    def _search(self, env: gym.Env, total_timesteps: int, callback: Callback | None) -> Self:
        """Run GEPA for ``total_timesteps`` proposals, or until the budget is used up.

        The package cannot go on where it stopped, so a second call runs both parts again, on responses that are paid.
        """
        gepa = require("gepa", "gepa", "The agent 'gepa'")
        if self._start is None:
            observation, info = env.reset(seed=self.args.seed)
            if not info["evaluated"]:
                return self
            self._start = observation
        steps = self.memory["steps"] = self.memory.get("steps", 0) + total_timesteps
        self.tree = self._new_tree()
        core = core_env(env)
        run = _Run(self, core, core.family.load(core.domain_name), steps, callback)
        gepa.optimize(
            seed_candidate={COMPONENT: self._start["context"]},
            trainset=_Loader("feedback", run.domain.splits["feedback"]),
            valset=_Loader("held_out", run.domain.splits["held_out"]),
            adapter=run,
            reflection_minibatch_size=self.args.minibatch,
            max_metric_calls=run.most_calls,
            stop_callbacks=[run.stopped],
            callbacks=[run],
            logger=run,
            seed=self.args.seed,
        )
        return self

    _start: Observation | None = None
    paid_edits = 0


def _most_calls(steps: int, minibatch: int, held_out: int) -> int:
    """The cap that ends a run of the package which proposes nothing."""
    return (steps + 1) * 2 * (2 * minibatch + held_out)


class Item(NamedTuple):
    """A question, named by its split so that no cache can mix the two sets."""

    id: str
    question: Question


class _Loader:
    """A split in the shape of the package's data loader."""

    def __init__(self, split: str, questions: Sequence[Question]):
        self.items = {f"{split}/{i:04d}": Item(f"{split}/{i:04d}", question) for i, question in enumerate(questions)}

    def all_ids(self) -> list[str]:
        return list(self.items)

    def fetch(self, ids: Sequence[str]) -> list[Item]:
        return [self.items[one] for one in ids]

    def __len__(self) -> int:
        return len(self.items)


class _Run:
    """One run: adapter, callback, stop condition and logger of the package in one object."""

    def __init__(self, agent: GEPAAgent, core: ContextEnv, domain: Domain, steps: int, callback: Callback | None):
        self.agent, self.core, self.domain, self.steps, self.callback = agent, core, domain, steps, callback
        self.proposals, self.over = 0, steps == 0
        held_out = len(domain.splits["held_out"])
        self.most_calls = _most_calls(steps, agent.args.minibatch, held_out)
        self._nodes: dict[int, Node] = {}

    def log(self, message: str) -> None:
        """The package's log: not shown."""

    def stopped(self, state: Any) -> bool:
        """Whether the run is over: proposals made, or budget used up."""
        del state
        return self.over or self.proposals >= self.steps

    def evaluate(self, batch: Sequence[Item], candidate: Mapping[str, str], capture_traces: bool = False) -> Any:
        """Scores of a candidate; zeros once the budget is used up, which also ends the run (so a cap is exact)."""
        from gepa import EvaluationBatch

        questions = [item.question for item in batch]
        try:
            task = self.core.session.evaluate(self.domain, candidate[COMPONENT], questions)
            evaluation = self.core.session.run([task])[0]
        except BudgetExhausted:
            self.over = True
            return EvaluationBatch(
                [""] * len(batch), [0.0] * len(batch), [None] * len(batch) if capture_traces else None
            )
        traces = evaluation.attempts if capture_traces else None
        return EvaluationBatch(evaluation.responses, evaluation.scores.tolist(), traces)

    def make_reflective_dataset(
        self, candidate: Mapping[str, str], eval_batch: Any, components_to_update: Sequence[str]
    ) -> dict[str, list[dict[str, Any]]]:
        """The report on a minibatch, as one record."""
        del candidate, components_to_update
        attempts: list[Attempt] = [attempt for attempt in eval_batch.trajectories if attempt]
        if not attempts:
            return {COMPONENT: [{"Feedback": ""}]}
        report = self.core.session.report(self.domain, attempts, self.core.feedback_mode)
        return {COMPONENT: [{"Feedback": report.text()}]}

    def propose_new_texts(
        self,
        candidate: Mapping[str, str],
        reflective_dataset: Mapping[str, Sequence[Mapping[str, Any]]],
        components_to_update: Sequence[str],
    ) -> dict[str, str]:
        """The editor's context from a report; the candidate again where it cannot be paid."""
        del components_to_update
        context, report = candidate[COMPONENT], reflective_dataset[COMPONENT][0]["Feedback"]
        self.proposals += 1
        try:
            if self.proposals > self.agent.paid_edits:
                self.core.budget.charge(EDIT)
                self.agent.paid_edits += 1
            answer = self.agent.ask(editor_prompt(context, report, self.core.max_chars), self.proposals)
        except BudgetExhausted:
            self.over = True
            return dict(candidate)
        return {COMPONENT: clean(parse_edit(answer, context, self.agent.bare) or context, self.core.max_chars)[0]}

    def on_valset_evaluated(self, event: Mapping[str, Any]) -> None:
        """Keep a candidate that was evaluated in full."""
        if self.over and event["candidate_idx"]:
            return  # some of its scores may be the zeros of an exhausted budget
        parents = [self._nodes[index] for index in event["parent_ids"] if index in self._nodes]
        context, score = event["candidate"][COMPONENT], float(event["average_score"])
        tree = self.agent.tree
        node = tree.add(parents[0] if parents else None, context, score, round_idx=self.proposals)
        self._nodes[event["candidate_idx"]] = node
        info = {"domain": self.domain.name, "problem": "", "evaluated": 1.0, "held_out_score": score}
        if self.callback is not None and self.callback(self.agent, node, info) is False:
            self.over = True
