"""The hinter's side as domains: the context is a sheet of hints, and the model that answers stands still."""

import json
from collections.abc import Generator, Mapping, Sequence
from hashlib import sha256
from typing import Annotated, Any, NamedTuple

from lse_gym.envs.arguments import Range, checked
from lse_gym.envs.domain import Asked, Attempt, Domain, Family, Likelihood, Outcome, Prompt, Question, Split
from lse_gym.envs.games import hill
from lse_gym.envs.games.hint.prompt import SHEET_RULES, hinted
from lse_gym.envs.games.hint.questions import Exercises, final_answer
from lse_gym.envs.report import Report
from lse_gym.envs.text import one_line

SEED_SHEET = "Go through it again, one step at a time."
MAX_SHOWN_CHARS = 2000  # of a wrong answer in a report: it is one line of several


class Tried(NamedTuple):
    """What an attempt finds out, as JSON what is scored.

    ``first`` are the answers without hints. Where they are all wrong and the sheet passes the gates, ``given`` are
    those with it, and ``reliance`` is the mean of the right ones, None where none is right.
    """

    first: list[str]
    given: list[str] = []  # noqa: RUF012 - nobody changes it
    reliance: float | None = None


class HintDomain(Domain):
    """Questions for whoever writes hints: what stays all wrong without help is asked again with the sheet below it.

    The score of a question is HiLL's reward of the sheet for it, divided by the largest that a group of this size can
    have; 0.0 where that is negative, and 1.0 where no hint was needed.

    Args:
        inner: the questions.
        exercises: where they are from, for solutions and twins.
        num_samples: answers of a group, HiLL's N, >= 2.
        kind: of the reward.
    """

    def __init__(self, inner: Domain, exercises: Exercises, num_samples: int, kind: hill.Kind):
        self.inner, self.exercises, self.num_samples, self.kind = inner, exercises, num_samples, kind
        self.name, self.splits, self.oracle_context = inner.name, inner.splits, inner.oracle_context
        self.seed_context = SEED_SHEET
        self.max_turns = 4 * num_samples + 1  # both groups, then both log-probabilities of each or two groups of a twin
        self._best = max(hill.prob_term(k / num_samples, num_samples, kind) for k in range(num_samples))

    def system(self, context: str) -> str:
        """The prompt before the question, which no hint changes."""
        del context
        return self.inner.system(self.inner.seed_context)

    def user(self, question: Question) -> str:
        """The question without hints."""
        return self.inner.user(question)

    def prompt(self, context: str, question: Question, sample: int = 0) -> Prompt:
        """The question with hints; "" is none."""
        return Prompt(self.system(""), hinted(self.user(question), context), (), sample)

    def attempt(self, context: str, question: Question) -> Generator[Asked, Any, str]:
        """Answer without hints, and where all is wrong, with them; then see how much the right answers rely on them."""
        hints, told = context.strip(), Tried((yield self._group("", question)))
        if hill.is_hard(self._scores(question, told.first)) and not gate(hints, question):
            told = told._replace(given=(yield self._group(hints, question)))
            scores = self._scores(question, told.given)
            right = [text for text, score in zip(told.given, scores, strict=True) if score >= hill.RIGHT]
            if right:
                told = told._replace(reliance=(yield from self._reliance(hints, question, right)))
        return json.dumps(told._asdict())

    def _group(self, hints: str, question: Question) -> list[Prompt | Likelihood]:
        return [self.prompt(hints, question, sample) for sample in range(self.num_samples)]

    def _reliance(self, hints: str, question: Question, right: Sequence[str]) -> Generator[Asked, Any, float]:
        """By log-probabilities; where the model has none by outcomes, of a twin if the question has one."""
        plain, given = self.prompt("", question), self.prompt(hints, question)
        first, *others = (Likelihood(prompt, text) for text in right for prompt in (plain, given))
        told = yield first  # by itself, so that a model without any is not asked for more
        if told is not None:
            found = [told, *(yield [*others])]
            if None not in found:
                each = [hill.reliance(*pair) for pair in zip(found[::2], found[1::2], strict=True)]
                return sum(each) / len(each)
        n, twin = self.num_samples, self.exercises.twin(self.inner, question)
        if twin is None:
            return hill.outcome_reliance(0, len(right), n)
        texts = yield [*self._group("", twin), *self._group(hints, twin)]
        counts = [sum(s >= hill.RIGHT for s in self._scores(twin, part)) for part in (texts[:n], texts[n:])]
        return hill.outcome_reliance(counts[0], counts[1], n)

    def _scores(self, question: Question, texts: Sequence[str]) -> list[float]:
        distinct = [*dict.fromkeys(texts)]  # many answers of a group are alike
        outcomes = self.inner.score([question] * len(distinct), distinct)
        scores = {text: outcome.score for text, outcome in zip(distinct, outcomes, strict=True)}
        return [scores[text] for text in texts]

    def score(self, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
        """What the sheet was worth for each question; 0.0 for what is no record of an attempt."""
        return [self._outcome(*pair) for pair in zip(questions, map(read, responses), strict=True)]

    def _outcome(self, question: Question, told: Tried | None) -> Outcome:
        if told is None or len(told.first) != self.num_samples:
            return Outcome(0.0, "", "This is no attempt.")
        shown = one_line(told.first[0], MAX_SHOWN_CHARS)
        if not hill.is_hard(self._scores(question, told.first)):
            return Outcome(1.0, shown, "No hint was needed.")
        n, scores = self.num_samples, self._scores(question, told.given)
        if len(scores) != n:
            return Outcome(0.0, shown, "The sheet was not shown: it is empty, or tells the answer.")
        p = hill.success(scores)
        worth = hill.hint_reward(p, n, told.reliance, kind=self.kind)
        error = f"With the sheet {round(p * n)} of {n} answers were right."
        if told.reliance is not None:
            error += f" Reliance of these on it: {told.reliance:.2f}."
        return Outcome(worth / self._best, shown, error)

    def report(self, attempts: Sequence[Attempt]) -> Report:
        """What hints are for, then of each question a wrong answer, what the sheet did, and the worked solution."""
        base = super().report([attempt._replace(transcript=()) for attempt in attempts])
        solved = (
            problem._replace(gold=self.exercises.solution(self.inner, attempt.question))
            for problem, attempt in zip(base.problems, attempts, strict=True)
        )
        return Report(f"{SHEET_RULES}\n\n{self.system('')}\n\n{base.head}", tuple(solved))

    def fingerprint(self) -> str:
        """SHA-256 of the questions and of what a hint is worth."""
        data = [self.inner.fingerprint(), self.num_samples, self.kind]
        return sha256(json.dumps(data).encode()).hexdigest()

    def gold_response(self, question: Question) -> str:
        """An attempt in which the sheet helped as much as can be."""
        n, right = self.num_samples, self.inner.gold_response(question)
        counts = {hill.prob_term(k / n, n, self.kind): k for k in range(n)}
        given = [right] * counts[self._best] + [""] * (n - counts[self._best])
        return json.dumps(Tried([""] * n, given, 0.0)._asdict())


def gate(hints: str, question: Question) -> hill.Gate:
    """The gate that a sheet fails at a question."""
    return hill.gate_of(hints, final_answer(question.gold))


def read(response: str) -> Tried | None:
    """The attempt that a response is the record of; None of any other text."""
    try:
        told = Tried(**json.loads(response))
    except (ValueError, TypeError, RecursionError):
        return None
    texts = isinstance(told.first, list) and isinstance(told.given, list) and [*told.first, *told.given]
    sound = texts and all(isinstance(text, str) for text in texts)
    return told if sound and isinstance(told.reliance, (float, int, type(None))) else None


class HintFamily(Family):
    """The domains of a family of questions, for whoever writes hints.

    Args:
        exercises: the questions.
        num_samples: answers of a group, >= 2.
        kind: of the reward.
    """

    @checked
    def __init__(
        self,
        exercises: Exercises,
        num_samples: Annotated[int, Range(2)] = hill.NUM_SAMPLES,
        kind: hill.Kind = "transfer_weighted_non_deg",
    ):
        hill.prob_term(0.5, num_samples, kind)
        self.exercises, self.num_samples, self.kind = exercises, num_samples, kind
        self.groups: Mapping[str, Sequence[str]] = exercises.family.groups

    def check(self, name: str) -> None:
        """As the family of the questions."""
        self.exercises.family.check(name)

    def load(self, name: str) -> HintDomain:
        """The domain."""
        return self._domain(self.exercises.family.load(name))

    def sizes(self, name: str) -> Mapping[Split, int]:
        """Those of the questions."""
        return self.exercises.family.sizes(name)

    def note(self, name: str) -> str:
        """What there is to know of the questions."""
        return self.exercises.family.note(name)

    def remarks(self) -> str:
        """What there is to know of the questions as a whole."""
        return self.exercises.family.remarks()

    def sealed(self, name: str, secret: int, count: int) -> HintDomain:
        """The domain with other test questions."""
        return self._domain(self.exercises.family.sealed(name, secret, count))

    def _domain(self, inner: Domain) -> HintDomain:
        return HintDomain(inner, self.exercises, self.num_samples, self.kind)
