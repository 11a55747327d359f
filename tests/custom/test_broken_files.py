"""Every kind of broken file gets a message that says where, what was given, and what to do."""

import csv
import json
import re

import pytest

from lse_gym.envs.custom.advice import KINDS
from lse_gym.envs.faults import MAX_SHOWN
from tests.custom.questions import SUMS, refusal, write_questions
from tests.sql.layouts import write_database

FINE = [{"question": f"Who is number {n}?", "answer": f"Person {n}"} for n in range(9)]


def lines(*broken, fine=FINE):
    """Nine good records and the broken ones behind them, as the bytes of a .jsonl file; records, or bytes as is."""
    return b"".join((r if isinstance(r, bytes) else json.dumps(r).encode()) + b"\n" for r in (*fine, *broken))


def cells(*rows):
    return "\n".join(rows).encode()


CHOICES = {"question": "Which is it?", "choices": ["red", "green", "blue"]}
# name of the file, its bytes, scorer, what stands in the message
BROKEN = {
    "no such file": ("absent.jsonl", None, "exact", ["absent.jsonl", "No such file", ".jsonl, .json, .csv"]),
    "unknown suffix": ("a.xlsx", b"PK", "exact", ["'.xlsx'", ".csv"]),
    "empty file": ("a.jsonl", b" \n", "exact", ["is empty"]),
    "empty list": ("a.json", b"[]", "exact", ["no questions in it"]),
    "header without rows": ("a.csv", b"question,answer\n", "exact", ["no questions in it"]),
    "latin-1": ("a.jsonl", lines('{"question": "Où?", "answer": "là"}'.encode("latin-1")), "exact",
                ["line 10", "byte 0xf9 is not UTF-8", "iconv -f WINDOWS-1252 -t UTF-8"]),
    "latin-1 table": ("a.csv", "question,answer\na,b\nOù?,là".encode("latin-1"), "exact", ["line 3", "byte 0xf9"]),
    "utf-16": ("a.csv", "question,answer\n".encode("utf-16"), "exact", ["UTF-16", "save it as UTF-8"]),
    "wrong decoding": ("a.jsonl", lines({"question": "Wo ist M\ufffdnchen?", "answer": "da"}), "exact",
                       ["line 10", "U+FFFD at character 9", "wrong decoding"]),
    "null byte": ("a.jsonl", lines({"question": "a\0b", "answer": "c"}), "exact", ["line 10", "U+0000"]),
    "half a surrogate": ("a.jsonl", lines(b'{"question": "a\\ud800", "answer": "c"}'), "exact", ["line 10", "U+D800"]),
    "no JSON": ("a.jsonl", lines(b'{"question": "a", answer: "b"}'), "exact",
                ["line 10", "Expecting property name", "column 19", "one JSON object a line"]),
    "cut off": ("a.jsonl", lines(b'{"question": "a", "ans'), "exact", ["line 10", "Unterminated string"]),
    "list in jsonl": ("a.jsonl", json.dumps(FINE).encode(), "exact", ["one JSON list", "suffix .json"]),
    "pretty-printed": ("a.jsonl", json.dumps(FINE[0], indent=1).encode(), "exact", ["several lines", "jq -c"]),
    "no object": ("a.jsonl", lines(["a", "b"]), "exact", ["line 10", "['a', 'b']", "expected an object"]),
    "nothing": ("a.jsonl", lines(b"null"), "exact", ["line 10", "is None, expected an object"]),
    "object in json": ("a.json", json.dumps({"data": FINE, "more": FINE}).encode(), "exact",
                       ["a dict", "'data'", "expected a list", "columns={'rows': 'data.items'}"]),
    "nested too deep": ("a.jsonl", lines(b"[" * 100_000), "exact", ["line 10", "RecursionError"]),
    "too many cells": ("a.csv", cells("question,answer", "a,b", "Yes, or no?,c", "d,e"), "exact",
                       ["line 3", "3 cells, the header has 2", "double quotes"]),
    "bars": ("a.csv", cells("question|answer", "a|b"), "exact", ["'question|answer'", "separated by '|'"]),
    "semicolons and more": ("a.csv", cells("question;answer", "a;b", "c;d;e"), "exact", ["line 3: 3 cells"]),
    "column twice": ("a.csv", cells("question,answer,answer", "a,b,c"), "exact", ["column 3", "'answer'", "twice"]),
    "open quote": ("a.csv", cells("question,answer", "a,b", '"c,d', "e,f"), "exact", ["line 3", "unexpected end"]),
    "no header": ("a.csv", cells("What is 1?,2", "What is 2?,3"), "exact",
                  ["no 'question'", "there are 'What is 1?', '2'", "known names are 'question', 'input'", "columns={"]),
    "no answer column": ("a.jsonl", lines(fine=[{"question": "a", "reply": "b"}]), "exact",
                         ["no 'answer'", "'question', 'reply'", "columns={"]),
    "ambiguous columns": ("a.jsonl", lines(fine=[{"question": "a", "target": "b", "label": 1}]), "exact",
                          ["'answer' could be 'target', 'label'", "columns={'answer': 'label'}"]),
    "empty question": ("a.jsonl", lines({"question": "  ", "answer": "b"}), "exact", ["line 10", "question is '  '"]),
    "empty answer": ("a.jsonl", lines({"question": "a", "answer": ""}, {"question": "b"}), "exact",
                     ["line 10: answer is ''", "line 11: answer is None", "(2)"]),
    "NaN answer": ("a.jsonl", lines(b'{"question": "a", "answer": NaN}'), "numeric", ["line 10", "answer is nan"]),
    "empty list of answers": ("a.jsonl", lines({"question": "a", "answer": []}), "exact", ["line 10", "answer is []"]),
    "number as question": ("a.jsonl", lines({"question": 7, "answer": "b"}), "exact", ["line 10", "question is 7"]),
    "object as answer": ("a.jsonl", lines({"question": "a", "answer": {"x": 1}}), "exact", ["line 10", "{'x': 1}"]),
    "over-long": ("a.jsonl", lines({"question": "a" * 100_001, "answer": "b"}), "exact", ["line 10", "100,001"]),
    "id twice": ("a.jsonl", lines(fine=[{"id": 7, "question": str(n), "answer": "b"} for n in range(4)]), "exact",
                 ["line 2: id '7' is that of line 1"]),
    "contradiction": ("a.jsonl", lines({"question": "Who is number 1?", "answer": "Person 2"}), "exact",
                      ["line 10", "'Person 2', but 'Person 1' in line 2"]),
    "question in two splits": (
        "a.jsonl",
        lines(fine=[{"question": q, "answer": "b", "split": s} for q, s in
                    (("One?", "train"), ("two?", "validation"), ("three?", "test"), ("ONE", "test"))]),
        "exact",
        ["line 4", "is in test, and in feedback in line 1", "must not be seen before"],
    ),
    "unknown split": ("a.jsonl", lines(fine=[{**r, "split": "eval"} for r in FINE]), "exact",
                      ["line 1: split is 'eval'", "train, validation or test"]),
    "split of some": ("a.jsonl", lines({**FINE[0], "split": "test"}), "exact", ["line 1: split is None"]),
    "empty split": ("a.jsonl", lines(fine=[{**r, "split": "train"} for r in FINE]), "exact",
                    ["none in the split held_out", "none in the split test"]),
    "two questions": ("a.jsonl", lines(fine=FINE[:2]), "exact", ["2 different questions", "at least 3"]),
    "no number": ("a.jsonl", lines(fine=[*FINE, {"question": "How many?", "answer": "five to 6, or 7"}]), "numeric",
                  ["line 10", "2 numbers in it"]),
    "broken pattern": ("a.jsonl", lines({"question": "a", "answer": "b", "pattern": "(b"}), "regex",
                       ["line 10: 'b'", "expression is broken", "missing )"]),
    "pattern that the answer does not match": ("a.jsonl", lines({"question": "a", "answer": "b", "pattern": "c+"}),
                                               "regex", ["line 10: 'b': it scores 0"]),
    "no JSON answer": ("a.jsonl", lines({"question": "a", "answer": "{1}"}), "json", ["line 10", "no JSON"]),
    "no choices": ("a.jsonl", lines({"question": "a", "answer": "b"}, fine=[]), "multiple_choice",
                   ["line 1: no choices", "columns A, B, C"]),
    "equal choices": ("a.jsonl", lines({**CHOICES, "choices": ["x", "x"], "answer": 0}, fine=[]), "multiple_choice",
                      ["2 choices, 1 of them different"]),
    "no such choice": ("a.jsonl", lines({**CHOICES, "answer": "yellow"}, {**CHOICES, "answer": 3}, fine=[]),
                       "multiple_choice", ["line 1: 'yellow' is none of A) 'red', B) 'green'", "line 2: '3' is none"]),
    "letter or text": ("a.jsonl", lines({**CHOICES, "choices": ["B", "A"], "answer": "A"}, fine=[]), "multiple_choice",
                       ["'A' could be A or B", "give the letter"]),
    "no database": ("a.jsonl", lines(fine=[{"question": "a", "SQL": "SELECT 1"}]), "sql",
                    ["none was given", "database='path/to/file.sqlite'"]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data", "scorer", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_gets_a_message_to_act_on(name, data, scorer, told, tmp_path):
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    message = refusal(str(path), scorer)
    assert [text for text in told if text not in message] == [], message
    assert message.startswith(f"questions={str(path)!r} cannot be used; ")
    assert message.isprintable() or message.replace("\n", "").isprintable()
    kinds = re.findall(r"^([\w -]+) \(\d+\)\. ", message, flags=re.MULTILINE)
    assert kinds, message
    assert all(KINDS[kind] in message for kind in kinds), "each kind says what to do"


def test_every_kind_of_fault_is_tried(tmp_path):
    told = set()
    for number, (name, data, scorer, _) in enumerate(BROKEN.values()):
        (tmp_path / str(number)).mkdir()
        path = tmp_path / str(number) / name
        if data is not None:
            path.write_bytes(data)
        told |= {kind for kind in KINDS if f"\n{kind} (" in refusal(str(path), scorer)}
    told |= {kind for kind in KINDS if f"\n{kind} (" in refusal(FINE, labels=["no person"])}
    assert told == set(KINDS)
    assert len(KINDS) >= 12


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    broken = [{"question": "", "answer": "a"}, {"question": "b", "answer": None}, ["c"], *[{"question": "d"}] * 30]
    message = refusal(str(write_questions(tmp_path / "a.jsonl", [*FINE, *broken])))
    assert "33 problems" in message
    assert all(kind in message for kind in ("empty questions (1)", "empty answers (31)", "malformed lines (1)"))
    assert f"… and {31 - MAX_SHOWN} more" in message


def test_gold_statements_run_on_the_database(tmp_path):
    database = write_database(tmp_path / "city.sqlite")
    sound = [{"question": f"More than {n}?", "SQL": f"SELECT name FROM city WHERE population > {n}"} for n in range(4)]
    path = write_questions(tmp_path / "a.jsonl", [*sound, {"question": "Less?", "SQL": "SELECT nme FROM city"}])
    message = refusal(path, "sql", database=database)
    assert "line 5" in message
    assert "no such column: nme" in message
    (tmp_path / "no.sqlite").write_text("nothing")
    assert "is not a SQLite database" in refusal(path, "sql", database=tmp_path / "no.sqlite")
    assert "scorer 'sql' only" in refusal(path, "exact", database=database, columns={"answer": "SQL"})


def test_lists_are_checked_like_files():
    assert "item 1: answer is ''" in refusal([*SUMS[:1], {"question": "a", "answer": ""}, *SUMS[2:]])
    assert "item 0: is 'a', expected an object" in refusal(["a"])
    assert "7 is neither a path nor a list" in refusal(7)
    assert "no questions in it" in refusal([])
    assert "no questions in it" in refusal(None)


def test_a_chosen_column_must_be_there():
    message = refusal(FINE, columns={"question": "body"})
    assert "'question' is to be 'body'; there are 'question', 'answer'" in message


def test_a_quote_inside_a_field_is_csv(tmp_path):
    path = tmp_path / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = ([f'Who said "{n}",\nand why?', f'"{n}",\nno JSON'] for n in range(5))
        csv.writer(file).writerows([["question", "answer"], *rows])
    assert "line 5" in refusal(path, "json")
