"""Arguments against JSON schemas: what is wrong is told in words, whatever arguments and schemas are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.tools.schema import problem_of, typed

ORDER = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "price": {"type": "number"},
        "status": {"type": "string", "enum": ["open", "closed"]},
        "express": {"type": "boolean"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"sku": {"type": "string"}, "count": {"type": "integer"}},
                "required": ["sku"],
            },
        },
        "tags": {"type": "object"},
        "both": {"type": ["integer", "string"]},
        "any": {},
        "one": {"const": 1},
        "extra": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
    "required": ["id"],
}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"id": 1}, ""),
        (
            {"id": 1, "price": 2, "status": "open", "express": False, "note": None, "any": [{}], "both": "x", "one": 1},
            "",
        ),
        ({"id": 1, "price": 2.5, "lines": [], "tags": {"whatever": [1]}, "both": 3, "extra": {"a": 1}}, ""),
        ({"id": 1, "lines": [{"sku": "a", "count": 2}, {"sku": "b"}]}, ""),
        ({}, "the argument 'id' is missing"),
        ({"id": "1"}, "the argument 'id' is \"1\", not an integer"),
        ({"id": 1.0}, "the argument 'id' is 1.0, not an integer"),
        ({"id": None}, "the argument 'id' is null, not an integer"),
        ({"id": True}, "the argument 'id' is true, not an integer"),
        ({"id": 1, "price": True}, "the argument 'price' is true, not a number"),
        ({"id": 1, "price": "2"}, "the argument 'price' is \"2\", not a number"),
        ({"id": 1, "status": "OPEN"}, 'the argument \'status\' is "OPEN", not one of "open", "closed"'),
        ({"id": 1, "express": 1}, "the argument 'express' is 1, not true or false"),
        ({"id": 1, "note": 1}, "the argument 'note' is 1, not a string or null"),
        ({"id": 1, "both": 1.5}, "the argument 'both' is 1.5, not an integer or a string"),
        ({"id": 1, "one": True}, "the argument 'one' is true, not one of 1"),
        ({"id": 1, "lines": {}}, "the argument 'lines' is {}, not a list"),
        ({"id": 1, "lines": [{"sku": "a"}, {}]}, "the argument 'lines[1].sku' is missing"),
        ({"id": 1, "lines": [{"sku": "a", "count": "2"}]}, "the argument 'lines[0].count' is \"2\", not an integer"),
        ({"id": 1, "lines": [{"sku": "a", "cont": 2}]}, "there is no argument 'lines[0].cont'; did you mean 'count'?"),
        ({"id": 1, "extra": {"a": "b"}}, "the argument 'extra.a' is \"b\", not an integer"),
        ({"id": 1, "zzz": 2}, "there is no argument 'zzz'; there is "),
        ({"id": 1, "statis": 2}, "there is no argument 'statis'; did you mean 'status'?"),
    ],
)
def test_what_is_wrong_is_told(arguments, problem):
    found = problem_of(arguments, ORDER)
    assert found.startswith(problem) if problem else not found


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("id", "3", 3),
        ("id", " -3\n", -3),
        ("id", "3.0", "3.0"),
        ("id", "three", "three"),
        ("id", "true", "true"),
        ("price", "3", 3),
        ("price", "2.5", 2.5),
        ("price", "NaN", "NaN"),
        ("status", "3", "3"),
        ("express", "true", True),
        ("express", "False", False),
        ("express", "yes", "yes"),
        ("note", "null", None),
        ("note", "3", "3"),
        ("note", '"x"', '"x"'),
        ("lines", '[{"sku": "a"}]', [{"sku": "a"}]),
        ("lines", "[", "["),
        ("tags", "{}", {}),
        ("both", "7", 7),
        ("both", "x", "x"),
        ("any", "7", "7"),
        ("unknown", "7", "7"),
    ],
)
def test_text_gets_the_type_that_the_schema_gives_it(name, text, value):
    found = typed({name: text}, ORDER)[name]
    assert found == value
    assert type(found) is type(value)


WORDS = st.sampled_from(
    (
        "type",
        "enum",
        "const",
        "required",
        "properties",
        "items",
        "anyOf",
        "oneOf",
        "additionalProperties",
        "object",
        "a",
    )
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=100)
@given(st.dictionaries(WORDS, ANY, max_size=3), st.dictionaries(WORDS, ANY, max_size=5))
def test_no_arguments_and_no_schema_do_harm(arguments, schema):
    assert isinstance(problem_of(arguments, schema), str)
    texts = {name: str(value) for name, value in arguments.items()}
    assert typed(texts, schema).keys() == texts.keys()


def test_a_schema_nested_without_end_does_no_harm():
    schema = value = {}
    for _ in range(5000):
        schema, value = {"properties": {"a": schema}, "anyOf": [schema]}, {"a": value}
    problem_of(value, schema)
    typed({"a": "1"}, schema)


def test_long_names_and_values_are_cut():
    assert len(problem_of({"x" * 100_000: 1}, ORDER)) < 500
    assert len(problem_of({"id": "x" * 100_000}, ORDER)) < 500
