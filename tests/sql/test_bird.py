"""BIRD and Spider directories as they are found on disk."""

import os

import pytest

from lse_gym.envs.domain import SPLITS, Question
from lse_gym.envs.splits import split_questions
from lse_gym.envs.sql.bird import load_directory, schema_text
from tests.patience import processor_seconds
from tests.sql.layouts import (
    GEOQUERY,
    bird_records,
    content_hash,
    ids,
    problems,
    sqlite_runs,
    write_bird,
    write_layout,
    write_mini_dev,
    write_questions,
    write_spider,
)

needs_geoquery = pytest.mark.skipif(not GEOQUERY.is_dir(), reason="the GeoQuery data is not at ../shared/data")


@needs_geoquery
def test_geoquery_loads_whole_and_untouched():
    before = content_hash(GEOQUERY)
    assert processor_seconds(lambda: load_directory(GEOQUERY)) < 1
    databases = load_directory(GEOQUERY)
    assert list(databases) == ["geography"]
    assert len(databases["geography"].questions) == 844
    assert databases["geography"].questions[0].text == "what is the biggest city in arizona"
    schema = schema_text(databases["geography"].path)
    assert schema.count("CREATE TABLE") == 7
    sqlite_runs(schema)
    splits = split_questions(databases["geography"].questions, 0, 50)
    assert [len(splits[split]) for split in SPLITS] == [541, 50, 253]
    assert content_hash(GEOQUERY) == before


def test_bird(tmp_path):
    databases = load_directory(write_bird(tmp_path))
    assert list(databases) == ["alps", "coast"]
    coast = databases["coast"]
    assert coast.path == tmp_path / "dev_databases" / "coast" / "coast.sqlite"
    question = "Which cities of coast have more than 1 people?"
    gold = "SELECT name FROM city WHERE population > 1"
    assert coast.questions[1] == Question("5", question, gold, "people refers to population", "simple")


def test_mini_dev_is_found_in_its_nested_folder(tmp_path):
    assert ids(write_mini_dev(tmp_path)) == ["1471", "1472", "1473", "1474"]


@pytest.mark.parametrize("folder", ["databases", "database", "dev_databases"])
@pytest.mark.parametrize("nesting", ["", "dev_20240627", "a/b"])
def test_database_folders_and_nesting(tmp_path, folder, nesting):
    write_layout(tmp_path / nesting, {"dev.json": bird_records(["alps"])}, {folder: ["alps"]})
    write_questions(tmp_path / ".hidden" / "dev.json", [])
    (tmp_path / nesting / "dev_databases").mkdir(exist_ok=True)
    assert ids(tmp_path) == ["0", "1", "2", "3"]


def test_spider_takes_the_index_as_id_and_prefixes_it(tmp_path):
    databases = load_directory(write_spider(tmp_path))
    assert list(databases) == ["farm", "pets"]
    assert [q.id for q in databases["farm"].questions] == [f"train_spider/{index}" for index in range(4)]
    assert databases["pets"].questions[2].gold == "SELECT name FROM city WHERE population > 2"


def test_dev_and_train_in_two_folders(tmp_path):
    write_bird(tmp_path / "dev_20240627", ["alps"])
    train = {"train.json": bird_records(["works"], first_id=None)}
    write_layout(tmp_path / "train", train, {})
    assert ids(tmp_path) == ["0", "1", "2", "3"], "train.json without any of its databases is left out"
    write_layout(tmp_path / "train", {}, {"train_databases": ["works"]})
    assert ids(tmp_path) == [f"{stem}/{index}" for stem in ("dev", "train") for index in range(4)]


def test_relative_directory_gives_absolute_paths(tmp_path, monkeypatch):
    write_bird(tmp_path / "dev")
    monkeypatch.chdir(tmp_path)
    assert load_directory("dev")["alps"].path.is_absolute()


def test_database_names_with_spaces_dots_and_signs_in_the_path(tmp_path):
    folder = tmp_path / "50% ü?mode=rw#x"
    database = load_directory(write_bird(folder, ["a b.c-1"]))["a b.c-1"]
    assert schema_text(database.path).startswith("CREATE TABLE")


def test_symlinked_database_must_be_a_regular_file(tmp_path):
    write_bird(tmp_path / "dev", ["alps"])
    path = tmp_path / "dev" / "dev_databases" / "alps" / "alps.sqlite"
    elsewhere = path.rename(tmp_path / "elsewhere.db")
    path.symlink_to(elsewhere)
    assert len(ids(tmp_path / "dev")) == 4
    elsewhere.unlink()
    assert "dev_databases/alps/alps.sqlite is not a regular file" in problems(tmp_path / "dev")
    os.mkfifo(elsewhere)
    assert "dev_databases/alps/alps.sqlite is not a regular file" in problems(tmp_path / "dev")


def test_loading_is_fast_and_writes_nothing(tmp_path):
    names = [f"db_{index}" for index in range(11)]
    write_bird(tmp_path, names, each=140)
    for path in tmp_path.rglob("*.sqlite"):
        path.chmod(0o444)
    before = content_hash(tmp_path)
    assert processor_seconds(lambda: load_directory(tmp_path)) < 0.5
    databases = load_directory(tmp_path)
    for database in databases.values():
        schema_text(database.path)
    assert sum(len(database.questions) for database in databases.values()) == 1540
    assert content_hash(tmp_path) == before
