import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lse_gym.envs.text import clean, one_line, tagged

ANY = st.text(st.characters(), max_size=60)  # every code point but surrogates
HOSTILE = st.lists(
    st.sampled_from(["\ud800", "\udfff", "\x00", "\r", "\n", "\r\n", "\x85", "\ufffe", "é", "🙂", "a"])
).map("".join)
PIECES = st.lists(st.sampled_from(["<t>", "</t>", "<t", "</", ">", "x", " ", "\n", "<tt>", "</T>"]), max_size=14).map(
    "".join
)


@given(ANY | HOSTILE, st.integers(1, 20))
@example("\r\r\n", 20)
@example("\ud83d\ude00", 20)
def test_clean_text_is_printable_encodable_and_short(text, max_chars):
    cleaned, problem = clean(text, max_chars)
    assert len(cleaned) <= max_chars
    assert cleaned.encode().decode() == cleaned
    assert not [char for char in cleaned if unicodedata.category(char) in ("Cc", "Cs") and char not in "\t\n"]
    assert clean(cleaned, max_chars) == (cleaned, "")
    assert bool(problem) == (cleaned != text.replace("\r\n", "\n"))


ALONE = "\u00ad\u115f\u1160\u180e\u200b\u3164\ufeff\uffa0"
RANGES = ((0x202A, 0x202E), (0x2060, 0x206F), (0xE0000, 0xE007F))
UNSEEN = ALONE + "".join(chr(code) for first, last in RANGES for code in range(first, last + 1))


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn"), exclude_characters=UNSEEN), max_size=60))
@example("\U0001f469\u200d\U0001f52c and \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645")
def test_clean_leaves_sound_text_alone(text):
    assert clean(text, 60) == (text, "")


def test_clean_shows_what_nobody_sees():
    for sign in UNSEEN:
        assert clean(f"a{sign}b", 60) == ("a\ufffdb", "unprintable characters were replaced"), hex(ord(sign))


def test_clean_tells_what_it_did():
    assert clean("a\x00" + "b" * 9, 5) == (
        "a\ufffdbbb",
        "unprintable characters were replaced; 11 characters were cut to 5",
    )


def reference(text):
    """By a scan from the left: the last closing tag, and what opened it."""
    opened, content = [], None
    for mark in re.finditer("<t>|</t>", text):
        if mark[0] == "<t>":
            opened.append(mark.end())
        else:
            content = text[opened.pop() : mark.start()].strip() if opened else None
    return content


@given(PIECES)
@example("</t></t><t>x</t>")
@example("<t>a</t></t>")
@example("<t><t>a</t>")
def test_tagged_is_the_last_element_with_its_own_opening_tag(text):
    assert tagged(text, "t") == reference(text)


@given(ANY, ANY)
def test_tagged_finds_what_was_put_in(before, content):
    if "answer>" not in before + content:
        assert tagged(f"{before}<answer>{content}</answer> {before}", "answer") == content.strip()
        assert tagged(f"{before}<answer>{content}", "answer") is None


@pytest.mark.parametrize("text", ["</t>" * 20_000, "<t>" * 20_000, "<t>" * 20_000 + "</t>" * 20_000])
def test_tagged_takes_no_square_time(text):
    assert tagged(text, "t") == (None if "<t></t>" not in text else text[3:-4])


@given(ANY | HOSTILE, st.integers(0, 20))
def test_one_line_is_one_short_line(text, max_chars):
    line = one_line(text, max_chars)
    assert "\n" not in line
    assert "\r" not in line
    assert len(line) <= max_chars + 2
    assert line.endswith(" …") or len(line) == len(text)
