"""DARE-bench's own questions: solved as their texts say, and answered by the mean."""

import json
import shutil
import sqlite3
from contextlib import closing
from importlib import metadata

import pytest
from typer.testing import CliRunner

from lse_gym.cli.main import app
from lse_gym.envs.datascience.dare import DAREFamily
from lse_gym.envs.datascience.domain import DataScienceDomain
from lse_gym.envs.datascience.layout import load_tasks
from lse_gym.envs.datascience.references import RECORD, make_references, stale
from lse_gym.envs.datascience.task import FOLLOWING, REFERENCE
from lse_gym.envs.domain import SPLITS
from lse_gym.envs.errors import ArgumentError, DataError
from lse_gym.envs.extras import needs
from tests.datascience.playing import FROM_TEXT, REAL, call, outcome, play, real, solution

with needs("ds", "These tests"):
    import pandas as pd
    from sklearn.metrics import f1_score, r2_score

pytestmark = real


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    folder = tmp_path_factory.mktemp("references")
    made = [*make_references(REAL, folder)]
    assert [(one.problem, one.unlike_text, one.before) for one in made] == [("", "", "new")] * 6
    return folder


@pytest.fixture(scope="module")
def domain(references):
    """All sixteen questions as one domain: its splits are not what is looked at."""
    tasks, _ = load_tasks(REAL, references)
    return DataScienceDomain("all", {"feedback": tasks, "held_out": [], "test": []})


def questions(domain, *families):
    return [q for q in domain.splits["feedback"] if domain.tasks[q.id].family in families]


def test_golds_score_1(domain):
    assert domain.verify() == []
    assert len(domain.tasks) == 16


def test_who_follows_the_text_scores_1(domain):
    asked = questions(domain, *FOLLOWING)
    assert {domain.tasks[question.id].dataset for question in asked} == {*FROM_TEXT}
    for question in asked:
        message, printed = solution(domain.tasks[question.id].dataset)
        response, turns = play(domain, question, message)
        assert printed in turns[-1].content
        (found,) = domain.score([question], [response])
        assert (found.score, found.error) == (1.0, ""), question.id


def test_a_question_followed_otherwise_names_the_first_differing_row(domain):
    (question,) = [q for q in questions(domain, "reg_if") if "habits" in q.id]
    message, _ = solution(domain.tasks[question.id].dataset)
    response, _ = play(domain, question, message.replace("'age': (17, 24)", "'age': (18, 24)"))
    (found,) = domain.score([question], [response])
    assert found.score == 0
    assert found.error.startswith("instruction adherence: exam_score differs from the reference in ")
    assert found.error.endswith("first at row_id 1")


MEAN = """
import sqlite3
import pandas as pd

def read(name):
    if name.endswith(".csv"):
        return pd.read_csv(name)
    if name.endswith(".parquet"):
        return pd.read_parquet(name)
    with sqlite3.connect(name) as connection:
        (table,) = pd.read_sql("SELECT name FROM sqlite_master WHERE type = 'table'", connection)["name"]
        return pd.read_sql(f"SELECT * FROM {table}", connection)

train, asked = read(TRAIN), read(VALIDATION)
for target in TARGETS:
    if pd.api.types.is_numeric_dtype(train[target]) and not LABELS:
        asked[target] = train[target].mean()
    else:
        asked[target] = train[target].mode()[0]
asked.to_csv("prediction.csv", index=False)
"""


def baseline(task):
    """A message that predicts the mean or the most frequent label."""
    train, validation = [*task.files][:2]
    labels = task.family == "class_mm"
    head = f"TRAIN, VALIDATION, TARGETS, LABELS = {train!r}, {validation!r}, {task.targets!r}, {labels}"
    return call(head + MEAN, [train, validation])


def test_the_mean_scores_as_scikit_learn_says(domain):
    asked = questions(domain, "class_mm", "reg_mm", "ts_xf", "ts_cf")
    assert len(asked) == 10
    for question in asked:
        task = domain.tasks[question.id]
        found = outcome(domain, question, baseline(task))
        truth, train = pd.read_csv(task.truth), _train(task)
        scores = []
        for target in task.targets:
            if task.family == "class_mm":
                guess = [train[target].mode()[0]] * len(truth)
                scores.append(f1_score(truth[target], guess, average="macro", zero_division=0))
            else:
                scores.append(max(0.0, r2_score(truth[target], [train[target].mean()] * len(truth))))
        assert found.score == pytest.approx(sum(scores) / len(scores), abs=1e-12), question.id
        assert (found.score > 0) == (task.family == "class_mm"), question.id
        assert found.error == "", question.id


def _train(task):
    path = next(iter(task.files.values()))
    if path.suffix != ".sqlite":
        return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        return pd.read_sql("SELECT * FROM train_set", connection)


def test_both_versions_of_a_dataset_share_a_split(references):
    for seed in range(5):
        family = DAREFamily(REAL, seed, references=references)
        for following, modelling in (("class_if", "class_mm"), ("reg_if", "reg_mm")):
            both = [family.load(name) for name in (following, modelling)]
            for split in SPLITS:
                first, second = ([d.tasks[q.id].dataset for q in d.splits[split]] for d in both)
                assert first == second
                assert len(first) == 1


def test_what_cannot_be_used_says_why(references):
    family = DAREFamily(REAL)
    assert [*family.groups["ready"]] == ["class_mm", "reg_mm"]
    with pytest.raises(DataError, match="lse-gym data dare-references"):
        family.load("class_if")
    with pytest.raises(DataError, match="2 datasets cannot be divided into 3 splits"):
        family.load("ts_xf")
    with pytest.raises(ArgumentError, match="cannot draw sealed questions"):
        family.sealed("class_mm", 1, 1)
    family = DAREFamily(REAL, references=references)
    assert [*family.groups["ready"]] == ["class_if", "class_mm", "reg_if", "reg_mm"]
    assert "avocado-ripeness-classification-dataset_class: 17 kB, apache-2.0" in family.note("class_if")


def test_references_of_other_versions_are_told(references, tmp_path):
    shutil.copytree(references, tmp_path, dirs_exist_ok=True)
    record = tmp_path / RECORD
    tasks = [task for task in load_tasks(REAL, tmp_path)[0] if task.family == "reg_if"]
    assert stale(tasks) == ""
    content = json.loads(record.read_text())
    assert content["made_with"].keys() == {*FROM_TEXT}
    for versions in content["made_with"].values():
        versions["scikit-learn"] = "1.0.2"
    record.write_text(json.dumps(content))
    assert stale(tasks) == "scikit-learn 1.0.2"
    assert "made with scikit-learn 1.0.2" in DAREFamily(REAL, references=tmp_path).note("reg_if")
    record.unlink()
    assert stale(tasks) == "unknown versions"


def test_a_check_tells_what_would_change_and_writes_nothing(references, tmp_path):
    shutil.copytree(references, tmp_path, dirs_exist_ok=True)
    changed = tmp_path / "hemajitpatel_superheros-abilities-dataset_reg" / REFERENCE
    lines = changed.read_text().splitlines()
    lines[3] = "3,1.5"
    changed.write_text("\n".join(lines))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    done = CliRunner().invoke(app, ["data", "dare-references", str(REAL), "--out", str(tmp_path), "--check"])
    told = " ".join(done.output.replace("│", " ").split())
    assert done.exit_code == 1
    assert told.count("same as before") == 5
    assert told.count("gives the same") == 6
    assert "6 questions: 0 failed, 1 unlike before. Made with python" in told
    assert f"scikit-learn {metadata.version('scikit-learn')}" in told
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_data_that_cannot_be_written_to_is_left_alone():
    """Also by root, who could."""
    if any(folder.stat().st_mode & 0o222 for folder in (REAL / "data" / "eval").rglob("verify")):
        pytest.skip("the data may be written to")
    with pytest.raises(ArgumentError, match="--out"):
        next(make_references(REAL))


def test_tasks_are_listed_with_sizes_licences_and_what_is_missing():
    done = CliRunner().invoke(app, ["envs", "LSE/DARE-v0", "--data-dir", str(REAL)], env={"COLUMNS": "200"})
    told = " ".join(done.output.replace("│", " ").split())
    assert done.exit_code == 0
    for part in (
        "reference outputs are missing for 3 of 3 questions; run lse-gym data dare-references",
        "2 datasets cannot be divided into 3 splits",
        "hemajitpatel_superheros-abilities-dataset_reg: 26 kB, CC0-1.0",
    ):
        assert part in told
