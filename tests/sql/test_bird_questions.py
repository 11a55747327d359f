"""What becomes of a directory's questions: exclusion, schema text and splits."""

import json
import os
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Settings
from lse_gym.envs.domain import SPLITS, Question
from lse_gym.envs.errors import ArgumentError, DataError, RunDirectoryError
from lse_gym.envs.splits import split_questions
from lse_gym.envs.sql.bird import load_directory, schema_text
from lse_gym.envs.sql.bird_family import BIRDFamily
from tests.sql.layouts import (
    GEOQUERY,
    SCHEMA,
    ids,
    problems,
    sqlite_runs,
    write_bird,
    write_database,
    write_spider,
)

needs_geoquery = pytest.mark.skipif(not GEOQUERY.is_dir(), reason="the GeoQuery data is not at ../shared/data")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("exclude.txt", "# broken golds\n\n1 # joins the wrong key\ndev/6#x\r\n"),
        ("exclude.json", '["1", 6]'),
        ("exclude.json", '{"1": "joins the wrong key", "dev/6": ""}'),
    ],
)
def test_exclusion_by_file(tmp_path, name, content):
    write_bird(tmp_path / "dev")
    (tmp_path / name).write_text(content)
    assert ids(tmp_path / "dev", exclude=tmp_path / name) == ["0", "2", "3", "4", "5", "7"]
    assert ids(tmp_path) == ["0", "2", "3", "4", "5", "7"]
    (tmp_path / name).rename(tmp_path / "dev" / name)
    assert ids(tmp_path / "dev") == ids(tmp_path) == ["0", "2", "3", "4", "5", "7"]
    assert len(ids(tmp_path, exclude=os.devnull)) == 8


def test_exclusion_from_several_files_takes_the_prefixed_id(tmp_path):
    write_spider(tmp_path)
    (tmp_path / "exclude.txt").write_text("dev/0\ntrain_spider/3")
    assert ids(tmp_path) == [*(f"train_spider/{i}" for i in range(3)), *(f"dev/{i}" for i in range(1, 4))]
    (tmp_path / "exclude.txt").write_text("0")
    assert "excluded ids that no question has (1):\n  - '0'" in problems(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("exclude.txt", "1\n99\nabc", "excluded ids that no question has (2):\n  - '99'\n  - 'abc'"),
        ("exclude.json", "[1.5]", "exclude.json holds [1.5], expected a list of ids"),
        ("exclude.json", "null", "exclude.json holds None, expected a list of ids"),
        ("exclude.json", "[1,]", "exclude.json, line 1, column 4"),
        ("exclude.txt", "\n".join(map(str, range(8))), "every question is excluded"),
    ],
)
def test_wrong_exclusions(tmp_path, name, content, expected):
    write_bird(tmp_path)
    (tmp_path / name).write_text(content)
    assert expected in problems(tmp_path)


def test_exclusions_are_not_called_unknown_beside_an_unreadable_file(tmp_path):
    write_bird(tmp_path)
    (tmp_path / "train.json").write_text("[")
    (tmp_path / "exclude.txt").write_text("train/1")
    assert "1 problem." in problems(tmp_path)


def test_missing_exclusion_file(tmp_path):
    assert "nowhere.txt: No such file" in problems(write_bird(tmp_path), exclude=tmp_path / "nowhere.txt")


def test_a_database_without_questions_left_is_left_out(tmp_path):
    write_bird(tmp_path)
    (tmp_path / "exclude.txt").write_text("0\n1\n2\n3")
    assert list(load_directory(tmp_path)) == ["coast"]


def test_schema_is_tidy_and_runs(tmp_path):
    # SQLite opens a database in WAL mode with files beside it, unless it is told that the database is immutable.
    schema = schema_text(write_database(tmp_path / "x.sqlite", "PRAGMA journal_mode=WAL;" + SCHEMA))
    assert schema == (
        'CREATE TABLE "city" (\n'
        '    "name" TEXT PRIMARY KEY,\n'
        "    `County  Name` TEXT DEFAULT 'a  b', -- as  spelled\n"
        "    population INTEGER\n"
        ");\n"
        "CREATE VIEW big AS SELECT name FROM city WHERE population > 100000;\n"
        "CREATE TABLE area (id INTEGER PRIMARY KEY AUTOINCREMENT, km2 REAL);"
    )
    again = write_database(tmp_path / "again.sqlite", schema)
    assert schema_text(again) == schema
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.sqlite", "x.sqlite"]


@pytest.mark.parametrize("ending", ["", " -- all of it"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_schema_with_comments(tmp_path, ending, newline):
    view = newline.join(["CREATE VIEW v AS", "", f"SELECT x - 1, 'it''s  so',  4 / 2 /* a  b */ FROM a{ending}"])
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as connection:
        connection.execute("CREATE TABLE a (x)")
        connection.execute(view)
        connection.execute("CREATE TABLE [b  c] (x)")
    schema = schema_text(tmp_path / "x.sqlite")
    expected = "CREATE TABLE a (x);\nCREATE VIEW v AS\nSELECT x - 1, 'it''s  so', 4 / 2 /* a  b */ FROM a"
    assert schema.startswith(expected)
    assert schema.endswith(";\nCREATE TABLE [b  c] (x);")
    sqlite_runs(schema)


def test_schema_of_no_database(tmp_path):
    (tmp_path / "x.sqlite").write_bytes(b"SQLite format 3\0" + b"\1" * 200)
    for name in ("x.sqlite", "nowhere.sqlite"):
        with pytest.raises(DataError, match="cannot be read as a SQLite database"):
            schema_text(tmp_path / name)
    assert not (tmp_path / "nowhere.sqlite").exists()


words = st.sampled_from(["how", "many", "Rivers", "in", "Ohio", "7", "ü"])
texts = st.lists(words, min_size=1, max_size=6).map(" ".join)
many = st.lists(texts, min_size=3, max_size=60).map(lambda all_: [Question(str(i), t, "") for i, t in enumerate(all_)])
numbers = st.integers(0, 2**64)


def distinct(count):
    return [Question(str(index), f"question {index}", "") for index in range(count)]


@given(many, numbers, st.integers(1, 60), st.floats(0.01, 0.99), st.randoms())
def test_splits_are_disjoint_complete_and_deterministic(questions, seed, held_out_size, test_fraction, random):
    if len({q.text.lower() for q in questions}) < 3:
        return
    splits = split_questions(questions, seed, held_out_size, test_fraction)
    assert set(splits) == set(SPLITS)
    assert all(splits.values())
    assert sorted(q for part in splits.values() for q in part) == sorted(questions)
    where = {}
    for split, part in splits.items():
        for question in part:
            assert where.setdefault("".join(question.text.lower().split()), split) == split
    shuffled = random.sample(questions, len(questions))
    assert split_questions(shuffled, seed, held_out_size, test_fraction) == splits


@given(st.integers(3, 300), numbers, st.integers(1, 100))
def test_sizes_of_distinct_questions(count, seed, held_out_size):
    splits = split_questions(distinct(count), seed, held_out_size)
    assert len(splits["held_out"]) == max(1, min(held_out_size, count // 4))
    assert len(splits["test"]) == round(0.3 * count)


@given(numbers)
def test_neighbouring_seeds_differ(seed):
    questions = distinct(60)
    here, there = (split_questions(questions, number, 20)["held_out"] for number in (seed, seed + 1))
    assert set(here) != set(there)


@given(
    st.sampled_from(
        ["how many rivers", "How  many\trivers?", "HOW MANY 'RIVERS'", "how-many rivers!", "`how` many rivers"]
    ),
    numbers,
)
def test_case_whitespace_and_punctuation_do_not_separate(variant, seed):
    questions = [*distinct(20), Question("a", "how many rivers", ""), Question("b", variant, "")]
    assert any({"a", "b"} <= {q.id for q in part} for part in split_questions(questions, seed, 5).values())


@pytest.mark.parametrize("seed", range(20))
def test_a_text_repeated_many_times_leaves_no_split_empty(seed):
    thrice = [Question(f"{text}{index}", text, "") for text in "abc" for index in range(20)]
    for questions in (thrice, thrice[:20] + distinct(2)):
        assert all(split_questions(questions, seed, 50).values())


def test_split_does_not_change_between_releases():
    held_out = split_questions(distinct(40), 0, 5)["held_out"]
    assert [q.id for q in held_out] == ["23", "30", "28", "14", "7"]


def test_leaving_a_question_out_moves_only_the_border():
    questions = distinct(100)
    whole, part = (split_questions(some, 3, 20)["held_out"] for some in (questions, questions[1:]))
    assert len(set(whole) - set(part)) <= 1


@pytest.mark.parametrize(
    ("seed", "size", "fraction"), [(-1, 5, 0.3), (0, 0, 0.3), (0, 5, 0.0), (0, 5, 1.0), (0, 5, float("nan"))]
)
def test_wrong_arguments(seed, size, fraction):
    with pytest.raises(ArgumentError, match="Pass for example"):
        split_questions(distinct(9), seed, size, fraction)


def test_too_few_questions():
    questions = [*distinct(2), Question("2", "Question  1?", "")]
    with pytest.raises(ArgumentError, match=r"3 questions with 2 distinct texts .* at least 3"):
        split_questions(questions, 0, 1)


def test_all_broken_golds_are_told_before_anything_is_asked(tmp_path):
    folder = write_bird(tmp_path, ["alps"], 12)
    path = folder / "dev.json"
    records = json.loads(path.read_text())
    for n in (2, 7):
        records[n]["SQL"] = "SELECT x FROM nowhere"
    path.write_text(json.dumps(records))
    family = BIRDFamily(folder)
    with pytest.raises(DataError, match=r"2 gold statements of 'alps' failed: .*no such table.*no such table.*exclude"):
        family.load("alps")
    (tmp_path / "out.txt").write_text("\n".join(str(records[n].get("question_id", n)) for n in (2, 7)))
    assert BIRDFamily(folder, exclude=tmp_path / "out.txt").load("alps").verify() == []


def test_an_exclusion_that_changes_no_answer_does_not_forbid_to_resume(tmp_path):
    folder = write_bird(tmp_path / "dev", ["alps", "coast"], 12)
    databases = BIRDFamily(folder).databases
    config = {"env": "LSE/BIRD-v0", "agent": "no-op", "domain": "alps", "rounds": 1}

    def run(*excluded):
        exclude = {}
        if excluded:
            path = tmp_path / f"out-{len(excluded)}.txt"
            path.write_text("\n".join(excluded))
            exclude = {"exclude": str(path)}
        made = Settings(**config, data_dir=str(folder), **exclude).config()
        return evolve(made, tmp_path / "run", resume=bool(excluded))

    first = run()
    other = databases["coast"].questions[0].id
    assert run(other)["test_scores_best"] == first["test_scores_best"]
    left_out = tmp_path / "out-1.txt"
    left_out.write_text(f"{other}\n{databases['coast'].questions[1].id}")  # the same file, edited in place
    config["exclude"] = str(left_out)
    made = Settings(**config, data_dir=str(folder)).config()
    assert evolve(made, tmp_path / "run", resume=True)["test_scores_best"] == first["test_scores_best"]
    left_out.write_text("\n".join(question.id for question in databases["alps"].questions[:6]))
    with pytest.raises(RunDirectoryError, match="questions have changed"):
        evolve(made, tmp_path / "run", resume=True)
    del config["exclude"]
    with pytest.raises(RunDirectoryError, match="questions have changed"):
        run(*(question.id for question in databases["alps"].questions[:6]))
