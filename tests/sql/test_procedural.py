import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import lse_gym  # noqa: F401 - registers the ids
from lse_gym.envs import cache
from lse_gym.envs.domain import SPLITS
from lse_gym.envs.errors import UnknownNameError
from lse_gym.envs.evaluation import evaluate_context
from lse_gym.envs.sql.procedural import family as family_module
from lse_gym.envs.sql.procedural.bank import Bank
from lse_gym.envs.sql.procedural.family import THEMES, ProceduralFamily, draw_questions, fill, make_world
from lse_gym.envs.sql.procedural.forms import compile_form, true_reading
from lse_gym.envs.sql.procedural.themes import TEST_THEMES, TRAIN_THEMES
from lse_gym.envs.sql.procedural.world import World, draw_world, hidden_kinds

SEEDS = (1, 2)
HARD = "library-14"  # a world of which hardly anything can be guessed
NAMES = [*(f"{theme}-{seed}" for theme in THEMES for seed in SEEDS), HARD]
FAMILY = ProceduralFamily()
DIGEST = """
import hashlib, sys
from lse_gym.envs.sql.procedural.family import ProceduralFamily
for name in sys.argv[1:]:
    d = ProceduralFamily().load(name)
    text = repr([d.system(d.oracle_context), *d.splits.items()])
    print(d.database.name, hashlib.sha256(text.encode() + d.database.read_bytes()).hexdigest())
"""


def run_python(code: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(process: subprocess.Popen[str]) -> str:
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    return out


@pytest.mark.parametrize("name", NAMES)
def test_golds_score_one_and_everything_else_zero(name):
    domain = FAMILY.load(name)
    assert domain.verify() == []
    questions = [q for split in SPLITS for q in domain.splits[split]]
    for answer in ("", None, "\x00</answer><answer>", "SELECT 1; DROP TABLE x", "SELECT NULL WHERE 0"):
        responses = [q.text if answer is None else answer for q in questions]
        assert {outcome.score for outcome in domain.score(questions, responses)} == {0.0}, answer


@pytest.mark.parametrize("name", NAMES)
def test_questions_are_many_disjoint_and_have_rows(name):
    domain = FAMILY.load(name)
    texts = [q.text for split in SPLITS for q in domain.splits[split]]
    assert [len(domain.splits[split]) for split in SPLITS] == [60, 50, 60]
    assert len(set(texts)) == len(texts) > 100
    with closing(sqlite3.connect(domain.database)) as connection:
        for question in (q for split in SPLITS for q in domain.splits[split]):
            rows = connection.execute(question.gold).fetchall()
            assert rows, question
            assert rows[0][-1] is not None, question


@pytest.mark.parametrize("name", NAMES)
def test_databases_are_related_tables_with_hundreds_of_rows(name):
    with closing(sqlite3.connect(FAMILY.load(name).database)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = sum(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables)
        keys = [row for table in tables for row in connection.execute(f"PRAGMA foreign_key_list({table})")]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert len(tables) >= 3
    assert len(keys) >= 3
    assert rows >= 300


@pytest.mark.parametrize("theme", THEMES)
def test_conventions_are_many_and_differ_between_seeds(theme):
    worlds = [draw_world(THEMES[theme], np.random.default_rng(seed)) for seed in range(400)]
    for world in worlds:
        kinds = hidden_kinds(world)
        assert len(kinds) >= 8
        assert len(set(kinds)) >= 6
    assert all(a != b for a, b in pairwise(worlds))
    assert len({repr(world) for world in worlds}) == len(worlds)


def drawn_forms(name: str) -> tuple[World, list]:
    world, script = make_world(name)
    stream = [list(THEMES).index(world.theme.name), int(name.rpartition("-")[2]), 0]
    with closing(sqlite3.connect(":memory:")) as connection:
        fill(connection, script)
        drawn = draw_questions(Bank(name, world, connection), stream)
    return world, [item for items in drawn.values() for item in items]


@pytest.mark.parametrize("theme", THEMES)
def test_schema_alone_never_settles_a_question(theme):
    schemas = {tuple(create for create, _ in make_world(f"{theme}-{seed}")[1]) for seed in range(20)}
    assert len(schemas) == 1  # so that every world below lies behind the very same schema text
    others = [true_reading(make_world(f"{theme}-{seed}")[0]) for seed in range(40, 60)]
    for seed in SEEDS:
        world, drawn = drawn_forms(f"{theme}-{seed}")
        assert [q for q, _ in drawn] == [q for split in SPLITS for q in FAMILY.load(f"{theme}-{seed}").splits[split]]
        for question, form in drawn:
            assert compile_form(form, world.theme, true_reading(world)) == question.gold
            assert any(compile_form(form, world.theme, other) != question.gold for other in others), question


def words_of(theme) -> set[str]:
    entities = [theme.entity(role) for role in ("event", "person", "thing", "place")]
    words = {word for e in entities for word in (e.table, e.label, e.other, f"{e.noun}_id")}
    words |= {c.column for c in theme.codes} | {t for c in theme.codes for t in c.terms}
    words |= {c for m in theme.measures for c in m.columns} | {m.word for m in theme.measures}
    words |= {word for a in theme.adjectives for word in (a.word, a.column)} | {d.column for d in theme.dates}
    return words | {theme.open_word, theme.open_column, theme.flag_column}


def test_train_and_test_themes_share_no_names():
    train = set().union(*map(words_of, TRAIN_THEMES))
    assert {theme.name: train & words_of(theme) for theme in TEST_THEMES} == {
        theme.name: set() for theme in TEST_THEMES
    }


def test_domains_are_equal_in_every_process(tmp_path):
    names = ["library-3", "lab-2"]
    runs = [
        run_python(DIGEST, *names, PYTHONHASHSEED=str(seed), LSE_GYM_CACHE=str(tmp_path / str(seed))) for seed in (1, 2)
    ]
    first, second = map(output, runs)
    assert first == second
    assert len(set(first.splitlines())) == 2


def test_several_processes_may_make_one_database_at_once(tmp_path):
    runs = [run_python(DIGEST, "clinic-3", LSE_GYM_CACHE=str(tmp_path)) for _ in range(4)]
    assert len({output(run) for run in runs}) == 1
    assert sorted(path.suffix for path in (tmp_path / "text-to-sql").iterdir()) == [".json", ".sqlite"]


@pytest.fixture
def fresh_cache_dir():
    cache.cache_dir.cache_clear()
    yield cache.cache_dir
    cache.cache_dir.cache_clear()


@pytest.mark.parametrize("home_works", [True, False])
def test_cache_falls_back_where_it_cannot_write(home_works, tmp_path, monkeypatch, fresh_cache_dir):
    blocked = tmp_path / "file"
    blocked.write_text("a folder cannot be made below a file, not even by root")
    monkeypatch.setenv("LSE_GYM_CACHE", str(blocked / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" if home_works else blocked))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = fresh_cache_dir()
    assert (folder == tmp_path / "home" / "lse-gym") == home_works
    assert folder.is_relative_to(tmp_path)
    family_module._load.cache_clear()
    assert FAMILY.load("lab-0").database.is_relative_to(folder)
    family_module._load.cache_clear()


@pytest.mark.parametrize(
    "bad", ["library", "library-", "library--1", "library-" + 40 * "1", "moon-1", "", "clinic-0\n", 3]
)
def test_unknown_domains_are_refused(bad):
    with pytest.raises(UnknownNameError):
        FAMILY.load(bad)


def test_another_split_seed_asks_other_questions_of_the_same_database():
    one, two = FAMILY.load("hotel-1"), ProceduralFamily(split_seed=1).load("hotel-1")
    assert one.database == two.database
    assert len({q.text for q in one.splits["test"]} & {q.text for q in two.splits["test"]}) < 30


def test_reader_does_badly_without_conventions_and_well_with_all():
    env = gym.make("LSE/TextToSQL-v1")
    names = FAMILY.groups["test"]
    seeds = [evaluate_context(env, FAMILY.load(name).seed_context, "test", name).mean for name in names]
    oracles = [evaluate_context(env, FAMILY.load(name).oracle_context or "", "test", name).mean for name in names]
    assert 0.15 <= sum(seeds) / len(seeds) <= 0.40
    assert sum(oracles) / len(oracles) >= 0.95
    assert min(oracles) >= 0.93, dict(zip(names, oracles, strict=True))


def test_database_files_are_never_written_to():
    domain = FAMILY.load("studio-0")
    before = Path(domain.database).read_bytes()
    domain.score(domain.splits["test"][:1], ["<answer>DELETE FROM sessions</answer>"])
    assert Path(domain.database).read_bytes() == before
