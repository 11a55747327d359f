"""Editing as a domain: each question is a domain whose context an editor improves, scored by what that is worth."""

import json
import logging
from collections.abc import Generator, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any

from lse_gym.envs.domain import SPLITS, Asked, Attempt, Domain, Family, Outcome, Prompt, Question, Split
from lse_gym.envs.editing import INSTRUCTION, editor_prompt, parse_edit
from lse_gym.envs.editor.prompt import HEAD
from lse_gym.envs.editor.tamper import tampering
from lse_gym.envs.models import make_model
from lse_gym.envs.report import Report
from lse_gym.envs.session import Session
from lse_gym.envs.splits import Lazy
from lse_gym.envs.state import MAX_FEEDBACK_CHARS, feedback_batch

log = logging.getLogger("lse_gym.models")  # as what is waited for


class EditorDomain(Domain):
    """Domains of one family, to be improved by the session's task model, which is the editor here.

    An attempt is a chain of ``edits`` edits: the editor gets the context, the report on a feedback batch and the
    instruction, and its edit is applied. What is scored is the last context, on ``size`` held-out questions of its
    domain: its gain over the seed context as a share of the oracle's, in [0, 1].

    Args:
        name: name of the domain.
        family: of the domains that are improved; they need oracle contexts.
        inner: names of those domains, of each split.
        answerer: the model that answers their questions.
        edits: of one attempt.
        size: held-out questions of each domain that its contexts are scored on.
        feedback_size: questions of a report.
        max_chars: longest context of the inner domains.
    """

    max_reply_bytes = 0

    def __init__(
        self,
        name: str,
        family: Family,
        inner: Mapping[Split, Sequence[str]],
        answerer: str,
        edits: int,
        size: int,
        feedback_size: int,
        max_chars: int,
    ):
        self.name, self._family, self._answerer = name, family, answerer
        self.max_turns, self._size, self._feedback_size, self._max_chars = edits, size, feedback_size, max_chars
        log.info("drawing what %s has to improve, and measuring it by %s: some seconds, once", name, answerer)
        self.seed_context = INSTRUCTION
        self.oracle_context = None
        self.splits = Lazy(lambda split: tuple(self._question(domain) for domain in inner[split]))
        self._worth: dict[tuple[str, str], float] = {}

    def _question(self, name: str) -> Question:
        text = f"Improve the instructions for {name} of {self.name}, in {self.max_turns} edits."
        return Question(name, text, self._family.load(name).oracle_context or "")

    @cached_property
    def _session(self) -> Session:
        """What answers the questions of the inner domains; it is no part of the budget, which is the editor's."""
        return Session(make_model(self._answerer))

    def system(self, context: str) -> str:
        """Nothing: an editor prompt is one user message."""
        del context
        return ""

    def user(self, question: Question) -> str:
        """Which domain is improved."""
        return question.text

    def attempt(self, context: str, question: Question) -> Generator[Asked, Any, str]:
        """A chain of edits of the inner domain's context."""
        domain = self._family.load(question.id)
        current = domain.seed_context
        for edit in range(self.max_turns):
            batch = feedback_batch(domain, edit, self._feedback_size)
            (found,) = self._session.run([self._session.evaluate(domain, current, batch)])
            report = self._session.report(domain, found.attempts_from(0), "gold").text(MAX_FEEDBACK_CHARS)
            answer = yield Prompt("", editor_prompt(current, report, self._max_chars, instruction=context))
            current = (parse_edit(answer, current) or current)[: self._max_chars]
        return current

    def score(self, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
        """Each context's gain over its domain's seed context, as a share of the oracle's; 0.0 where it is none."""
        return [self._outcome(question, text) for question, text in zip(questions, responses, strict=True)]

    def _outcome(self, question: Question, context: str) -> Outcome:
        domain = self._family.load(question.id)
        seed, oracle = (self._held_out(question.id, known) for known in (domain.seed_context, question.gold))
        gain = self._held_out(question.id, context[: self._max_chars]) - seed
        score = min(1.0, max(0.0, gain / (oracle - seed))) if oracle > seed else 0.0
        named = tampering(context)
        return Outcome(score, context, f"The new instructions speak of {', '.join(named)}." if named else "")

    def _held_out(self, name: str, context: str) -> float:
        """The held-out score of a context; each is computed once."""
        if (name, context) not in self._worth:
            domain = self._family.load(name)
            questions = domain.splits["held_out"][: self._size]
            (found,) = self._session.run([self._session.evaluate(domain, context, questions)])
            self._worth[name, context] = float(found.scores.mean())
        return self._worth[name, context]

    def report(self, attempts: Sequence[Attempt]) -> Report:
        """What the editor made of each domain; as gold the best that can be known of it."""
        base = super().report(attempts)
        return Report(f"{HEAD} {base.head}", base.problems, answer="new instructions")

    def gold_response(self, question: Question) -> str:
        """The oracle context of the inner domain."""
        return question.gold

    def fingerprint(self) -> str:
        """SHA-256 of the inner domains, the answering model and the sizes."""
        inner = [[[q.id, self._family.load(q.id).fingerprint()] for q in self.splits[split]] for split in SPLITS]
        sizes = [self.max_turns, self._size, self._feedback_size, self._max_chars]
        return sha256(json.dumps([inner, self._answerer, sizes, INSTRUCTION]).encode()).hexdigest()
