"""The writer on data-science questions: it reads the house style from the analysts' scripts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.datascience.procedural.family import ProceduralDataScienceFamily, make_world
from lse_gym.envs.domain import Attempt, Outcome, Question
from lse_gym.envs.editing import editor_prompt, parse_edit
from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.reader.datascience.question import understand
from lse_gym.envs.offline.reader.datascience.rules import parse_line
from lse_gym.envs.offline.writer import Writer
from tests.datascience.houses import code_of, mean, questions, scores

pytestmark = pytest.mark.extra("ds")
FAMILY = ProceduralDataScienceFamily()
PROSE = "Be brief, and double-check every column."


def write(domain, context, asked, mode="gold", max_chars=8000):
    """The context after an edit that has seen these questions answered wrongly."""
    attempts = [Attempt(question, "", Outcome(0.0, "")) for question in asked]
    report = domain.report(attempts).in_mode(mode).text()
    response = Writer().complete([Request("", editor_prompt(context, report, max_chars), max_tokens=4000)])[0]
    edit = parse_edit(response.text, "")
    assert edit is not None, response.text
    return edit


def rules(domain, world, context):
    """The rules in a context, each under its kind and subject."""
    columns, found = frozenset(), {}
    for question in questions(domain):
        asked = understand(question.text, tuple(question.evidence.splitlines()))
        columns |= asked.columns if asked else frozenset()
    for line in context.splitlines():
        for term in ("", *world.theme.terms):
            found |= {(kind, about): meaning for kind, about, meaning in parse_line(line, columns, term)}
    return found


@pytest.mark.parametrize("name", ["ferry-3", "gym-1", "vet-2", "cinema-0"])
def test_all_feedback_teaches_the_house_style(name):
    """What it writes is understood as the oracle is, but for what is as anybody would assume."""
    domain, world = FAMILY.load(name), make_world(name)
    edit = write(domain, PROSE, questions(domain, "feedback"))
    told, oracle = rules(domain, world, edit), rules(domain, world, domain.oracle_context)
    assert edit.startswith(PROSE)
    assert {key: oracle.get(key) for key in told} == told
    assert len(told) >= 0.7 * len(oracle)
    asked = questions(domain, "feedback")
    same = [code_of(domain, q, edit) == code_of(domain, q, domain.oracle_context) for q in asked]
    assert mean(same) > 0.9  # it slips in one of a hundred


def test_a_script_that_does_otherwise_takes_a_rule_back():
    domain = FAMILY.load("ferry-3")
    asked = questions(domain, "feedback")
    good = write(domain, PROSE, asked)
    assert write(domain, good, asked) == good  # what holds stays as it was written
    target = make_world("ferry-3").theme.targets[0].column
    wrong = f"Round `{target}` to the nearest multiple of 77. Divide `{target}` by 7."
    taught = write(domain, f"{PROSE}\n{wrong}", asked)
    assert wrong not in taught
    assert sorted(taught.splitlines()) == sorted(good.splitlines())


@pytest.mark.extra("ds")
def test_a_few_rounds_recover_most_of_the_way_to_the_oracle():
    domain = FAMILY.load("winery-1")
    asked = questions(domain, "held_out")
    context, feedback = domain.seed_context, domain.splits["feedback"]
    low, high = (mean(scores(domain, text, asked)) for text in (context, domain.oracle_context))
    for start in (0, 10, 20):
        context = write(domain, context, feedback[start : start + 10])
    assert mean(scores(domain, context, asked)) > low + 2 / 3 * (high - low)


def test_without_golds_nothing_is_learnt_and_the_cap_is_kept():
    domain = FAMILY.load("ferry-3")
    asked = questions(domain, "feedback")[:10]
    assert write(domain, PROSE, asked, mode="error") == PROSE
    assert len(write(domain, PROSE, asked, max_chars=150)) <= 150


PIECES = st.sampled_from(
    'train["swell"] .replace(-999, np.nan) != "x" .between(1, 2) / 100 np.log1p( features = [ ] \n on="k" '
    '.groupby("g")["t"].max() (answer / 5).round() pd.DataFrame({"row_id": val["row_id"], "x": answer})'.split(" ")
)


@settings(max_examples=100)
@given(st.lists(PIECES | st.text(max_size=6), max_size=25).map(" ".join), st.text(max_size=80))
def test_no_script_and_no_context_raise(script, context):
    domain = FAMILY.load("ferry-3")
    real = domain.splits["feedback"][0]
    for question in (real._replace(gold=script or "x"), Question(real.id, script, script or "x", script)):
        write(domain, f"{PROSE}\n{context}", [question])
