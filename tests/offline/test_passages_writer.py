"""The writer on passage order: it moves what was believed and wrong, one passage an edit, by the report alone."""

import pytest

from lse_gym.envs.domain import Attempt
from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.reader import Reader
from lse_gym.envs.passages.domain import PassageFamily
from tests.offline.test_writer import write

DOMAIN = PassageFamily(passages=20).load("bridge-1")
READER = Reader()


def report_on(context, count, start=0, mode="gold"):
    questions = DOMAIN.splits["feedback"][start : start + count]
    responses = [r.text for r in READER.complete([Request(DOMAIN.system(context), DOMAIN.user(q)) for q in questions])]
    attempts = list(map(Attempt, questions, responses, DOMAIN.score(questions, responses)))
    return DOMAIN.report(attempts).in_mode(mode).text()


def test_a_rival_that_was_believed_goes_last():
    context = DOMAIN.seed_context
    edit = write(context, report_on(context, 20), 2000)
    before, after = DOMAIN.order(context), DOMAIN.order(edit)
    moved = after[-1]
    assert [one for one in before if one != moved] == after[:-1]
    assert {*DOMAIN.world.rivals} & {word.strip(",.") for word in DOMAIN.passages[moved].text.split()}


def test_twenty_edits_make_a_good_order_and_right_answers_change_nothing():
    context, before = DOMAIN.seed_context, DOMAIN.chance(DOMAIN.seed_context)
    for number in range(20):
        context = write(context, report_on(context, 1, number), 2000, seed=number)
        assert sorted(DOMAIN.order(context)) == [*range(20)]
    assert DOMAIN.chance(context) > before + 0.2
    assert any(write(context, report_on(context, 1, i), 2000) == context for i in range(20))


@pytest.mark.parametrize("mode", ["error", "score"])
def test_without_golds_nothing_is_moved(mode):
    assert write(DOMAIN.seed_context, report_on(DOMAIN.seed_context, 10, mode=mode), 2000) == DOMAIN.seed_context


def test_siblings_differ_by_the_seed():
    told = report_on(DOMAIN.seed_context, 20)
    assert len({write(DOMAIN.seed_context, told, 2000, seed) for seed in range(8)}) == 2
