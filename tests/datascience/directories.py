"""Small directories in DARE-bench's layout, made for tests."""

import json
import sqlite3
from contextlib import closing

CSV = "row_id,x,kind\n1,5,a\n2,6,b\n"
KINDS = {"class": "classification", "reg": "regression", "ts": "time_series_analysis"}


def record(name, **changes):
    """A record of the question list."""
    kind, ts = name.rsplit("_", 1)[1], name.endswith("_ts")
    names = {v: ["train.csv" if ts else f"train_{v}.csv", f"val_{v}.csv", "metadata.txt"] for v in ("v1", "v2")}
    asked = {f"question_{v}": f"Predict `y` of {name}, {v}." for v in names}
    needed = {f"needed_files_{v}": files for v, files in names.items()}
    return {"file_path": name, "task": KINDS[kind], **asked, **needed, **changes}


def write_dataset(root, name, target="y", truth="row_id,y\n1,1\n2,2\n3,3\n"):
    """A dataset with all its files, in ``root/databases``."""
    folder = root / "databases" / name
    for part in ("source", "verify"):
        (folder / part).mkdir(parents=True)
    for file in ("train_v1.csv", "train_v2.csv", "val_v1.csv", "val_v2.csv", "train.csv", "metadata.txt"):
        (folder / "source" / file).write_text(CSV)
    for file in ("ground_truth.csv", "ground_truth_v1.csv", "ground_truth_v2.csv"):
        (folder / "verify" / file).write_text(truth)
    question = {"target": [target], "problem_type": KINDS[name.rsplit("_", 1)[1]]}
    about = {"question": question, "data_info": {"licenseName": "CC0: Public Domain"}}
    (folder / "verify" / "all_metadata.json").write_text(json.dumps(about))
    return folder


def write_directory(root, names=("cats_class", "pipes_reg", "lake_ts"), **changes):
    """A directory with these datasets; returns ``root``."""
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        write_dataset(root, name)
    write_list(root, [record(name, **changes) for name in names])
    return root


def write_list(root, records):
    """The question list."""
    (root / "question_list.json").write_text(json.dumps(records))


def write_sqlite(path):
    """A small database."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE t (row_id, x); INSERT INTO t VALUES (1, 2);")
