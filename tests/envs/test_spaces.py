import copy
import json
import pickle

import pytest
from gymnasium.spaces import Dict, Text
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.envs.spaces import MAX_SAMPLE_CHARS, FreeText
from lse_gym.envs.text import clean

SPACE = FreeText(12)


@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_any_string_that_is_short_enough_is_contained(text):
    assert (text in SPACE) == (len(text) <= 12)


@pytest.mark.parametrize("value", [None, b"x", 3, ["x"], ("x",), float("nan")])
def test_nothing_else_is_contained(value):
    assert value not in SPACE


@pytest.mark.parametrize("max_chars", [1, 12, 100_000])
def test_samples_are_contained_seeded_and_sound(max_chars):
    one, two = FreeText(max_chars, seed=3), FreeText(max_chars)
    two.seed(3)
    samples = [one.sample() for _ in range(300)]
    assert samples == [two.sample() for _ in range(300)]
    assert all(sample in one and clean(sample, max_chars) == (sample, "") for sample in samples)
    longest = min(max_chars, MAX_SAMPLE_CHARS)
    assert {0, longest} <= {len(sample) for sample in samples} or longest == MAX_SAMPLE_CHARS
    assert any(not sample.isascii() for sample in samples)
    with pytest.raises(ValueError, match="without arguments"):
        one.sample(mask=3)


def test_equality_hash_and_repr():
    assert FreeText(5) == FreeText(5, seed=1)
    assert hash(FreeText(5)) == hash(FreeText(5, seed=1))
    assert FreeText(5) != FreeText(6)
    assert FreeText(5) != Text(5)
    assert repr(FreeText(5)) == "FreeText(5)"
    assert not FreeText(5).is_np_flattenable
    with pytest.raises(ValueError, match="max_chars=0"):
        FreeText(0)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda space: pickle.loads(pickle.dumps(space))])  # noqa: S301
def test_a_copy_samples_on(duplicate):
    space = FreeText(30, seed=9)
    space.sample()
    twin = duplicate(space)
    assert twin == space
    assert [twin.sample() for _ in range(5)] == [space.sample() for _ in range(5)]


@given(st.lists(st.text(max_size=12)))
def test_json_keeps_text(texts):
    assert SPACE.from_jsonable(json.loads(json.dumps(SPACE.to_jsonable(texts)))) == texts


def test_batches_are_tuples_of_text():
    texts = ("é — one", "", "漢🙂")
    batched = batch_space(SPACE, 3)
    assert texts in batched
    assert ("x" * 13, "", "") not in batched
    assert concatenate(SPACE, texts, create_empty_array(SPACE, 3)) == texts
    assert tuple(iterate(batched, texts)) == texts
    nested = batch_space(Dict({"text": SPACE}), 3)
    assert {"text": texts} in nested
    assert nested.sample() in nested
