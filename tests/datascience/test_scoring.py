"""The benchmark's scores against hand-made tables, against scikit-learn alone, and on whatever a file may hold."""

import io
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.datascience.scoring import grade, make_truth
from lse_gym.envs.extras import needs

with needs("ds", "These tests"):
    import numpy as np
    import pandas as pd
    from sklearn.metrics import f1_score, r2_score

LABELS = "row_id,kind\n1,a\n2,b\n3,a\n4,c\n"
NUMBERS = "row_id,y\n1,1\n2,2\n3,3\n4,4\n"
TWO = "row_id,y,z\n1,1,10\n2,2,20\n3,3,30\n4,4,40\n"
DAYS = "date,y\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n2024-01-04,4\n"
SHOPS = "date,shop,y\n2024-01-01,x,1\n2024-01-01,w,2\n2024-01-02,x,3\n2024-01-02,w,4\n"

# what it shows: (family, truth, targets, prediction, score)
CASES = {
    # exact columns of labels
    "exact": ("class_if", LABELS, "kind", LABELS, 1),
    "exact, rows in another order": ("class_if", LABELS, "kind", "row_id,kind\n4,c\n2,b\n1,a\n3,a\n", 1),
    "exact, columns in another order": ("class_if", LABELS, "kind", "kind,row_id\na,1\nb,2\na,3\nc,4\n", 1),
    "exact, extra columns": ("class_if", LABELS, "kind", "p,row_id,kind\n.1,1,a\n.2,2,b\n.3,3,a\n.4,4,c\n", 1),
    "exact, one label wrong": ("class_if", LABELS, "kind", "row_id,kind\n1,a\n2,b\n3,b\n4,c\n", 0),
    "exact, case matters": ("class_if", LABELS, "kind", "row_id,kind\n1,A\n2,b\n3,a\n4,c\n", 0),
    "exact, spaces matter": ("class_if", LABELS, "kind", "row_id,kind\n1, a\n2,b\n3,a\n4,c\n", 0),
    "exact, quotes do not": ("class_if", LABELS, "kind", '"row_id","kind"\n"1","a"\n"2","b"\n"3","a"\n"4","c"\n', 1),
    "exact, a row missing": ("class_if", LABELS, "kind", "row_id,kind\n1,a\n2,b\n3,a\n", 0),
    "exact, a row too many does not match": ("class_if", LABELS, "kind", LABELS + "5,a\n", 1),
    "exact, a row twice": ("class_if", LABELS, "kind", LABELS + "4,c\n", 0),
    "exact, a row twice for one that is missing": ("class_if", LABELS, "kind", "row_id,kind\n1,a\n2,b\n3,a\n3,a\n", 1),
    "exact, wholes as floats": ("class_if", "row_id,k\n1,4\n2,5\n", "k", "row_id,k\n1,4.0\n2,5.0\n", 1),
    "exact, truth values as numbers": ("class_if", "row_id,k\n1,1\n2,0\n", "k", "row_id,k\n1,True\n2,False\n", 1),
    "exact, a label is missing": ("class_if", LABELS, "kind", "row_id,kind\n1,a\n2,\n3,a\n4,c\n", 0),
    "exact, row ids as floats": ("class_if", LABELS, "kind", "row_id,kind\n1.0,a\n2.0,b\n3.0,a\n4.0,c\n", 1),
    "exact, row ids as texts": ("class_if", LABELS, "kind", "row_id,kind\nr1,a\nr2,b\nr3,a\nr4,c\n", 0),
    "exact, row ids from 0": ("class_if", LABELS, "kind", "row_id,kind\n0,a\n1,b\n2,a\n3,c\n", 0),
    "exact, no row ids": ("class_if", LABELS, "kind", "kind\na\nb\na\nc\n", 0),
    "exact, no target": ("class_if", LABELS, "kind", "row_id,prediction\n1,a\n2,b\n3,a\n4,c\n", 0),
    "exact, two targets of which one is right": (
        "class_if",
        "row_id,k,m\n1,a,b\n2,c,d\n",
        "k,m",
        "row_id,k,m\n1,a,b\n2,c,x\n",
        0.5,
    ),
    # macro-F1: f1 of a = 2*1/(2+1+0), of b = 0, of c = 2*1/(2+1)
    "f1": ("class_mm", LABELS, "kind", LABELS, 1),
    "f1, by hand": ("class_mm", LABELS, "kind", "row_id,kind\n1,a\n2,c\n3,a\n4,c\n", (1 + 0 + 2 / 3) / 3),
    "f1, a label nobody asked for counts": (
        "class_mm",
        LABELS,
        "kind",
        "row_id,kind\n1,a\n2,d\n3,a\n4,c\n",
        (1 + 0 + 1 + 0) / 4,
    ),
    "f1, one label for all": ("class_mm", LABELS, "kind", "row_id,kind\n1,a\n2,a\n3,a\n4,a\n", (2 / 3) / 3),
    "f1, numbers for texts": ("class_mm", LABELS, "kind", "row_id,kind\n1,1\n2,2\n3,1\n4,3\n", 0),
    "f1, a label that is missing is one nobody asked for": (
        "class_mm",
        LABELS,
        "kind",
        "row_id,kind\n1,a\n2,\n3,a\n4,c\n",
        (1 + 0 + 1 + 0) / 4,
    ),
    "f1, fractions for classes": ("class_mm", "row_id,k\n1,1\n2,0\n", "k", "row_id,k\n1,0.7\n2,0.2\n", 0),
    "f1, a missing target counts as 0": ("class_mm", "row_id,k,m\n1,a,b\n2,c,d\n", "k,m", "row_id,k\n1,a\n2,c\n", 0.5),
    # numbers of a reference run
    "close": ("reg_if", NUMBERS, "y", NUMBERS, 1),
    "close, in the sixth digit": ("reg_if", NUMBERS, "y", "row_id,y\n1,1.000009\n2,2\n3,3\n4,4\n", 1),
    "close, not in the fifth": ("reg_if", NUMBERS, "y", "row_id,y\n1,1.00003\n2,2\n3,3\n4,4\n", 0),
    "close, a value is missing": ("reg_if", NUMBERS, "y", "row_id,y\n1,\n2,2\n3,3\n4,4\n", 0),
    "close, a value without end": ("reg_if", NUMBERS, "y", "row_id,y\n1,inf\n2,2\n3,3\n4,4\n", 0),
    "close, a text among numbers": ("reg_if", NUMBERS, "y", "row_id,y\n1,one\n2,2\n3,3\n4,4\n", 0),
    "close, numbers in quotes": ("reg_if", NUMBERS, "y", 'row_id,y\n1,"1"\n2,"2"\n3,"3"\n4,"4"\n', 1),
    "close, one target of two": ("reg_if", TWO, "y,z", "row_id,y,z\n1,1,0\n2,2,0\n3,3,0\n4,4,0\n", 0.5),
    "close, the targets exchanged": ("reg_if", TWO, "y,z", "row_id,z,y\n1,1,10\n2,2,20\n3,3,30\n4,4,40\n", 0),
    # R2 = 1 - (sum of squared errors) / 5
    "r2": ("reg_mm", NUMBERS, "y", NUMBERS, 1),
    "r2, by hand": ("reg_mm", NUMBERS, "y", "row_id,y\n1,1\n2,3\n3,3\n4,4\n", 1 - 1 / 5),
    "r2, the mean scores 0": ("reg_mm", NUMBERS, "y", "row_id,y\n1,2.5\n2,2.5\n3,2.5\n4,2.5\n", 0),
    "r2, worse than the mean scores no less": ("reg_mm", NUMBERS, "y", "row_id,y\n1,4\n2,3\n3,2\n4,1\n", 0),
    "r2, two targets": ("reg_mm", TWO, "y,z", "row_id,y,z\n1,1,25\n2,3,25\n3,3,25\n4,4,25\n", (0.8 + 0) / 2),
    "r2, a value is missing": ("reg_mm", NUMBERS, "y", "row_id,y\n1,\n2,2\n3,3\n4,4\n", 0),
    "r2, a text": ("reg_mm", NUMBERS, "y", "row_id,y\n1,high\n2,2\n3,3\n4,4\n", 0),
    "r2, numbers beyond all floats": ("reg_mm", NUMBERS, "y", "row_id,y\n1,1e999\n2,2\n3,3\n4,4\n", 0),
    "r2, a single row": ("reg_mm", "row_id,y\n1,1\n", "y", "row_id,y\n1,1\n", 0),
    # time series, by row id
    "xf": ("ts_xf", NUMBERS, "y", "row_id,y\n4,4\n3,3\n2,2\n1,2\n", 1 - 1 / 5),
    "xf, times do not stand for row ids": ("ts_xf", NUMBERS, "y", DAYS, 0),
    # time series, by every column but the targets
    "cf": ("ts_cf", DAYS, "y", DAYS, 1),
    "cf, more days than asked for": ("ts_cf", DAYS, "y", DAYS + "2024-01-05,5\n2023-12-31,0\n", 1),
    "cf, a day missing": ("ts_cf", DAYS, "y", "\n".join(DAYS.splitlines()[:-1]), 0),
    "cf, a day twice": ("ts_cf", DAYS, "y", DAYS + "2024-01-04,4\n", 0),
    "cf, days in another form": ("ts_cf", DAYS, "y", DAYS.replace("2024-01-0", "2024/1/"), 0),
    "cf, days with a time": ("ts_cf", DAYS, "y", DAYS.replace(",", " 00:00:00,").replace("date 00:00:00", "date"), 0),
    "cf, by two columns": ("ts_cf", SHOPS, "y", SHOPS, 1),
    "cf, columns and rows in another order": (
        "ts_cf",
        SHOPS,
        "y",
        "y,shop,date\n4,w,2024-01-02\n1,x,2024-01-01\n3,x,2024-01-02\n2,w,2024-01-01\n",
        1,
    ),
    "cf, one of two columns missing": ("ts_cf", SHOPS, "y", DAYS, 0),
    "cf, row_id is a column like others": ("ts_cf", "row_id,t,y\n1,5,1\n2,6,2\n", "y", "row_id,y\n1,1\n2,2\n", 0),
    "cf, a column of the truth is empty": ("ts_cf", "t,u,y\n1,,1\n2,,2\n", "y", "t,u,y\n1,,1\n2,,2\n", 1),
    # no tables
    "nothing": ("reg_mm", NUMBERS, "y", "", 0),
    "only a header": ("reg_mm", NUMBERS, "y", "row_id,y\n", 0),
    "ragged": ("reg_mm", NUMBERS, "y", "row_id,y\n1,1\n2,2,2,2\n", 0),
    "an open quote": ("reg_mm", NUMBERS, "y", 'row_id,y\n1,"1\n2,2\n', 0),
    "binary": ("reg_mm", NUMBERS, "y", "PAR1\x00\x01\x02\ufffd" * 40, 0),
    "a header without names": ("reg_mm", NUMBERS, "y", ",\n1,1\n2,2\n", 0),
    "semicolons": ("reg_mm", NUMBERS, "y", NUMBERS.replace(",", ";"), 0),
    "the target twice: the first one counts": (
        "reg_mm",
        NUMBERS,
        "y",
        "row_id,y,y\n1,1,9\n2,2,9\n3,3,9\n4,4,9\n",
        1,
    ),
    "row ids twice: the first ones count": ("reg_mm", NUMBERS, "y", "row_id,y,row_id\n1,1,9\n2,2,9\n3,3,9\n4,4,9\n", 1),
}


@pytest.mark.parametrize("name", CASES)
def test_vector(name):
    family, truth, targets, prediction, score = CASES[name]
    found = grade(prediction, make_truth(family, truth, targets.split(",")))
    assert found.score == pytest.approx(score, abs=1e-12)
    assert family not in ("class_if", "reg_if") or bool(found.problem) == (score < 1)


def test_there_are_enough_vectors():
    assert len(CASES) >= 40


def test_a_row_twice_for_one_that_is_missing_scores_0_where_grading_is_strict():
    """The benchmark counts the rows of the merge and nothing else; so does grading that is not strict."""
    truth = make_truth("reg_mm", NUMBERS, ["y"])
    repeated = "row_id,y\n" + "2,2\n" * 3 + "3,3\n"
    assert grade(repeated, truth).score == 1
    assert grade(repeated, truth, strict=True) == (0, {"y": 0}, "2 rows are missing, and others are there twice", "")
    assert grade(NUMBERS, truth, strict=True).score == 1
    assert grade(NUMBERS + "9,9\n", truth, strict=True).score == 1


def test_no_file_scores_0():
    assert grade(None, make_truth("reg_mm", NUMBERS, ["y"])) == (0.0, {}, "there is no prediction.csv", "")


def test_the_first_differing_row_is_told_and_its_gold_apart():
    found = grade("row_id,kind\n4,c\n3,b\n2,c\n1,a\n", make_truth("class_if", LABELS, ["kind"]))
    assert found.problem == "kind differs from the reference in 2 of 4 rows, first at row_id 2"
    assert found.difference == "row_id 2: kind is 'c', the reference has 'b'"
    found = grade("row_id,y\n1,1\n2,2\n3,3.5\n4,5\n", make_truth("reg_if", NUMBERS, ["y"]))
    assert found.problem == "y differs from the reference in 2 of 4 rows, first at row_id 3"
    assert found.difference == "row_id 3: y is 3.5, the reference has 3"


def test_only_reference_runs_tell_values_of_the_truth():
    wrong = "row_id,y\n1,9\n2,9\n3,9\n4,9\n"
    assert grade(wrong, make_truth("reg_mm", NUMBERS, ["y"])).difference == ""


def test_repeated_ids_cost_no_memory():
    """The merge of these tables would have 10**10 rows."""
    truth = make_truth("ts_cf", "t,y\n" + "1,2\n" * 100_000, ["y"])
    found = grade("t,y\n" + "1,2\n" * 100_000, truth)
    assert found.score == 0
    assert found.problem.startswith("10,000,000,000 rows match of 100,000")


def test_long_and_wide_files_are_not_read():
    truth = make_truth("reg_mm", NUMBERS, ["y"])
    assert "longer than" in grade(NUMBERS + "9,9\n" * 500_000, truth).problem
    assert "longer than" in grade("é" * 1_000_000, truth).problem
    for wide in ("a," * 5000 + "\n1\n", "row_id,y\n" + "1," * 5000, '"\n",' * 5000):
        assert "columns, at most 1000" in grade(wide, truth).problem


labels = st.sampled_from(["a", "b", "c", "x y", "ü"])
numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))


@st.composite
def tables(draw, values):
    rows = draw(st.integers(2, 30))
    right, predicted = (draw(st.lists(values, min_size=rows, max_size=rows)) for _ in range(2))
    order = draw(st.permutations(range(rows)))
    return right, predicted, order


def csv_of(column, order=None):
    frame = pd.DataFrame({"row_id": range(1, len(column) + 1), "y": column})
    return frame.iloc[order if order is not None else slice(None)].to_csv(index=False)


@settings(max_examples=25)
@given(tables(labels))
def test_labels_score_as_scikit_learn_says(table):
    right, predicted, order = table
    text = csv_of(predicted, order)
    expected = f1_score(right, predicted, average="macro", zero_division=0)
    assert grade(text, make_truth("class_mm", csv_of(right), ["y"])).score == pytest.approx(expected)
    assert grade(text, make_truth("class_if", csv_of(right), ["y"])).score == (right == predicted)


@settings(max_examples=25)
@given(tables(numbers))
def test_numbers_score_as_scikit_learn_says(table):
    right, predicted, order = table
    text = csv_of(predicted, order)
    expected = min(1, max(0, r2_score(right, predicted)))
    for family in ("reg_mm", "ts_xf"):
        assert grade(text, make_truth(family, csv_of(right), ["y"])).score == pytest.approx(expected)
    assert grade(text, make_truth("reg_if", csv_of(right), ["y"])).score == np.allclose(right, predicted)
    assert grade(csv_of(right, order), make_truth("reg_if", csv_of(right), ["y"])).score == 1


@settings(max_examples=50)
@given(
    st.text(alphabet=string.ascii_lowercase + '0123456789,;"\n\r\t .-_\x00é', max_size=300), st.sampled_from([0, 8, 30])
)
def test_whatever_is_in_the_file_a_score_comes_of_it(text, head):
    for family, truth, target in (("class_if", LABELS, "kind"), ("reg_mm", NUMBERS, "y"), ("ts_cf", SHOPS, "y")):
        found = grade(truth[:head] + text, make_truth(family, truth, [target]))
        assert 0 <= found.score <= 1


cells = st.one_of(numbers, labels, st.none(), st.booleans(), st.text(string.printable, max_size=8))


@settings(max_examples=40)
@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=10), st.booleans())
def test_a_file_is_read_as_pandas_reads_it(rows, quoted):
    from lse_gym.envs.datascience.prediction import read_table

    text = pd.DataFrame(rows, columns=["row_id", "y", "z"]).to_csv(index=False, quoting=1 if quoted else 0)
    pd.testing.assert_frame_equal(read_table(text), pd.read_csv(io.StringIO(text)))


@pytest.mark.parametrize("quoting", [0, 1])
def test_the_mark_of_a_byte_order_is_no_part_of_a_name(tmp_path, quoting):
    path = tmp_path / "prediction.csv"
    pd.DataFrame({"row_id": [1, 2], "y": [3, 4]}).to_csv(path, index=False, encoding="utf-8-sig", quoting=quoting)
    assert [*pd.read_csv(path).columns] == ["row_id", "y"]
    assert grade(path.read_bytes().decode(), make_truth("reg_if", "row_id,y\n1,3\n2,4\n", ["y"])).score == 1
