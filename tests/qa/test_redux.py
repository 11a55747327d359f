import json

import pytest

from lse_gym.envs.domain import SPLITS
from lse_gym.envs.errors import ArgumentError, DataError, UnknownNameError
from lse_gym.envs.qa.redux import ERRORS, KNOWN_TYPES, corrections, group, settle
from lse_gym.envs.qa.redux_family import ReduxFamily
from tests.envs.specs import needs_redux
from tests.qa.layouts import REDUX, SUBJECTS, record, write_redux

FOUR = ["w", "x", "y", "z"]


def fate(error_type, correct="", errors="correct", choices=FOUR):
    one = settle(record("Q?", choices, 0, error_type, correct), "i", errors)
    return one.fate, one.item and one.item.choices[one.item.right]


@pytest.mark.parametrize(
    ("error_type", "correct", "expected"),
    [
        ("ok", "", ("kept", "w")),
        ("expert", "", ("kept", "w")),
        ("bad_question_clarity", "", ("kept", "w")),
        ("bad_options_clarity", "3", ("corrected", "z")),
        ("wrong_groundtruth", "C", ("corrected", "y")),
        ("wrong_groundtruth", "1", ("corrected", "x")),
        ("wrong_groundtruth", "z", ("corrected", "z")),
        ("wrong_groundtruth", "", ("dropped", None)),
        ("wrong_groundtruth", "27.7 million", ("dropped", None)),
        ("no_correct_answer", "", ("dropped", None)),
        ("no_correct_answer", "B", ("dropped", None)),
        ("multiple_correct_answers", "A,B", ("dropped", None)),
        ("multiple_correct_answers", "1, 3", ("dropped", None)),
        ("multiple_correct_answers", "", ("dropped", None)),
    ],
)
def test_annotations_are_followed(error_type, correct, expected):
    assert fate(error_type, correct) == expected
    assert fate(error_type, correct, "keep") == ("kept", "w")
    assert fate(error_type, correct, "drop") == (("kept", "w") if error_type == "ok" else ("dropped", None))


def test_a_gold_that_is_there_twice_is_no_single_answer():
    assert fate("ok", choices=["w", "w", "y", "z"]) == ("dropped", None)


def test_corrections_are_read_in_every_form_that_occurs():
    said = {
        "A": [0],
        "b": [1],
        "3": [3],
        "A,D": [0, 3],
        "1, 3": [1, 3],
        "A and B": [0, 1],
        "59%": None,
        "9": None,
        "": None,
    }
    assert {text: corrections({"choices": FOUR, "correct_answer": text}) for text in said} == said


def test_ten_options_become_four_always_the_same():
    row = {"question": "Q?", "options": [f"o{i}" for i in range(10)], "answer": "D", "answer_index": 3}
    one, two = (settle(row, "i").item for _ in range(2))
    assert one == two
    assert len({*one.choices}) == 4
    assert one.choices[one.right] == "o3"
    rights = [settle(row | {"question": f"Q{i}?"}, "i").item.right for i in range(400)]
    assert min(map(rights.count, range(4))) > 60


def test_subjects_of_pro_and_supergpqa():
    pro = [{"src": "ori_mmlu-x", "category": "law"}, {"src": "stemez", "category": "law"}, {"category": "Bio Lab"}]
    assert {name: len(rows) for name, rows in group(pro, "file").items()} == {"law": 1, "bio_lab": 1}
    rows = [{"subfield": "Algae", "field": "Botany"}] * 99 + [{"subfield": "Ferns", "field": "Botany"}] * 100
    assert {name: len(found) for name, found in group(rows, "file").items()} == {"botany": 99, "ferns": 100}
    assert set(group([{}], "file")) == {"file"}


def test_another_order_of_choices_moves_letters_and_nothing_else(tmp_path):
    write_redux(tmp_path)
    plain, shuffled = (ReduxFamily(tmp_path, choice_seed=seed).load("sums") for seed in (None, 1))
    for split in SPLITS:
        ids = [q.id for q in plain.splits[split]]
        assert ids == [q.id for q in shuffled.splits[split]]
        for name in ids:
            one, two = plain.items[name], shuffled.items[name]
            assert sorted(one.choices) == sorted(two.choices)
            assert one.choices[one.right] == two.choices[two.right]
    assert {q.gold for q in plain.splits["feedback"]} != {q.gold for q in shuffled.splits["feedback"]}


@pytest.mark.extra("data")
def test_parquet_is_read_like_json(tmp_path):
    import pyarrow as arrow
    from pyarrow import parquet

    one = ReduxFamily(write_redux(tmp_path)).load("sums")
    rows = [json.loads(line) for line in (tmp_path / "sums.jsonl").read_text().splitlines()]
    (tmp_path / "p").mkdir()
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "p" / "sums.parquet")
    assert ReduxFamily(tmp_path / "p").load("sums").splits == one.splits


@pytest.mark.extra("data")
def test_a_dataset_of_the_hub_is_read_like_a_directory(tmp_path, monkeypatch):
    """The package takes a local folder for a dataset; its configurations are the subjects."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "there").mkdir()
    write_redux(tmp_path / "there")
    (tmp_path / "there" / "README.md").write_text(
        "---\nconfigs:\n" + "".join(f"- config_name: {s}\n  data_files: {s}.jsonl\n" for s in SUBJECTS) + "---\n"
    )
    plain, hub = ReduxFamily(tmp_path / "there"), ReduxFamily(f"hf:{tmp_path / 'there'}")
    assert hub.groups == plain.groups
    for name in SUBJECTS:
        assert hub.load(name).splits == plain.load(name).splits
    with pytest.raises(DataError, match="cannot be loaded"):
        ReduxFamily(f"hf:{tmp_path / 'absent'}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "line 1: is no JSON"),
        ("[]", "record 1: is no object"),
        ('{"choices": ["a", "b"], "answer": 0}', "no text 'question'"),
        ('{"question": "Q?", "choices": "ab", "answer": 0}', "no list of texts"),
        ('{"question": "Q?", "choices": ["a", "b"], "answer": 2}', "no 'answer'"),
        ('{"question": "Q?", "choices": ["a", "b"]}', "no 'answer'"),
        ("", "is empty"),
    ],
)
def test_broken_files_say_where(tmp_path, text, told):
    (tmp_path / "sums.jsonl").write_text(text)
    with pytest.raises(DataError, match=told):
        ReduxFamily(tmp_path)


def test_wrong_arguments_say_what_is_right(tmp_path):
    with pytest.raises(DataError, match=r"subject.*hf:"):
        ReduxFamily(None)
    with pytest.raises(DataError, match="no directory"):
        ReduxFamily(tmp_path / "absent")
    write_redux(tmp_path)
    with pytest.raises(UnknownNameError, match="Did you mean 'correct'"):
        ReduxFamily(tmp_path, errors="correkt")  # ty: ignore[invalid-argument-type]
    with pytest.raises(ArgumentError, match="choice_seed=-1"):
        ReduxFamily(tmp_path, choice_seed=-1)
    with pytest.raises(UnknownNameError, match="Did you mean 'sums'"):
        ReduxFamily(tmp_path).load("sum")


@needs_redux
@pytest.mark.parametrize("errors", ERRORS)
def test_every_subject_loads_splits_scores_and_is_accounted_for(errors):
    family = ReduxFamily(REDUX, errors=errors)
    for name in family.groups["all"]:
        domain = family.load(name)
        assert domain.verify() == []
        counted = family.annotations[name]
        assert sum(counted.values()) == 100
        assert {kind for kind, _ in counted} <= {*KNOWN_TYPES}
        kept = sum(n for (_, what), n in counted.items() if what != "dropped")
        shown = [q.text for split in SPLITS for q in domain.splits[split]]
        assert len({*shown}) == len(shown) <= kept
    totals = {kind: sum(a[kind, "dropped"] for a in family.annotations.values()) for kind in KNOWN_TYPES}
    if errors == "correct":
        assert totals["no_correct_answer"] == 15
        assert totals["multiple_correct_answers"] == 16
        assert sum(a["wrong_groundtruth", "corrected"] for a in family.annotations.values()) == 39
