"""Edits in an editor's response: the whole context, or lines to add and to remove."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.envs.editing import INSTRUCTION, editor_prompt, parse_edit
from lse_gym.envs.report import Problem, Report

SEED = "Answer with one statement."
CONTEXT = f"{SEED}\n- a means b.\n- c means d."
LINES = 8  # of a context, and of an edit
line = st.text(
    st.characters(codec="utf-8", exclude_characters="<>\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), min_size=1
)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("<prompt>\nA whole new context.\n</prompt>", "A whole new context."),
        ("<add>- e means f.</add>", f"{CONTEXT}\n- e means f."),
        ("Because.\n<add>- e means f.</add>\nand\n<add>\n- g.\n</add>", f"{CONTEXT}\n- e means f.\n- g."),
        ("<add>- a means b.</add>", CONTEXT),
        ("<add>- x.</add><add>- x.</add>", f"{CONTEXT}\n- x."),
        ("<remove>- a means b.</remove>", f"{SEED}\n- c means d."),
        (
            "<remove>- a means b.</remove><add>- a means e.</add>",
            f"{SEED}\n- c means d.\n- a means e.",
        ),
        ("<remove>- no such line.</remove>", CONTEXT),
        ("<add></add>", CONTEXT),
        ("<add>- x.</add><prompt>The whole wins over lines.</prompt>", "The whole wins over lines."),
        ("No edit at all.", None),
        ("<add>never closed", None),
        ("<prompt>short</prompt>", None),
        ("", None),
    ],
)
def test_an_edit_is_read(response, expected):
    assert parse_edit(response, CONTEXT) == expected


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("  A whole new context.\nOf two lines.\n", "A whole new context.\nOf two lines."),
        ("Reasons.\n<prompt>\nCut off, as no tokens", "Cut off, as no tokens"),
        ("Reasons. <prompt>An earlier one.</prompt> or <prompt>the last one, cut", "An earlier one."),
        ("Reasons. <add>- e means f.</add>", f"{CONTEXT}\n- e means f."),
        ("Reasons.\n<prompt></prompt>", None),
        ("Too short", None),
        ("", None),
    ],
)
def test_words_without_tags_are_an_edit_where_they_may_be(response, expected):
    assert parse_edit(response, CONTEXT, bare=True) == expected


def test_nothing_left_is_no_edit():
    assert parse_edit("<remove>- a means b.</remove>", "- a means b.") is None


@given(st.lists(line, max_size=LINES), st.lists(line, min_size=1, max_size=LINES))
def test_adding_twice_is_adding_once(context, added):
    response = "".join(f"<add>{text}</add>" for text in added)
    once = parse_edit(response, "\n".join(["A first line.", *context]))
    assert once is not None
    assert parse_edit(response, once) == once
    assert {text.strip() for text in added} - {""} <= {text.strip() for text in once.split("\n")}


@given(st.lists(line, max_size=LINES), st.data())
def test_what_was_added_can_be_removed(context, data):
    start = "\n".join(["A first line.", *context])
    fresh = data.draw(line.filter(lambda text: text.strip() and text.strip() not in map(str.strip, start.split("\n"))))
    longer = parse_edit(f"<add>{fresh}</add>", start)
    assert parse_edit(f"<remove>{fresh}</remove>", longer) == start


@given(st.text())
def test_any_response_is_read_without_error(response):
    parse_edit(response, CONTEXT)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301
def test_the_prompt_knows_its_parts_and_so_do_its_copies(duplicate):
    report = Report("a head", (Problem("Which?", "A", "B", 0.0),), "error").text()
    prompt = duplicate(editor_prompt(CONTEXT, report, 123))
    assert prompt == editor_prompt(CONTEXT, str(report), 123), "as text they are the same"
    assert prompt.data == (CONTEXT, report.data, 123, INSTRUCTION)
    assert editor_prompt(CONTEXT, "a text", 123).data.report == Report("a text")
    assert type(prompt[:5]) is str
