"""What a comparison tells: results, statistics, tables, figures."""

import json
import math
import re
import sys
from io import StringIO
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from lse_gym.agents.bench.figures import budget_figure, length_figure, training_figure
from lse_gym.agents.bench.report import (
    CONTEXTS,
    LASTING,
    SCORES,
    TRANSFER,
    by_label,
    lasting_table,
    markdown,
    report,
    score_table,
)
from lse_gym.agents.bench.result import Result, overlaps, read_results, write_results
from lse_gym.agents.bench.statistics import estimate, estimate_score, paired
from lse_gym.agents.console import Console
from lse_gym.cli import bench as cli
from lse_gym.cli.main import app
from lse_gym.envs.errors import DataError, MissingExtraError, UnknownNameError
from lse_gym.envs.evaluation import student95

ENV = "LSE/TextToSQL-v1"


def result(label="a", domain="d", seed=0, best=0.5, start=0.25, n=4, **fields):
    first, last = ([1.0] * round(score * n) + [0.0] * (n - round(score * n)) for score in (start, best))
    values = {
        "label": label, "env": ENV, "domain": domain, "seed": seed, "agent": "lse", "task_model": "reader",
        "editor": "writer", "budget_calls": 100.0, "rounds": 2, "calls": 90.0, "tokens": 1000.0, "usd": 0.0,
        "held_out_seed": start, "held_out_best": best, "test_scores_seed": first, "test_scores_best": last,
        "curve": [[30.0, start], [90.0, best]], "context": "c", "context_tokens": 5, "copied": 0.0, "overlap": 0.0,
        "transfer": {},
    }  # fmt: skip
    return Result(**(values | fields))


def test_overlaps():
    questions = ["How many gold members joined in 2020?", "List the loans."]
    assert overlaps("Return SQL.", questions) == (0.0, 0.0)
    copied, overlap = overlaps("Q: how many GOLD members joined in 2020", questions)
    assert copied == 0.5
    assert overlap == 0.75
    assert overlaps("", []) == (0.0, 0.0)


def test_the_domain_is_the_unit():
    results = [result(domain=d, seed=s, best=b) for d, b in (("x", 0.5), ("y", 0.75)) for s in (0, 1, 2)]
    found = estimate(results, lambda r: r.gain)
    assert (found.mean, found.domains, found.runs) == (0.375, 2, 6)
    half = student95(1) * np.std([0.25, 0.5], ddof=1) / math.sqrt(2)
    assert found.high - found.mean == pytest.approx(half)
    assert math.isinf(estimate(results[:1], lambda r: r.gain).high)


def test_the_interval_of_a_score_is_where_scores_are():
    results = [result(domain=d, best=b) for d, b in (("x", 0.75), ("y", 1.0), ("z", 1.0))]
    free, found = (of(results, lambda r: r.best) for of in (estimate, estimate_score))
    assert (found.mean, found.low, found.high) == (free.mean, free.low, 1.0)
    assert free.high > 1.0
    assert " to 1.000)" in score_table(results)
    assert str(estimate_score(results[:1], lambda r: r.best)) == "0.750"  # one run has none


def test_no_interval_of_a_report_goes_beyond_what_is_possible():
    ours = [result(domain=d, best=b, transfer={"m": [0.0, b]}) for d, b in (("x", 0.25), ("y", 1.0))]
    theirs = [result("b", domain=d, best=b) for d, b in (("x", 1.0), ("y", 0.5))]
    row = next(line for line in score_table([*ours, *theirs], "b").splitlines() if line.startswith("| a "))
    assert row.count("(-1.000 to 1.000) ≈") == 2, "the gain, and the difference in gain"
    told = report([*ours, *theirs], "b")
    assert max(abs(float(number)) for number in re.findall(r"-?\d\.\d{3}", told)) <= 2
    assert [told.count(f"{about}\n\n| contestant |") for about in (SCORES, CONTEXTS, TRANSFER, LASTING)] == [1, 1, 1, 0]


def test_of_several_envs_each_has_its_report():
    ours = [result(env="LSE/QA-v1", best=0.5), result(env="LSE/TextToSQL-v1", best=1.0)]
    theirs = [result("b", env="LSE/TextToSQL-v1", best=0.75)]
    told = report([*ours, *theirs], "b")
    qa, sql = told.removeprefix("## LSE/QA-v1\n\n").split("\n## LSE/TextToSQL-v1\n\n")
    assert (qa, sql) == (report(ours[:1]), report([ours[1], *theirs], "b"))
    with pytest.raises(UnknownNameError, match="'c' is not a known contestant"):
        report([*ours, *theirs], "c")


@pytest.mark.extra("report")
def test_of_several_envs_each_has_its_figures(tmp_path):
    write_results(tmp_path / "r.jsonl", [result(env="LSE/QA-v1"), result(env="LSE/TextToSQL-v1")])
    out = tmp_path / "out"
    CliRunner().invoke(app, ["report", str(tmp_path / "r.jsonl"), "--out", str(out)], catch_exceptions=False)
    figures = [f"{what}-{env}.svg" for what in ("budget", "length") for env in ("QA-v1", "TextToSQL-v1")]
    assert sorted(path.name for path in out.iterdir()) == sorted(["report.md", *figures])


def test_of_one_domain_the_seeds_are_the_unit():
    found = estimate([result(seed=s, best=b) for s, b in enumerate((0.5, 0.75, 1.0))], lambda r: r.gain)
    assert (found.mean, found.domains, found.runs) == (0.5, 1, 3)
    assert found.high - found.mean == pytest.approx(student95(2) * 0.25 / math.sqrt(3))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=8))
def test_a_paired_difference_is_that_of_the_pairs(scores):
    ours = [result(domain=str(i), best=a / 4) for i, (a, _) in enumerate(scores)]
    theirs = [result("b", domain=str(i), best=b / 4) for i, (_, b) in enumerate(scores)]
    found, back = paired(ours, theirs[::-1]), paired(theirs, ours)
    assert found.mean == pytest.approx(np.mean([(a - b) / 4 for a, b in scores]))
    assert (found.mean, found.low) == pytest.approx((-back.mean, -back.high))


def test_pairs_need_the_same_questions():
    with pytest.raises(DataError, match="other test questions"):
        paired([result(n=4)], [result("b", n=8)])
    with pytest.raises(DataError, match="no domain and seed in common"):
        paired([result(seed=0)], [result("b", seed=1)])


def test_a_table_marks_what_cannot_be_told_apart():
    better = [result("good", domain=str(i), best=b) for i, b in enumerate((0.75, 0.75, 1.0))]
    worse = [result("bad", domain=str(i), best=b) for i, b in enumerate((0.25, 0.25, 0.5))]
    alike = [result("alike", domain=str(i), best=b) for i, b in enumerate((1.0, 0.75, 0.75))]
    rows = {line.split(" | ")[0][2:]: line for line in score_table([*better, *worse, *alike], "good").splitlines()}
    assert rows["alike"].endswith("≈ |")
    assert not rows["bad"].endswith("≈ |")
    assert rows["good"].endswith("|  |")
    assert [rows[name].split(" | ")[4].endswith("≈") for name in ("good", "bad")] == [False, True]  # the gain itself
    with pytest.raises(UnknownNameError, match="Did you mean 'good'"):
        score_table(better, "goood")


def test_a_table_of_what_lasts_shows_what_was_measured():
    told = [
        result(diversity=0.5, retention=0.75, unseen={"e": [0.5, 0.25]}),
        result(seed=1, diversity=0.5, unseen={"e": [0.5, 0.25]}),
        result("b", diversity=0.0, unseen={"e": [0.5, 0.5]}),
        result("old"),
    ]
    assert lasting_table(told).splitlines() == [
        "| contestant | diversity | retention | gain, unseen domain |",
        "| --- | --- | --- | --- |",
        "| a | 0.500 (0.500 to 0.500) | 0.750, 1 run | -0.250 (-0.250 to -0.250) |",
        "| b | 0.000 |  | 0.000 ≈ |",
        "| old |  |  |  |",
    ]
    assert lasting_table(told[-1:]) == ""


def test_hostile_labels_break_no_table():
    table = markdown(["a"], [["x | y\n| z"]])
    assert table.count("\n") == 3


def test_results_come_back(tmp_path):
    results = [result(curve=[[1.0, 0.1]], context="ünï", transfer={"nano": [0.1, 0.2]})]
    write_results(tmp_path / "r.jsonl", results)
    (back,) = read_results(tmp_path / "r.jsonl")
    assert back == results[0]
    assert by_label([back]) == {"a": [back]}


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"label": "x"}', "\ufeff{}"])
def test_what_is_no_file_of_results_says_so(tmp_path, text):
    (tmp_path / "r.jsonl").write_text(text)
    with pytest.raises(DataError, match="results"):
        read_results(tmp_path / "r.jsonl")


def test_another_file_of_a_run_is_told_in_our_words(tmp_path):
    (tmp_path / "trajectory.jsonl").write_text('{"id": 1, "seed": 0}\n')
    with pytest.raises(DataError, match="no result has 'id'"):
        read_results(tmp_path / "trajectory.jsonl")


@pytest.mark.extra("report")
def test_figures_are_the_same_bytes_and_show_every_contestant(tmp_path):
    results = [result(label, domain=str(i), best=0.5) for label in ("one", "<two>") for i in range(3)]
    (tmp_path / "train").mkdir()
    rows = [{"step": i, "improvement": 0.01 * i} | ({"dev_improvement": 0.1} if i % 2 else {}) for i in range(5)]
    (tmp_path / "train" / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for draw in (budget_figure, length_figure):
        draw(results, tmp_path / "1.svg")
        draw(results, tmp_path / "2.svg")
        assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()
        text = "".join(ElementTree.parse(tmp_path / "1.svg").getroot().itertext())
        assert "one" in text
        assert "<two>" in text
    training_figure([tmp_path / "train"], tmp_path / "3.svg")
    assert "dev domains" in (tmp_path / "3.svg").read_text()
    with pytest.raises(DataError, match="not the directory of a training"):
        training_figure([tmp_path], tmp_path / "4.svg")


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"lse-gym\[report\]"):
        length_figure([result()], tmp_path / "x.svg")


def test_a_report_is_as_wide_as_the_terminal_and_markdown_elsewhere(tmp_path, monkeypatch):
    results = [result(label=name, domain=domain) for name in ("a-b_c", "other") for domain in ("x", "y")]
    write_results(tmp_path / "results.jsonl", results)
    for figure in ("budget_figure", "length_figure"):
        monkeypatch.setattr(cli, figure, lambda *_: None)
    for terminal in (True, False):
        screen = StringIO()
        monkeypatch.setattr(cli, "out_console", Console(file=screen, force_terminal=terminal, width=80, no_color=True))
        cli.report_command([tmp_path / "results.jsonl"], out=tmp_path)
        lines = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue()).splitlines()[:-1]
        assert any("a-b_c" in line for line in lines)
        assert (max(map(len, lines)) <= 80) == terminal
    assert "\n".join(lines).startswith((tmp_path / "report.md").read_text().strip())
