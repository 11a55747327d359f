"""Rules about invented subjects, in the ways that people and language models write them down."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.offline.reader.choice.rules import ANYONE, Rule, order_rule, parse_rule
from lse_gym.envs.offline.writer.choice.book import sentences
from lse_gym.envs.qa.procedural.family import THEMES, make_world
from lse_gym.envs.qa.procedural.rules import oracle_rules

HEAVY = Rule("definition", ("heavy",), ("draft", ">=", 25))
LIGHT = Rule("definition", ("heavy",), ("draft", "<", 25))
WORDINGS: dict[tuple[Rule, ...], list[str]] = {
    (HEAVY,): [
        '"heavy" means a draft of at least 25.',
        "- 'heavy' = draft >= 25",
        "* **heavy**: a draft of 25 or more",
        "heavy: draft of 25 and above",
        "A cask is heavy when its draft is at least 25.",
        "A cask is heavy if the draft is 25 or more.",
        "A cask counts as heavy only if its draft is no less than 25",
        "Casks are called heavy when their draft is not below 25.",
        "Call a cask heavy if its draft is more than 24.",
        "Heavy casks have a draft of at least 25.",
        "Heavy casks must have a draft above 24.",
        "“heavy” refers to a draft ≥ 25",
        '3. "Heavy" stands for a draft greater than 24 (31 is, 22 is not).',
    ],
    (LIGHT,): [
        '"heavy" means a draft below 25.',
        "heavy = draft < 25",
        "A cask is heavy when its draft is under 25.",
        "A cask is heavy whenever the draft is less than 25.",
        "Heavy casks have a draft of at most 24.",
        '"heavy" means a draft of 24 or less.',
        '"heavy": a draft no more than 24',
    ],
    (HEAVY._replace(when="oak"),): [
        'For oak casks, "heavy" means a draft of at least 25.',
        'For oak ones, "heavy" means a draft of at least 25.',
        "Among oak casks, heavy means a draft of 25 or more.",
        "For oak casks: a cask is heavy if its draft is at least 25",
        'With oak casks, "heavy" = draft >= 25',
        '"heavy" means a draft of at least 25 for oak casks',
    ],
    (HEAVY, HEAVY._replace(meaning=("draft", ">=", 40), when="oak")): [
        '"heavy" means a draft of at least 25, but for oak casks at least 40.',
        '"heavy" means a draft of at least 25, except for oak casks at least 40',
        '"heavy" means a draft of at least 25. For oak casks, "heavy" means a draft of at least 40.',
    ],
    (Rule("term", ("skel",), ("weight",)),): [
        '"skel" means weight.',
        '"skel" means the weight.',
        "The skel is another word for weight.",
        "skel = weight",
        "skel refers to the weight",
        '"skel" is simply the weight.',
        "Skel stands for weight",
    ],
    (Rule("term", ("skel",), ("weight", "+", "age")),): [
        '"skel" means weight plus age.',
        "skel = weight + age",
        "The skel is the sum of weight and age.",
        '"skel" means the weight plus the age',
    ],
    (Rule("term", ("skel",), ("weight", "-", "age")),): [
        '"skel" means weight minus age.',
        "skel = weight - age",
        "The skel is the difference between the weight and the age.",
        '"skel": the weight less the age',
    ],
    (Rule("unit", ("week", "day"), (9,)),): [
        "A week has 9 days.",
        "1 week = 9 days",
        "One week is 9 days.",
        "There are 9 days in a week.",
        "9 days make a week",
        "Each week has 9 days, not 7.",
        "Weeks have 9 days.",
        "A week lasts 9 days (everywhere else 7).",
        "a week consists of 9 days",
    ],
    (Rule("unit", ("week", "day"), (9,), "harvest"),): [
        "A harvest week has 9 days.",
        "There are 9 days in a harvest week.",
        "Harvest weeks have 9 days",
        "One harvest week is 9 days",
    ],
    (Rule("rounding", ("ledger",), ("down", 5)),): [
        "In the ledger, round down to a multiple of 5.",
        "Ledger entries are rounded down to multiples of 5.",
        "The ledger rounds down to the next lower 5",
        "For the ledger, always round down to the nearest 5.",
        "Round numbers in the ledger down to a multiple of five",
    ],
    (Rule("rounding", ("ledger",), ("up", 10)),): [
        "In the ledger, round up to a multiple of 10.",
        "The ledger always rounds up to the next 10.",
        "Numbers in the ledger are rounded up to multiples of ten.",
    ],
    (Rule("rounding", ("ledger",), ("nearest", 20)),): [
        "In the ledger, round to the nearest multiple of 20.",
        "Ledger figures are rounded to the nearest 20",
        "In the ledger round to multiples of twenty.",
    ],
    (Rule("count", ("cracked",), (0,)),): [
        "Leave cracked casks out of the count.",
        "Leave cracked ones out of the count.",
        "Do not count cracked casks.",
        "Don't count the cracked ones",
        "Cracked casks do not count.",
        "Cracked casks are left out.",
        "Exclude cracked casks when counting.",
        "Ignore cracked casks.",
        "A cask that is cracked is not counted.",
    ],
    (Rule("count", ("cracked",), (2,)),): [
        "Count cracked casks twice.",
        "Cracked casks count double.",
        "Cracked casks are counted as two",
        "Count each cracked cask as two.",
        "A cask that is cracked is counted twice.",
    ],
    (Rule("count", ("cracked",), (1,)),): [
        "Count cracked casks once.",
        "Cracked casks are counted normally.",
        "A cask that is cracked is counted once.",
    ],
    (order_rule("tally", "ledger"),): [
        "Trust the tally over the ledger.",
        "Prefer the tally to the ledger.",
        "Believe the tally rather than the ledger",
        "The tally beats the ledger.",
        "The tally overrides the ledger.",
        "When the tally and the ledger disagree, the tally is right.",
        "If the ledger and the tally differ, trust the tally.",
        "The tally comes before the ledger.",
        "A tally ranks above a ledger.",
        "The tally outranks the ledger",
        "The ledger ranks below the tally.",
        "tally > ledger",
        "The tally is more reliable than the ledger",
    ],
    (order_rule("tally", "ledger", "oak"),): [
        "For oak casks, trust the tally over the ledger.",
        "For oak ones, the tally comes before the ledger.",
        "About oak casks, believe the tally rather than the ledger",
        "Trust the tally over the ledger for oak casks.",
    ],
    (order_rule("tally", ANYONE, "oak"),): [
        "For oak casks, trust the tally.",
        "For oak casks, always trust the tally over all others.",
    ],
    (order_rule("a1", "b1"), order_rule("a1", "c1"), order_rule("b1", "c1")): [
        "Ranks from highest to lowest: a1, b1, c1.",
        "Ranks from lowest to highest: c1, b1, a1",
        "a1 > b1 > c1",
        "Order of ranks: a1 > b1 > c1",
        "Sources, most trusted first: a1, b1, c1",
    ],
    (): [
        "Return the letter of the right choice.",
        "Be brief, and double-check every choice.",
        "Think step by step before you answer.",
        "You are an expert on brewing.",
        "Read all four choices first.",
        "Choose A, B, C or D.",
        "",
        "- ",
    ],
}
CASES = [(rules, text) for rules, texts in WORDINGS.items() for text in texts]


@pytest.mark.parametrize(("rules", "text"), CASES, ids=[text[:50] or "empty" for _, text in CASES])
def test_every_wording_is_understood(rules, text):
    assert set(parse_rule(text)) == set(rules)


@pytest.mark.parametrize("theme", THEMES)
def test_every_rule_of_the_oracle_is_read_and_can_be_said_again(theme):
    for seed in range(6):
        for key, sentence in oracle_rules(make_world(f"{theme}-{seed}")).items():
            rules = parse_rule(sentence)
            assert rules, sentence
            again = [rule for said in sentences(rules) for rule in parse_rule(said)]
            assert set(again) == set(rules), (key, sentence)


PIECES = st.sampled_from([word for _, text in CASES for word in text.split()])


@settings(max_examples=300)
@given(st.lists(PIECES | st.text(max_size=6), max_size=30).map(" ".join))
def test_no_line_raises(line):
    for rule in parse_rule(line):
        assert rule.kind
        assert rule.trigger
        assert rule.meaning
