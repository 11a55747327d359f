"""A subject with retrieved passages as a domain: the context is their order, the questions are about the subject."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Annotated

import numpy as np

from lse_gym.envs.arguments import Range, Seed, checked
from lse_gym.envs.domain import SPLITS, Attempt, Domain, Family, Outcome, Question, Split
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.models.base import Request, TaskModel
from lse_gym.envs.names import check_drawn
from lse_gym.envs.passages.bias import Weights, best_order, evidence, position_weights, sigma
from lse_gym.envs.passages.prompt import (
    EXPLANATION,
    OUTPUT,
    OVERVIEW,
    read_order,
    render_order,
    render_passages,
    system_message,
)
from lse_gym.envs.passages.world import MAX_PASSAGES, TEST, TOPICS, TRAIN, WORDINGS, World, draw_world, question
from lse_gym.envs.prompt import count_right
from lse_gym.envs.report import Problem, Report
from lse_gym.envs.splits import Class, check_draw, class_of
from lse_gym.envs.text import one_line, tagged

SIZES: Mapping[Split, int] = {"feedback": 20, "held_out": 50, "test": 100}
MIN_PASSAGES = 4
MAX_SHOWN_CHARS = 500


class PassageDomain(Domain):
    """Questions about one subject, and K passages.

    Args:
        name: name of the domain.
        world: the subject and its passages.
        splits: the questions.
    """

    guess = 0.5  # each question offers two answers

    def __init__(self, name: str, world: World, splits: Mapping[Split, Sequence[Question]]):
        self.name, self.world, self.splits = name, world, splits
        self.passages = world.passages
        self.seed_context = render_order(range(len(self.passages)), self.passages)
        self.oracle_context = render_order(best_order(world.utilities), self.passages)
        shown = f"{OVERVIEW}\n{OUTPUT}\n\nThe passages that were retrieved:\n{render_passages(self.passages)}"
        self._optima: dict[tuple[Split, str, str], float] = {}
        self._head = f"The model's fixed prompt:\n{shown}\n\n{EXPLANATION}"

    def system(self, context: str) -> str:
        """The prompt with the passages that the context shows, in its order."""
        return system_message(self.order(context), self.passages)

    def user(self, question: Question) -> str:
        """The question."""
        return f"Question: {question.text}"

    def score(self, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
        """1.0 where the answer is the right one of the two, letter by letter."""
        answers = [self._answer(response) for response in responses]
        return [Outcome(float(a == q.gold), a) for q, a in zip(questions, answers, strict=True)]

    def report(self, attempts: Sequence[Attempt]) -> Report:
        """The fixed prompt with all passages, then one entry a problem."""
        problems = (
            Problem(question.text, one_line(outcome.answer, MAX_SHOWN_CHARS), question.gold, outcome.score)
            for question, _, outcome, _ in attempts
        )
        return Report(f"{self._head}\n\n{count_right(attempts)}", tuple(problems))

    def fingerprint(self) -> str:
        """SHA-256 of passages, answers and questions."""
        data = [self.world, [self.splits[split] for split in SPLITS]]
        return sha256(json.dumps(data, ensure_ascii=True).encode()).hexdigest()

    def order(self, context: str) -> list[int]:
        """The indices of the passages that a context shows, in its order."""
        return read_order(context, len(self.passages))

    def chance(self, context: str, weights: Weights = position_weights) -> float:
        """The probability, in (0, 1), that a model which weighs positions by ``weights`` answers a question right."""
        return sigma(evidence(self.order(context), self.world.utilities, weights))

    def optimum(self, split: Split, model: TaskModel) -> float:
        """What a model of known ``position_weights`` scores on a split with the best order, at temperature 0."""
        if model.position_weights is None:
            raise ArgumentError(f"The position bias of {model.name!r} is not known. Use e.g. task_model='reader'.")
        key = split, model.name, model.revision
        if key not in self._optima:
            best = render_order(best_order(self.world.utilities, model.position_weights), self.passages)
            requests = [Request(self.system(best), self.user(q)) for q in self.splits[split]]
            responses = [response.text for response in model.complete(requests)]
            scores = [outcome.score for outcome in self.score(self.splits[split], responses)]
            self._optima[key] = sum(scores) / len(scores)
        return self._optima[key]

    @staticmethod
    def _answer(response: str) -> str:
        answer = tagged(response, "answer")
        return (response if answer is None else answer).strip()


class PassageFamily(Family):
    """Domains ``<topic>-<seed>``: any seed of at most 39 digits, the groups "train" and "test" with different topics.

    Args:
        passages: passages of a domain.
        split_seed: another seed draws other questions about the same subjects.
    """

    groups: Mapping[str, Sequence[str]] = {
        "train": [f"{topic}-{seed}" for topic in TRAIN for seed in range(8)],
        "test": [f"{topic}-{seed}" for seed in range(5) for topic in TEST],
    }

    @checked
    def __init__(self, passages: Annotated[int, Range(MIN_PASSAGES, MAX_PASSAGES)] = 8, split_seed: Seed = 0):
        self.passages, self.split_seed = int(passages), split_seed

    def check(self, name: str) -> None:
        """Raise :class:`UnknownNameError` unless ``name`` is ``<topic>-<seed>`` of a known topic."""
        check_drawn(name, TOPICS, self.groups)

    def load(self, name: str) -> PassageDomain:
        """Draw the domain, or take it from memory."""
        self.check(name)
        return _load(name, self.passages, self.split_seed)

    def sizes(self, name: str) -> Mapping[Split, int]:
        """The same of every domain."""
        self.check(name)
        return SIZES

    def sealed(self, name: str, secret: int, count: int) -> PassageDomain:
        """The domain with ``count`` other test questions, in wordings that only who has the secret can know."""
        self.check(name)
        check_draw(secret, count)
        return _load(name, self.passages, self.split_seed, (secret, count))


@lru_cache(maxsize=256)
def _load(name: str, count: int, split_seed: int, sealed: tuple[int, int] | None = None) -> PassageDomain:
    topic, seed = name.rsplit("-", 1)
    stream = [list(TOPICS).index(topic), int(seed), count]
    world = draw_world(TOPICS[topic], count, np.random.default_rng(np.random.SeedSequence(stream)))
    stream = [*stream, split_seed]
    splits = {s: _draw(name, world, s, SIZES[s], [*stream, number]) for number, s in enumerate(SPLITS)}
    if sealed:
        secret, size = sealed
        splits["test"] = _draw(name, world, "sealed", size, [*stream, len(SPLITS), secret])
    return PassageDomain(name, world, splits)


def _draw(name: str, world: World, kind: Class, size: int, stream: Sequence[int]) -> Sequence[Question]:
    """Draw questions of one class; the order in which the two answers are offered does not make another question."""
    rng = np.random.default_rng(np.random.SeedSequence(stream))
    drawn: list[Question] = []
    for number in rng.permutation(len(world.topic.facts) * WORDINGS).tolist():
        asked = question(world, number)
        if class_of(name, asked.text("", "")) == kind:
            offers = world.right[asked.fact], world.rivals[asked.fact]
            text = asked.text(*offers if rng.random() < 0.5 else offers[::-1])
            drawn.append(Question(f"{kind}-{len(drawn)}", text, offers[0]))
        if len(drawn) == size:
            return tuple(drawn)
    raise ArgumentError(f"count={size} is more than domain {name!r} has to ask. Ask for fewer.")
