"""What reads untrusted text takes time in proportion to its length, whatever the text is made of."""

import gc
import json
import time
from itertools import cycle, product

import pytest

from lse_gym.agents.ace import read_marks
from lse_gym.envs.custom.files import read_rows
from lse_gym.envs.custom.make_scorer import make_scorer
from lse_gym.envs.custom.numbers import BadAnswer, read_number
from lse_gym.envs.custom.scorers import Item
from lse_gym.envs.domain import Question
from lse_gym.envs.editing import parse_edit
from lse_gym.envs.errors import LSEGymError
from lse_gym.envs.faults import Faults
from lse_gym.envs.passages.prompt import read_order
from lse_gym.envs.qa.answer import extract_choice
from lse_gym.envs.splits import normalised
from lse_gym.envs.sql.bird import _tidy
from lse_gym.envs.sql.ordered import is_ordered
from lse_gym.envs.sql.prompt import extract_sql
from lse_gym.envs.text import clean, one_line, spoken, tagged
from lse_gym.leaderboard.document import read_document

MAX_CHARS = 64_000
MAX_RATIO, FLOOR_S = 6.0, 0.03  # four times the text may take six times the time; what takes less is not timed
TRIES = 30  # a processor that others use may be slow for as long as six take
ITEM = Item(Question("1", "Which?", "B"), ("B",), ("red", "green"))
PIECES = [
    "<answer>", "</answer>", "<answer></answer>", "</answer><answer>", "<think>", "</think>", "<add>", "<remove>",
    "<prompt>", "```", "```\n", "```sql\n", "``` ", "A ", "answer: A ", "answer A", "the answer is ", "A\n", "(A",
    "\\boxed{",
    "\\frac{1}{", "{", "[", "(", "/*", "--", "'", '"', '\\"', "`", "#### ", "1,234,", "1,", "1", "-", "- ", "1/",
    "1 1/", ".", " ",
    "\n", "\t", "\0", "a", "the ", "[1] ", "[1]!!!", "\ud800", "\u2028", "=", "\u00bd", "$",
]  # fmt: skip
ENDS = ["x", "</answer>1\n```"]
TEXTS = [*product(PIECES, ENDS)]
SHARE = [*zip(PIECES, cycle(ENDS))]  # of them in the default run


def scored(name):
    scorer = make_scorer(name)

    def parse(text):
        try:
            return scorer.score(scorer.extract(text, ITEM), ITEM)
        except BadAnswer:
            return 0.0

    return parse


def rows(suffix, folder):
    def parse(text):
        path = folder / f"a{suffix}"
        path.write_bytes(text.encode("utf-8", "replace"))
        return read_rows(str(path), Faults("a"))

    return parse


def refused(function):
    def parse(text):
        try:
            return function(text)
        except (LSEGymError, BadAnswer):
            return None

    return parse


PARSERS = {
    "tagged": lambda text: tagged(text, "answer"),
    "spoken": spoken,
    "clean": lambda text: clean(text, 8000),
    "one_line": lambda text: one_line(text, 1000),
    "edit": lambda text: parse_edit(text, "one\ntwo"),
    "marks": lambda text: read_marks(text, ["- a"]),
    "choice": extract_choice,
    "order": lambda text: read_order(text, 3),
    "SQL": extract_sql,
    "ordered SQL": is_ordered,
    "schema": _tidy,
    "normalised": normalised,
    "number": refused(read_number),
    **{name: scored(name) for name in ("exact,ignore_punctuation=true", "numeric", "multiple_choice", "f1", "json")},
    "submission": refused(lambda text: read_document(text.encode("utf-8", "replace"))),
}  # fmt: skip


def seconds(parse, text):
    gc.disable()  # it looks at everything that all tests have left behind
    try:
        start = time.process_time()  # of the processor: others may be at work on the machine
        parse(text)
        return time.process_time() - start
    finally:
        gc.enable()


def is_linear(parse, make):
    """Whether four times the text takes at most six times the time, from the length on at which it takes any."""
    chars = 4000
    while (short := seconds(parse, make(chars))) < FLOOR_S:
        if chars >= MAX_CHARS:
            return True
        chars *= 4
    tries = (seconds(parse, make(4 * chars)) / min(short, seconds(parse, make(chars))) for _ in range(TRIES))
    return any(ratio < MAX_RATIO for ratio in tries)


@pytest.mark.parametrize("texts", [SHARE, pytest.param(TEXTS, marks=pytest.mark.long)], ids=["share", "all"])
@pytest.mark.parametrize("name", [*PARSERS, ".jsonl", ".json", ".csv", ".tsv"])
def test_time_is_linear_in_the_text(name, texts, tmp_path):
    parse = PARSERS.get(name) or rows(name, tmp_path)
    slow = [
        (piece, end)
        for piece, end in texts
        if not is_linear(parse, lambda chars, piece=piece, end=end: piece * (chars // len(piece)) + end)
    ]
    assert slow == []


def test_a_table_of_many_columns_is_read_in_time(tmp_path):
    parse = rows(".csv", tmp_path)

    def table(columns):
        names = [f"c{n}" for n in range(columns)]
        return "\n".join([",".join(names), ",".join(names)])

    assert seconds(parse, table(20_000)) < 1.0


def test_a_regular_expression_has_a_second():
    pytest.importorskip("regex")
    scorer = make_scorer("regex")
    gold = Item(Question("1", "Which?", "aab"), ("aab",), pattern="(a|aa)+b")
    assert scorer.score("aaab", gold) == 1.0
    start = time.process_time()
    with pytest.raises(BadAnswer, match="takes more than 1 s"):
        scorer.score("a" * 5000, gold)
    assert time.process_time() - start < 3.0


def test_json_is_scored_at_any_depth():
    scorer = make_scorer("json")
    for depth in (50, 600, 990, 100_000):
        text = "[" * depth + "]" * depth
        item = Item(Question("1", "Which?", text), (text,))
        if depth == 50:
            assert scorer.score(text, item) == 1.0
        else:
            with pytest.raises(BadAnswer, match="nested deeper than 100"):
                scorer.score(text, item)
    assert json.loads("[" * 600 + "]" * 600), "the parser itself would take it"
