import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.qa.answer import extract_choice
from tests.qa.responses import CHOOSES_L, CHOOSES_NOTHING

LETTERS = "ABCD"


def filled(template: str, letter: str) -> str:
    """The template with a letter, and the next one as the other."""
    other = LETTERS[(LETTERS.index(letter) + 1) % 4]
    return "".join(
        {"L": letter, "M": other, "l": letter.lower()}.get(c, c) if _alone(template, i) else c
        for i, c in enumerate(template)
    )


def _alone(text: str, at: int) -> bool:
    around = f" {text} "[at : at + 3]
    return not (around[0].isalpha() and around[0] not in "LM") and not (around[2].isalpha() and around[2] not in "LM")


CASES = [(filled(t, letter), letter) for t in CHOOSES_L for letter in LETTERS]
EMPTY = [filled(t, letter) for t in CHOOSES_NOTHING for letter in LETTERS]


@pytest.mark.parametrize("letter", LETTERS)
def test_a_chosen_letter_is_found(letter):
    wrong = {text: found for text, right in CASES if right == letter and (found := extract_choice(text)) != letter}
    assert not wrong


def test_what_chooses_nothing_gets_nothing():
    wrong = {text: found for text in EMPTY if (found := extract_choice(text)) is not None}
    assert not wrong


def test_the_corpus_is_hundreds_of_responses():
    assert len({text for text, _ in CASES} | {*EMPTY}) > 500


LISTS = st.lists(st.sampled_from(LETTERS), min_size=4, max_size=8).filter(lambda found: {*found} == {*LETTERS})
GLUE = st.sampled_from([", ", " ", "\n", "/", " or ", " and ", "; ", "", ") ", ". ", " | ", "\t", "\n\n"])
FRAMES = st.sampled_from(
    [
        "{}",
        "<answer>{}</answer>",
        "The answer is {}.",
        "Answer: {}",
        "\\boxed{{{}}}",
        "I choose {}",
        "**{}**",
        "({})",
        "<answer>The answer is {}</answer>",
    ]
)


@settings(max_examples=500)
@given(LISTS, GLUE, FRAMES, FRAMES)
def test_a_list_of_all_letters_is_never_an_answer(letters, glue, frame, each):
    assert extract_choice(frame.format(glue.join(letters))) is None
    assert extract_choice(glue.join(each.format(letter) for letter in letters)) is None


@settings(max_examples=200)
@given(st.text(max_size=300), st.sampled_from(LETTERS))
def test_the_last_tag_counts_whatever_is_around_it(text, letter):
    text = text.replace("<", "").replace(">", "")
    assert extract_choice(f"{text}<answer>{letter}</answer>{text}") == letter


@settings(max_examples=300)
@given(st.text(max_size=400), st.text(alphabet="ABCDEFGHIJ", max_size=10))
def test_any_text_gives_a_letter_there_is_or_none(text, letters):
    assert extract_choice(text, letters) in {None, *letters}


@pytest.mark.parametrize("letters", ["AB", "ABC", "ABCDE", "ABCDEFGHIJ"])
def test_other_numbers_of_choices(letters):
    for letter in letters:
        assert extract_choice(f"<answer>{letter}</answer>", letters) == letter
        assert extract_choice(f"The answer is ({letter}).", letters) == letter
    assert extract_choice("<answer>K</answer>", letters) is None
    assert extract_choice(", ".join(letters), letters) is None
    assert extract_choice("<answer>C</answer>", "AB") is None
    assert extract_choice("A", "") is None


@pytest.mark.parametrize(
    "text",
    ["<answer>" * 20000, "(" * 40000, "answer " * 20000, "**" * 30000, "A" * 50000, "\\boxed{" * 9000, " \n" * 30000],
)
def test_hostile_lengths_take_no_time(text):
    began = time.process_time()
    extract_choice(text)
    extract_choice(f"{text}<answer>B</answer>")
    assert time.process_time() - began < 2
