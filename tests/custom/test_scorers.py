import json
import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lse_gym.envs.custom.make_scorer import SCORERS, make_scorer
from lse_gym.envs.custom.numbers import BadAnswer, read_number
from lse_gym.envs.custom.scorers import SQL, Item, f1, same_json
from lse_gym.envs.domain import Question
from lse_gym.envs.errors import ArgumentError, UnknownNameError

ANSWERED = [name for name, kind in SCORERS.items() if kind is not SQL]
GOLDS = {"exact": "Ada Lovelace", "numeric": "42", "multiple_choice": "B", "regex": "[ab]+", "f1": "a red house"}


def item(*golds, choices=(), pattern="", text="Which?"):
    return Item(Question("1", text, golds[0]), golds, choices, pattern)


def score(scorer, response, gold_item):
    scorer = make_scorer(scorer)
    try:
        return scorer.score(scorer.extract(response, gold_item), gold_item)
    except BadAnswer:
        return 0.0


@pytest.mark.parametrize(
    ("scorer", "golds", "right", "wrong"),
    [
        ("exact", ["New York"], ["New York", " New\nYork "], ["new york", "New York.", "It is New York", "York"]),
        ("exact,ignore_case=true", ["New York"], ["NEW YORK", "new york"], ["new york!"]),
        ("exact_match,ignore_punctuation=true", ["U.S."], ["US", "U.S"], ["us"]),
        ("exact,ignore_punctuation=true", ["-5"], ["-5", "(-5)", "-5!"], ["5", "5-"]),
        ("exact,ignore_punctuation=true", ["1.5"], ["1.5", "1.5."], ["15", "1:5"]),
        ("exact,ignore_punctuation=true", ["1,234 men"], ["1234 men.", "1,234 men"], ["1.234 men"]),
        ("exact,ignore_punctuation=true", ["1/2"], ["1/2"], ["12", "1 2"]),
        ("exact", ["ros\u00e9"], ["rose\u0301", "\\boxed{ros\u00e9}"], ["rose"]),
        ("exact", ["True"], ["true", "TRUE", "True"], ["yes", "truer", "true!"]),
        ("exact", ["colour", "color"], ["colour", "color"], ["colour color", "colour | color"]),
        ("numeric", ["42"], ["42", "42.0", "$42", "42 apples", "4.2e1", "+42", "#### 42", "84/2", "a + b = 7 #### 42"],
         ["41", "-42", "4 2", "42 or 43", "forty-two", "", "4,2", "1/0", "42/0"]),
        ("numeric", ["1234.5"], ["1,234.5", "$1,234.50", "1'234.5", "1234.5 km"], ["1.234,5", "1234", "12345"]),
        ("numeric", ["-3"],
         ["-3", "\N{MINUS SIGN}3", "-3.", "-$3", "$-3", "\N{EN DASH}3", "- 3", "(3)", "($3)", "-3 km"],
         ["3", "2 - 5", "--3", "result - 3", "3-", "-3 (of 4)"]),
        ("numeric", ["\N{EN DASH}3"], ["-3"], ["3"]),
        ("numeric", ["(3)"], ["-3"], ["3"]),
        ("numeric", ["0.5"],
         ["1/2", "\u00bd", "\\frac{1}{2}", "\\boxed{\\frac12}", "so $\\boxed{\\dfrac{1}{2}}$.", "2/4 cup"],
         ["1/2/2024", "\\frac{1}{2", "-\u00bd"]),
        ("numeric", ["-2.5"], ["-2\u00bd", "-2 1/2", "-\\frac{5}{2}", "-2\\frac{1}{2}"], ["2.5", "1.5"]),
        ("numeric", ["50%"], ["50%", "50 %", "50", "\\boxed{50\\%}"], ["0.5"]),
        ("numeric", ["1234567"], ["1,234,567", "1{,}234{,}567", "\\$1,234,567"], ["1,234,5678", "1,2345,67"]),
        ("numeric,units=true", ["12 km"], ["12 km", "12km."], ["12", "12 m", "$12"]),
        ("numeric", ["0.1"], [".1", "1e-1", "0.1", "1/10"], ["0.10001", "10%"]),
        ("numeric,tolerance=0.1", ["2"], ["1.9", "2.1", "2"], ["1.89", "2.11"]),
        ("numeric", ["1000000000000"], ["1e12", "1,000,000,000,000"], ["1000000000001", "1e12 + 1"]),
        ("numeric", ["0.3"], ["0.30000000000000004", "3/10"], ["0.3000000001"]),
        ("numeric,relative=0.1", ["200"], ["180", "220"], ["179", "221"]),
        ("numeric", ["Tom has 3 * 4 = 12 apples.\n#### 12"], ["12", "#### 12"], ["3", "3 * 4"]),
        ("regex", ["(Ada )?Lovelace"], ["Lovelace", "Ada Lovelace"], ["ada lovelace", "Lovelace, Ada", ""]),
        ("regex,ignore_case=true", ["yes|no"], ["YES", "no"], ["yes no"]),
        ("json", ['{"a": 1, "b": [1, 2]}'], ['{"b": [1.0, 2], "a": 1}', '```json\n{"a": 1, "b": [1, 2]}\n```'],
         ['{"a": 1}', '{"a": true, "b": [1, 2]}', '{"a": 1, "b": [2, 1]}', "{", "a"]),
        ("json", ["true"], ["true"], ["1", '"true"', "True"]),
    ],
)  # fmt: skip
def test_right_and_wrong(scorer, golds, right, wrong):
    for text in right:
        assert score(scorer, f"Hm.\n<answer>{text}</answer>", item(*golds)) == 1.0, text
    for text in wrong:
        assert score(scorer, f"<answer>{text}</answer>", item(*golds)) == 0.0, text


def test_f1_is_squads():
    assert f1("The Red, red house", "a red house") == pytest.approx(2 * 2 / (3 + 2))
    assert score("f1", "<answer>red</answer>", item("blue", "red house")) == pytest.approx(2 / 3)
    assert f1("", "") == f1("the", "The!") == 1.0
    assert f1("", "A") == f1("the", "a") == 0.0, "an article that is all there is to an answer is the answer"
    assert f1("5", "-5") == f1("15", "1.5") == 0.0
    assert f1("x", "") == 0.0


@given(st.text(max_size=60), st.text(max_size=60))
def test_f1_is_symmetric_and_bounded(one, other):
    assert f1(one, other) == f1(other, one)
    assert 0 <= f1(one, other) <= 1
    assert f1(one, one) == 1


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_is_read_as_it_is_written(number):
    assert read_number(repr(number)) == number
    assert read_number(f"It is {number!r} km") == number


@given(st.integers(-(10**12), 10**12))
def test_thousands_are_read(number):
    assert read_number(f"${number:,}") == number
    with pytest.raises(BadAnswer):
        read_number(f"{number} or {number + 1}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_equal_json_is_equal(one, other):
    assert same_json(one, json.loads(json.dumps(one)))
    assert same_json(one, other) == same_json(other, one)
    if same_json(one, other):
        assert one == other


CHOICES = item("B", choices=("red", "green", "blue", "grey"), text="Which?\nA) red\nB) green\nC) blue\nD) grey")


@pytest.mark.parametrize(
    "response",
    ["<answer>B</answer>", "B", "b", "(B)", "**B**", "B.", "B) green", "<answer>B. green</answer>", "The answer is B.",
     "Answer: (B)", "Not A, since it is cold. The answer is B.", "I weigh it.\n<answer>\nB\n</answer>", "[B]"],
)  # fmt: skip
def test_a_choice_is_found(response):
    assert score("multiple_choice", response, CHOICES) == 1.0


@pytest.mark.parametrize(
    "response",
    ["", "A", "E", "A, B, C, D", "ABCD", "A B C D", "A) B) C) D)", "<answer>A or B</answer>", "B or C", "B and D",
     "<answer>A. red\nB. green\nC. blue\nD. grey</answer>", "A. red B. green", "Bananas", "green",
     "The answer is A, B.", "The answer is (A) or (B).",
     "The answer is B. The answer is A.", "A green one, perhaps", CHOICES.question.text, "I'd say B is likely not it"],
)  # fmt: skip
def test_no_credit_for_several_choices_or_none(response):
    assert score("multiple_choice", response, CHOICES) == 0.0


@example("E0")  # an exponent alone is no number
@given(st.text(max_size=80))
def test_hostile_responses_are_scored(text):
    for name in ANSWERED:
        gold = CHOICES if name == "multiple_choice" else item(GOLDS.get(name, '{"a": 1}'))
        assert 0 <= score(name, text, gold) <= 1


def test_what_a_scorer_string_means():
    assert make_scorer("numeric, tolerance=0.5").tolerance == 0.5
    assert make_scorer("exact_match,ignore_case=True") == make_scorer("exact,ignore_case=true")
    assert make_scorer("sql,scoring=strict").scoring == "strict"
    for name, kind in SCORERS.items():
        made = make_scorer(name)
        assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - our own
        assert kind.__doc__


@pytest.mark.parametrize(
    ("scorer", "error", "told"),
    [
        ("exactly", UnknownNameError, ["'multiple_choice'", "Did you mean 'exact'", "package.module:function"]),
        ("json,output=x", UnknownNameError, ["'output' is not a known option of scorer 'json'"]),
        ("numeric,tol=1", UnknownNameError, ["option of scorer 'numeric'", "'tolerance'"]),
        ("numeric,tolerance=-1", ArgumentError, ["tolerance=-1", ">= 0"]),
        ("numeric,tolerance=much", ArgumentError, ["tolerance='much'"]),
        ("exact,ignore_case=maybe", ArgumentError, ["ignore_case='maybe'", "ignore_case=true"]),
        ("no_such_module:f", ArgumentError, ["cannot be imported", "package.module:function"]),
        ("json:no_such_function", ArgumentError, ["no_such_function"]),
        ("json:__doc__", ArgumentError, ["is no function f(answer, gold)"]),
        (7, ArgumentError, ["scorer='7'", "f(answer, gold, doc)"]),
        (lambda answer: True, ArgumentError, ["f(answer, gold)"]),
    ],
)
def test_a_wrong_scorer_says_what_is_right(scorer, error, told):
    with pytest.raises(error) as caught:
        make_scorer(scorer)
    assert all(text in str(caught.value) for text in told), str(caught.value)
