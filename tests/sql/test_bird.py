import hashlib
import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.domain import SPLITS, Question
from lse_gym.envs.errors import ArgumentError, DataError
from lse_gym.envs.sql.bird import load_directory, schema_text, split_questions
from tests.sql.layouts import (
    SCHEMA,
    bird_records,
    spider_records,
    write_bird,
    write_database,
    write_layout,
    write_mini_dev,
    write_questions,
    write_spider,
)

GEOQUERY = Path(__file__).parents[2] / ".." / "shared" / "data" / "bird_layout_geoquery"
needs_geoquery = pytest.mark.skipif(not GEOQUERY.is_dir(), reason="the GeoQuery data is not at ../shared/data")


def ids(data_dir, **arguments):
    return [
        question.id for database in load_directory(data_dir, **arguments).values() for question in database.questions
    ]


def problems(data_dir, **arguments):
    with pytest.raises(DataError) as caught:
        load_directory(data_dir, **arguments)
    return str(caught.value)


def content_hash(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(str(path).encode() + path.read_bytes() for path in files)).hexdigest()


def sqlite_runs(script):
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(script)


# Layouts


@needs_geoquery
def test_geoquery_loads_whole_and_untouched():
    before = content_hash(GEOQUERY)
    start = time.perf_counter()
    databases = load_directory(GEOQUERY)
    assert time.perf_counter() - start < 1
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
    start = time.perf_counter()
    databases = load_directory(tmp_path)
    assert time.perf_counter() - start < 0.5
    for database in databases.values():
        schema_text(database.path)
    assert sum(len(database.questions) for database in databases.values()) == 1540
    assert content_hash(tmp_path) == before


# Damage


def test_no_directory_says_what_to_download_and_where():
    message = problems(None)
    assert 'gym.make("LSE/BIRD-v0", data_dir="path/to/dev")' in message
    assert "https://bird-bench.github.io/            dev.zip, train.zip or minidev.zip" in message
    assert "https://yale-lily.github.io/spider" in message
    assert "└── formula_1.sqlite" in message
    assert "names no directory" in problems("")


def test_wrong_directories(tmp_path):
    assert "does not exist" in problems(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    assert "is not a directory" in problems(tmp_path / "file")
    assert "none of dev.json, mini_dev_sqlite.json" in problems(tmp_path)
    assert f"data_dir={str(tmp_path)!r}" in problems(tmp_path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'[\n  {"db_id": "x",\n}]', "dev.json, line 3, column 1: "),
        (b"", "dev.json, line 1, column 1: "),
        (b"[\xff]", "dev.json: byte 1 is not UTF-8"),
        (b"[" * 200_000, "dev.json: RecursionError"),
        (b"[" + b"9" * 5000 + b"]", "dev.json: ValueError"),
        (b"{}", "dev.json holds {}"),
        (b"[]", "dev.json holds []"),
        (b"null", "dev.json holds None"),
    ],
)
def test_unreadable_question_files(tmp_path, content, expected):
    (tmp_path / "dev.json").write_bytes(content)
    assert expected in problems(tmp_path)


def test_byte_order_mark_is_no_problem(tmp_path):
    write_bird(tmp_path)
    content = (tmp_path / "dev.json").read_bytes()
    (tmp_path / "dev.json").write_bytes(b"\xef\xbb\xbf" + content)
    assert len(ids(tmp_path)) == 8


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"db_id": "../../etc"}, "record 2 has db_id='../../etc', expected one plain folder name"),
        ({"db_id": ".."}, "record 2 has db_id='..'"),
        ({"db_id": "a/b"}, "record 2 has db_id='a/b'"),
        ({"db_id": ""}, "record 2 has db_id=''"),
        ({"db_id": "alps\n"}, r"record 2 has db_id='alps\n'"),
        ({"db_id": "x\0"}, r"record 2 has db_id='x\x00'"),
        ({"db_id": 7}, "record 2 has db_id=7"),
        ({"question": 7}, "record 2 has question=7, expected non-empty text"),
        ({"question": " "}, "record 2 has question=' '"),
        ({"question": "\ud800"}, r"record 2 has question='\ud800'"),
        ({"SQL": None}, "record 2 has SQL=None"),
        ({"evidence": ["x"]}, "record 2 has evidence=['x'], expected text"),
        ({"question_id": 1.5}, "record 2 has question_id=1.5"),
        ({"question_id": True}, "record 2 has question_id=True"),
        ({"question_id": "a #b"}, "record 2 has question_id='a #b'"),
        ({"question_id": 0}, "record 2 repeats question_id '0'"),
        ({"question_id": "0"}, "record 2 repeats question_id '0'"),
    ],
)
def test_damaged_values(tmp_path, change, expected):
    write_bird(tmp_path)
    records = bird_records(["alps", "coast"])
    records[2] |= change
    (tmp_path / "dev.json").write_text(json.dumps(records))
    message = problems(tmp_path)
    assert expected in message
    assert "problems: 1." in message


@pytest.mark.parametrize("key", ["db_id", "question", "SQL", "question_id"])
def test_lacking_keys(tmp_path, key):
    write_bird(tmp_path)
    records = bird_records(["alps", "coast"])
    del records[3][key]
    write_questions(tmp_path / "dev.json", records)
    assert f"record 3 lacks {key!r}" in problems(tmp_path)


def test_optional_values_may_be_null_or_absent(tmp_path):
    write_bird(tmp_path, ["alps"])
    records = bird_records(["alps"])
    records[0] |= {"evidence": None, "difficulty": None}
    del records[1]["evidence"], records[1]["difficulty"]
    write_questions(tmp_path / "dev.json", records)
    assert [(q.evidence, q.difficulty) for q in load_directory(tmp_path)["alps"].questions[:2]] == [("", "")] * 2


def damage(path, how):
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(
        {"empty": b"", "text": b"version https://git-lfs", "short": content[:-1], "header": content[:50]}[how]
    )


DAMAGES = {
    "empty": "is empty",
    "text": "is not a SQLite database",
    "short": "is cut short: ",
    "header": "is cut short: 50 of ",
}


@pytest.mark.parametrize(("how", "expected"), DAMAGES.items())
def test_damaged_databases(tmp_path, how, expected):
    path = tmp_path / "dev_databases" / "alps" / "alps.sqlite"
    write_bird(tmp_path)
    damage(path, how)
    message = problems(tmp_path)
    assert f"dev_databases/alps/alps.sqlite {expected}" in message
    assert "coast" not in message


def test_page_count_of_a_database_written_by_an_old_sqlite_is_ignored(tmp_path):
    path = write_bird(tmp_path, ["alps"]) / "dev_databases" / "alps" / "alps.sqlite"
    content = bytearray(path.read_bytes())
    content[28:32] = content[92:96] = (10_000).to_bytes(4)
    path.write_bytes(content)
    assert schema_text(load_directory(tmp_path)["alps"].path)


def test_missing_databases_and_an_archive_left_packed(tmp_path):
    write_bird(tmp_path, ["alps"])
    write_questions(tmp_path / "dev.json", bird_records(["alps", "coast"]))
    assert "dev_databases/coast/coast.sqlite (4 questions)" in problems(tmp_path)
    (tmp_path / "dev_databases").rename(tmp_path / "gone")
    (tmp_path / "dev_databases.zip").write_bytes(b"PK")
    assert "dev_databases/alps/alps.sqlite (4 questions; dev_databases.zip is not unpacked)" in problems(tmp_path)


def test_every_problem_is_named_at_once_and_long_lists_are_cut(tmp_path):
    names = ["alps", "coast", *(f"lost_{index:02}" for index in range(30))]
    write_bird(tmp_path, names[:2])
    damage(tmp_path / "dev_databases" / "alps" / "alps.sqlite", "text")
    records = bird_records(names)
    records[1]["db_id"] = "../x"
    records[2]["question"] = []
    records[3]["question_id"] = 7
    del records[4]["SQL"]
    write_questions(tmp_path / "dev.json", [5, *records[1:]])
    (tmp_path / "train.json").write_text("[,]")
    (tmp_path / "exclude.json").write_text("{")
    message = problems(tmp_path)
    assert "problems: 38." in message
    named = ["record 0 is 5, expected an object", "db_id='../x'", "record 2 has question=[]", "repeats question_id '7'"]
    named += ["record 4 lacks 'SQL' (or 'query')", "alps.sqlite is not a SQLite database", "missing databases (30):"]
    named += ["lost_19/lost_19.sqlite (4 questions)", "… and 10 more", "train.json, line 1", "exclude.json, line 1"]
    assert [part for part in named if part not in message] == []
    assert "lost_20" not in message


def test_two_versions_of_the_same_questions(tmp_path):
    write_bird(tmp_path / "bird")
    write_spider(tmp_path / "spider")
    assert "bird/dev.json, spider/dev.json: point data_dir at one folder" in problems(tmp_path)
    write_questions(tmp_path / "bird" / "mini_dev_sqlite.json", bird_records(["alps"]))
    assert "dev.json, mini_dev_sqlite.json: " in problems(tmp_path / "bird")


def test_one_name_for_two_databases(tmp_path):
    write_bird(tmp_path, ["alps"])
    write_layout(tmp_path, {"train.json": spider_records(["alps"])}, {"train_databases": ["alps"]})
    assert "dev_databases/alps/alps.sqlite and train_databases/alps/alps.sqlite: keep one" in problems(tmp_path)


# Exclusion


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
    assert "problems: 1." in problems(tmp_path)


def test_missing_exclusion_file(tmp_path):
    assert "nowhere.txt: No such file" in problems(write_bird(tmp_path), exclude=tmp_path / "nowhere.txt")


def test_a_database_without_questions_left_is_left_out(tmp_path):
    write_bird(tmp_path)
    (tmp_path / "exclude.txt").write_text("0\n1\n2\n3")
    assert list(load_directory(tmp_path)) == ["coast"]


# Schema


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


# Splits

words = st.sampled_from(["how", "many", "Rivers", "in", "Ohio", "7", "ü"])
texts = st.lists(words, min_size=1, max_size=6).map(" ".join)
many = st.lists(texts, min_size=3, max_size=60).map(lambda all_: [Question(str(i), t, "") for i, t in enumerate(all_)])
numbers = st.integers(0, 2**64)


def distinct(count):
    return [Question(str(index), f"question {index}", "") for index in range(count)]


@settings(deadline=None)
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


@settings(deadline=None)
@given(st.integers(3, 300), numbers, st.integers(1, 100))
def test_sizes_of_distinct_questions(count, seed, held_out_size):
    splits = split_questions(distinct(count), seed, held_out_size)
    assert len(splits["held_out"]) == max(1, min(held_out_size, count // 4))
    assert len(splits["test"]) == round(0.3 * count)


@settings(deadline=None)
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
@settings(deadline=None)
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
