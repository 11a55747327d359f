"""What makes long prompts fast on a CPU changes nothing but the time. Needs the extra `hf`."""

import ctypes
import resource
import subprocess
import sys
from functools import partial
from unittest import mock

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from lse_gym.envs.models import SHIPPED, generation, rows
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.huggingface import HuggingFaceModel
from lse_gym.envs.models.packed_weights import WORTH_TOKENS, packed

ONE_DNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@pytest.fixture(autouse=True)
def small_weights_count(monkeypatch):
    monkeypatch.setattr("lse_gym.envs.models.packed_weights.LEAST_BYTES", 1)


def model_of(kind=torch.float32):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(40, 24), torch.nn.ReLU(), torch.nn.Linear(24, 8, bias=False)).to(kind)


def forwards(model):
    return [vars(module).get("forward") for module in model.modules()]


@torch.inference_mode()
@pytest.mark.parametrize("shape", [(1, 40), (5, 40), (2, 3, 40)])
def test_packed_layers_compute_what_theirs_did(shape):
    model = model_of()
    numbers = torch.randn(shape)
    truth = model(numbers)
    with packed(model, WORTH_TOKENS):
        assert any(forwards(model)) == ONE_DNN
        torch.testing.assert_close(model(numbers), truth)
    assert not any(forwards(model))


def test_weights_that_a_learner_changes_are_packed_again():
    model = model_of()
    numbers = torch.randn(3, 40)
    for _ in range(2):
        with torch.inference_mode(), packed(model, WORTH_TOKENS):
            told = model(numbers)
        torch.testing.assert_close(told, model(numbers))
        model(numbers).sum().backward()  # nothing packed is left in the way of a gradient
        with torch.no_grad():
            for weights in model.parameters():
                weights -= 0.1 * weights.grad


def test_what_is_not_worth_it_or_not_float32_stays(monkeypatch):
    for model, tokens in ((model_of(), WORTH_TOKENS - 1), (model_of(torch.bfloat16), WORTH_TOKENS)):
        with packed(model, tokens):
            assert not any(forwards(model))
    model = model_of()
    with monkeypatch.context() as patch:
        patch.setattr("lse_gym.envs.models.packed_weights.free_bytes", lambda device: 18_000.0)  # a copy has 4,608
        with packed(model, WORTH_TOKENS):
            assert not any(forwards(model))
    with monkeypatch.context() as patch:
        patch.setattr("lse_gym.envs.models.packed_weights.LEAST_BYTES", 5000)
        with packed(model, WORTH_TOKENS):
            assert not any(forwards(model))
    monkeypatch.setattr("lse_gym.envs.models.packed_weights._multiply", lambda *args: torch.zeros(1, 24))
    with packed(model, WORTH_TOKENS):
        assert not any(forwards(model))  # operators that compute something else are not taken


def test_layers_are_theirs_again_after_an_error():
    model = model_of()
    with pytest.raises(RuntimeError, match="in between"), packed(model, WORTH_TOKENS):
        raise RuntimeError("in between")
    assert not any(forwards(model))


def test_a_large_batch_is_packed_and_says_what_a_small_one_does(monkeypatch):
    model = HuggingFaceModel(SHIPPED["pico"], "pico")
    asked = [Request("Rules. " * 40, f"Question {i}: how many rooms? " * (i % 4 + 1), 8) for i in range(12)]
    alone = [model.write([one])[0] for one in asked]
    found = []
    monkeypatch.setattr("lse_gym.envs.models.packed_weights.WORTH_TOKENS", 100)
    forward = type(model.model).forward

    def seen(self, *args, **options):
        found.append(any(forwards(self)))
        return forward(self, *args, **options)

    monkeypatch.setattr(type(model.model), "forward", seen)
    assert model.write(asked) == alone
    assert all(found) == ONE_DNN
    found.clear()
    told = model.logprobs_batch([(one, "two") for one in asked])
    assert all(found) == ONE_DNN
    monkeypatch.setattr("lse_gym.envs.models.packed_weights.WORTH_TOKENS", 10**9)
    for one, truth in zip(told, model.logprobs_batch([(one, "two") for one in asked]), strict=True):
        assert one == pytest.approx(truth, abs=1e-4)


def test_what_is_alike_is_read_once():
    assert generation.to_read([[1, 2, 3]]) == 3
    assert generation.to_read([[1, 2, 3], [1, 2, 3]]) == 3
    assert generation.to_read([[1, 2, 3], [1, 2, 4, 5], [1, 2]]) == 2 + 1 + 2
    assert generation.to_read([[1], [2, 3]]) == 3


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5),
    st.sampled_from([(1, 1), (2, 1), (6, 2)]),
    st.integers(1, 100),
    st.sampled_from([0, 1, 40]),
    st.sampled_from([1, 15_000, rows.WEIGHTS]),  # one row at a time, a few of them, all
)
def test_attention_in_blocks_is_attention(count, heads, tokens, common, weights):
    generator = torch.Generator().manual_seed(tokens)
    draw = partial(torch.randn, generator=generator)
    query = draw(count, tokens, heads[0], 16).transpose(1, 2)
    key, value = (draw(count, tokens, heads[1], 16).transpose(1, 2) for _ in range(2))
    prefix = (draw(1, heads[1], common, 16), draw(1, heads[1], common, 16)) if common else None
    with mock.patch.object(rows, "WEIGHTS", weights):
        told = rows._attend_many(query, key, value, prefix, 0.3)
    if prefix is not None:
        key, value = (
            torch.cat([p.expand(count, -1, -1, -1), own], 2) for p, own in zip(prefix, (key, value), strict=True)
        )
    mask = torch.ones(tokens, common + tokens, dtype=torch.bool).tril(common)
    truth = scaled_dot_product_attention(query, key, value, mask, scale=0.3, enable_gqa=True)
    torch.testing.assert_close(told, truth, atol=1e-5, rtol=1e-4)


def small_llama():
    config = transformers.LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    return transformers.LlamaForCausalLM(config).eval()


@torch.inference_mode()
def test_the_last_feed_forward_layer_reads_one_token_of_each_row():
    model = small_llama()
    seen: dict[int, list[int]] = {0: [], 1: []}
    for number, found in seen.items():
        hook = lambda module, inputs, found=found: found.append(inputs[0].shape[1])  # noqa: E731
        model.model.layers[number].mlp.down_proj.register_forward_pre_hook(hook)
    prefix, tails = [3, 4, 5], [[6, 7, 8, 9], [10, 11], [12]]
    told = rows.Rows(model, prefix, 3).read(tails, slice(0, 3))
    assert seen == {0: [3, 4], 1: [3, 1]}, "of the prefix, which has no end, all tokens"
    for tail, logits in zip(tails, told, strict=True):
        torch.testing.assert_close(logits, model(torch.tensor([[*prefix, *tail]])).logits[0, -1])
    assert seen[1][-1] == 4, "after the pass the layer reads all again"


def test_what_fresh_memory_holds_is_never_looked_at(monkeypatch):
    model = small_llama()
    new_empty = torch.Tensor.new_empty
    monkeypatch.setattr(
        torch.Tensor, "new_empty", lambda *args, **options: new_empty(*args, **options).fill_(torch.nan)
    )
    ids = torch.arange(40)[None]
    with torch.inference_mode():
        truth = [model(ids[:, :length]).logits[0, -1] for length in (31, 6)]
        read = rows.Rows(model, [], 2)
        for at, length in enumerate((30, 5)):
            read.read([ids[0, :length].tolist()], slice(at, at + 1))
        read.begin([30, 5], range(2))
        told = read.step([30, 5])
    torch.testing.assert_close(told, torch.stack(truth), atol=1e-5, rtol=1e-4)


FAULTS = """
import resource, torch
from lse_gym.envs.models.heap import keep_freed_memory
{keep}
def layers():
    numbers = torch.ones(1000, 2000)
    for _ in range(5):
        numbers = numbers + torch.nn.functional.silu(numbers) * numbers
layers()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    layers()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is another than glibc")
def test_memory_that_was_freed_is_not_asked_for_again(monkeypatch):
    pages = 20 * 15 * 8_000_000 // resource.getpagesize()

    def faults(keep):
        code = FAULTS.format(keep=keep)
        return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)

    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    assert faults("keep_freed_memory()") < 0.02 * pages
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")  # somebody wants it otherwise
    assert faults("keep_freed_memory()") > 0.9 * pages
