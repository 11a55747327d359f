"""A domain: questions that share a context, the prompt around it, a pure scorer and a feedback renderer."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np

from lse_gym.envs.errors import ArgumentError, unknown
from lse_gym.envs.faults import Faults, shown
from lse_gym.envs.report import Problem, Report, Turn

Split = Literal["feedback", "held_out", "test"]
SPLITS: tuple[Split, ...] = ("feedback", "held_out", "test")


class Question(NamedTuple):
    """One item: what is asked, and the answer that scores 1.0. Frozen, and cheap to hash by ``id``."""

    id: str
    text: str
    gold: str
    evidence: str = ""
    difficulty: str = ""


class Outcome(NamedTuple):
    """A scored response: ``score`` in [0, 1], the answer found in it, and what went wrong (empty if nothing)."""

    score: float
    answer: str
    error: str = ""


class Prompt(NamedTuple):
    """What an attempt asks of the task model: the system message, the question, and the turns since.

    ``sample`` tells several answers to the same prompt apart, >= 0; without temperature they are all alike. ``cue`` and
    ``stop`` are as in :class:`lse_gym.envs.models.base.Request`.
    """

    system: str
    user: str
    turns: tuple[Turn, ...] = ()
    sample: int = 0
    cue: str = ""
    stop: tuple[str, ...] = ()


class Likelihood(NamedTuple):
    """What an attempt asks where it wants to know how likely the task model is to say a text after a prompt.

    It gets the log-probability of each token of the text, in nats, as a list; None where the model has none.
    """

    prompt: Prompt
    text: str


Asked = Prompt | Likelihood | Future | list[Prompt | Likelihood]
"""what an attempt can yield; a list is answered by a list, in one batch"""


class Attempt(NamedTuple):
    """One answering of one question: what is scored, how it was scored, and the turns that led there.

    ``transcript`` is empty where the task model answered at once; then ``response`` is its text.
    """

    question: Question
    response: str
    outcome: Outcome
    transcript: tuple[Turn, ...] = ()


class Domain(ABC):
    """Questions of one database, subject or scenario. Stateless for its users: every method is a pure function.

    Attributes:
        name: identifies the domain inside its family.
        seed_context: the context that every search starts from; one sentence.
        oracle_context: a context with everything there is to know, or None where nobody knows it (real data).
        splits: the three disjoint splits.
        guess: mean score of a guess among the answers that a question offers; 0.0 where it offers none.
        max_turns: most responses of the task model in one attempt, >= 1; the budget reserves as many calls.
        max_reply_bytes: most UTF-8 bytes that :meth:`attempt` appends between two responses; what token caps reserve.
        cue: what an answer follows where a prompt is plain text, such as "Label:"; "" for nothing.
        stop: strings that end an answer there.
    """

    guess = 0.0
    max_turns = 1
    max_reply_bytes = 4000
    cue: str = ""
    stop: tuple[str, ...] = ()

    name: str
    seed_context: str
    oracle_context: str | None
    splits: Mapping[Split, Sequence[Question]]

    @abstractmethod
    def system(self, context: str) -> str:
        """The part of the prompt shared by every question: task, frozen material, and the context."""

    @abstractmethod
    def user(self, question: Question) -> str:
        """The part of the prompt that is the question; independent of the context."""

    def prompt(self, context: str, question: Question) -> Prompt:
        """What an attempt asks first."""
        return Prompt(self.system(context), self.user(question), cue=self.cue, stop=self.stop)

    @abstractmethod
    def score(self, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
        """Score each response to the question beside it. Never raises on hostile text."""

    def attempt(self, context: str, question: Question) -> Generator[Asked, Any, str]:
        """Answer one question: yield what the task model is asked, get its text, return what is scored.

        What can be asked at the same time is yielded as a list, and its answers come as one; each counts as a turn.
        Work that takes time is yielded as a Future, for its result: all attempts of an evaluation wait side by side.

        The default asks once. A domain of several turns runs what it finds in a text and yields again, with the text
        and the result as turns, at most ``max_turns`` times in all. Whatever it runs has to be deterministic: a retry
        after a failure, and every resumed run, goes through the recorded texts again.
        """
        return (yield self.prompt(context, question))

    def report(self, attempts: Sequence[Attempt]) -> Report:
        """Everything there is to tell an editor of a feedback batch; what a feedback mode hides is left out later."""
        problems = (
            Problem(a.question.text, a.outcome.answer, a.question.gold, a.outcome.score, a.question.evidence)._replace(
                error=a.outcome.error, transcript=a.transcript
            )
            for a in attempts
        )
        mean = sum(attempt.outcome.score for attempt in attempts) / max(1, len(attempts))
        return Report(f"{len(attempts)} problems, mean score {mean:.3g}.", tuple(problems))

    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256, in hex, of all data that scores depend on: questions, golds and the material they are about.

        Any other text that changes with them will do: a run keeps its SHA-256.
        """

    def gold_response(self, question: Question) -> str:
        """A response that scores 1.0, in the form the prompt asks for."""
        return f"<answer>{question.gold}</answer>"

    def gold_attempt(self, question: Question) -> Attempt:
        """An attempt that is right: what its report shows is a worked example."""
        response = self.gold_response(question)
        return Attempt(question, response, self.score([question], [response])[0])

    def verify(self) -> list[str]:
        """Return the ids of the questions whose gold answer does not score 1.0; empty when all is well."""
        questions = [question for split in SPLITS for question in self.splits[split]]
        outcomes = outcomes_of(self, questions, [self.gold_response(question) for question in questions])
        return [q.id for q, outcome in zip(questions, outcomes, strict=True) if outcome.score != 1.0]


def outcomes_of(domain: Domain, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
    """What the domain makes of responses.

    Raises:
        ArgumentError: that is not one :class:`Outcome` a response, with a score in [0, 1].
    """
    outcomes = domain.score(questions, responses)
    if not isinstance(outcomes, Sequence):
        given = f"a {type(outcomes).__name__}"
    elif not all(issubclass(kind, Outcome) for kind in set(map(type, outcomes))):
        given = f"{shown(next(one for one in outcomes if not isinstance(one, Outcome)))} among them"
    elif len(outcomes) != len(responses):
        given = f"{len(outcomes)} outcomes"
    elif (wrong := next((one for one in outcomes if not _is_score(one.score)), None)) is not None:
        given = f"the score {shown(wrong.score)}, which is no number from 0 to 1,"
    else:
        return list(outcomes)
    raise ArgumentError(
        f"score() of domain {domain.name!r} returned {given} for {len(responses)} responses. Return a list with one "
        "Outcome a response, e.g. Outcome(1.0, answer)."
    )


def _is_score(value: object) -> bool:
    return (type(value) is float or isinstance(value, Real | np.bool_)) and 0 <= float(value) <= 1


def check_splits(domain: Domain) -> None:
    """Raise :class:`DataError` unless every split has questions, and every id stands once in one of them."""
    faults = Faults(f"domain {domain.name!r}")
    where: dict[str, str] = {}
    for split in SPLITS:
        if not domain.splits.get(split):
            faults.add("splits without questions", "", split)
        for question in domain.splits.get(split, ()):
            if question.id in where:
                faults.add("ids that are not unique", shown(question.id), f"in {where[question.id]} and in {split}")
            where[question.id] = split
    faults.check()


class Family(ABC):
    """A named collection of domains: what an env draws from.

    Attributes:
        groups: named groups of domains; the first one is the default. Their union is what exists.
    """

    groups: Mapping[str, Sequence[str]]

    @abstractmethod
    def load(self, name: str) -> Domain:
        """Return the domain; the same name gives an equal domain in every process.

        Raises:
            UnknownNameError: there is no such domain.
        """

    def sizes(self, name: str) -> Mapping[Split, int]:
        """How many questions each split of a domain has; who knows without making the domain tells at once."""
        domain = self.load(name)
        return {split: len(domain.splits[split]) for split in SPLITS}

    def note(self, name: str) -> str:
        """What a user should know about the data of a domain that was loaded; "" for nothing."""
        del name
        return ""

    def remarks(self) -> str:
        """What a user should know about the data as a whole, beside the domains; "" for nothing."""
        return ""

    def sealed(self, name: str, secret: int, count: int) -> Domain:
        """The domain with other test questions, which nobody can know without the secret.

        Args:
            name: of the domain.
            secret: any int >= 0; the same one gives the same questions.
            count: how many, >= 1.

        Raises:
            UnknownNameError: there is no such domain.
            ArgumentError: the family has no more questions than its splits hold.
        """
        raise ArgumentError(f"{type(self).__name__} cannot draw sealed questions of {name!r}: all it has is public.")

    def select(self, domain: str | Sequence[str] | None) -> tuple[str, ...]:
        """The names that ``domain`` stands for: a name, several, a group, or None for the default group.

        Raises:
            UnknownNameError: a name that is neither a domain nor a group.
        """
        if domain is None:
            return tuple(next(iter(self.groups.values())))
        chosen = []
        for name in domain if isinstance(domain, Sequence) and not isinstance(domain, str) else (domain,):
            if name not in self.groups:
                self.check(name)
            chosen.extend(self.groups.get(name, (name,)))
        if not chosen:
            raise ArgumentError(f"domain={domain!r} names no domain. Pass a name, several, or one of {[*self.groups]}.")
        return tuple(dict.fromkeys(chosen))

    def check(self, name: str) -> None:
        """Raise :class:`UnknownNameError` unless ``name`` is a domain."""
        known = [known for group in self.groups.values() for known in group]
        if name not in known:
            raise unknown("domain", name, {*known, *self.groups})
