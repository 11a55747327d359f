"""One error names everything that is wrong with somebody's data, and what to do about it."""

import pytest

from lse_gym.envs.errors import DataError
from lse_gym.envs.faults import MAX_SHOWN, Faults, shown


def message(faults, end=""):
    with pytest.raises(DataError) as caught:
        faults.check(end)
    return str(caught.value)


def test_nothing_found_is_no_error():
    faults = Faults("file='x'")
    faults.check("never seen")
    assert not faults


def test_every_kind_is_told_with_its_count_and_advice():
    faults = Faults("file='x'", {"empty lines": "Delete them.", "lines cut off": "Write them again."})
    faults.add("lines cut off", "line 3", "ends in a comma")
    faults.add("empty lines", "", "all of them")
    assert message(faults, "See the manual.").splitlines() == [
        "file='x' cannot be used; 2 problems.",
        "lines cut off (1). Write them again.",
        "  - line 3: ends in a comma",
        "empty lines (1). Delete them.",
        "  - all of them",
        "See the manual.",
    ]


def test_long_lists_are_cut_and_what_others_found_is_taken():
    mine, other = Faults("both"), Faults("the second")
    mine.add("lines", "line 0", "first")
    for n in range(MAX_SHOWN + 2):
        other.add("lines", f"line {n}", "again")
    mine.take(other)
    told = message(mine)
    assert told.startswith(f"both cannot be used; {MAX_SHOWN + 3} problems.\nlines ({MAX_SHOWN + 3}):")
    assert told.endswith(f"line {MAX_SHOWN - 2}: again\n  … and 3 more")


def test_a_kind_without_advice_is_our_own_bug():
    with pytest.raises(AssertionError):
        Faults("x", {"lines": "Mend them."}).add("rows", "", "short")


@pytest.mark.parametrize(
    ("value", "text"),
    [("a\nb\0", r"'a\nb\x00'"), (b"\xff", r"b'\xff'"), ("é", "'é'"), ("x" * 99, "'" + "x" * 59 + "…"), (None, "None")],
)
def test_values_in_messages_are_short_and_printable(value, text):
    assert shown(value) == text
