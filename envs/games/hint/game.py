"""HiLL's game: a reasoner answers, a hinter helps where all was wrong, and is paid for help that carries over."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple, cast

import numpy as np
from gymnasium.spaces import Box, Dict, Space, Tuple

from lse_gym.envs.arguments import Count, Range, checked
from lse_gym.envs.budget import Budget
from lse_gym.envs.domain import Domain, Question, Split
from lse_gym.envs.errors import unknown
from lse_gym.envs.games import hill
from lse_gym.envs.games.game import Game, Info, Result
from lse_gym.envs.games.hint.prompt import HINTER, hinted, hinter_message
from lse_gym.envs.games.hint.questions import Exercises, final_answer
from lse_gym.envs.games.hint.reliance import Reliance, measure
from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Request
from lse_gym.envs.session import Session
from lse_gym.envs.spaces import FreeText

REASONER, HINTER_AGENT = "reasoner_0", "hinter_0"
Phase = Literal["no hint", "hint", "hinted"]
MAX_HINT_TOKENS = 1024  # the hinter's response length in HiLL's released code
MAX_SEEN_CHARS = 200_000


class Group(NamedTuple):
    """Rollouts of one question: the hint that they had ("" for none), the texts and their scores."""

    hint: str
    texts: tuple[str, ...]
    scores: tuple[float, ...]

    @property
    def success(self) -> float:
        """The share of right ones."""
        return hill.success(self.scores)


class Hint(NamedTuple):
    """A hint on its way: what the hinter wrote, the gate it failed, and once it was tried, what came of it."""

    text: str
    hint: str
    gate: hill.Gate
    group: Group | None = None
    reliance: Reliance = Reliance(None)
    term: float = 0.0
    reward: float = 0.0


class State(NamedTuple):
    """Where an episode stands. ``tried`` are the hints of the running round, ``past`` those of earlier rounds."""

    domain: Domain
    question: Question
    phase: Phase = "no hint"
    round: int = 0
    first: Group = Group("", (), ())
    attempt: str = ""
    tried: tuple[Hint, ...] = ()
    past: tuple[Hint, ...] = ()
    kept: Group = Group("", (), ())

    @property
    def waiting(self) -> int | None:
        """Which hint the reasoner is to answer with next."""
        return next((i for i, one in enumerate(self.tried) if not one.gate and one.group is None), None)


class HintGame(Game):
    """A reasoner and a hinter; ``lse_gym.envs.games.hint_v0`` tells the rules.

    Args:
        exercises: the questions.
        domain: a name, several, a group, or None for the first group.
        split: which questions are asked.
        num_samples: rollouts of a group, HiLL's N (there 8), >= 1.
        num_hints: hints of a round, HiLL's M, >= 1.
        max_hint_rounds: rounds of hints, >= 1; the first hint that helps ends the episode.
        reward: kind of the hinter's reward, one of :data:`lse_gym.envs.games.hill.KINDS`.
        task_model: the reasoner's model, which tells reliance too; None where nobody knows it.
        max_prompt_tokens: a longer prompt with a hint fails the last gate.
        temperature: of the sampling.
        max_tokens: longest rollout, in tokens.
        budget: hard caps for the life of the game.
        max_chars: longest text of an action.
        max_cycles: truncates the episode after so many turns; None does not.
        record: file that keeps every response of the task model.
    """

    name = "hint_v0"
    agents = (REASONER, HINTER_AGENT)
    task_agent = REASONER

    @checked
    def __init__(
        self,
        exercises: Exercises,
        *,
        domain: str | Sequence[str] | None = None,
        split: Split = "feedback",
        num_samples: Count = hill.NUM_SAMPLES,
        num_hints: Count = 1,
        max_hint_rounds: Count = 1,
        reward: hill.Kind = "transfer_weighted_non_deg",
        task_model: str | None = "reader",
        max_prompt_tokens: Count = 2048,
        temperature: Annotated[float, Range(0)] = 1.0,
        max_tokens: Count = 512,
        budget: Mapping[str, float] | None = None,
        max_chars: Count = 8000,
        max_cycles: Count | None = None,
        record: str | os.PathLike[str] | None = None,
    ):
        if split not in ("feedback", "held_out"):
            raise unknown("split", split, ("feedback", "held_out"), "The test split is for evaluation alone.")
        hill.prob_term(0.5, 2, reward)
        model = make_model(task_model or "reader", record=record)
        super().__init__(
            Session(model, Budget(budget), temperature=temperature, max_tokens=max_tokens), max_chars, max_cycles
        )
        self.exercises, self.split, self.reward_kind = exercises, split, reward
        self.domains = exercises.family.select(domain)
        self.num_samples, self.num_hints, self.max_hint_rounds = num_samples, num_hints, max_hint_rounds
        self.max_prompt_tokens, self.knows_reasoner = max_prompt_tokens, task_model is not None
        seen = {name: FreeText(MAX_SEEN_CHARS) for name in "system question hint attempt solution past_hints".split()}
        numbers = {"round": Box(0.0, max_hint_rounds, (), np.float64), "active": Box(0, 1, (), np.int8)}
        self.observation_space = Dict({"phase": FreeText(20), **seen, **numbers})
        self.action_spaces = {agent: _texts_space(self.texts(agent), max_chars) for agent in self.agents}

    @property
    def phase(self) -> str:
        """ "no hint", "hint" or "hinted"."""
        return self.state.phase if self.state else "no hint"

    def texts(self, agent: str) -> int:
        """A rollout each, or a hint each."""
        return self.num_samples if agent == REASONER else self.num_hints

    def begin(self, options: Mapping[str, Any]) -> Result:
        """Draw a question; ``options`` may hold ``domain`` and ``question`` (an id of the split)."""
        name = options.get("domain") or self.domains[int(self.rng.integers(len(self.domains)))]
        domain = self.exercises.family.load(name)
        asked = domain.splits[self.split]
        drawn = asked[int(self.rng.integers(len(asked)))]
        if (wanted := options.get("question")) is not None:
            by_id = {question.id: question for question in asked}
            if wanted not in by_id:
                raise unknown("question", wanted, by_id)
            drawn = by_id[wanted]
        return Result(State(domain, drawn), REASONER, {}, "")

    def play(self, texts: Sequence[str]) -> Result:
        """The turn of whoever is active."""
        play = {"no hint": self._answer, "hint": self._hint, "hinted": self._answer_with_hint}
        return play[self.state.phase](tuple(texts))

    def _answer(self, texts: tuple[str, ...]) -> Result:
        state: State = self.state
        group = Group("", texts, self._scores(texts))
        state = state._replace(first=group, kept=group)
        outcome = f"{_right(group)} right without a hint"
        if not hill.is_hard(group.scores):
            return Result(state, REASONER, {REASONER: group.success}, f"{outcome}: not hard", terminated=True)
        attempt = texts[int(self.rng.integers(len(texts)))]
        state = state._replace(phase="hint", attempt=attempt, round=1)
        return Result(state, HINTER_AGENT, {}, f"{outcome}: a hint is asked for")

    def _hint(self, texts: tuple[str, ...]) -> Result:
        state: State = self.state
        tried = tuple(self._gated(text, state) for text in texts)
        state = state._replace(tried=tried, phase="hinted")
        gates = ", ".join(one.gate or "through all gates" for one in tried)
        return self._next(state, gates)

    def _gated(self, text: str, state: State) -> Hint:
        hint = hill.hint_in(text)
        system, user = state.domain.system(state.domain.seed_context), state.domain.user(state.question)
        count = self.session.model.count_tokens
        tokens = count(system) + count(hinted(user, hint)) if hint else 0
        gate = hill.gate_of(hint, final_answer(state.question.gold), tokens, self.max_prompt_tokens)
        return Hint(text, hint, gate, reward=hill.GATE_REWARD if gate else 0.0)

    def _answer_with_hint(self, texts: tuple[str, ...]) -> Result:
        state: State = self.state
        place = cast(int, state.waiting)
        one = state.tried[place]
        group = Group(one.hint, texts, self._scores(texts))
        found = self._reliance(state, one.hint, group)
        p, n = group.success, self.num_samples
        term = hill.prob_term(p, n, self.reward_kind)
        original = hill.prob_term(state.first.success, n, self.reward_kind)
        reward = hill.hint_reward(p, n, found.mean, kind=self.reward_kind, original=original)
        one = one._replace(group=group, reliance=found, term=term, reward=reward)
        state = state._replace(tried=(*state.tried[:place], one, *state.tried[place + 1 :]))
        return self._next(state, f"{_right(group)} right with the hint")

    def _next(self, state: State, outcome: str) -> Result:
        """The next hint to answer with, or the end of the round."""
        if state.waiting is not None:
            return Result(state, REASONER, {}, outcome)
        tried = state.tried
        best = hill.best_hint([one.reward for one in tried], [one.term for one in tried])
        kept = tried[best].group if best is not None else None
        state = state._replace(kept=kept or state.first)
        rewards = {HINTER_AGENT: sum(one.reward for one in tried) / len(tried)}
        helped = kept is not None
        if helped or state.round >= self.max_hint_rounds:
            rewards[REASONER] = state.kept.success
            told = "its group replaces the all-wrong one" if helped else "the group stays all wrong"
            terminated = helped or self.max_hint_rounds == 1
            return Result(state, REASONER, rewards, f"{outcome}: {told}", terminated, not terminated)
        again = state._replace(phase="hint", round=state.round + 1, past=(*state.past, *tried), tried=())
        return Result(again, HINTER_AGENT, rewards, f"{outcome}: another hint is asked for")

    def _reliance(self, state: State, hint: str, group: Group) -> Reliance:
        metered = self.session.metered if self.knows_reasoner else None
        twin = self.exercises.twin(state.domain, state.question) if metered else None
        asks = partial(self._rollouts, state.domain)
        return measure(metered, asks, state.domain, state.question, hint, group.texts, group.scores, twin)

    def _scores(self, texts: Sequence[str]) -> tuple[float, ...]:
        outcomes = self.state.domain.score([self.state.question] * len(texts), texts)
        return tuple(outcome.score for outcome in outcomes)

    def _rollouts(self, domain: Domain, question: Question, hint: str) -> list[Request]:
        system, user = domain.system(domain.seed_context), hinted(domain.user(question), hint)
        s = self.session
        return [Request(system, user, s.max_tokens, s.temperature, s.seed, i) for i in range(self.num_samples)]

    @property
    def hint(self) -> str:
        """The hint that the reasoner is to answer with now, or ""."""
        place = self.state.waiting
        return self.state.tried[place].hint if place is not None else ""

    def observe(self, agent: str) -> dict[str, Any]:
        """The question for both; the hint for the reasoner alone; attempt, solution and past hints for the hinter."""
        state: State = self.state
        domain, question, hinter = state.domain, state.question, agent == HINTER_AGENT
        asked = hinter and state.phase == "hint"
        texts = {
            "system": HINTER if hinter else domain.system(domain.seed_context),
            "question": domain.user(question),
            "hint": "" if hinter else self.hint,
            "attempt": state.attempt if asked else "",
            "solution": self.exercises.solution(domain, question) if asked else "",
            "past_hints": "\n".join(one.hint for one in state.past if one.hint) if asked else "",
        }
        return {
            "phase": state.phase,
            **{name: text[:MAX_SEEN_CHARS] for name, text in texts.items()},
            "round": np.array(state.round, np.float64),
            "active": np.array(agent == self.active and not self.over, np.int8),
        }

    def requests(self, agent: str) -> list[Request]:
        """The rollouts of the reasoner, or as many calls of the hinter as hints are asked for."""
        s, state = self.session, self.state
        if agent == REASONER:
            return self._rollouts(state.domain, state.question, self.hint)
        message = hinter_message(self.observe(agent))
        seed = s.seed * 1_000_003 + state.round
        return [Request(HINTER, message, MAX_HINT_TOKENS, s.temperature, seed, i) for i in range(self.num_hints)]

    def tell(self, agent: str) -> Info:
        """What is known of the question and of the best hint so far; no text of either."""
        del agent
        state: State = self.state
        tried = state.tried or state.past[-self.num_hints :]
        done = [one for one in tried if one.gate or one.group]
        best = max(done, key=lambda one: one.reward, default=Hint("", "", ""))
        mean = best.reliance.mean
        return {
            "domain": state.domain.name,
            "question": state.question.id,
            "difficulty": state.question.difficulty,
            "round": float(state.round),
            "hard": float(state.round > 0),
            "success_without": state.first.success,
            "success": best.group.success if best.group else 0.0,
            "reliance": mean or 0.0,
            "reliance_from": best.reliance.source,
            "weight": hill.transfer_weight(mean) if mean is not None else 0.0,
            "prob_term": best.term,
            "gate": best.gate,
            "failed_gates": float(sum(bool(one.gate) for one in tried)),
            "replaced": float(bool(state.kept.hint)),
        }


def _texts_space(count: int, max_chars: int) -> Space:
    return FreeText(max_chars) if count == 1 else Tuple([FreeText(max_chars) for _ in range(count)])


def _right(group: Group) -> str:
    return f"{round(group.success * len(group.scores))} of {len(group.scores)}"
