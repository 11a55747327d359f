"""The reader on multiple-choice questions: what is in the context moves its answers, and nothing else does."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.reader import Reader
from lse_gym.envs.offline.reader.prompt import ATTENTION_CHARS
from lse_gym.envs.prompt import system_message
from lse_gym.envs.qa.procedural.family import ProceduralQAFamily
from lse_gym.envs.qa.prompt import frozen_part

FAMILY = ProceduralQAFamily()
DOMAINS = [FAMILY.load(name) for name in ("apiary-0", "glasswork-2", "brewing-4")]
READER = Reader()


def score(domain, context: str) -> float:
    questions = [q for split in ("held_out", "test") for q in domain.splits[split]]
    responses = READER.complete([Request(domain.system(context), domain.user(q)) for q in questions])
    return sum(o.score for o in domain.score(questions, [r.text for r in responses])) / len(questions)


def mean(change) -> float:
    """Mean score over the domains with the oracle context changed."""
    return sum(score(domain, change(domain.oracle_context)) for domain in DOMAINS) / len(DOMAINS)


def negated(context: str) -> str:
    turned = re.sub(r"of at least|below", lambda m: "below" if m[0] != "below" else "of at least", context)
    turned = re.sub(r"round (up|down)", lambda m: "round down" if m[1] == "up" else "round up", turned)
    return turned.replace("from highest to lowest", "from lowest to highest").replace(" over ", " comes after ")


def renumbered(context: str) -> str:
    return re.sub(r"\d+", lambda m: str(int(m[0]) * 2 + 7), context)


def every_other(context: str) -> str:
    return "\n".join(line for i, line in enumerate(context.splitlines()) if i % 2)


ORACLE, SEED = mean(str), mean(lambda _: "Return the letter of the right choice.")


def test_the_oracle_is_worth_a_lot():
    assert ORACLE > 0.95 > 0.4 > SEED


@pytest.mark.parametrize("change", [negated, renumbered, every_other])
def test_mutated_contexts_are_worth_less(change):
    assert mean(change) < ORACLE - 0.15


def test_a_context_that_contradicts_itself_is_worth_less():
    assert SEED < mean(lambda context: f"{context}\n{negated(context)}\n{renumbered(context)}") < ORACLE - 0.15


def test_the_rules_of_another_world_mislead():
    domain = DOMAINS[0]
    other = FAMILY.load("apiary-3").oracle_context
    assert score(domain, other) < ORACLE - 0.4


def test_the_order_of_the_lines_and_prose_around_them_do_not_matter():
    for domain in DOMAINS:
        lines = domain.oracle_context.splitlines()
        context = "\n".join(["Here is what we know:", *lines[::-1], "Good luck!"])
        assert abs(score(domain, context) - score(domain, domain.oracle_context)) < 0.04


def test_an_over_long_context_is_half_forgotten():
    filler = "\n".join(f"Note {i}: be careful, and read every word of the question twice." for i in range(600))
    assert len(filler) > 3 * ATTENTION_CHARS
    assert mean(lambda context: f"{context}\n{filler}") < ORACLE - 0.15


def test_only_the_prompt_is_read():
    domain = DOMAINS[0]
    question = domain.splits["test"][0]
    system = system_message(frozen_part("things nobody has heard of"), domain.oracle_context)
    assert READER.complete([Request(system, domain.user(question))])[0].text == domain.gold_response(question)


def test_questions_of_no_known_kind_are_guessed_evenly():
    texts = [f"Question: What is {i}?\nA) this\nB) that\nC) these\nD) those" for i in range(400)]
    answers = [r.text for r in READER.complete([Request(system_message(frozen_part("x"), ""), t) for t in texts])]
    assert {*answers} == {f"<answer>{letter}</answer>" for letter in "ABCD"}
    assert min(answers.count(f"<answer>{letter}</answer>") for letter in "ABCD") > 60


PIECES = st.sampled_from(
    "A) B) C) D) which of these casks is heavy? says 40 ranks highest weight 4, an oak cask: \n".split(" ")
)


@settings(max_examples=200)
@given(st.lists(PIECES | st.text(max_size=8), max_size=30).map(" ".join), st.text(max_size=60))
def test_no_question_and_no_context_raise(question, context):
    READER.complete([Request(system_message(frozen_part("x"), context), f"Question: {question}")])
