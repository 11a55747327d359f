"""The embedded family: databases, questions and golds made from a theme and a seed, alike in every process."""

import os
import re
import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cache, lru_cache
from hashlib import blake2b
from itertools import count
from pathlib import Path

import numpy as np

from lse_gym.envs.cache import cache_dir
from lse_gym.envs.domain import SPLITS, Family, Question, Split
from lse_gym.envs.errors import unknown
from lse_gym.envs.sql.domain import Scoring, SQLDomain
from lse_gym.envs.sql.procedural.forms import Form, compile_form, draw_form, literal_reading, say, true_reading
from lse_gym.envs.sql.procedural.rules import oracle_context
from lse_gym.envs.sql.procedural.theme import ROLES
from lse_gym.envs.sql.procedural.themes import TEST_THEMES, TRAIN_THEMES
from lse_gym.envs.sql.procedural.world import World, draw_world, tables
from lse_gym.envs.sql.prompt import SEED_CONTEXT

SIZES: Mapping[Split, int] = {"feedback": 60, "held_out": 50, "test": 60}
THEMES = {theme.name: theme for theme in (*TRAIN_THEMES, *TEST_THEMES)}
GUESSABLE = 0.25  # share of questions that a literal reader gets right by luck
MAX_ATTEMPTS = 1000  # at a guessable question; then any question will do
MAX_LISTED = 60  # rows of a gold result
Script = list[tuple[str, tuple[str, list[tuple]]]]  # CREATE statement, INSERT statement and its rows
Run = Callable[[str], list[tuple]]
WORD = re.compile(r"\b[a-z][a-z-]+")  # names of rows, capitalised, are in the database for all to see
NAME = re.compile(r"([a-z]+)-(\d{1,6})")


class ProceduralFamily(Family):
    """Domains ``<theme>-<seed>``: any seed from 0 to 999999, the group "train" and the group "test".

    Themes of the two groups share no table, column or adjective, so nothing but skill carries over.

    Args:
        split_seed: another seed draws other questions over the same databases.
        scoring: see :class:`lse_gym.envs.sql.domain.SQLDomain`.
    """

    groups: Mapping[str, Sequence[str]] = {
        "train": [f"{theme.name}-{seed}" for theme in TRAIN_THEMES for seed in range(8)],
        "test": [f"{theme.name}-{seed}" for seed in range(5) for theme in TEST_THEMES],
    }

    def __init__(self, split_seed: int = 0, scoring: Scoring = "set"):
        self.split_seed, self.scoring = split_seed, scoring

    def check(self, name: str) -> None:
        """Raise :class:`UnknownNameError` unless ``name`` is ``<theme>-<seed>`` of a known theme."""
        match = NAME.fullmatch(name) if isinstance(name, str) else None
        if match is None or match[1] not in THEMES:
            advice = "Any other seed works too, e.g. 'library-17'."
            raise unknown("domain", name, [*(f"{theme}-0" for theme in THEMES), *self.groups], advice)

    def load(self, name: str) -> SQLDomain:
        """Make the domain, or take it from memory."""
        self.check(name)
        return _load(name, self.split_seed, self.scoring)

    def sealed(self, name: str, secret: int, count: int) -> SQLDomain:
        """The domain with ``count`` other test questions, which only who has the secret can know."""
        self.check(name)
        return _load(name, self.split_seed, self.scoring, (secret, count))


@lru_cache(maxsize=64)
def _load(name: str, split_seed: int, scoring: Scoring, sealed: tuple[int, int] | None = None) -> SQLDomain:
    world, script = make_world(name)
    schema = "\n\n".join(statement for statement, _ in script)
    with closing(sqlite3.connect(":memory:")) as connection:
        _fill(connection, script)
        drawn = draw_questions(world, connection, [*_stream(name), split_seed], sealed)
    splits = {split: tuple(question for question, _ in drawn[split]) for split in SPLITS}
    return SQLDomain(
        name, _file(name, script), schema, splits, scoring=scoring, oracle_context=oracle_context(SEED_CONTEXT, world)
    )


def _stream(name: str) -> list[int]:
    theme, seed = name.rsplit("-", 1)
    return [list(THEMES).index(theme), int(seed)]


def make_world(name: str) -> tuple[World, Script]:
    """The hidden conventions of a domain, and the statements that make its database."""
    rng = np.random.default_rng(np.random.SeedSequence(_stream(name)))
    world = draw_world(THEMES[name.rsplit("-", 1)[0]], rng)
    return world, _script(world, rng)


def _script(world: World, rng: np.random.Generator) -> Script:
    script = []
    for table, (definitions, rows) in tables(world, rng).items():
        create = f"CREATE TABLE {table} (\n  " + ",\n  ".join(definitions) + "\n);"
        script.append((create, (f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)))
    return script


def _fill(connection: sqlite3.Connection, script: Script) -> None:
    for create, (insert, rows) in script:
        connection.execute(create)
        connection.executemany(insert, rows)
    connection.commit()


def _file(name: str, script: Script) -> Path:
    digest = blake2b(repr(script).encode(), digest_size=8).hexdigest()
    folder = cache_dir() / "text-to-sql"
    path = folder / f"{name}-{digest}.sqlite"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
        os.close(handle)
        try:
            with closing(sqlite3.connect(temporary)) as connection:
                _fill(connection, script)
            os.replace(temporary, path)  # atomic: several processes may make it at once
        finally:
            Path(temporary).unlink(missing_ok=True)
    return path


def draw_questions(
    world: World, connection: sqlite3.Connection, stream: Sequence[int], sealed: tuple[int, int] | None = None
) -> dict[Split, list[tuple[Question, Form]]]:
    """Draw the three splits, disjoint by text, each question with its logical form.

    Item i of split s comes from ``SeedSequence([*stream, s, i])``. Held-out and test questions use no word that the
    feedback questions do not: what nobody could learn is not asked. With ``sealed``, a secret and a count, the test
    questions are replaced by others, disjoint from all three splits, from ``SeedSequence([*stream, 3, secret, i])``.
    """
    taken: set[str] = set()
    heard: set[str] = set()

    @cache
    def run(sql: str) -> list[tuple]:
        return connection.execute(sql).fetchall()

    splits: dict[Split, list[tuple[Question, Form]]] = {}
    for number, split in enumerate(SPLITS):
        splits[split] = [
            _draw_question(world, run, f"{split}-{index}", [*stream, number, index], taken, heard)
            for index in range(SIZES[split])
        ]
        heard = heard or {word for text in taken for word in WORD.findall(text)}
    if sealed:
        secret, size = sealed
        splits["test"] = [
            _draw_question(world, run, f"sealed-{index}", [*stream, len(SPLITS), secret, index], taken, heard)
            for index in range(size)
        ]
    return splits


def _draw_question(
    world: World, run: Run, name: str, stream: Sequence[int], taken: set[str], heard: set[str]
) -> tuple[Question, Form]:
    theme, truth, literal = world.theme, true_reading(world), literal_reading(world)
    synonyms = [theme.entity(role).other for role in ROLES]
    rng = np.random.default_rng(np.random.SeedSequence(stream))
    guessable = rng.random() < GUESSABLE
    for attempt in count():
        guessable = guessable and attempt < MAX_ATTEMPTS  # of some worlds, a guess is hardly ever right
        form = draw_form(theme, rng)
        if not any(f.kind != "name" for f in form.filters) and not form.measure and form.role != "event":
            continue  # the schema alone would tell
        text = say(form, theme, rng)
        plain = not any(synonym in text for synonym in synonyms)
        if text in taken or (guessable and not plain) or (heard and not heard.issuperset(WORD.findall(text))):
            continue
        gold, guess = compile_form(form, theme, truth), compile_form(form, theme, literal)
        rows = run(gold)
        if _informative(rows) and guessable == (plain and {*run(guess)} == {*rows}) and not _tied(form.op, gold, run):
            taken.add(text)
            return Question(name, text, gold, difficulty="simple" if len(form.filters) < 2 else "moderate"), form
    raise AssertionError("unreachable: the count has no end")


def _informative(rows: list[tuple]) -> bool:
    return 0 < len(rows) <= MAX_LISTED and rows[0][-1] not in (None, 0)


def _tied(op: str, gold: str, run: Run) -> bool:
    """Whether the best row is not the only best one, so that either order would be right."""
    if op != "top":
        return False
    column = gold.split(" ORDER BY ")[1].split(" DESC")[0]
    best = gold.replace("SELECT ", f"SELECT {column}, ", 1).replace("LIMIT 1", "LIMIT 2")
    values = [row[0] for row in run(best)]
    return len(values) == 2 and values[0] == values[1]
