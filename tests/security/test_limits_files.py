"""Files that something has damaged: an error that names the file, never a wrong number."""

import os
import sqlite3
from contextlib import closing

import pytest

from lse_gym.agents.files import read_object, read_objects
from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Settings
from lse_gym.envs.errors import DataError, RunDirectoryError
from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Request, Response
from lse_gym.envs.models.recorded import RecordedModel
from lse_gym.envs.models.response_cache import CachedModel, contents
from tests.models.test_response_cache import Counting, requests

HEADER = '{"model": "counting", "revision": "1"}\n'
DAMAGED_LINES = {
    "notes": "notes of mine",
    "negative prompt": '["key", "text", -5, 1, 0]',
    "negative completion": '["key", "text", 5, -1]',
    "negative cached": '["key", "text", 5, 1, -1]',
    "fraction": '["key", "text", 5.5, 1]',
    "truth": '["key", "text", true, 1]',
    "infinity": '["key", "text", Infinity, 1]',
    "huge": f'["key", "text", 1{"0" * 400}, 1]',
    "digits": f'["key", "text", 1{"0" * 5000}, 1]',
    "no text": '["key", null, 5, 1]',
    "no counts": '["key", "text"]',
    "too many": '["key", "text", 1, 2, 3, 4]',
    "no key": '[["key"], "text", 1, 2]',
    "another object": '{"x": 1}',
    "a number": "5",
    "nested": "[" * 100_000,
    "not UTF-8": "\udcff\udcfe",
    "empty line": "",
}


@pytest.mark.parametrize("line", DAMAGED_LINES.values(), ids=DAMAGED_LINES)
def test_a_damaged_record_names_file_and_line(line, tmp_path):
    path = tmp_path / "responses.jsonl"
    RecordedModel(Counting(), path).complete(requests(2))
    path.write_bytes(path.read_bytes() + line.encode("utf-8", "surrogateescape") + b"\n")
    for use in (lambda: RecordedModel(Counting(), path), lambda: make_model(f"replay:{path}")):
        with pytest.raises(DataError) as refusal:
            use()
        assert all(told in str(refusal.value) for told in (f"line 4 of the record {str(path)!r}", "delete the line"))


def test_a_record_that_is_a_folder_names_it(tmp_path):
    with pytest.raises(DataError, match=r"the record '.*' cannot be read"):
        RecordedModel(Counting(), tmp_path)


def damage(path, statement, *values):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement, values)
        connection.commit()


CACHE_DAMAGE = {
    "no database": lambda path: path.write_bytes(b"x" * 5000),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:2048]),
    "overwritten": lambda path: path.write_bytes(path.read_bytes()[:100] + b"\xff" * 8000),
    "negative": lambda path: damage(path, "UPDATE responses SET prompt_tokens = -5"),
    "text for a count": lambda path: damage(path, "UPDATE responses SET completion_tokens = 'many'"),
    "fraction": lambda path: damage(path, "UPDATE responses SET completion_tokens = 1.5"),
    "no answer": lambda path: damage(path, "UPDATE responses SET text = NULL"),
    "another table": lambda path: (
        damage(path, "DROP TABLE responses"),
        damage(path, "CREATE TABLE responses(key TEXT PRIMARY KEY, cached_tokens)"),
    ),
    "a view": lambda path: (
        damage(path, "DROP TABLE responses"),
        damage(path, "CREATE VIEW responses AS SELECT 1 AS key"),
    ),
}


@pytest.mark.parametrize("harm", CACHE_DAMAGE.values(), ids=CACHE_DAMAGE)
def test_a_damaged_cache_is_named_at_once(harm, tmp_path):
    path = tmp_path / "responses.sqlite"
    CachedModel(Counting(), path).complete(requests(3))
    harm(path)
    model = Counting()
    with pytest.raises(DataError) as refusal:
        CachedModel(model, path).complete(requests(3))
    assert all(told in str(refusal.value) for told in (f"the response cache {str(path)!r}", "LSE_GYM_RESPONSE_CACHE"))
    assert model.asked == [], "nothing is paid for before the file is in order"


def test_a_cache_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "responses.sqlite"):
        with pytest.raises(DataError, match="the response cache"):
            contents(path)


def test_answers_that_are_no_text_are_not_kept_for_others(tmp_path):
    path = tmp_path / "responses.sqlite"
    (first,) = CachedModel(Counting(), path).complete(requests(1))
    assert first == Response("answer to question 0", 3, 2)
    assert CachedModel(Counting(), path).complete([Request("system", "question 0")]) == [first]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    config = Settings(agent="no-op", domain="library-3", rounds=2).config()
    folder = tmp_path_factory.mktemp("runs") / "run"
    evolve(config, folder)
    return config, folder


RUN_DAMAGE = [b"", b"[]", b"{", b"5", b"\xff", b"[" * 100_000]


@pytest.mark.parametrize("data", RUN_DAMAGE, ids=range(len(RUN_DAMAGE)))
def test_a_damaged_run_names_the_file(finished, data, tmp_path):
    config, folder = finished
    for name in ("config.json", "trajectory.jsonl"):
        copy = tmp_path / name
        copy.mkdir()
        for file in folder.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        kept = (copy / name).read_bytes() if name.endswith("l") else b""
        (copy / name).write_bytes(kept + (data or b"null") + b"\n")
        with pytest.raises(RunDirectoryError) as refusal:
            evolve(config, copy, resume=True)
        assert repr(str(copy / name)) in str(refusal.value)
        assert (copy / "summary.json").read_bytes() == (folder / "summary.json").read_bytes()


def test_files_of_a_run_are_objects(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n\n{"a": 2}\n')
    assert read_objects(path) == [{"a": 1}, {"a": 2}]
    path.write_text('{"a": 1}\nnull\n')
    with pytest.raises(RunDirectoryError, match=r"rows\.jsonl', line 2"):
        read_objects(path)
    for absent in (tmp_path / "absent", tmp_path):
        with pytest.raises(RunDirectoryError, match=os.path.basename(absent)):
            read_object(absent)
