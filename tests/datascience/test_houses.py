import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from lse_gym.envs.datascience.executor import Ending
from lse_gym.envs.datascience.layout import load_tasks
from lse_gym.envs.datascience.plan import script
from lse_gym.envs.datascience.procedural.answer import answer
from lse_gym.envs.datascience.procedural.dataset import SHAPES, numeric
from lse_gym.envs.datascience.procedural.family import (
    SIZES,
    THEMES,
    ProceduralDataScienceFamily,
    draw_datasets,
    make_dataset,
    make_world,
)
from lse_gym.envs.datascience.procedural.layout import csv_text, source, write_layout
from lse_gym.envs.datascience.procedural.rules import oracle_rules
from lse_gym.envs.datascience.procedural.themes import TEST_THEMES, TRAIN_THEMES
from lse_gym.envs.datascience.procedural.world import hidden_kinds
from lse_gym.envs.datascience.task import FAMILIES
from lse_gym.envs.domain import SPLITS
from lse_gym.envs.errors import ArgumentError, UnknownNameError
from lse_gym.envs.splits import class_of
from tests.datascience.houses import mean, questions, run

FAMILY = ProceduralDataScienceFamily()
NAMES = [f"{theme}-{1 + number % 3}" for number, theme in enumerate(THEMES)]
DIGEST = """
import sys
from lse_gym.envs.datascience.procedural.family import ProceduralDataScienceFamily
for name in sys.argv[1:]:
    domain = ProceduralDataScienceFamily().load(name)
    print(domain.fingerprint(), domain.oracle_context)
"""
# what an analysis lacks that does not know a convention, by the kind of the convention
LACKING = {
    "missing value": {"sentinels": {}},
    "range": {"ranges": {}},
    "dropped rows": {"dropped": {}},
    "unit": {"divisor": 1},
    "rounding": {"step": 0},
    "transform": {"log": False},
    "statistic": {"statistic": "mean"},
}


def datasets(name, count):
    world = make_world(name)
    return [dataset for number in range(count) if (dataset := make_dataset(name, world, number))]


@pytest.mark.parametrize("theme", THEMES)
def test_every_world_has_eight_conventions_of_six_kinds(theme):
    seen = Counter()
    for seed in range(12):
        world = make_world(f"{theme}-{seed}")
        kinds = hidden_kinds(world)
        assert len(kinds) >= 8
        assert len({*kinds}) >= 6
        told = {kind for kind, _ in oracle_rules(world)}
        renamed = {"name": "output", "order": "output"}
        assert {*kinds} <= {renamed.get(kind, kind) for kind in told}
        seen.update({*kinds})
    assert len(seen) == 11  # every kind is met


def words(themes):
    for theme in themes:
        columns = [m.column for m in (*theme.inputs, theme.extra, *theme.targets, theme.series, theme.driver)]
        categories = [*theme.groups, theme.state, theme.origin, theme.grade]
        yield from (*columns, theme.lookup, theme.things, *theme.keys, *theme.leaks, *theme.terms)
        yield from (word for category in categories for word in (category.column, *category.values))
        yield from (name for names in theme.names.values() for name in names)


def test_themes_of_the_two_groups_share_no_word():
    assert not {*words(TRAIN_THEMES)} & {*words(TEST_THEMES)}
    for theme in THEMES.values():
        own = [*words([theme])]
        assert len(own) == len({*own}), [word for word, count in Counter(own).items() if count > 1]


@pytest.mark.parametrize("name", NAMES[::2])
def test_a_domain_has_its_questions_and_golds_score(name):
    domain = FAMILY.load(name)
    assert {split: len(domain.splits[split]) for split in SPLITS} == dict(SIZES)
    for field in ("id", "text", "evidence"):
        assert len({getattr(question, field) for question in questions(domain)}) == sum(SIZES.values()), field
    assert FAMILY.sizes(name) == SIZES


@pytest.mark.extra("ds")
@pytest.mark.parametrize("name", NAMES[::6])
def test_golds_score_and_doing_nothing_does_not(name):
    domain = FAMILY.load(name)
    assert domain.verify() == []
    asked = questions(domain, "held_out")
    for nothing in ("", "{}", "[]", asked[0].text, Ending(None).json(), Ending("").json(), Ending("row_id").json()):
        assert {outcome.score for outcome in domain.score(asked, [nothing] * len(asked))} == {0.0}
    shifted = [domain.gold_response(question) for question in [*asked[1:], asked[0]]]
    assert mean(outcome.score for outcome in domain.score(asked, shifted)) < 0.15


@pytest.mark.extra("ds")
@pytest.mark.parametrize("name", NAMES[::2])
def test_the_analysts_scripts_give_the_golds(name):
    """Two ways to one answer: pandas and scikit-learn by the script, numpy by the plan."""
    domain = FAMILY.load(name)
    asked = questions(domain, "held_out")
    outcomes = domain.score(asked, [run(domain, question, question.gold) for question in asked])
    for question, outcome in zip(asked, outcomes, strict=True):
        assert outcome.score == 1 if question.id.endswith("_if") else outcome.score > 0.75, (question.id, outcome)
    assert mean(outcome.score for outcome in outcomes) > 0.95


def test_every_convention_matters():
    """Of the questions that a convention touches, nine in ten have another answer without it; of grades, a third."""
    changed: dict[tuple[str, bool], list[bool]] = {}
    for name in NAMES:
        world = make_world(name)
        for dataset in datasets(name, 20):
            asked, graded = dataset.questions[0], dataset.shape == "graded"
            plan, train, val = asked.plan, asked.files[asked.plan.train], asked.files[asked.plan.val]
            if dataset.shape == "daily":
                continue
            right = answer(plan, train, val)
            lacking = {kind: plan._replace(**lack) for kind, lack in LACKING.items()}
            if plan.kind != "table":
                lacking["leakage"] = plan._replace(features=numeric(train, plan.target))
            if plan.tables:
                lacking["merge key"] = plan._replace(key=world.theme.keys[0])
            for kind, other in lacking.items():
                if other != plan:
                    changed.setdefault((kind, graded), []).append(answer(other, train, val) != right)
    for (kind, graded), found in changed.items():
        assert mean(found) > (1 / 3 if graded else 0.6 if kind == "range" else 0.9), (kind, graded, len(found))
    assert {kind for kind, _ in changed} == {*LACKING, "leakage", "merge key"}


@pytest.mark.extra("ds")
def test_constant_predictions_are_at_the_benchmarks_floor():
    """The mean of the training rows, or their most frequent grade, under the header that the question asks for."""
    found: dict[str, list[float]] = {}
    for name in NAMES[::3]:
        domain = FAMILY.load(name)
        for question in questions(domain, "held_out"):
            family = question.id.rpartition("/")[2]
            truth = Ending.read(domain.gold_response(question)).prediction.splitlines()
            header, rows = truth[0].split(","), [line.split(",") for line in truth[1:]]
            at = next(i for i, column in enumerate(header) if column not in ("row_id", "day"))
            values = [row[at] for row in rows]
            best = Counter(values).most_common(1)[0][0] if family.startswith("class") else mean(map(float, values))
            told = [truth[0], *(",".join(str(best) if i == at else row[i] for i in range(2)) for row in rows)]
            score = domain.score([question], [Ending("\n".join(told)).json()])[0].score
            found.setdefault(family, []).append(score)
    assert {family for family, scores in found.items() if max(scores) > 1e-9} <= {"class_mm"}
    assert max(found["class_mm"]) < 0.34  # even the best constant grade, under the house's header


def test_splits_are_by_dataset_whatever_the_seed_and_the_secret():
    of: dict[str, set[str]] = {}
    for seed in (0, 1):
        domain = ProceduralDataScienceFamily(seed).load("winery-1")
        for split in SPLITS:
            for question in domain.splits[split]:
                of.setdefault(question.id.partition("/")[0], set()).add(split)
    for secret in (5, 2**100):
        domain = FAMILY.sealed("winery-1", secret, 51)
        assert len(domain.splits["test"]) == 51
        for question in domain.splits["test"]:
            of.setdefault(question.id.partition("/")[0], set()).add("sealed")
    assert all(len(splits) == 1 for splits in of.values())
    for dataset, (split,) in of.items():
        number = int(dataset.rpartition("_")[0].rpartition("-")[2])
        assert class_of("winery-1", f"dataset {number}") == split
    ids = [{q.id for q in FAMILY.sealed("winery-1", secret, 40).splits["test"]} for secret in (1, 2)]
    assert len(ids[0] & ids[1]) < 4
    public = FAMILY.load("winery-1")
    assert [*FAMILY.sealed("winery-1", 1, 4).splits["feedback"]] == [*public.splits["feedback"]]


def test_a_draw_may_be_large():
    found = draw_datasets("vet-0", make_world("vet-0"), "sealed", [1], 300)
    assert len(found) == 300
    assert {dataset.shape for dataset in found} == {*SHAPES}
    with pytest.raises(ArgumentError, match="fewer"):
        FAMILY.sealed("vet-0", 1, 10**9)


def test_rows_are_as_many_as_documented_and_hold_no_target():
    for name in NAMES[:4]:
        for dataset in datasets(name, 25):
            for asked in dataset.questions:
                plan = asked.plan
                train, val = (
                    {c: values for table in asked.files[file].values() for c, values in table.items()}
                    for file in (plan.train, plan.val)
                )
                assert 60 <= len(train[plan.target]) <= 400
                assert plan.target not in val
                assert (plan.name or plan.target) not in val
                assert [*asked.truth] == plan.columns
                assert f"`{plan.target}`" in asked.text
                assert len(json.dumps(script(plan))) < 1400  # in a message of 512 tokens


def test_everything_is_alike_in_other_processes():
    names = ["ferry-7", "gym-3"]
    expected = "".join(f"{d.fingerprint()} {d.oracle_context}\n" for d in map(FAMILY.load, names))
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONHASHSEED": "77", "PYTHONPATH": root}
    command = [sys.executable, "-c", DIGEST, *names]
    found = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout == expected


@pytest.mark.extra("ds")
def test_the_layout_is_darebenchs(tmp_path):
    world = make_world("vet-1")
    written = draw_datasets("vet-1", world, "test", [3], 12)
    write_layout(tmp_path / "data" / "eval", world, written)
    tasks, problems = load_tasks(tmp_path)
    assert not problems
    assert len(tasks) == 24
    assert {task.family for task in tasks} == {*FAMILIES.values()}
    by_id = {task.id: task for task in tasks}
    for dataset in written:
        for version, asked in zip(("v1", "v2"), dataset.questions, strict=True):
            kind = {"graded": "classification", "daily": "time_series_analysis"}.get(dataset.shape, "regression")
            task = by_id[f"{dataset.name}/{FAMILIES[kind, version]}"]
            assert task.question == asked.text
            assert {name: path.read_bytes() for name, path in task.files.items()} == source(world, asked)
            assert task.truth is not None
            assert task.truth.read_text() == csv_text(asked.truth)
            assert task.targets == (asked.plan.name or asked.plan.target,)
    noisy = next(d for d in written if d.questions[0].plan.ranges)
    folder = tmp_path / "data" / "eval" / "databases" / noisy.name / "source"
    first = noisy.questions[0].plan.train
    assert (folder / first).read_bytes() != (folder / first.replace("v1", "v1_no_err")).read_bytes()
    assert json.loads((folder.parent / "verify" / "all_metadata.json").read_text())["question"]["expected_ranges"]


@pytest.mark.parametrize("name", ["ferri-0", "ferry", "ferry-" + 40 * "1", "trains", "", 3])
def test_a_wrong_name_says_what_is_right(name):
    with pytest.raises(UnknownNameError, match="bakery-17"):
        FAMILY.load(name)
