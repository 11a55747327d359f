"""The embedded family: databases, questions and golds made from a theme and a seed, alike in every process."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from lse_gym.envs import splits
from lse_gym.envs.arguments import Seed, checked
from lse_gym.envs.cache import cache_dir, cached, source_digest, write_whole
from lse_gym.envs.domain import SPLITS, Family, Question, Split
from lse_gym.envs.names import check_drawn
from lse_gym.envs.splits import CLASSES, check_draw
from lse_gym.envs.sql.domain import Scoring, SQLDomain
from lse_gym.envs.sql.procedural.bank import WORD, Bank
from lse_gym.envs.sql.procedural.forms import Form
from lse_gym.envs.sql.procedural.rules import oracle_context
from lse_gym.envs.sql.procedural.theme import Theme
from lse_gym.envs.sql.procedural.themes import TEST_THEMES, TRAIN_THEMES
from lse_gym.envs.sql.procedural.world import World, draw_world, tables
from lse_gym.envs.sql.prompt import SEED_CONTEXT

SIZES: Mapping[Split, int] = {"feedback": 60, "held_out": 50, "test": 60}
THEMES = {theme.name: theme for theme in (*TRAIN_THEMES, *TEST_THEMES)}
FOLDER = "text-to-sql"  # below the cache folder
Script = list[tuple[str, tuple[str, list[tuple]]]]  # CREATE statement, INSERT statement and its rows


class ProceduralFamily(Family):
    """Domains ``<theme>-<seed>``: any seed of at most 39 digits, the group "train" and the group "test".

    Themes of the two groups share no table, column or adjective, so nothing but skill carries over.

    Args:
        split_seed: another seed draws other questions over the same databases.
        scoring: see :class:`lse_gym.envs.sql.domain.SQLDomain`.
    """

    groups: Mapping[str, Sequence[str]] = {
        "train": [f"{theme.name}-{seed}" for theme in TRAIN_THEMES for seed in range(8)],
        "test": [f"{theme.name}-{seed}" for seed in range(5) for theme in TEST_THEMES],
    }

    @checked
    def __init__(self, split_seed: Seed = 0, scoring: Scoring = "set"):
        self.split_seed, self.scoring = split_seed, scoring

    def check(self, name: str) -> None:
        """Raise :class:`UnknownNameError` unless ``name`` is ``<theme>-<seed>`` of a known theme."""
        check_drawn(name, THEMES, self.groups)

    def load(self, name: str) -> SQLDomain:
        """Make the domain, or take it from memory."""
        self.check(name)
        return _load(name, self.split_seed, self.scoring)

    def sizes(self, name: str) -> Mapping[Split, int]:
        """The same of every domain."""
        self.check(name)
        return SIZES

    def sealed(self, name: str, secret: int, count: int) -> SQLDomain:
        """The domain with ``count`` other test questions, which only who has the secret can know."""
        self.check(name)
        check_draw(secret, count)
        return _sealed(name, self.split_seed, self.scoring, secret, count)


@lru_cache(maxsize=64)
def _load(name: str, split_seed: int, scoring: Scoring) -> SQLDomain:
    return domain_of(name, make_record(name, THEMES[name.rsplit("-", 1)[0]], _stream(name), split_seed), scoring)


def domain_of(name: str, record: Mapping[str, Any], scoring: Scoring) -> SQLDomain:
    """The domain that :func:`make_record` made."""
    drawn = {split: tuple(Question(*fields) for fields in record["splits"][split]) for split in SPLITS}
    return SQLDomain(
        name, _path(record), record["schema"], drawn, scoring=scoring, oracle_context=record["oracle_context"]
    )


def make_record(name: str, theme: Theme, stream: list[int], split_seed: int) -> dict[str, Any]:
    """A domain as JSON but for its database, a file beside it; taken from the cache folder where it is there.

    Args:
        name: of the domain.
        theme: its business.
        stream: seeds its conventions, rows and questions.
        split_seed: another one draws other questions.
    """
    key = (_versions(), name, split_seed)
    return cached(FOLDER, name, key, lambda: _make(name, theme, stream, split_seed), _has_database)


@cache
def _versions() -> tuple[str, str, str]:
    """What else decides what is made: this code, numpy's streams, SQLite's arithmetic."""
    here = Path(__file__).parent
    return source_digest(here, here.parent / "prompt.py", Path(splits.__file__)), np.__version__, sqlite3.sqlite_version


def _make(name: str, theme: Theme, stream: list[int], split_seed: int) -> dict[str, Any]:
    world, script = _make_world(theme, stream)
    with closing(sqlite3.connect(":memory:")) as connection:
        fill(connection, script)
        drawn = draw_questions(Bank(name, world, connection), [*stream, split_seed])
        content = connection.serialize()
    digest = sha256(content).hexdigest()
    record = {
        "database": f"{name}-{digest[:16]}.sqlite",
        "sha256": digest,
        "schema": "\n\n".join(create for create, _ in script),
        "oracle_context": oracle_context(SEED_CONTEXT, world),
        "splits": {split: [question for question, _ in drawn[split]] for split in SPLITS},
    }
    write_whole(_path(record), content)
    return record


def _path(record: Mapping[str, Any]) -> Path:
    return cache_dir() / FOLDER / record["database"]


def _has_database(record: Mapping[str, Any]) -> bool:
    return sha256(_path(record).read_bytes()).hexdigest() == record["sha256"]


@lru_cache(maxsize=16)
def _sealed(name: str, split_seed: int, scoring: Scoring, secret: int, count: int) -> SQLDomain:
    """Never from a file: who can read the cache folder could read the questions."""
    public, (world, script) = _load(name, split_seed, scoring), make_world(name)
    stream = [*_stream(name), split_seed, CLASSES.index("sealed"), secret]
    with closing(sqlite3.connect(":memory:")) as connection:
        fill(connection, script)
        drawn = Bank(name, world, connection).draw("sealed", stream, count, words_of(public.splits["feedback"]))
    questions: dict[Split, Sequence[Question]] = {**public.splits, "test": tuple(question for question, _ in drawn)}
    return SQLDomain(
        name, public.database, public.schema, questions, scoring=scoring, oracle_context=public.oracle_context
    )


def _stream(name: str) -> list[int]:
    theme, seed = name.rsplit("-", 1)
    return [list(THEMES).index(theme), int(seed)]


def make_world(name: str) -> tuple[World, Script]:
    """The hidden conventions of a domain, and the statements that make its database."""
    return _make_world(THEMES[name.rsplit("-", 1)[0]], _stream(name))


def _make_world(theme: Theme, stream: list[int]) -> tuple[World, Script]:
    rng = np.random.default_rng(np.random.SeedSequence(stream))
    world = draw_world(theme, rng)
    return world, _script(world, rng)


def _script(world: World, rng: np.random.Generator) -> Script:
    script = []
    for table, (definitions, rows) in tables(world, rng).items():
        create = f"CREATE TABLE {table} (\n  " + ",\n  ".join(definitions) + "\n);"
        script.append((create, (f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)))
    return script


def fill(connection: sqlite3.Connection, script: Script) -> None:
    """Make the tables of a script and their rows."""
    for create, (insert, rows) in script:
        connection.execute(create)
        connection.executemany(insert, rows)
    connection.commit()


def draw_questions(bank: Bank, stream: Sequence[int]) -> dict[Split, list[tuple[Question, Form]]]:
    """Draw the three splits, each question with its logical form.

    Item i of split s comes from ``SeedSequence([*stream, s, i])``. Held-out and test questions use no word that the
    feedback questions do not: what nobody could learn is not asked.
    """
    drawn: dict[Split, list[tuple[Question, Form]]] = {}
    words: frozenset[str] = frozenset()
    for number, split in enumerate(SPLITS):
        drawn[split] = bank.draw(split, [*stream, number], SIZES[split], words)
        words = words or words_of(question for question, _ in drawn[split])
    return drawn


def words_of(questions: Iterable[Question]) -> frozenset[str]:
    """The words of questions, names of rows left out."""
    return frozenset(word for question in questions for word in WORD.findall(question.text))
