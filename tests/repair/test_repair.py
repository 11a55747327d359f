"""Code bases with bugs: golds, scores by hand, what hostile functions come to, and that advice is what helps."""

import gymnasium as gym
import numpy as np
import pytest

import lse_gym  # noqa: F401 - registers the ids
from lse_gym.agents.lse import LSEAgent
from lse_gym.envs.domain import SPLITS
from lse_gym.envs.errors import UnknownNameError
from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.reader import Reader
from lse_gym.envs.repair.domain import read_code, sentence
from lse_gym.envs.repair.family import THEMES, RepairFamily, _function
from lse_gym.envs.repair.idioms import IDIOMS, USUAL, forms_in, read_rule, rewritten
from lse_gym.envs.repair.prompt import system
from lse_gym.envs.repair.testing import UnitTests, run
from lse_gym.envs.splits import class_of

FAMILY = RepairFamily()
HOTEL = FAMILY.load("hotel-0")
DOUBLE = UnitTests("double", [{"n": n} for n in range(4)], [0, 2, 4, 6], base=2)
FORMS = [(matter, form) for matter, idiom in IDIOMS.items() for form in idiom.forms]


@pytest.mark.parametrize(("matter", "form"), FORMS)
def test_every_rule_is_read_as_what_it_says(matter, form):
    assert read_rule(sentence(("billing", matter), form)) == (matter, form)


def test_any_form_can_be_rewritten_into_any_other_and_back():
    for question in HOTEL.splits["feedback"]:
        present = forms_in(question.gold)
        assert present
        for matter in present:
            for form in IDIOMS[matter].forms:
                changed = rewritten(question.gold, {matter: form})
                assert forms_in(changed) == present | {matter: form}
                assert rewritten(changed, present) == question.gold


@pytest.mark.parametrize("name", ["parking-0", "museum-4"])
def test_a_code_base_is_a_sound_domain(name):
    domain = FAMILY.load(name)
    assert domain.verify() == []
    assert FAMILY.sizes(name) == {split: len(domain.splits[split]) for split in SPLITS}
    questions = [q for split in SPLITS for q in domain.splits[split]]
    assert len({q.text for q in questions}) == len(questions)
    assert all(q.text != q.gold for q in questions)
    for text in ("", "<answer></answer>", "def f(): pass"):
        assert {outcome.score for outcome in domain.score(questions[:5], [text] * 5)} == {0.0}
    assert {outcome.score for outcome in domain.score(questions, [q.text for q in questions])} == {0.0}  # as it is
    everything = "\n".join(q.gold for q in questions)
    assert domain.score(questions[:1], [everything])[0].score <= 1.0


def test_sealed_functions_are_others():
    sealed, other = (FAMILY.sealed("hotel-0", secret, 30) for secret in (5, 6))
    assert sealed.verify() == []
    assert sealed.fingerprint() != other.fingerprint() != HOTEL.fingerprint()
    public = {q.text for split in SPLITS for q in HOTEL.splits[split]}
    assert not public & {q.text for q in sealed.splits["test"]}
    assert RepairFamily(1).load("hotel-0").rules == HOTEL.rules
    with pytest.raises(UnknownNameError, match="hotel-0"):
        FAMILY.load("hotl-0")


def test_there_are_thousands_of_functions_of_each_class():
    rng, found = np.random.default_rng(0), {}
    for _ in range(30_000):
        text, gold, _ = _function(rng, THEMES["hotel"], HOTEL.rules)
        if text != gold:
            found.setdefault(class_of("hotel-0", text), set()).add(text)
    assert min(map(len, found.values())) >= 500
    assert sum(map(len, found.values())) >= 2000


def test_a_score_is_the_tests_passed_beyond_those_that_pass_anyway():
    codes = ["def double(n): return 2 * n", "def double(n): return n if n % 2 else 2 * n", "def double(n): return 6"]
    ran = run(codes, [DOUBLE] * 3)
    assert [one.passed for one in ran] == [4, 2, 1]
    assert [DOUBLE.score(one.passed) for one in ran] == [1.0, 0.0, 0.0]
    assert ran[1].error == "2 of 4 tests fail: double(1) returns 1, not 2."
    assert DOUBLE.score(3) == 0.5


HOSTILE = {
    "ends": "import os\nos._exit(0)",
    "raises": "raise SystemExit(0)",
    "loops": "while True: pass",
    "fills": "x = [0] * 10**10",
    "forks": "import os\nos.fork()",
    "no function": "triple = 3",
    "no python": "def double(n) return 2",
    "deep": "(" * 5000,
    "true": "def double(n): return n != 0",
    "objects": "def double(n): return {n: object()}",
    "nan": "def double(n): return float('nan')",
    "large": "def double(n): return 'x' * 10**7",
    "patched": "import lse_gym.envs.repair.inside as i\ni._result = lambda f, a: [2 * a[0]]",
    "reads": "double = open('/etc/passwd').read",
    "a number without end": "def double(n): return 10**400",
    "nothing returned": "import lse_gym.envs.repair.inside as i\ni._result = lambda f, a: []",
    "nested": "def double(n):\n    x = []\n    for _ in range(940): x = [x]\n    return x",
    "no text": "\ud800\x00",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_functions_pass_nothing_and_harm_nobody(name):
    ran = run([HOSTILE[name], "def double(n): return 2 * n"], [DOUBLE, DOUBLE])
    assert ran[1].passed == 4
    assert ran[0].passed <= DOUBLE.base
    assert len(ran[0].error) < 1000


def test_a_float_may_be_wanted_where_a_number_without_end_is_returned():
    half = UnitTests("half", [{"n": n} for n in (1, 3)], [0.5, 1.5])
    assert [one.passed for one in run(["def half(n): return 10**400", "def half(n): return n / 2"], [half] * 2)] == [
        0,
        2,
    ]


def test_answers_are_found_with_and_without_fences():
    code = "def f():\n    return 1"
    for text in (f"<answer>{code}</answer>", f"<answer>\n```python\n{code}\n```\n</answer>", code, f"```\n{code}\n```"):
        assert read_code(f"<think>hm</think>{text}") == code


def reader(code, *lines):
    text = Reader().answer(Request(system("\n".join(["Repair the function.", *lines])), f"Question: {code}"))
    return forms_in(text)


def test_the_reader_follows_what_it_is_told_where_it_holds():
    body = "def f(total, step):\n    return total // step"
    here, there = (f"# module: {module}\n{body}" for module in ("billing", "stock"))
    assert reader(here)["rounding"] == "down"
    assert reader(here, "- In billing, divisions round up.")["rounding"] == "up"
    assert reader(there, "- In billing, divisions round up.")["rounding"] == "down"
    assert reader(there, "Divisions always round UP.")["rounding"] == "up"
    assert reader(there, "Divisions round up.", "In stock, divisions round down.")["rounding"] == "down"
    assert set(USUAL) == set(IDIOMS)
    torn = {reader(f"{here}  # {i}", "Divisions round up.", "Divisions round down.")["rounding"] for i in range(20)}
    assert torn == {"up", "down"}


def test_an_editor_learns_what_holds_where():
    name = "hotel-1"
    env = gym.make("LSE/Feedback-v0", domain=name)
    agent = LSEAgent(env, editor="writer", selection="deepest").learn(6)
    scores = [node["performance"] for node in agent.tree.nodes]
    assert scores[0] < 0.3
    assert scores[-1] > 0.85
    oracle = env.unwrapped.family.load(name).oracle_context
    env.reset(seed=0)
    assert env.step(oracle)[-1]["held_out_score"] >= 0.95
