"""Damaged directories: every problem is named at once."""

import json

import pytest

from lse_gym.envs.sql.bird import load_directory, schema_text
from tests.sql.layouts import (
    GEOQUERY,
    bird_records,
    ids,
    problems,
    spider_records,
    write_bird,
    write_layout,
    write_questions,
    write_spider,
)

needs_geoquery = pytest.mark.skipif(not GEOQUERY.is_dir(), reason="the GeoQuery data is not at ../shared/data")


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
    assert "1 problem." in message


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
    assert "38 problems." in message
    named = ["record 0 is 5, expected an object", "db_id='../x'", "record 2 has question=[]", "repeats question_id '7'"]
    named += ["record 4 lacks 'SQL' (or 'query')", "alps.sqlite is not a SQLite database", "missing databases (30):"]
    named += ["lost_09/lost_09.sqlite (4 questions)", "… and 20 more", "train.json, line 1", "exclude.json, line 1"]
    assert [part for part in named if part not in message] == []
    assert "lost_10" not in message


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
