"""States as the editor itself comes to them: chains of edits that grow while it is trained.

An archive holds the shallow contexts of an untrained editor. Here every context that is edited has been written by the
editor as it is now, to any depth: each state of a step is the end of a chain, and a child that is not worse becomes the
next state. A chain ends after a drawn number of states and begins again on another domain.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lse_gym.agents.lse.reward import score_edits
from lse_gym.agents.lse.states import State
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.domain import Domain, Question
from lse_gym.envs.editing import parse_edit
from lse_gym.envs.metered import Task
from lse_gym.envs.session import Evaluation
from lse_gym.envs.text import clean

HALVES = 2  # parts of what is missing that are put beside a line to be judged
LONGEST = 2500  # characters of a context that goes on: about twice what there is to know of a domain


class Chains:
    """A number of chains, side by side.

    Args:
        env: the env; it pays for the evaluations.
        domains: what the chains begin on, in random order, again and again.
        number: of chains.
        lengths: fewest and most states of a chain.
        reports: fewest and most questions of a report; the first of them is one that the model gets wrong, if any is.
        shown: weight of the questions of the report in the score of a context, beside 1 for the held-out ones: what a
            gate asks first of a child is whether it answers what its parent did not.
        seed: of all that is drawn.
    """

    def __init__(
        self,
        env: ContextEnv,
        domains: Sequence[str],
        number: int,
        *,
        lengths: tuple[int, int] = (1, 12),
        reports: tuple[int, int] = (1, 3),
        shown: float = 0.0,
        seed: int = 0,
    ):
        self.env, self.domains, self.number, self.lengths, self.reports = env, [*domains], number, lengths, reports
        self.shown, self.seed, self.begun, self.step = shown, seed, 0, 0
        self._asked: dict[State, Sequence[Question]] = {}
        self._ahead: dict[State, Sequence[str]] = {}
        self.kept: list[list[Any]] = [self._begin() for _ in range(number)]

    @property
    def settings(self) -> dict[str, Any]:
        """What decides how the chains go, as JSON."""
        return {
            "domains": self.domains,
            "chains": self.number,
            "lengths": [*self.lengths],
            "reports": [*self.reports],
            "shown": self.shown,
            "chains_seed": self.seed,
        }

    def _begin(self) -> list[Any]:
        """A new chain: its domain, its context, and the states left to it."""
        epoch, place = divmod(self.begun, len(self.domains))
        order = np.random.default_rng((self.seed, 0, epoch)).permutation(len(self.domains))
        name = self.domains[int(order[place])]
        left = np.random.default_rng((self.seed, 1, self.begun)).integers(self.lengths[0], self.lengths[1] + 1)
        self.begun += 1
        return [name, self.env.family.load(name).seed_context, int(left)]

    def batch(self) -> list[State]:
        """The end of every chain, with a report on questions drawn anew; ``performance`` scores its context."""
        session = self.env.session
        session.forget()
        domains = [self.env.family.load(name) for name, _, _ in self.kept]
        tasks = [self._evaluate(domain, context) for domain, (_, context, _) in zip(domains, self.kept, strict=True)]
        self._asked, self._ahead, states = {}, {}, []
        for number, (domain, evaluation) in enumerate(zip(domains, session.run(tasks), strict=True)):
            first = len(domain.splits["held_out"])
            attempts = evaluation.attempts_from(first)
            drawn = self._draw(number, evaluation.scores[first:])
            report = session.report(domain, [attempts[i] for i in drawn], self.env.feedback_mode).text()
            score = self._score(evaluation.scores[:first], evaluation.scores[first:][drawn])
            state = State(domain.name, self.kept[number][1], score, report, 0.0)
            self._asked[state] = [domain.splits["feedback"][i] for i in drawn]
            self._ahead[state] = self._halves(number, domain, state.context)
            states.append(state)
        self.step += 1
        return states

    def _draw(self, number: int, scores: np.ndarray) -> np.ndarray:
        """Which questions a report is about."""
        rng = np.random.default_rng((self.seed, 2, self.step, number))
        order = rng.permutation(len(scores))
        order = np.concatenate([order[scores[order] < 1][:1], order])
        size = int(rng.integers(self.reports[0], self.reports[1] + 1))
        return np.array([*dict.fromkeys(order.tolist())][:size])

    def _score(self, held_out: np.ndarray, shown: np.ndarray) -> float:
        return float((held_out.mean() + self.shown * shown.mean()) / (1 + self.shown))

    def scores_after(self, states: Sequence[State], answers: Sequence[str]) -> np.ndarray:
        """Scores after edits of states of the last batch, float64 of shape (states,); NaN where there is no edit."""
        return score_edits(self.env, states, states, answers, self._score_after)

    def _score_after(self, state: State, context: str) -> Task[float]:
        domain = self.env.family.load(state.domain)
        held_out, shown = domain.splits["held_out"], self._asked[state]
        evaluation = yield from self.env.session.evaluate(domain, context, [*held_out, *shown])
        return self._score(evaluation.scores[: len(held_out)], evaluation.scores[len(held_out) :])

    def gains(self, states: Sequence[State], lines: Sequence[str]) -> np.ndarray:
        """What single lines add to contexts that states of the last batch may grow into, float64 of shape (states,).

        Such a context is the state's and a half of what is missing of the oracle's, drawn anew for every batch; so a
        false line is beside the true one, and a true line beside those that a question needs as well. The mean over
        both halves, on all held-out and feedback questions.
        """
        ahead = [(state.domain, context) for state in states for context in self._ahead[state]]
        each = [line for line in lines for _ in range(HALVES)]
        different = [*dict.fromkeys(ahead)]
        before = dict(zip(different, self.env.session.run(self._score_of_all(*one) for one in different), strict=True))
        grown, names = [State(*one, 0.0, "", 0.0) for one in ahead], [name for name, _ in ahead]
        after = score_edits(self.env, grown, names, each, self._score_of_all)
        return np.nan_to_num(after - [before[one] for one in ahead]).reshape(-1, HALVES).mean(1)

    def _halves(self, number: int, domain: Domain, context: str) -> list[str]:
        """The contexts that one may grow into: it with either half of what is missing of the oracle's."""
        known = context.split("\n")
        missing = [line for line in (domain.oracle_context or "").split("\n") if line not in known]
        half = np.random.default_rng((self.seed, 4, self.step, number)).permutation(len(missing)) % HALVES
        return ["\n".join([*known, *(missing[i] for i in np.flatnonzero(half == part))]) for part in range(HALVES)]

    def _score_of_all(self, name: str, context: str) -> Task[float]:
        evaluation = yield from self._evaluate(self.env.family.load(name), context)
        return float(evaluation.scores.mean())

    def _evaluate(self, domain: Domain, context: str) -> Task[Evaluation]:
        """A context on all held-out questions, and then on those of the feedback."""
        return self.env.session.evaluate(domain, context, [*domain.splits["held_out"], *domain.splits["feedback"]])

    def grow(self, states: Sequence[State], answers: Sequence[Sequence[str]], after: np.ndarray) -> None:
        """Go on from a random child of each state that is not worse, or from the state where there is none.

        Args:
            states: of :meth:`batch`.
            answers: the editor's answers to each.
            after: scores of the children, of shape (states, answers); NaN where there is none.
        """
        for number, (state, texts, scores) in enumerate(zip(states, answers, after, strict=True)):
            left = self.kept[number][2] - 1
            good = np.flatnonzero(np.nan_to_num(scores, nan=-1.0) >= state.performance)
            context = state.context
            if len(good):
                chosen = int(np.random.default_rng((self.seed, 3, self.step, number)).choice(good))
                context = clean(parse_edit(texts[chosen], context) or context, self.env.max_chars)[0]
            over = left <= 0 or len(context) > LONGEST
            self.kept[number] = self._begin() if over else [state.domain, context, left]

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on."""
        return {"begun": self.begun, "step": self.step, "kept": self.kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self.begun, self.step, self.kept = state["begun"], state["step"], state["kept"]
