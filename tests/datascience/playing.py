"""Attempts with scripted messages, and solutions of DARE-bench's instruction-following questions, from their texts."""

from concurrent.futures import Future
from pathlib import Path
from string import Template

import pytest

from lse_gym.envs.tools.protocol import call_text

REAL = Path(__file__).parents[3] / "shared" / "data" / "dare"
real = pytest.mark.skipif(not REAL.is_dir(), reason="needs DARE-bench's data in ../shared/data/dare")


def call(code, load=(), save=("prediction.csv",)):
    """A message that runs a script."""
    arguments = {"code": code, "files_to_load": [*load], "files_to_save": [*save]}
    return call_text("python_executor", arguments)


def play(domain, question, *messages, context=""):
    """What an attempt with these messages ends with, and the turns before the last one; then it says "Done."."""
    talk, got, turns, messages = domain.attempt(context, question), None, (), [*messages]
    try:
        while True:
            asked = talk.send(got)
            if isinstance(asked, Future):
                got = asked.result(timeout=120)
            else:
                turns, got = asked.turns, messages.pop(0) if messages else "Done."
    except StopIteration as end:
        return end.value, turns


def outcome(domain, question, *messages):
    """How an attempt with these messages is scored."""
    return domain.score([question], [play(domain, question, *messages)[0]])[0]


SOLUTION = Template("""
import sqlite3
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
$imports

def read(name):
    if name.endswith(".csv"):
        return pd.read_csv(name, keep_default_na=False, na_values=[""])
    if name.endswith(".parquet"):
        return pd.read_parquet(name)
    with sqlite3.connect(name) as connection:
        names = pd.read_sql("SELECT name FROM sqlite_master WHERE type = 'table'", connection)["name"]
        tables = [pd.read_sql(f'SELECT * FROM "{name}"', connection) for name in names]
    table = tables[0]
    for other in tables[1:]:
        table = table.merge(other, on="row_id")
    return table

train, asked = read("train_v1.$suffix"), read("val_v1.$suffix")
for column, expected in $ranges.items():
    known = train[column].notna()
    fits = train[column].between(*expected) if isinstance(expected, tuple) else train[column].isin(expected)
    train = train[fits | ~known]
numbers, categories, targets = $numbers, $categories, $targets
prepare = ColumnTransformer([
    ("numbers", make_pipeline(SimpleImputer(strategy="$imputer"), StandardScaler()), numbers),
    ("categories", make_pipeline(SimpleImputer(strategy="most_frequent"),
                                 OneHotEncoder(handle_unknown="ignore", sparse_output=False)), categories),
])
model = make_pipeline(prepare, $model)
model.fit(train[numbers + categories], train[targets].squeeze(axis=1))
prediction = pd.DataFrame(np.reshape(model.predict(asked[numbers + categories]), (len(asked), -1)), columns=targets)
prediction.insert(0, "row_id", asked["row_id"])
prediction.to_csv("prediction.csv", index=False)
print(len(train), "rows of training")
""")

STRESS = {
    "bad": "Do you have any bad habits like smoking, drinking on a daily basis?",
    "competition": "What would you rate the academic  competition in your student life",
    "coping": "What coping strategy you use as a student?",
}
# dataset -> what its question says, and how many rows are left for training
FROM_TEXT = {
    "poushal02_student-academic-stress-real-world-dataset_class": (
        {
            "imports": "from sklearn.naive_bayes import GaussianNB",
            "suffix": "sqlite",
            "ranges": {
                STRESS["bad"]: ["No", "prefer not to say", "Yes"],
                STRESS["competition"]: (1, 5),
                "Study Environment": ["Noisy", "Peaceful", "disrupted"],
                "Your Academic Stage": ["undergraduate", "high school", "post-graduate"],
                STRESS["coping"]: [
                    "Analyze the situation and handle it with intellect",
                    "Social support (friends, family)",
                    "Emotional breakdown (crying a lot)",
                ],
                "Peer pressure": (1, 5),
                "Academic pressure from your home": (1, 5),
            },
            "numbers": ["Academic pressure from your home", STRESS["competition"]],
            "categories": [STRESS["coping"], STRESS["bad"], "Study Environment"],
            "targets": ["Rate your academic stress index"],
            "imputer": "mean",
            "model": "GaussianNB()",
        },
        98,
    ),
    "amldvvs_avocado-ripeness-classification-dataset_class": (
        {
            "imports": "from sklearn.neural_network import MLPClassifier",
            "suffix": "csv",
            "ranges": {
                "size_cm3": (100, 299),
                "firmness": (10.0, 99.0),
                "sound_db": (30, 79),
                "saturation": (30, 99),
                "color_category": ["black", "green", "dark green", "purple"],
                "brightness": (10, 78),
                "weight_g": (152, 299),
                "hue": (1, 329),
            },
            "numbers": ["sound_db", "saturation", "weight_g", "brightness"],
            "categories": ["color_category"],
            "targets": ["ripeness"],
            "imputer": "median",
            "model": "MLPClassifier(random_state=4)",
        },
        175,
    ),
    "shahriarkabir_procurement-strategy-dataset-for-kraljic-matrix_class": (
        {
            "imports": "from sklearn.svm import LinearSVC",
            "suffix": "parquet",
            "ranges": {
                "Lead_Time_Days": (7, 89),
                "Profit_Impact_Score": (1, 5),
                "Supply_Risk_Score": (1, 5),
                "Cost_per_Unit": (10.0, 500.0),
                "Environmental_Impact": (1, 5),
                "Order_Volume_Units": (50, 19940),
                "Supplier_Region": ["South America", "Asia", "Africa", "Europe", "North America", "Global"],
                "Single_Source_Risk": ["Yes", "No"],
            },
            "numbers": [
                "Cost_per_Unit",
                "Profit_Impact_Score",
                "Supply_Risk_Score",
                "Environmental_Impact",
                "Lead_Time_Days",
            ],
            "categories": [],
            "targets": ["Kraljic_Category"],
            "imputer": "median",
            "model": "LinearSVC(random_state=39)",
        },
        700,
    ),
    "hemajitpatel_superheros-abilities-dataset_reg": (
        {
            "imports": "from sklearn.linear_model import Ridge",
            "suffix": "sqlite",
            "ranges": {
                "Alignment": ["Anti-Hero", "Hero", "Villain"],
                "Combat Skill": (1, 10),
                "Weapon": ["Sword", "Shield", "Hammer", "Claws", "Bow", "Psychic", "None", "Magic", "Tech"],
                "Speed": (1.0, 10.0),
                "Intelligence": (1.0, 10.0),
                "Strength": (1.0, 10.0),
            },
            "numbers": ["Strength", "Combat Skill", "Intelligence"],
            "categories": ["Weapon"],
            "targets": ["Power Score"],
            "imputer": "median",
            "model": "Ridge(random_state=19)",
        },
        140,
    ),
    "shahriarkabir_linear-performance-pricing-lpp-pricing-dataset_reg": (
        {
            "imports": "from sklearn.neural_network import MLPRegressor",
            "suffix": "sqlite",
            "ranges": {"pipe_length_m": (1.0, 10.0), "supplier_id": ["S1", "S4", "S2", "S3"]},
            "numbers": ["pipe_length_m"],
            "categories": ["supplier_id"],
            "targets": ["target_price_benchmark", "target_price_market"],
            "imputer": "median",
            "model": "MLPRegressor(random_state=24)",
        },
        140,
    ),
    "jayaantanaath_student-habits-vs-academic-performance_reg": (
        {
            "imports": "from sklearn.linear_model import LinearRegression",
            "suffix": "csv",
            "ranges": {
                "age": (17, 24),
                "diet_quality": ["Fair", "Good", "Poor"],
                "sleep_hours": (3.0, 10.0),
                "parental_education_level": ["Master", "High School", "Bachelor", "None"],
                "study_hours_per_day": (0.0, 9.0),
                "gender": ["Female", "Male", "Other"],
                "mental_health_rating": (1, 10),
                "extracurricular_participation": ["Yes", "No"],
                "attendance_percentage": (56.0, 100.0),
                "exercise_frequency": (0, 6),
                "social_media_hours": (0.0, 8.0),
                "internet_quality": ["Average", "Poor", "Good"],
                "part_time_job": ["No", "Yes"],
                "netflix_hours": (0.0, 6.0),
            },
            "numbers": [
                "sleep_hours",
                "netflix_hours",
                "mental_health_rating",
                "attendance_percentage",
                "age",
                "social_media_hours",
                "study_hours_per_day",
            ],
            "categories": ["parental_education_level", "internet_quality"],
            "targets": ["exam_score"],
            "imputer": "mean",
            "model": "LinearRegression()",
        },
        700,
    ),
}


def solution(dataset):
    """The message that solves an instruction-following question, and what its script prints."""
    told, rows = FROM_TEXT[dataset]
    suffix = told["suffix"]
    return call(SOLUTION.substitute(told), [f"train_v1.{suffix}", f"val_v1.{suffix}"]), f"{rows} rows of training"
