"""The embedded word problems: splits, golds, difficulty; and the offline reasoner, who needs hints for what is hard."""

import re
from collections import Counter
from math import exp, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.envs.domain import SPLITS
from lse_gym.envs.errors import ArgumentError, UnknownNameError
from lse_gym.envs.games.hint.prompt import HINTER, hinted, hinter_message, middle_cut
from lse_gym.envs.games.hint.questions import make_exercises
from lse_gym.envs.games.problems.family import SIZES, THEMES, Problem, ProblemFamily
from lse_gym.envs.games.problems.wording import FORMS, Step, apply, read_problem
from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.reader.games.problems import KINDS, taught_by
from lse_gym.envs.session import Session

NAMES = ["bakery-0", "museum-7", "farm-1", "school-12"]


def keys(domain, split):
    problems = [read_problem(question.text) for question in domain.splits[split]]
    return {Problem(start, tuple(steps)).key for start, steps in problems}


@pytest.mark.parametrize("name", NAMES)
def test_golds_are_right_and_stand_in_no_question(name):
    domain = ProblemFamily().load(name)
    assert domain.verify() == []
    for split in SPLITS:
        assert len(domain.splits[split]) == SIZES[split] == len(keys(domain, split))
        for question in domain.splits[split]:
            start, steps = read_problem(question.text)
            solution, value = Problem(start, tuple(steps)).solution()
            assert str(value) == question.gold
            assert question.gold not in re.findall(r"\d+", question.text)
            assert solution in domain.items[question.id].doc["solution"]
        empty, echo = ([r(q) for q in domain.splits[split]] for r in (lambda _: "", domain.user))
        for texts in (empty, echo):
            assert {outcome.score for outcome in domain.score(domain.splits[split], texts)} == {0.0}


def test_a_problem_belongs_to_one_split_whatever_the_seed_and_the_secret():
    seen = {split: set() for split in (*SPLITS, "sealed")}
    for split_seed in range(6):
        family = ProblemFamily(split_seed)
        for split in SPLITS:
            seen[split] |= keys(family.load("bakery-3"), split)
        seen["sealed"] |= keys(family.sealed("bakery-3", 2**100 + split_seed, 150), "test")
    assert sum(map(len, seen.values())) == len(set().union(*seen.values())) > 1500
    one, again, other = (ProblemFamily().sealed("farm-0", secret, 50) for secret in (1, 1, 2))
    assert one.fingerprint() == again.fingerprint() != other.fingerprint()
    assert one.splits["feedback"] == ProblemFamily().load("farm-0").splits["feedback"]
    assert one.verify() == []


def test_themes_of_the_two_groups_share_no_word():
    used = {}
    for group, names in ProblemFamily.groups.items():
        themes = [THEMES[name.split("-")[0]] for name in names]
        used[group] = {word for theme in themes for word in re.findall(r"[a-z]+", str(tuple(theme)).lower())}
    assert used["train"] & used["test"] == {"the"}


def test_names_and_arguments_that_do_not_exist():
    with pytest.raises(UnknownNameError, match="bakery-0"):
        ProblemFamily().load("bakry-0")
    with pytest.raises(UnknownNameError, match="medium"):
        ProblemFamily(difficulty="mid")
    with pytest.raises(ArgumentError, match="secret="):
        ProblemFamily().sealed("bakery-0", -1, 3)
    assert ProblemFamily().sizes("farm-3") == SIZES
    hard = ProblemFamily(difficulty="hard").load("bakery-0")
    assert {question.difficulty for question in hard.splits["test"]} == {"hard"}


def test_a_twin_takes_the_same_kinds_of_steps():
    exercises = make_exercises(difficulty="hard")
    domain = exercises.family.load("garden-1")
    for question in domain.splits["feedback"]:
        twin = exercises.twin(domain, question)
        shared = {*domain.items[question.id].doc["kinds"]} & {*domain.items[twin.id].doc["kinds"]}
        assert twin != question
        assert len(shared) >= 3


@pytest.mark.parametrize("kind", FORMS)
def test_steps_come_to_what_their_working_says(kind):
    step = Step(kind, 5, 3)
    for value in (20, 100, 300):
        working, result = apply(step, value)
        assert eval(working) == result  # noqa: S307 - our own


def accuracy(domain, context, split="test", difficulty=None, temperature=0.0):
    questions = [q for q in domain.splits[split] if difficulty in (None, q.difficulty)]
    session = Session(make_model("reader"), temperature=temperature)
    return float(np.mean(session.run([session.evaluate(domain, context, questions)])[0].scores))


def test_the_offline_reasoner_fails_more_the_harder_it_is_and_learns_from_a_context():
    domain = ProblemFamily().load("farm-2")
    by_difficulty = [accuracy(domain, domain.seed_context, difficulty=d) for d in ("easy", "medium", "hard")]
    assert by_difficulty == sorted(by_difficulty, reverse=True)
    assert by_difficulty[0] > 0.55 > 0.2 > by_difficulty[2]
    assert accuracy(domain, domain.oracle_context) > accuracy(domain, domain.seed_context) + 0.25


@pytest.mark.parametrize("kind", ["percent", "fraction", "more"])
def test_a_relevant_hint_helps_and_another_does_not(kind):
    domain = ProblemFamily(difficulty="medium").load("farm-4")
    asked = [q for q in domain.splits["test"] if kind in domain.items[q.id].doc["kinds"]]
    other = "gain" if kind != "gain" else "lose"

    def right(hint):
        requests = [Request(domain.system(domain.seed_context), hinted(domain.user(q), hint)) for q in asked]
        texts = [response.text for response in make_model("reader").complete(requests)]
        return sum(outcome.score for outcome in domain.score(asked, texts)) / len(asked)

    assert right(f"Remember: {FORMS[kind].method}.") > right("") + 0.2
    assert abs(right(f"Remember: {FORMS[other].method}.") - right("")) < 0.15
    assert abs(right("Take care, and good luck.") - right("")) < 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_the_method_of_each_kind_teaches_it(kind):
    assert kind in taught_by((FORMS[kind].method,))


def test_the_offline_hinter_names_what_went_wrong_and_then_the_next():
    observation = {
        "question": "Question: …",
        "attempt": "Step 1: 40 - 50 = -10\nStep 2: -10 + 9 = -1\n<answer>-1</answer>",
        "solution": (
            "Step 1: 40 - 40 * 50 / 100 = 20 (percent means of each hundred)\n"
            "Step 2: 20 + 2 * 20 + 9 = 69 (more than twice: double first)\n#### 69"
        ),
        "past_hints": "",
    }

    def ask():
        return make_model("reader").complete([Request(HINTER, hinter_message(observation))])[0].text

    assert "<hint>Remember: percent means of each hundred.</hint>" in ask()
    observation["past_hints"] = "Remember: percent means of each hundred."
    assert "<hint>Remember: percent means of each hundred. Remember: more than twice: double first.</hint>" in ask()
    assert "69" not in ask()
    observation |= {"solution": "18", "past_hints": ""}
    assert "<hint>Go through it again" in ask()


@pytest.mark.parametrize("model", ["reader", "lse_gym.envs.offline.reader:AttentiveReader"])
def test_log_probabilities_of_the_offline_reasoner_are_how_often_it_says_so(model):
    reader = make_model(model)
    domain = ProblemFamily(difficulty="easy").load("farm-0")
    question = next(q for q in domain.splits["test"] if "share" in domain.items[q.id].doc["kinds"])
    context = f"{FORMS['share'].method}."
    requests = [Request(domain.system(context), domain.user(question), 512, 1.0, 0, i) for i in range(3000)]
    said = Counter(response.text for response in reader.complete(requests))
    told = {text: exp(sum(reader.logprobs(requests[0], text))) for text in said}
    assert sum(told.values()) > 0.999
    for text, count in said.items():
        deviation = sqrt(told[text] * (1 - told[text]) / 3000)
        assert abs(count / 3000 - told[text]) < 4 * deviation, text
    (text,) = (text for text in said if text.endswith(f"<answer>{question.gold}</answer>"))
    plain, given = requests[0], requests[0]._replace(user=hinted(domain.user(question), context))
    assert sum(reader.logprobs(given, text)) > sum(reader.logprobs(plain, text))
    for other in ("<answer>3</answer>", "no idea", text + "."):
        with pytest.raises(NotImplementedError):
            reader.logprobs(plain, other)
    with pytest.raises(NotImplementedError):
        reader.logprobs(Request("Who?", "You."), "Me.")


def test_what_is_too_long_loses_its_middle():
    assert middle_cut("abcdefgh", 4) == "ab\n[…]\ngh"
    assert middle_cut("abcd", 4) == "abcd"


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_is_survived(context, text):
    domain = ProblemFamily().load("bakery-0")
    plain = domain.splits["feedback"][0]
    for user in (text, f"Question: {text}", hinted(domain.user(plain), text)):
        (response,) = make_model("reader").complete([Request(domain.system(context), user)])
        domain.score([plain], [response.text])
