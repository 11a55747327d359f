"""Questions of your own as a family of domains: read, checked as a whole, split and sealed."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from lse_gym.envs.arguments import Count, Range, Seed, checked
from lse_gym.envs.custom.advice import KINDS
from lse_gym.envs.custom.checks import (
    HELD_OUT_SIZE,
    TEST_SIZE,
    check_contradictions,
    check_golds,
    check_sql,
    make_splits,
)
from lse_gym.envs.custom.columns import describe_columns, find_columns
from lse_gym.envs.custom.domain import CustomDomain
from lse_gym.envs.custom.files import Reading, read_rows, source_name
from lse_gym.envs.custom.items import Entry, read_items
from lse_gym.envs.custom.labels import Labels
from lse_gym.envs.custom.make_scorer import make_scorer
from lse_gym.envs.custom.scorers import SQL, MultipleChoice
from lse_gym.envs.custom.weighed import WeighedDomain
from lse_gym.envs.domain import Domain, Family
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.faults import Faults
from lse_gym.envs.splits import draw
from lse_gym.envs.sql.bird import schema_text
from lse_gym.envs.sql.bird_family import LIMITS
from lse_gym.envs.sql.domain import SQLDomain
from lse_gym.envs.sql.layout import database_fault


class CustomFamily(Family):
    """One domain a name in the column `domain`, or one in all; the group "all" has every one.

    Args:
        questions: see :class:`lse_gym.envs.custom.envs.CustomEnv`, as for all arguments.

    Raises:
        DataError: with everything that is wrong with the questions.
    """

    @checked
    def __init__(
        self,
        questions: Any,
        scorer: str | Callable[..., float | bool] = "exact",
        *,
        columns: Mapping[str, str] | Sequence[str] | None = None,
        header: bool = True,
        database: str | os.PathLike[str] | None = None,
        description: str = "",
        labels: Mapping[str, str] | Sequence[str] | None = None,
        limit: Annotated[int, Range(3)] | None = None,
        split_seed: Seed = 0,
        held_out_size: Count = HELD_OUT_SIZE,
        test_size: Count | None = TEST_SIZE,
    ):
        self.labels = Labels(labels)
        named = [*columns] if isinstance(columns, Sequence) else None
        if isinstance(columns, str) or (named is not None and header):
            raise ArgumentError(f"columns={columns!r} is no dict of roles. A list of names goes with header=False.")
        self.told: list[str] = []
        """what was made of the data: which column is what, what is left out"""
        self.test_size = test_size
        self.scorer, self.description, self.limit = make_scorer(scorer), description, limit
        self.split_seed, self.held_out_size = split_seed, held_out_size
        source, name = source_name(questions)
        self._faults = Faults(f"questions={source}", KINDS)
        self._database = self._find_database(database)
        domains: dict[str, list[Entry]] = {}
        roles = {**columns} if isinstance(columns, Mapping) else {}
        reading = Reading(str(roles.pop("rows", "")), None if header else named or [])
        for entry in self._read(questions, roles, reading):
            domains.setdefault(entry.domain or name, []).append(entry)
        made = {one: self._make(one, self._limited(entries)) for one, entries in sorted(domains.items())}
        self._faults.check()
        self._domains = {one: domain for one, domain in made.items() if domain is not None}
        self.groups = {"all": [*self._domains]}

    def load(self, name: str) -> Domain:
        """The domain of that name."""
        self.check(name)
        return self._domains[name]

    def note(self, name: str) -> str:
        """Which column became what, and what was left out."""
        self.check(name)
        return ". ".join(self.told)

    def _read(self, questions: Any, columns: Mapping[str, str], reading: Reading) -> list[Entry]:
        """Every question that can be read; raises where there is none, or a column is missing."""
        faults = self._faults
        rows = [] if questions is None else read_rows(questions, faults, reading)
        if not (rows or faults):
            faults.add("unreadable file", "", "there are no questions in it")
        found = find_columns(rows, self.scorer, columns, faults) if rows else {}
        if not {"question", "answer"} <= found.keys():
            faults.check()
        entries: list[Entry] = []
        if rows:
            entries, notes = read_items(rows, found, self.scorer, faults, self.labels)
            self.told += [describe_columns(rows, found, self.scorer), *notes]
        return entries

    def _find_database(self, database: str | os.PathLike[str] | None) -> Path | None:
        if not isinstance(self.scorer, SQL):
            if database is not None:
                self._faults.add("database", "", f"database={os.fspath(database)!r} goes with the scorer 'sql' only")
            return None
        if self.description:
            raise ArgumentError("description= has no place in the prompt of the scorer 'sql'. Leave it out.")
        path = Path(os.path.expanduser(database or "")).absolute()
        if database is None or (fault := database_fault(path)):
            self._faults.add("database", *(("", "none was given") if database is None else (str(path), fault)))
            return None
        return path

    def _limited(self, entries: Sequence[Entry]) -> list[Entry]:
        """``limit`` of the questions, drawn by a digest of their texts, so that the order of the file plays no part."""
        if self.limit is None or len(entries) <= self.limit:
            return [*entries]

        drawn = draw([entry.item.question for entry in entries], self.split_seed, self.limit)
        chosen = {question.id for question in drawn}
        return [entry for entry in entries if entry.item.question.id in chosen]

    def _make(self, name: str, entries: Sequence[Entry]) -> Domain | None:
        """The domain; None where something is wrong, with every fault recorded."""
        items = {entry.item.question.id: entry.item for entry in entries}
        splits, notes = make_splits(name, entries, self.split_seed, self.held_out_size, self.test_size, self._faults)
        self.told += notes
        if not isinstance(self.scorer, SQL):
            weighed = isinstance(self.scorer, MultipleChoice) and self.scorer.by == "logprob"
            kind = WeighedDomain if weighed else CustomDomain
            domain = kind(name, items, splits or {}, self.scorer, self.description, bool(self.labels))
            check_golds(domain, entries, self._faults)
            check_contradictions(domain, entries, self._faults)
            return domain
        if self._database is None:
            return None
        check_sql(self._database, entries, self._faults)
        schema = schema_text(self._database)
        return SQLDomain(name, self._database, schema, splits or {}, scoring=self.scorer.scoring, limits=LIMITS)
