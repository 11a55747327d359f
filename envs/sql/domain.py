"""A database with questions: the text-to-SQL domain, embedded or real."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Literal

from lse_gym.envs.domain import SPLITS, Attempt, Domain, Outcome, Question, Split
from lse_gym.envs.errors import DataError, unknown
from lse_gym.envs.prompt import system_message, user_message
from lse_gym.envs.report import Report
from lse_gym.envs.sql.executor import Digest, Limits, digest_many
from lse_gym.envs.sql.ordered import is_ordered
from lse_gym.envs.sql.prompt import SEED_CONTEXT, extract_sql, frozen_part, report

Scoring = Literal["set", "strict"]
SCORINGS: tuple[Scoring, ...] = ("set", "strict")
GOLD_LIMITS = Limits(timeout_s=300.0, max_steps=10**12)  # golds are ours: only a hang is to be stopped
MAX_SCORED = 100_000  # outcomes kept, a few hundred bytes each
MAX_FAILED = 20  # golds that an error spells out
WRONG_RESULT = "The statement runs, but its result is not the right one."


class SQLDomain(Domain):
    """Questions over one SQLite file, scored by execution.

    Args:
        name: name of the domain.
        database: the SQLite file; only ever read.
        schema: the schema as the prompt shows it.
        splits: the questions, ``gold`` being SQL.
        scoring: "set" is BIRD's official execution accuracy (equal sets of rows); "strict" wants equal multisets, and
            equal lists where the gold orders.
        oracle_context: everything there is to know, if anybody knows it.
        limits: of one predicted statement.
    """

    def __init__(
        self,
        name: str,
        database: Path,
        schema: str,
        splits: Mapping[Split, Sequence[Question]],
        *,
        scoring: Scoring = "set",
        oracle_context: str | None = None,
        limits: Limits | None = None,
    ):
        if scoring not in SCORINGS:
            raise unknown("scoring", scoring, SCORINGS)
        self.name, self.database, self.splits, self.scoring = name, database, splits, scoring
        self.schema = schema
        self.seed_context, self.oracle_context = SEED_CONTEXT, oracle_context
        self.limits = limits or Limits()
        self._frozen = frozen_part(schema)
        self._users = {q.id: user_message(q) for split in SPLITS for q in splits[split]}
        self._gold: dict[str, Digest] = {}
        self._scored: dict[tuple[str, str], Outcome] = {}  # by question and statement
        self._told: dict[tuple[str, str], Outcome] = {}  # by question and response, which need not be read again

    def system(self, context: str) -> str:
        """Overview, schema, output format and context."""
        return system_message(self._frozen, context)

    def user(self, question: Question) -> str:
        """Evidence and question."""
        return self._users[question.id]

    def score(self, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
        """Execution accuracy. Each statement runs once per question, each gold once per domain."""
        keys, told = list(zip([q.id for q in questions], responses, strict=True)), self._told
        outcomes = [outcome for outcome in map(told.get, keys) if outcome]
        if len(outcomes) < len(keys):
            new = {key: q for key, q in zip(keys, questions, strict=True) if key not in told}
            told |= zip(new, self._execute([*new.values()], [response for _, response in new]), strict=True)
            outcomes = [told[key] for key in keys]
        while len(told) > MAX_SCORED:
            del told[next(iter(told))]
        return outcomes

    def _execute(self, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
        keys = [(q.id, extract_sql(response)) for q, response in zip(questions, responses, strict=True)]
        fresh = {key: q for key, q in zip(keys, questions, strict=True) if key not in self._scored}
        if fresh:
            self._run_gold(list(fresh.values()))
            results = digest_many(self.database, [sql for _, sql in fresh], self.limits)
            for (key, question), result in zip(fresh.items(), results, strict=True):
                self._scored[key] = self._outcome(question, key[1], result)
        outcomes = [self._scored[key] for key in keys]
        while len(self._scored) > MAX_SCORED:
            del self._scored[next(iter(self._scored))]
        return outcomes

    def report(self, attempts: Sequence[Attempt]) -> Report:
        """The report of :func:`lse_gym.envs.sql.prompt.report`."""
        return report(self._frozen, attempts)

    def fingerprint(self) -> str:
        """SHA-256 of the database file and of every question."""
        digest = sha256(self.database.read_bytes())
        digest.update(json.dumps([self.splits[split] for split in SPLITS], ensure_ascii=True).encode())
        return digest.hexdigest()

    def check_golds(self) -> None:
        """Run every gold statement, before anything is paid for.

        Raises:
            DataError: some fail; all of them are told.
        """
        self._run_gold([question for split in SPLITS for question in self.splits[split]])

    def _run_gold(self, questions: Sequence[Question]) -> None:
        new = list({q.id: q for q in questions if q.id not in self._gold}.values())
        if not new:
            return
        results = digest_many(self.database, [q.gold for q in new], GOLD_LIMITS)
        failed = [f"{q.id!r}: {result.error}" for q, result in zip(new, results, strict=True) if result.error]
        if failed:
            more = f"; and {len(failed) - MAX_FAILED} more" if len(failed) > MAX_FAILED else ""
            raise DataError(
                f"{len(failed)} gold statement{'s' * (len(failed) > 1)} of {self.name!r} failed: "
                f"{'; '.join(failed[:MAX_FAILED])}"
                f"{more}. List the questions in an exclude file, one id a line, and pass it as exclude=."
            )
        self._gold |= {q.id: result for q, result in zip(new, results, strict=True)}

    def _outcome(self, question: Question, sql: str, result: Digest) -> Outcome:
        if result.error:
            return Outcome(0.0, sql, result.error)
        gold = self._gold[question.id]
        if self.scoring == "set":
            right = result.as_set == gold.as_set
        elif is_ordered(question.gold):
            right = result.as_list == gold.as_list
        else:
            right = result.as_multiset == gold.as_multiset
        return Outcome(1.0, sql) if right else Outcome(0.0, sql, WRONG_RESULT)
