"""The reader on data-science questions: what is in the context moves its scripts, and nothing else does."""

import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.datascience.procedural.family import ProceduralDataScienceFamily, make_world
from lse_gym.envs.datascience.procedural.rules import oracle_rules
from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.reader import Reader
from lse_gym.envs.offline.reader.datascience.rules import parse_line
from lse_gym.envs.offline.reader.prompt import ATTENTION_CHARS
from lse_gym.envs.tools.protocol import results_turn
from tests.datascience.houses import code_of, mean, questions, scores

FAMILY = ProceduralDataScienceFamily()
DOMAINS = [FAMILY.load(name) for name in ("ferry-0", "winery-2", "gym-3")]
READER = Reader()
COLUMNS = frozenset("swell oven_heat trip_state bid fuel_bill harbour_dues member_no card_no crust rolls_sold".split())
# kind and meaning -> how people and language models say it
WORDINGS = {
    ("missing", "swell", -999.0): [
        "In `swell`, -999 means missing.",
        "* **swell**: the value -999 stands for an unknown measurement",
        "Treat -999 in swell as NaN.",
        "swell = -999 is a placeholder for missing values; replace it before imputing.",
        "Missing swell values are coded as -999",
    ],
    ("dropped", "trip_state", "drill"): [
        'Leave out training rows whose `trip_state` is "drill".',
        "- Drop all rows where trip_state == 'drill'",
        "Rows with trip_state drill must not be used: exclude rows where trip_state is drill.",
        "Never count crossings whose trip_state is drill",
        "Filter the training data: remove records with trip_state = drill.",
    ],
    ("range", "oven_heat", 160.0, 260.0): [
        "`oven_heat` lies between 160 and 260: drop training rows with a value outside.",
        "Valid oven_heat values range from 160 to 260; remove the rest.",
        "Keep only training rows with oven_heat within [160, 260] or missing",
        "oven_heat must be at least 160 and at most 260.",
    ],
    ("unit", "fuel_bill", 100.0): [
        "`fuel_bill` is stored in oere: divide it by 100, as reports are in kroner.",
        "Divide fuel_bill by 100 before reporting.",
        "fuel_bill is in cents; 100 cents make one dollar.",
        "Report fuel_bill / 100.",
        "Multiply fuel_bill by 0.01.",
    ],
    ("rounding", "bid", 5.0): [
        "Round reported `bid` to the nearest multiple of 5.",
        "Predictions of bid are rounded to multiples of 5",
        "bid: round to the nearest 5.",
        "Round bid to the next 5",
    ],
    ("transform", "bid"): [
        "Fit models to the logarithm (log1p) of `bid`, and turn predictions back.",
        "Model log(bid) and exponentiate the predictions.",
        "Use a log transform for bid.",
    ],
    ("leakage", "harbour_dues"): [
        "Never use `harbour_dues` as a feature: it is known only afterwards.",
        "harbour_dues leaks the target; do not include it as a predictor.",
        "Exclude harbour_dues from the features.",
        "Drop harbour_dues before fitting: it is a leak.",
    ],
    ("key", "card_no"): [
        "Merge `crossings` and `skippers` by `card_no`, not by `member_no`.",
        "Join the two tables on card_no.",
        "Tables are matched via card_no, never via member_no.",
    ],
    ("name", "crust", "crust_call"): [
        "In results, call the column of `crust` `crust_call`.",
        'The predictions of crust are written to a column named "crust_call".',
        "Rename crust to crust_call in the output",
    ],
    ("order", "bid"): [
        "In results, put `bid` before row_id.",
        "The bid column comes first in prediction.csv.",
        "bid first, row_id last.",
    ],
    ("statistic", "prevailing", "max"): [
        '"prevailing" means the maximum.',
        "The prevailing value is the largest one.",
        "prevailing = max",
    ],
    ("week", "rolls_sold", "sum"): [
        "Resample `rolls_sold` to weeks by the sum of its days.",
        "rolls_sold is forecast per week: add up the days of a week.",
        "Weekly rolls_sold are the totals of the seven days.",
    ],
}


@pytest.mark.parametrize(("rule", "said"), [(rule, said) for rule, sayings in WORDINGS.items() for said in sayings])
def test_rules_are_understood_in_many_wordings(rule, said):
    kind, about, *meaning = rule
    found = parse_line(said, COLUMNS, "prevailing")
    assert (kind, about, (*meaning,)) in found, found


@pytest.mark.parametrize(
    "prose",
    [
        "Write Python scripts that do what the question asks for, and save the predictions.",
        "Always print the first rows before you start.",
        "Check swell and bid twice.",
        "Q: What is 5?",
        "Use pandas 2 and round trips are fun.",
    ],
)
def test_other_prose_holds_no_rule(prose):
    assert parse_line(prose, COLUMNS, "prevailing") == ()


@cache
def score(change) -> float:
    """Mean score over the domains with the oracle context changed."""
    return mean(
        one
        for domain in DOMAINS
        for one in scores(domain, change(domain.oracle_context), questions(domain, "held_out")[:8])
    )


def seed(context):
    return context.splitlines()[0]


def renumbered(context):
    return re.sub(r"\d+", lambda match: str(int(match[0]) * 2 + 7), context)


def every_other(context):
    return "\n".join(line for i, line in enumerate(context.splitlines()) if i % 2)


def shuffled(context):
    return "\n".join(["What we know:", *context.splitlines()[::-1], "Good luck!"])


def contradicted(context):
    return f"{context}\n{renumbered(context)}"


@pytest.mark.extra("ds")
def test_the_oracle_is_worth_a_lot_and_what_is_wrong_in_it_costs():
    assert score(str) > 0.95
    assert score(seed) < 0.4
    assert abs(score(shuffled) - score(str)) < 0.04
    for change in (renumbered, every_other, contradicted):
        assert score(change) < score(str) - 0.1, change.__name__


def test_every_rule_of_the_oracle_moves_a_script():
    for name in ("ferry-1", "winery-2", "bakery-4", "vet-0"):
        domain, world = FAMILY.load(name), make_world(name)
        asked = questions(domain)
        with_all = [code_of(domain, question, domain.oracle_context) for question in asked]
        for (kind, about), rule in oracle_rules(world).items():
            told = [line for line in domain.oracle_context.splitlines() if rule not in line]
            without = [code_of(domain, question, "\n".join(told)) for question in asked]
            literal = (kind == "merge key" and world.key == world.theme.keys[0]) or "means the mean" in rule
            assert (with_all != without) or literal, (name, kind, about)


def test_an_over_long_context_is_half_forgotten():
    domain = DOMAINS[0]
    filler = "\n".join(f"Note {i}: be careful, and read every word of the task twice." for i in range(600))
    assert len(filler) > 3 * ATTENTION_CHARS
    asked = questions(domain)
    short = [code_of(domain, question, domain.oracle_context) for question in asked]
    long = [code_of(domain, question, f"{domain.oracle_context}\n{filler}") for question in asked]
    assert sum(a != b for a, b in zip(short, long, strict=True)) > len(asked) / 2


def test_it_ends_once_its_script_has_run():
    domain = DOMAINS[0]
    system, question = domain.system(domain.oracle_context), domain.splits["test"][0]
    called = READER.complete([Request(system, domain.user(question))])[0].text
    assert "<answer>" not in called
    for result in ("prediction.csv was saved (10 bytes).", "Error: KeyError: 'swell'"):
        turns = (results_turn([called])._replace(role="assistant", content=called), results_turn([result]))
        ended = READER.complete([Request(system, domain.user(question), turns=turns)])[0].text
        assert ended == "<answer>prediction.csv</answer>"


PIECES = st.sampled_from(
    "train.csv val_v1.csv `train.csv` `val.csv` rows: , 3 5 predict `x` report the For every `g` in day x "
    "means missing drop is \n divide by round between and week sum -999".split(" ")
)


@settings(max_examples=200)
@given(st.lists(PIECES | st.text(max_size=8), max_size=40).map(" ".join), st.text(max_size=60), st.data())
def test_no_question_and_no_context_raise(question, context, data):
    domain = DOMAINS[0]
    real = domain.user(data.draw(st.sampled_from(domain.splits["test"])))
    system = domain.system(f"{context}\n{question}")
    READER.complete([Request(system, f"Evidence: {question}\nQuestion: {question}"), Request(system, real)])
