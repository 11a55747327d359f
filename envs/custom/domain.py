"""Your questions as a domain: the prompt, the scores and the report for any scorer but SQL, which has a database."""

import json
import logging
from collections.abc import Mapping, Sequence
from hashlib import sha256

from lse_gym.envs.custom.make_scorer import Function, function_name
from lse_gym.envs.custom.numbers import BadAnswer
from lse_gym.envs.custom.scorers import Item, Scorer
from lse_gym.envs.domain import SPLITS, Attempt, Domain, Outcome, Question, Split
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.prompt import ANSWER, OUTPUT_HEADER, system_message, user_message
from lse_gym.envs.report import Problem, Report
from lse_gym.envs.text import one_line

log = logging.getLogger("lse_gym.models")  # as what is waited for
OVERVIEW = "You answer questions."
TEXT, LABEL = "Text:", "Label:"  # what a text that is classified comes after, and its label
MAX_SHOWN_CHARS = 1000  # of a question, an answer or a gold in a report
MAX_ERROR_CHARS = 500


class CustomDomain(Domain):
    """Questions with answers, scored by a :class:`lse_gym.envs.custom.scorers.Scorer`.

    Args:
        name: name of the domain.
        items: the questions with their golds, by id.
        splits: the ids of the three splits.
        scorer: what scores an answer.
        description: the task in a few sentences, at the head of every prompt.
        classifies: whether the questions are texts, and the answers their labels.
    """

    oracle_context = None

    def __init__(
        self,
        name: str,
        items: Mapping[str, Item],
        splits: Mapping[Split, Sequence[Question]],
        scorer: Scorer,
        description: str = "",
        classifies: bool = False,
    ):
        self.name, self.items, self.splits, self.scorer = name, items, splits, scorer
        self.classifies = classifies
        self._told = False  # that the scorer raises
        self.seed_context = "Classify the text." if classifies else scorer.seed_context
        if not scorer.tags:
            several = any("\n" in gold for item in items.values() for gold in item.golds)
            self.cue, self.stop = LABEL if classifies else ANSWER, () if several else ("\n",)
        overview = "You classify texts." if classifies else OVERVIEW
        self._frozen = f"{description.strip() or overview}\n\n{OUTPUT_HEADER}\n{scorer.asks}\n\n"

    def system(self, context: str) -> str:
        """Description, output format and context."""
        return system_message(self._frozen, context)

    def user(self, question: Question) -> str:
        """Evidence and question, with its choices."""
        return user_message(question, TEXT) if self.classifies else user_message(question)

    def example(self, question: Question) -> str:
        """A worked example, as contexts hold them: the question as it is asked, and behind the cue the right answer."""
        return f"{self.user(question)}\n{self.cue}{' ' if self.cue else ''}{self.gold_response(question)}"

    def gold_response(self, question: Question) -> str:
        """The first right answer, in the form the prompt asks for."""
        return super().gold_response(question) if self.scorer.tags else question.gold

    def score(self, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
        """The scorer's verdict on each response; one that cannot be read scores 0 and is told why."""
        scored = [self._outcome(self.items[q.id], response) for q, response in zip(questions, responses, strict=True)]
        raised = [outcome.error for outcome in scored if outcome.error] if isinstance(self.scorer, Function) else []
        if raised and not self._told:  # in the first evaluation, before more is paid for
            self._told = True
            why = one_line(raised[0], MAX_ERROR_CHARS)
            log.warning("On %d of %d answers, which score 0, %s", len(raised), len(scored), why)
        return scored

    def report(self, attempts: Sequence[Attempt]) -> Report:
        """The fixed prompt, then one entry a problem; partial scores are told as numbers."""
        problems = tuple(
            Problem(
                question=one_line(question.text, MAX_SHOWN_CHARS),
                answer=one_line(outcome.answer, MAX_SHOWN_CHARS),
                gold=one_line(" | ".join(self.items[question.id].golds), 4 * MAX_SHOWN_CHARS),
                score=outcome.score,
                evidence=one_line(question.evidence, MAX_SHOWN_CHARS),
                response=one_line(response, MAX_SHOWN_CHARS) if self._cut(response, outcome) else "",
                error=one_line(outcome.error, MAX_ERROR_CHARS),
                example=self.example(question),
            )
            for question, response, outcome, _ in attempts
        )
        mean = sum(attempt.outcome.score for attempt in attempts) / max(1, len(attempts))
        head = f"The model's fixed prompt:\n{self._frozen}{len(attempts)} problems, mean score {mean:.3g}."
        return Report(head, problems)

    @staticmethod
    def _cut(response: str, outcome: Outcome) -> bool:
        """Whether a response that was not right says more than its answer."""
        return outcome.score < 1 and response.strip() != outcome.answer

    def fingerprint(self) -> str:
        """SHA-256 of every question with its golds, of the splits, and of the scorer's name and options."""
        scorer = function_name(self.scorer.function) if isinstance(self.scorer, Function) else repr(self.scorer)
        data = [scorer, self._frozen, [[self.items[q.id] for q in self.splits[split]] for split in SPLITS]]
        return sha256(json.dumps(data, ensure_ascii=True, default=str).encode()).hexdigest()

    def fault(self, item: Item) -> str:
        """Why the gold answer does not score 1, or ""."""
        try:
            outcome = self._outcome(item, self.gold_response(item.question))
        except ArgumentError as error:  # of a function that returns something else than a score
            return str(error)
        return "" if outcome.score == 1.0 else outcome.error or f"it scores {outcome.score:.3g}"

    def _outcome(self, item: Item, response: str) -> Outcome:
        answer = self.scorer.extract(response, item)
        try:
            return Outcome(self.scorer.score(answer, item), answer)
        except BadAnswer as error:
            return Outcome(0.0, answer, str(error))
