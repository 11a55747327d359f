"""Answers without tags, the names of labels, and worked examples in the form of the questions."""

import gymnasium as gym
import pytest

from lse_gym.envs.custom.family import CustomFamily
from lse_gym.envs.custom.make_scorer import SCORERS, make_scorer
from lse_gym.envs.custom.scorers import SQL
from lse_gym.envs.domain import Attempt, Outcome
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.games.hint.questions import make_exercises
from tests.custom.questions import SUMS, refusal

COLOURS = [{"question": f"What is {n}?", "choices": ["red", "blue"], "answer": n % 2} for n in range(9)]
TEXTS = [{"question": f"Text {n}", "answer": n % 3} for n in range(12)]
NAMES = ["World", "Sports", "Tech"]


def domain(questions=SUMS, scorer="exact", **arguments):
    family = CustomFamily(questions, scorer, **arguments)
    return family.load(family.select(None)[0])


@pytest.mark.parametrize(("scorer", "questions"), [("exact", SUMS), ("numeric", SUMS), ("multiple_choice", COLOURS)])
def test_short_answers_are_asked_for_alone_and_may_have_tags(scorer, questions):
    bare, tagged = domain(questions, scorer), domain(questions, f"{scorer},tags=true")
    assert "<answer>" not in bare.system("x")
    assert "alone." in bare.system("x")
    assert "<answer>" in tagged.system("x")
    question = bare.splits["test"][0]
    assert bare.user(question) == tagged.user(question)
    said = [question.gold, f" {question.gold}\n", f"Answer: {question.gold}", f"<think>?</think>{question.gold}"]
    for response in (*said, f"Let me see. <answer>{question.gold}</answer>"):
        assert bare.score([question], [response])[0].score == 1.0, response
    for one in (bare, tagged):
        assert not one.verify()
        wrong = ["", question.text, "Answer:", "no <answer></answer>"]
        assert [outcome.score for outcome in one.score([question] * 4, wrong)] == [0.0] * 4


def test_free_text_keeps_its_tags():
    asks = {name: make_scorer(name).asks for name, kind in SCORERS.items() if kind is not SQL}
    assert {name for name, told in asks.items() if "<answer>" not in told} == {
        "exact", "exact_match", "numeric", "multiple_choice",
    }  # fmt: skip
    assert "<answer>" in domain(SUMS, lambda answer, gold: answer == gold).system("x")


def test_an_example_is_the_question_as_it_is_asked_and_its_answer_behind_the_cue():
    bare, tagged = domain(COLOURS, "multiple_choice"), domain(COLOURS, "multiple_choice,tags=true")
    question = bare.splits["feedback"][0]
    assert bare.example(question) == f"{bare.user(question)}\nAnswer: {question.gold}"
    assert (bare.cue, bare.stop) == ("Answer:", ("\n",))
    assert tagged.example(question) == f"{tagged.user(question)}\n<answer>{question.gold}</answer>"
    report = bare.report([Attempt(question, "C", Outcome(0.0, "C"))])
    assert report.problems[0].example == bare.example(question)
    assert "Answer: " not in report.text(), "editors read what they always read"
    assert all(not report.in_mode(mode).problems[0].example for mode in ("error", "score"))


def test_an_answer_of_several_lines_is_not_stopped_at_the_first():
    assert domain([{"question": f"{n}?", "answer": f"{n}\n{n}"} for n in range(9)]).stop == ()


def test_who_thinks_step_by_step_has_room_for_it():
    family = make_exercises(SUMS, "numeric").family
    assert "<answer>" in family.load(family.select(None)[0]).system("x")


def test_an_answer_in_another_case_is_the_label_and_one_misspelt_is_told():
    named = [{**row, "answer": NAMES[row["answer"]].upper() if row["answer"] else NAMES[0]} for row in TEXTS]
    family = CustomFamily(named, labels=NAMES)
    name = family.select(None)[0]
    assert {q.gold for split in family.load(name).splits.values() for q in split} == {*NAMES}
    upper = sum(row["answer"] != 0 for row in TEXTS)
    assert f"differ from a label in case alone, and are that: {upper}" in family.note(name)
    assert "in case alone" not in CustomFamily(TEXTS, labels=NAMES).note("questions")
    told = refusal([*named, {"question": "new", "answer": NAMES[1][:-1]}], labels=NAMES)
    assert f"did you mean {NAMES[1]!r}?" in told
    two = {**dict(enumerate(NAMES)), "ab": "one", "Ab": "two"}
    assert "'AB' is none of" in refusal([*TEXTS, {"question": "new", "answer": "AB"}], labels=two)


def test_labels_are_the_choices_where_the_data_have_none():
    right = {row["question"]: NAMES[row["answer"]] for row in TEXTS}
    weighed, written = (domain(TEXTS, f"multiple_choice{by}", labels=NAMES) for by in (",by=logprob", ""))
    for item in weighed.items.values():
        text = item.question.text.partition("\n")[0]
        assert item.choices == tuple(NAMES)
        assert weighed.example(item.question) == f"Text: {text}\nLabel: {right[text]}"
    for item in written.items.values():
        text, _, listed = item.question.text.partition("\n")
        assert listed == "A) World\nB) Sports\nC) Tech"
        assert NAMES["ABC".index(item.question.gold)] == right[text]
    assert "none of" in refusal([*TEXTS, {"question": "new", "answer": "A"}], "multiple_choice", labels=NAMES)


def test_labels_are_called_by_their_names():
    by_number = domain(TEXTS, labels=NAMES)
    assert {q.gold for split in by_number.splits.values() for q in split} == {*NAMES}
    by_name = domain(TEXTS, labels={str(n): name for n, name in enumerate(NAMES)})
    assert by_name.fingerprint() == by_number.fingerprint() != domain(TEXTS).fingerprint()
    named = [{**row, "answer": NAMES[row["answer"]]} for row in TEXTS]
    assert {q.gold for split in domain(named, labels=NAMES).splits.values() for q in split} == {*NAMES}
    question = by_number.splits["test"][0]
    assert by_number.example(question) == f"Text: {question.text}\nLabel: {question.gold}"
    assert by_number.user(question) == f"Text: {question.text}", "the same form by construction"
    assert (by_number.cue, by_number.seed_context) == ("Label:", "Classify the text.")
    assert f"item 2: '2' is none of {NAMES[0]!r}, {NAMES[1]!r} (0 to 1)" in refusal(TEXTS, labels=NAMES[:2])
    for wrong in ("World", 3, ["a", 1], [""]):
        with pytest.raises(ArgumentError, match="labels="):
            domain(TEXTS, labels=wrong)
    env = gym.make("LSE/Custom-v1", questions=TEXTS, labels=NAMES)
    assert env.reset(seed=0)[1]["held_out_score"] == 0.0
