"""Answers in LaTeX: the same however they are written, and never the same because of it."""

import json
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.envs.custom.latex import Latex, normal, same_latex
from lse_gym.envs.custom.make_scorer import make_scorer
from lse_gym.envs.custom.scorers import Item
from lse_gym.envs.domain import Question

MATH = Path(__file__).parents[2] / ".." / "shared" / "data" / "math500" / "test.jsonl"
SAME = [
    (r"\dfrac12", r"\frac{1}{2}", "1/2", "0.5", r"$\tfrac{1}{2}$", r"x = \frac12", r"\boxed{\frac{1}{2}}."),
    (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\,\frac\pi2)", r"\(\left(3, \dfrac{\pi}{2}\right)\)"),
    ("10,080", r"10{,}080", r"10,\!080", "10080", "10080.0"),
    (r"\text{Evelyn}", "Evelyn", r"\mathrm{Evelyn}", r"\boxed{\text{ Evelyn }}"),
    ("90^\\circ", "90", "90°", "90^{\\circ}"),
    (r"3\sqrt3", r"3\sqrt{3}", r"3 \sqrt{3}"),
    ("\u22125", "-5", "x=-5"),
    (r"52_8", r"52_{8}"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    (r"5\%", "5%"),
    (r"\$18.90", "18.9"),
]
OTHER = [("1,2", "12"), ("x+1", "1+x"), ("7", "8"), ("", ""), ("(1,2)", "[1,2]"), ("5%", "0.05"), ("2^10", "210")]


@pytest.mark.parametrize("group", SAME)
def test_the_same_in_every_form(group):
    assert all(same_latex(one, other) for one, other in combinations(group, 2)), [*map(normal, group)]


@pytest.mark.parametrize(("one", "other"), [*OTHER, *((SAME[i][0], SAME[i + 1][0]) for i in range(len(SAME) - 1))])
def test_others_are_others(one, other):
    assert not same_latex(one, other)


def test_as_a_scorer():
    assert isinstance(make_scorer("latex"), Latex)
    item = Item(Question("1", "?", r"\frac{1}{2}"), (r"\frac{1}{2}", "3"))
    scores = {"<answer>1/2</answer>": 1.0, r"so \boxed{3}": 1.0, "<answer>2</answer>": 0.0, "": 0.0}
    for response, score in scores.items():
        assert Latex().score(Latex().extract(response, item), item) == score


@given(st.text(alphabet="\\{}()[]$^_,./ frac12sqrtx", max_size=60))
def test_any_text_is_survived_and_equals_itself(text):
    assert same_latex(text, text) == bool(normal(text))
    assert not same_latex("x" * 3000, "x" * 3000)


@pytest.mark.skipif(not MATH.is_file(), reason="MATH-500 is not at ../shared/data")
def test_real_answers_equal_themselves_and_few_others():
    answers = sorted({json.loads(line)["answer"] for line in MATH.read_text(encoding="utf-8").splitlines()})
    assert all(same_latex(answer, answer) for answer in answers)
    pairs = {(a, b) for a, b in combinations(answers, 2) if same_latex(a, b)}
    assert pairs == {("120", r"120^\circ"), ("30", r"30^\circ"), ("5", "x=5")}
