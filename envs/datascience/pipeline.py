"""The benchmark's reference pipeline for instruction-following questions; runs inside the sandbox.

What it does is that of github Snowflake-Labs/dare-bench, commit 0144714, ``scripts/reference_solution.py``: training
rows without errors, the selected features in their order, numbers imputed and standardised, categories imputed by the
most frequent and one-hot encoded, one scikit-learn model with the question's random state. Questions ask for the same
from the rows *with* errors, after filtering by ranges; both are run, so that a question is known to be solvable.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from lse_gym.envs.extras import needs

with needs("ds", "The reference pipeline"):
    import numpy as np
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
    from sklearn.multioutput import MultiOutputClassifier
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from sklearn.svm import LinearSVC
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

ROW_ID = "row_id"
CLEAN, FILTERED = "clean.csv", "filtered.csv"  # predictions after either training
SEEDED = (
    LogisticRegression,
    DecisionTreeClassifier,
    LinearSVC,
    MLPClassifier,
    DecisionTreeRegressor,
    Ridge,
    Lasso,
    MLPRegressor,
)
MODELS: Mapping[str, Any] = {model.__name__: model for model in (*SEEDED, GaussianNB, LinearRegression)}
ONE_TARGET = (LogisticRegression, GaussianNB, LinearSVC)  # of several targets each gets a model of its own


def reference(argument: Mapping[str, Any]) -> None:
    """Run the pipeline on the clean training rows and on the filtered ones; writes ``clean.csv`` and ``filtered.csv``.

    Args:
        argument: ``question`` of the dataset's ``all_metadata.json``.
    """
    question, suffix = argument["question"], argument["question"]["save_file_type"]
    asked = read(f"val_v1.{suffix}")
    predict(question, read(f"train_v1_no_err.{suffix}"), asked).to_csv(CLEAN, index=False)
    predict(question, within(read(f"train_v1.{suffix}"), question), asked).to_csv(FILTERED, index=False)


def read(name: str) -> pd.DataFrame:
    """A table: CSV with only empty cells missing, Parquet, or all tables of a database joined by row id."""
    if name.endswith(".csv"):
        return pd.read_csv(name, keep_default_na=False, na_values=[""])
    if name.endswith(".parquet"):
        return pd.read_parquet(name).fillna(np.nan)
    with closing(sqlite3.connect(name)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        quoted = ['"' + name.replace('"', '""') + '"' for name in names]
        tables = [pd.read_sql_query(f"SELECT * FROM {name}", connection) for name in quoted]
    joined = tables[0]
    for table in tables[1:]:
        joined = joined.merge(table, on=ROW_ID, how="inner")
    return joined.fillna(np.nan)


def within(table: pd.DataFrame, question: Mapping[str, Any]) -> pd.DataFrame:
    """The rows without a known value outside the expected ranges; what is missing is kept."""
    keep = pd.Series(True, index=table.index)
    for column, expected in question["expected_ranges"].items():
        if question["column_type_inference"][column].lower() == "numerical":
            fits = pd.to_numeric(table[column], errors="coerce").between(*expected)
        else:
            fits = table[column].isin(expected)
        keep &= table[column].isna() | fits
    return table[keep]


def predict(question: Mapping[str, Any], train: pd.DataFrame, asked: pd.DataFrame) -> pd.DataFrame:
    """Fit the question's model and predict; row ids first, then the targets."""
    targets = question["target"] if isinstance(question["target"], list) else [question["target"]]
    features = question["selected_features"]
    known = train.dropna(subset=targets)
    fitted = make_pipeline(_preprocessing(question, features), _model(question, targets))
    fitted.fit(known[features], known[targets] if len(targets) > 1 else known[targets[0]])
    predicted = np.asarray(fitted.predict(asked[features])).reshape(len(asked), len(targets))
    table = pd.DataFrame(predicted, columns=targets)
    table.insert(0, ROW_ID, asked[ROW_ID].to_numpy())
    return table


def _preprocessing(question: Mapping[str, Any], features: Sequence[str]) -> ColumnTransformer:
    kinds = {name: question["column_type_inference"][name].lower() for name in features}
    numbers, categories = ([name for name in features if kinds[name] == kind] for kind in ("numerical", "categorical"))
    of_numbers = Pipeline([("fill", SimpleImputer(strategy=question["imputer_type"])), ("scale", StandardScaler())])
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    of_categories = Pipeline([("fill", SimpleImputer(strategy="most_frequent")), ("encode", encode)])
    parts = [("numbers", of_numbers, numbers), ("categories", of_categories, categories)]
    return ColumnTransformer([part for part in parts if part[2]])


def _model(question: Mapping[str, Any], targets: Sequence[str]) -> Any:
    model = MODELS[question["model_type"]]
    made = model(random_state=question["random_state"]) if model in SEEDED else model()
    return MultiOutputClassifier(made) if len(targets) > 1 and model in ONE_TARGET else made
