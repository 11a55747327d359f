import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.offline.reader.english import stem
from lse_gym.envs.offline.reader.sql.rules import Rule, gather, parse_rule
from lse_gym.envs.offline.reader.sql.schema import parse_schema
from tests.offline.wordings import SCHEMA, WORDINGS

CASES = [(kind, other) for kind, (_, others) in WORDINGS.items() for other in others]
HOSTILE = [
    *('"', "'", "(", ")", "*", "`", "|", ";", ":", "= ", ", and ", "''", "**", "->", " ", "\t"),
    *(
        "a.b = ",
        "means ",
        '" means ',
        "is ",
        "is when ",
        "members.tier = 'B' ",
        "books.pages > 210 AND ",
        "year ",
        "x (",
    ),
    *("when using ", "For x, use tier ", "if a use ", "joined_on ", "substr(", "in ", "gold = 'A', ", "tier 'A' = "),
    *("join members.base_branch_id = branches.branch_id ", "Always require ", "exclude ", "fee / ", "is called "),
]


@pytest.mark.parametrize(("kind", "wording"), CASES)
def test_every_wording_is_the_same_rule(kind, wording):
    assert parse_rule(wording, SCHEMA) == parse_rule(WORDINGS[kind][0], SCHEMA) != ()


def test_each_kind_has_at_least_five_other_wordings():
    assert all(len(others) >= 5 for _, others in WORDINGS.values())
    assert len({parse_rule(oracle, SCHEMA)[0].kind for oracle, _ in WORDINGS.values()}) == 7


@pytest.mark.parametrize(
    "line",
    [
        "\"gold\" means tier = 'A', \"silver\" means tier = 'B' and \"plain\" means tier = 'C'.",
        "gold = 'A', silver = 'B', plain = 'C' in members.tier",
        "members.tier: 'A' = gold, 'B' = silver, 'C' = plain",
        "In members.tier, 'A' means gold, 'B' means silver, and 'C' means plain.",
        "gold → tier = 'A'; silver → tier = 'B'; plain → tier = 'C'",
        "Gold members have tier = 'A'. Silver members have tier = 'B'. Plain members have tier = 'C'.",
    ],
)
def test_one_sentence_may_hold_several_rules(line):
    words = {"gold": "A", "silver": "B", "plain": "C"}
    assert list(parse_rule(line, SCHEMA)) == [
        Rule("condition", (word,), f"members.tier = '{code}'") for word, code in words.items()
    ]


@pytest.mark.parametrize(
    "prose",
    [
        "Return one SQLite statement that answers the question.",
        "Be careful with dates. Always think step by step.",
        "Use the schema and never guess a column name.",
        "Double-check the joins between loans and members.",
        "Loans are made by members at branches.",
        "The loans table has a fee column.",
        "Only return one column.",
        "SELECT * FROM nowhere WHERE x = 'y'",
        "",
    ],
)
def test_prose_is_no_rule(prose):
    assert parse_rule(prose, SCHEMA) == ()


@pytest.mark.parametrize(
    ("refusal", "condition"),
    [
        ("Exclude loans with fee > 100.", "loans.fee <= 100"),
        ("Never count loans where returned_on IS NULL.", "loans.returned_on IS NOT NULL"),
        ("Ignore loans with record_state <> 'ok'.", "loans.record_state = 'ok'"),
        ("Skip loans with fee = -1.", "loans.fee <> -1"),
        ("Exclude loans with record_state IN ('V', 'X').", "NOT (loans.record_state IN ('V', 'X'))"),
    ],
)
def test_exclusions_are_negated_and_survive_being_written_back(refusal, condition):
    rule = Rule("filter", ("loans",), condition)
    assert parse_rule(refusal, SCHEMA) == (rule,)
    assert parse_rule(f"Always require {condition}.", SCHEMA) == (rule,)


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_lines_are_read_in_no_time(unit):
    line = (unit * (100_000 // len(unit) + 1))[:100_000]
    start = time.process_time()
    parse_rule(line, SCHEMA)
    assert time.process_time() - start < 2.0  # usually a few milliseconds; a blow-up takes minutes


@pytest.mark.parametrize(
    "unit", ["CREATE TABLE t (", "CREATE TABLE ", "REFERENCES ", "FOREIGN KEY (", "(", ",", '"', "a "]
)
def test_hostile_schemas_are_read_in_no_time(unit):
    start = time.process_time()
    parse_schema("CREATE TABLE t (a TEXT, " + unit * (100_000 // len(unit)))
    assert time.process_time() - start < 2.0


@settings(max_examples=150)
@given(st.lists(st.sampled_from([*HOSTILE, "gold ", "\n", "é ", "1", "loans"]) | st.text(max_size=8), max_size=20))
def test_no_line_raises_and_every_rule_fits_the_schema(pieces):
    schema = parse_schema(SCHEMA)
    for rule in parse_rule("".join(pieces), SCHEMA):
        assert rule.trigger
        assert any(table in rule.sql for table in schema.tables)
        gather([rule])


@settings(max_examples=60)
@given(st.text(max_size=300))
def test_no_schema_raises(text):
    for table in parse_schema(f"CREATE TABLE t (a TEXT, {text}").tables.values():
        assert table.label in table.columns


def test_schema_is_read_in_the_styles_of_real_dumps():
    schema = parse_schema(
        'create table if not exists "Singer" ("ID" integer primary key, [Full Name] text, born DATE);\n'
        "CREATE TABLE `song` (`id` INTEGER, singer INT REFERENCES Singer(ID), rate DECIMAL(3, 1), PRIMARY KEY (id));"
    )
    assert list(schema.tables) == ["singer", "song"]
    assert list(schema.tables["singer"].columns) == ["id", "full name", "born"]
    assert list(schema.tables["song"].columns) == ["id", "singer", "rate"]
    assert [tuple(edge) for edge in schema.edges] == [("song", "singer", "singer", "id")]


def test_stems_join_singular_and_plural():
    for one, many in (("branch", "branches"), ("variety", "varieties"), ("loan", "Loans"), ("glass", "glasses")):
        assert stem(one) == stem(many)
