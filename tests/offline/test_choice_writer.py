"""The writer on multiple-choice questions: it finds the rules behind the golds, and keeps what it is not sure of."""

import os
import pickle
import subprocess
import sys

import gymnasium as gym
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.domain import Attempt, Outcome, Question
from lse_gym.envs.editing import editor_prompt, parse_edit
from lse_gym.envs.evaluation import evaluate_context
from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.reader import Reader
from lse_gym.envs.offline.writer import Writer
from lse_gym.envs.prompt import system_message
from lse_gym.envs.qa.procedural.family import ProceduralQAFamily
from lse_gym.envs.qa.prompt import LETTERS, frozen_part
from lse_gym.envs.qa.prompt import report as qa_report

PROSE = "Be brief, and double-check every choice."
FROZEN = frozen_part("brewing")
APIARY = ProceduralQAFamily().load("apiary-1")

Told = tuple[str, str, str]  # question with its choices, letter, explanation


def write(context: str, *told: Told, mode: str = "gold", max_chars: int = 8000, seed: int = 0) -> str:
    questions = [Question(str(i), text, gold) for i, (text, gold, _) in enumerate(told)]
    explanations = {str(i): explanation for i, (*_, explanation) in enumerate(told)}
    attempts = [Attempt(question, "", Outcome(0.0, "")) for question in questions]
    report = qa_report(FROZEN, attempts, explanations).in_mode(mode).text()  # ty: ignore
    response = Writer().complete([Request("", editor_prompt(context, report, max_chars), seed=seed)])[0]
    edit = parse_edit(response.text, "")
    assert edit is not None, response.text
    return edit


def read(context: str, question: str) -> str:
    user = f"Question: {question}"
    text = Reader().complete([Request(system_message(FROZEN, context), user)])[0].text
    return text.removeprefix("<answer>").removesuffix("</answer>")


def casks(*things: tuple[str, int, int]) -> str:
    names = ("Alder", "Birch", "Cedar", "Dogwood")
    shown = [
        f"{letter}) {name}, an {kind} cask: weight {weight}, age {age}"
        for letter, name, (kind, weight, age) in zip(LETTERS, names, things, strict=False)
    ]
    return " ".join(shown)


def heavy(*things: tuple[str, int, int]) -> str:
    return f"Which of these casks is heavy? {casks(*things)}"


def numbers(question: str, *choices: int) -> str:
    return f"{question} " + " ".join(f"{letter}) {n}" for letter, n in zip(LETTERS, choices, strict=False))


def test_a_threshold_is_narrowed_down_over_rounds():
    first = heavy(("oak", 90, 20), ("oak", 80, 61), ("oak", 10, 30), ("ash", 5, 5)), "B", ""
    second = heavy(("ash", 1, 52), ("elm", 80, 44), ("oak", 99, 30), ("elm", 5, 5)), "A", ""
    third = heavy(("ash", 9, 46), ("elm", 80, 44), ("oak", 99, 30), ("elm", 5, 5)), "A", ""
    edit = write(PROSE, first)
    assert '"heavy" means an age of at least 50.' in edit  # the middle of what is left
    assert f"Q: {first[0]} Answer: B." in edit  # not settled
    edit = write(edit, second)
    assert '"heavy" means an age of at least 50.' in edit
    edit = write(edit, third)
    assert edit == f'{PROSE}\n- "heavy" means an age of at least 45.'  # settled: no examples any more
    for question, gold, _ in (first, second, third):
        assert read(edit, question) == gold


def test_the_explanation_tells_the_attribute():
    question = heavy(("oak", 90, 61), ("oak", 30, 20), ("oak", 10, 30), ("ash", 5, 5))
    assert '"heavy" means an age of at least' in write(PROSE, (question, "A", "What makes Alder heavy is its age."))
    assert '"heavy" means a weight of at least' in write(
        PROSE, (question, "A", "What makes Alder heavy is its weight.")
    )


def test_an_exception_is_made_where_one_rule_does_not_do():
    rule = f'{PROSE}\n- "heavy" means an age of at least 45.'
    odd = heavy(("elm", 9, 20), ("ash", 80, 44), ("oak", 99, 30), ("ash", 5, 5)), "A", ""
    edit = write(rule, odd)
    assert '"heavy" means an age of at least 45.' in edit
    assert 'For elm ones, "heavy" means an age' in edit
    assert read(edit, odd[0]) == "A"


@pytest.mark.parametrize(
    ("said", "golds"),
    [("weight", "BA"), ("age plus weight", "CA"), ("age minus weight", "DC"), ("age", "DA")],
)
def test_a_term_takes_two_examples(said, golds):
    one = casks(("oak", 50, 40), ("ash", 90, 10), ("elm", 60, 55), ("oak", 10, 70))
    two = casks(("oak", 90, 80), ("ash", 20, 10), ("elm", 30, 70), ("oak", 60, 40))
    lessons = [(f"Which of these casks has the greatest skel? {one}", golds[0], "")]
    lessons += [(f"Which of these casks has the greatest skel? {two}", golds[1], "")]
    assert f'"skel" means {said}.' in write(PROSE, *lessons)


def test_the_value_of_a_term_is_enough():
    question = f"Which of these casks has the least skel? {casks(('oak', 50, 41), ('ash', 90, 10), ('elm', 60, 55))}"
    edit = write(PROSE, (question, "A", "The skel of Alder is 91."))
    assert edit == f'{PROSE}\n- "skel" means age plus weight.'


def test_units_and_their_exceptions():
    usual = numbers("How many days are there in 3 weeks?", 21, 27, 30, 24), "B", ""
    special = numbers("How many days make 4 harvest weeks?", 28, 36, 40, 44), "C", ""
    assert write(PROSE, usual) == f"{PROSE}\n- A week has 9 days."
    edit = write(write(PROSE, usual), special)
    assert edit == f"{PROSE}\n- A week has 9 days.\n- A harvest week has 10 days."
    edit = write(write(PROSE, special), usual)  # the other way round
    assert read(edit, usual[0]) == "B"
    assert read(edit, special[0]) == "C"


def test_rounding_takes_several_examples():
    asked = "Which number is entered into the ledger for a weight of {}?"
    lessons = [
        (numbers(asked.format(137), 137, 135, 140, 130), "B", ""),  # down or nearest, to 5
        (numbers(asked.format(149), 149, 150, 145, 140), "C", ""),  # down, to 5
    ]
    edit = write(PROSE, lessons[0])
    assert "Q: " in edit
    assert "In the ledger, round down to a multiple of 5." in write(edit, lessons[1])
    assert "Q: " not in write(edit, lessons[1])


def test_rounding_is_learnt_through_a_unit():
    question = numbers("An amount of 100 days goes into the ledger in weeks. Which number is entered?", 10, 11, 14, 15)
    assert "In the ledger, round" not in write(PROSE, (question, "D", ""))
    edit = write(f"{PROSE}\n- A week has 7 days.", (question, "D", ""))
    assert "In the ledger, round" in edit
    assert read(edit, question) == "D"


@pytest.mark.parametrize(
    ("gold", "said"), [("A", "Leave cracked ones out of the count."), ("B", None), ("C", "Count cracked ones twice.")]
)
def test_states(gold, said):
    question = numbers("The cellar holds 9 casks, 3 of them cracked. How many casks are counted?", 6, 9, 12, 3)
    assert (said or "Count cracked ones once.") in write(PROSE, (question, gold, ""))


def test_the_explanation_tells_two_states_apart():
    question = numbers(
        "There are 20 casks, 3 of them cracked and 3 chalked. What is the count of casks?", 17, 20, 23, 26
    )
    told = "A cask that is cracked is counted twice. A cask that is chalked is not counted."
    edit = write(PROSE, (question, "B", told))
    assert "Count cracked ones twice." in edit
    assert "Leave chalked ones out of the count." in edit


def test_orders_are_put_together_from_pairs():
    first = "Which of these ranks highest? A) porter B) reeve C) page D) clerk", "B", ""
    second = "Which of these ranks lowest? A) porter B) page C) clerk D) warden", "C", ""
    edit = write(PROSE, first, second)
    assert read(edit, "Which of these ranks highest? A) clerk B) page C) warden D) reeve") in "CD"
    assert "The reeve comes before the" in edit
    assert "The porter comes before the clerk" in edit


def test_sources_and_who_to_trust_about_what():
    def says(kind: str, a: int, b: int) -> str:
        return numbers(
            f"On the age of Alder, an {kind} cask: the tally says {a}, the gauge says {b}. Which figure is right?",
            a,
            b,
            3,
            4,
        )

    edit = write(PROSE, (says("oak", 20, 30), "A", ""), (says("ash", 40, 50), "A", ""), (says("elm", 60, 70), "B", ""))
    assert "The tally comes before the gauge." in edit
    assert "For elm ones, the gauge comes before the tally." in edit
    assert [read(edit, says(kind, 21, 31)) for kind in ("oak", "ash", "elm")] == ["A", "A", "B"]


WRONG = ['"heavy" means a weight below 30.', "Heavy casks have a weight of at least 95.", '"heavy" = age < 10']


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_rule_is_corrected(wrong):
    lessons = [
        (heavy(("oak", 90, 20), ("oak", 80, 61), ("oak", 10, 30), ("ash", 5, 5)), "B", ""),
        (heavy(("elm", 99, 15), ("ash", 40, 64), ("elm", 80, 22), ("elm", 5, 8)), "B", ""),
    ]
    edit = write(f"{PROSE}\n- {wrong}", *lessons)
    assert wrong not in edit
    assert [read(edit, question) for question, *_ in lessons] == ["B", "B"]


@pytest.mark.parametrize("mode", ["error", "score"])
def test_without_golds_the_context_stays(mode):
    context = f"{PROSE}\n\n  - odd:   spacing\n- A week has 9 days."
    lesson = numbers("How many days are there in 3 weeks?", 21, 27, 30, 24), "A", ""
    assert write(context, lesson, mode=mode) == context


def rounds(domain, number: int, context: str = ""):
    env = gym.make("LSE/QA-v1", domain=domain.name, max_edits=100)
    observation, info = env.reset(seed=0, options={"context": context or domain.seed_context})
    yield env, observation["context"], info["held_out_score"]
    for _ in range(number):
        prompt = editor_prompt(observation["context"], observation["feedback"], 8000)
        edit = parse_edit(Writer().complete([Request("", prompt, 8192)])[0].text, observation["context"])
        observation, *_, info = env.step(edit)
        yield env, observation["context"], info["held_out_score"]


def test_what_is_all_right_is_left_alone():
    *_, (_, context, _) = rounds(APIARY, 6, APIARY.oracle_context)
    assert context == APIARY.oracle_context


def test_a_subject_is_learnt_but_not_at_once():
    scores, env, context = [], None, ""
    for env, context, score in rounds(APIARY, 12):  # noqa: B007 - the last ones are used below
        scores.append(score)
    assert scores[0] < 0.4
    assert scores[1] < 0.75
    assert scores[-1] > 0.8
    assert evaluate_context(env, context).mean > 0.8


def test_the_same_request_gives_the_same_edit_in_every_process():
    code = (
        "import sys; from lse_gym.envs.offline.writer import Writer; from lse_gym.envs.models.base import Request; "
        "import pickle; prompt = pickle.loads(sys.stdin.buffer.read()); "
        "sys.stdout.buffer.write(Writer().answer(Request('', prompt, seed=3)).encode())"
    )
    questions = APIARY.splits["feedback"][:20]
    report = APIARY.report([Attempt(question, "", Outcome(0.0, "A")) for question in questions]).text()
    prompt = pickle.dumps(editor_prompt(PROSE, report, 8000))
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            input=prompt,
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]


PIECES = st.sampled_from(
    'Q: | Answer: A.|A) |B) |which of these casks is heavy? |a, an oak cask: weight 4|"heavy" means |'
    "an age of at least 5|\n|</prompt>|ranks highest|the tally says 4|How many days are 3 weeks?".split("|")
)
TEXTS = st.lists(PIECES | st.text(max_size=8), max_size=14).map("".join)


@settings(max_examples=150)
@given(TEXTS, st.lists(st.tuples(TEXTS, st.sampled_from("ABCDX"), TEXTS), max_size=4), st.integers(60, 600))
def test_any_context_and_report_give_an_edit_within_the_cap(context, told, max_chars):
    told = [tuple(text.replace("\n", " ") for text in one) for one in told]
    edit = write(f"{PROSE}\n{context}"[:max_chars], *told, max_chars=max_chars)
    assert len(edit) <= max_chars
    assert edit.startswith(PROSE)
