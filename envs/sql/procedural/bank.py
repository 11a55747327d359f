"""The questions of one world, drawn class by class: what is asked in one split is never asked in another."""

import re
import sqlite3
from collections.abc import Sequence, Set
from functools import cache, lru_cache

import numpy as np

from lse_gym.envs.domain import Question
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.splits import Class, class_of
from lse_gym.envs.sql.procedural.forms import Filter, Form, Reading, compile_form, literal_reading, say, true_reading
from lse_gym.envs.sql.procedural.space import Ask, Space
from lse_gym.envs.sql.procedural.theme import ROLES, Role
from lse_gym.envs.sql.procedural.world import World

GUESSABLE = 0.25  # share of questions that a literal reader gets right by luck
GUESS_DRAWS = 500  # forms drawn for a guessable question; of some worlds, a guess is hardly ever right
MAX_DRAWS = 20_000  # forms drawn for any question; then the class is taken to be used up
LUCKY = ("highest", "top")  # what is often right of the wrong rows
MAX_LISTED = 60  # rows of a gold result
WORD = re.compile(r"\b[a-z][a-z-]+")  # names of rows, capitalised, are in the database for all to see


class Bank:
    """Every question that a world has, by the class that its gold belongs to.

    Args:
        name: name of the domain.
        world: its hidden conventions.
        connection: its database; only ever read.
    """

    def __init__(self, name: str, world: World, connection: sqlite3.Connection):
        self.name, self.world, self.connection = name, world, connection
        self.truth, self.literal = true_reading(world), literal_reading(world)
        self._same = cache(lambda f: self._rows(f, self.truth) == self._rows(f, self.literal))
        self.run = lru_cache(maxsize=4096)(lambda sql: connection.execute(sql).fetchmany(MAX_LISTED + 1))
        everything = Space(world.theme)
        self._told = frozenset(f for f in everything.filters() if self._keeps_rows(f, self.literal))
        """the filters that keep a row under the literal reading: with any other one the guess is empty and wrong"""
        self._spaces = {False: everything, True: Space(world.theme, self._told.__contains__, self._may_guess)}

    def draw(
        self, group: Class, stream: Sequence[int], count: int, words: Set[str] = frozenset()
    ) -> list[tuple[Question, Form]]:
        """Draw ``count`` questions of one class, of ``count`` different golds, each with its logical form.

        Args:
            group: the class: a question that is drawn of one is never drawn of another, whatever the stream.
            stream: item i comes from ``SeedSequence([*stream, i])``.
            count: how many.
            words: if given, the only words that questions may use: what nobody could learn is not asked.

        Raises:
            ArgumentError: there are not as many.
        """
        drawn: dict[str, tuple[Question, Form]] = {}
        guesses = True
        for index in range(count):
            rng = np.random.default_rng(np.random.SeedSequence([*stream, index]))
            found = None
            if guesses and rng.random() < GUESSABLE:
                found = self._draw(group, rng, True, drawn.keys(), words)
                guesses = found is not None  # once there is no other, none is looked for
            found = found or self._draw(group, rng, False, drawn.keys(), words)
            if found is None:
                raise ArgumentError(f"count={count} is more than domain {self.name!r} has to ask. Ask for fewer.")
            text, gold, form = found
            difficulty = "simple" if len(form.filters) < 2 else "moderate"
            drawn[gold] = Question(f"{group}-{index}", text, gold, difficulty=difficulty), form
        return list(drawn.values())

    def _draw(
        self, group: Class, rng: np.random.Generator, guessable: bool, taken: Set[str], words: Set[str]
    ) -> tuple[str, str, Form] | None:
        theme = self.world.theme
        synonyms = [theme.entity(role).other for role in ROLES]
        for _ in range(GUESS_DRAWS if guessable else MAX_DRAWS):
            form = self._spaces[guessable].draw(rng)
            if form is None:
                break
            if not any(f.kind != "name" for f in form.filters) and not form.measure and form.role != "event":
                continue  # the schema alone would tell
            if guessable and not self._may_guess_rows(form):
                continue
            gold = compile_form(form, theme, self.truth)
            if class_of(self.name, gold) != group or gold in taken or not self._is_clear(form, gold):
                continue
            text = say(form, theme, rng, plain=guessable)
            plain = guessable or not any(synonym in text for synonym in synonyms)
            if guessable != (plain and self._is_guessed(form, gold)) or (words and not words >= {*WORD.findall(text)}):
                continue
            return text, gold, form
        return None

    def _is_clear(self, form: Form, gold: str) -> bool:
        """Whether the gold result tells something, and is the only right one."""
        rows = self.run(gold)
        return 0 < len(rows) <= MAX_LISTED and rows[0][-1] not in (None, 0) and not self._is_tied(form, gold)

    def _is_tied(self, form: Form, gold: str) -> bool:
        """Whether the best row is not the only best one, so that either order would be right."""
        if form.op != "top":
            return False
        column = gold.split(" ORDER BY ")[1].split(" DESC")[0]
        best = gold.replace("SELECT ", f"SELECT {column}, ", 1).replace("LIMIT 1", "LIMIT 2")
        values = [row[0] for row in self.run(best)]
        return len(values) == 2 and values[0] == values[1]

    def _is_guessed(self, form: Form, gold: str) -> bool:
        """Whether the literal reading of a clear question gives the gold result."""
        if not self._told.issuperset(form.filters):
            return False
        return {*self.run(compile_form(form, self.world.theme, self.literal))} == {*self.run(gold)}

    def _rows(self, condition: Filter, reading: Reading) -> list[tuple]:
        table = self.world.theme.entity(condition.role).table
        return self.connection.execute(f"SELECT rowid FROM {table} WHERE {reading.condition(condition)}").fetchall()

    def _keeps_rows(self, condition: Filter, reading: Reading) -> bool:
        table = self.world.theme.entity(condition.role).table
        return bool(self.run(f"SELECT 1 FROM {table} WHERE {reading.condition(condition)} LIMIT 1"))

    def _may_guess(self, main: Role, ask: Ask) -> bool:
        """Whether a guess is worth a try: whether it is right of all rows, and of the same rows."""
        form, theme = Form(ask.op, main, (), ask.measure, ask.by), self.world.theme
        gold = compile_form(form, theme, self.truth._replace(filter="", home=False))
        other = main == "event" and (self.world.flagged or (self.world.home and ask.by == "place"))
        return (
            (ask.op in LUCKY or not other)
            and not self._is_tied(form, gold)
            and self.run(gold) == self.run(compile_form(form, theme, self.literal))
        )

    def _may_guess_rows(self, form: Form) -> bool:
        """The same, as far as the filters can tell: the best row is often the best of other rows too."""
        if form.op in LUCKY:
            return True
        other = form.role == "event" and self.world.home and any(f.role == "place" for f in form.filters)
        return not other and all(self._same(f) for f in form.filters)
