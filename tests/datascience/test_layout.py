"""Directories in DARE-bench's layout: what is found in them, and everything that is wrong with them, in one error."""

import json
import subprocess
import sys

import pytest

from lse_gym.envs.datascience.layout import load_tasks
from lse_gym.envs.datascience.task import FAMILIES, REFERENCE
from lse_gym.envs.errors import DataError, MissingArgumentError
from tests.datascience.directories import record, write_dataset, write_directory, write_list, write_sqlite
from tests.datascience.playing import REAL, real


@pytest.mark.parametrize("deep", ["", "eval", "data/eval"])
def test_a_list_is_found_in_the_folder_or_below(tmp_path, deep):
    write_directory(tmp_path / deep)
    tasks, problems = load_tasks(tmp_path)
    assert [task.id for task in tasks] == [
        "cats_class/class_if",
        "cats_class/class_mm",
        "pipes_reg/reg_if",
        "pipes_reg/reg_mm",
        "lake_ts/ts_xf",
        "lake_ts/ts_cf",
    ]
    assert {task.family for task in tasks} == {*FAMILIES.values()}
    assert not problems


def test_two_lists_of_one_level_are_both_read(tmp_path):
    write_directory(tmp_path / "eval", ["cats_class"])
    write_directory(tmp_path / "train", ["dogs_class"])
    assert {task.dataset for task in load_tasks(tmp_path)[0]} == {"cats_class", "dogs_class"}


def test_a_task_has_its_files_and_nothing_else(tmp_path):
    folder = write_directory(tmp_path, ["cats_class"]) / "databases" / "cats_class"
    (folder / "source" / "train_v1_no_err.csv").write_text("not for solvers")
    following, modelling = load_tasks(tmp_path)[0]
    assert [*following.files] == ["train_v1.csv", "val_v1.csv", "metadata.txt"]
    assert following.truth is None
    assert modelling.truth == folder / "verify" / "ground_truth.csv"
    assert (modelling.targets, modelling.licence) == (("y",), "CC0: Public Domain")


def test_the_description_of_columns_is_always_there(tmp_path):
    write_directory(tmp_path, ["cats_class"], needed_files_v1=["train_v1.csv"], question_v2="")
    (task,) = load_tasks(tmp_path)[0]
    assert [*task.files] == ["train_v1.csv", "metadata.txt"]


def test_references_are_found_in_both_places(tmp_path):
    folder = write_directory(tmp_path / "data", ["cats_class"]) / "databases" / "cats_class" / "verify"
    (folder / REFERENCE).write_text("row_id,y\n1,a\n")
    assert load_tasks(tmp_path / "data")[0][0].truth == folder / REFERENCE
    made = tmp_path / "made" / "cats_class"
    made.mkdir(parents=True)
    (made / REFERENCE).write_text("row_id,y\n1,b\n")
    assert load_tasks(tmp_path / "data", made.parent)[0][0].truth == made / REFERENCE


def test_licences_are_those_of_the_tables(tmp_path):
    write_directory(tmp_path / "data" / "eval", ["cats_class", "pipes_reg"])
    (tmp_path / "LICENSE").mkdir()
    (tmp_path / "LICENSE" / "kaggle_license_test.csv").write_text("folder_name,license_name\ncats_class,MIT\n")
    for given in (tmp_path, tmp_path / "data", tmp_path / "data" / "eval"):
        assert [task.licence for task in load_tasks(given)[0][::2]] == ["MIT", "CC0: Public Domain"]


def test_everything_wrong_is_told_at_once(tmp_path):
    names = ["gone_class", "a_class", "b_class", "c_reg", "d_ts", "e_class", "f_class", "fine_class"]
    write_directory(tmp_path, names[1:])
    at = tmp_path / "databases"
    (at / "a_class" / "source" / "val_v1.csv").unlink()
    (at / "b_class" / "source" / "train_v2.csv").write_text("")
    (at / "c_reg" / "verify" / "ground_truth.csv").write_text("row_id,other\n1,2\n")
    (at / "d_ts" / "verify" / "ground_truth_v2.csv").write_text("date,y\n")
    (at / "e_class" / "verify" / "all_metadata.json").write_text("{")
    metadata = at / "f_class" / "verify" / "all_metadata.json"
    metadata.write_text(metadata.read_text().replace("classification", "regression"))
    write_list(
        tmp_path,
        [
            *map(record, names),
            {"file_path": "../out"},
            7,
            record("x_reg", needed_files_v1=["../secret"]),
            record("y_reg", question_v2="\ud800"),
        ],
    )
    with pytest.raises(DataError) as told:
        load_tasks(tmp_path)
    for part in (
        "gone_class: no such folder",
        "a_class: source/val_v1.csv cannot be read: No such file",
        "b_class: source/train_v2.csv is empty",
        "c_reg: verify/ground_truth.csv has no column 'y'",
        "d_ts: verify/ground_truth_v2.csv has no rows",
        "e_class: verify/all_metadata.json is no JSON",
        "f_class: verify/all_metadata.json says problem_type 'regression'",
        "record 8 has file_path '../out'",
        "record 9 is 7",
        "record 10 has needed_files_v1 ['../secret']",
        "record 11 has half of a character in a question",
        "11 problems.",
        "question_list.json",
    ):
        assert part in str(told.value), part
    assert "fine_class" not in str(told.value)


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_directory_says_what_to_get_and_where(nothing):
    with pytest.raises(MissingArgumentError, match="no data: data_dir names no directory") as told:
        load_tasks(nothing)
    assert "https://github.com/Snowflake-Labs/dare-bench" in str(told.value)


def test_broken_datasets_can_be_left_out(tmp_path):
    write_directory(tmp_path, ["cats_class", "pipes_reg"])
    write_list(tmp_path, [record("cats_class"), record("pipes_reg"), record("gone_ts")])
    (tmp_path / "databases" / "pipes_reg" / "source" / "train_v1.csv").unlink()
    tasks, problems = load_tasks(tmp_path, skip_broken=True)
    assert {task.dataset for task in tasks} == {"cats_class"}
    assert [*problems.datasets] == ["pipes_reg", "gone_ts"]


@pytest.mark.parametrize("content", ["[]", "{}", "{", "[[[", "\ufeff[1]"])
def test_a_broken_list_cannot_be_left_out(tmp_path, content):
    (tmp_path / "question_list.json").write_text(content)
    with pytest.raises(DataError, match="question_list"):
        load_tasks(tmp_path, skip_broken=True)


@pytest.mark.parametrize("suffix", ["sqlite", "parquet"])
def test_databases_are_known_by_their_first_bytes(tmp_path, suffix):
    write_directory(tmp_path, ["cats_class"], needed_files_v1=[f"train.{suffix}"])
    path = tmp_path / "databases" / "cats_class" / "source" / f"train.{suffix}"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=rf"train.{suffix} is no {suffix} file"):
        load_tasks(tmp_path)
    if suffix == "sqlite":
        path.unlink()
        write_sqlite(path)
        assert load_tasks(tmp_path)[0]


def test_datasets_of_one_name_are_refused(tmp_path):
    write_directory(tmp_path / "eval", ["cats_class"])
    write_directory(tmp_path / "train", ["cats_class"])
    with pytest.raises(DataError, match=r"cats_class: .*eval.* and .*train"):
        load_tasks(tmp_path)


@pytest.mark.parametrize(
    ("given", "error"), [(None, MissingArgumentError), ("", MissingArgumentError), ("no", DataError)]
)
def test_without_a_directory_the_error_says_what_to_get(given, error):
    with pytest.raises(error, match="Snowflake-Labs/dare-bench"):
        load_tasks(given)


def test_nothing_is_imported_or_written(tmp_path):
    """A listing of tasks needs no extra, and data may lie where nobody can write."""
    write_directory(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    code = (
        "import sys; from lse_gym.envs.datascience.layout import load_tasks; load_tasks(sys.argv[1]); "
        "print([m for m in ('pandas', 'sklearn', 'sqlite3') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
    assert sorted(tmp_path.rglob("*")) == before


@real
def test_all_sixteen_real_questions_load():
    tasks, problems = load_tasks(REAL)
    assert not problems
    assert len(tasks) == 16
    assert len({task.dataset for task in tasks}) == 8
    counts = {family: sum(task.family == family for task in tasks) for family in FAMILIES.values()}
    assert counts == {"class_if": 3, "class_mm": 3, "reg_if": 3, "reg_mm": 3, "ts_xf": 2, "ts_cf": 2}
    assert all(task.licence and task.question for task in tasks)
    by_id = {task.id: task for task in tasks}
    prices = by_id["shahriarkabir_linear-performance-pricing-lpp-pricing-dataset_reg/reg_mm"]
    assert prices.targets == ("target_price_benchmark", "target_price_market")
    for task in tasks:
        listed = json.loads((task.folder.parents[1] / "question_list.json").read_text())
        (asked,) = [one for one in listed if one["file_path"] == task.dataset]
        assert task.question in (asked["question_v1"], asked["question_v2"])


def test_a_directory_made_here_is_one_that_loads(tmp_path):
    """The helper of these tests is right where nothing is changed."""
    write_dataset(tmp_path, "cats_class")
    write_list(tmp_path, [record("cats_class")])
    assert len(load_tasks(tmp_path)[0]) == 2
