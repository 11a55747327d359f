"""The adapter of `vllm:`, with a stand-in for vLLM's module; the real engine was checked by hand, see the README."""

import sys
from copy import deepcopy
from types import ModuleType, SimpleNamespace

import pytest

from lse_gym.envs.errors import ContextLengthError, MissingExtraError, UnknownModelError
from lse_gym.envs.models.base import Request, Response, sampling_seed
from lse_gym.envs.models.chat_template import prompt_ids
from lse_gym.envs.models.vllm import VLLMModel


class Tokenizer:
    chat_template = "a template"
    decode = staticmethod(" ".join)

    def __call__(self, text, add_special_tokens=True):
        return SimpleNamespace(input_ids=text.split() if isinstance(text, str) else [one.split() for one in text])

    def apply_chat_template(self, messages, add_generation_prompt, tokenize):
        return " ".join(f"<{m['role']}> {m['content']}" for m in messages) + " <assistant>"


class LLM:
    def __init__(self, **options):
        if options["model"] == "nowhere":
            raise OSError("nowhere is not a local folder\nand more")
        self.options, self.batches = options, []

    def get_tokenizer(self):
        return Tokenizer()

    def generate(self, prompts, sampling, use_tqdm):
        self.batches.append(([p["prompt_token_ids"] for p in prompts], sampling))
        return [self.output(p["prompt_token_ids"], i) for i, p in enumerate(prompts)]

    def output(self, ids, index):
        if len(ids) > 100:
            raise ValueError("The decoder prompt is longer than the maximum model length of 100.")
        return SimpleNamespace(
            outputs=[SimpleNamespace(text=ids[-2].upper(), token_ids=[1, 2], finish_reason="stop")],
            prompt_token_ids=ids,
            num_cached_tokens=4 if index else None,
            prompt_logprobs=[None, *({t: SimpleNamespace(logprob=-0.5)} for t in ids[1:])],
        )


@pytest.fixture
def engine(monkeypatch):
    module = ModuleType("vllm")
    module.LLM, module.__version__ = LLM, "0.32.0"
    module.SamplingParams = lambda **options: options
    monkeypatch.setitem(sys.modules, "vllm", module)


def test_a_batch_is_one_call_of_the_engine(engine):
    model = VLLMModel("some/model")
    requests = [Request("S", "one", 9, 0.0, 3, 1), Request("", "two", 8, 0.7, 4)]
    answers = model.complete(requests)
    assert answers == [Response("ONE", 5, 2, 0, "stop"), Response("TWO", 3, 2, 4, "stop")]
    ((prompts, sampling),) = model.engine.batches
    assert prompts == [["<system>", "S", "<user>", "one", "<assistant>"], ["<user>", "two", "<assistant>"]]
    assert sampling[0] == {"max_tokens": 9, "temperature": 0.0, "seed": sampling_seed(requests[0])}
    assert sampling[1]["temperature"] == 0.7
    assert model.engine.options["enable_prefix_caching"] is True


def test_settings_reach_the_engine_and_the_revision(engine, monkeypatch):
    monkeypatch.setenv("LSE_GYM_TENSOR_PARALLEL", "2")
    monkeypatch.setenv("LSE_GYM_DTYPE", "bfloat16")
    monkeypatch.setenv("LSE_GYM_WINDOW", "4096")
    model = VLLMModel("some/model@abc")
    options = model.engine.options
    assert (options["model"], options["revision"]) == ("some/model", "abc")
    assert (options["tensor_parallel_size"], options["dtype"], options["max_model_len"]) == (2, "bfloat16", 4096)
    assert "bfloat16" in model.revision
    assert "0.32.0" in model.revision


def test_log_probabilities_are_those_of_the_completion_alone(engine):
    assert VLLMModel("m").logprobs(Request("S", "u"), "three words here") == [-0.5] * 3


def test_tokens_are_an_upper_bound(engine):
    model = VLLMModel("m")
    request = Request("some system text", "a question")
    prompt = prompt_ids(model.engine.get_tokenizer(), [request])[0]
    assert model.count_tokens(request.system) + model.count_tokens(request.user) >= len(prompt)


def test_errors_say_what_to_do(engine):
    with pytest.raises(ContextLengthError, match="max_chars"):
        VLLMModel("m").complete([Request("", "x " * 101)])
    with pytest.raises(UnknownModelError, match=r"'nowhere' \(nowhere is not a local folder\)"):
        VLLMModel("nowhere").complete([Request("", "x")])


def test_without_vllm_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'lse-gym\[vllm\]'"):
        VLLMModel("m")


def test_it_pickles_by_name(engine):
    model = VLLMModel("m")
    model.complete([Request("", "x")])
    assert deepcopy(model).name == "vllm:m"


def test_thinking_is_no_answer_also_where_the_prompt_opened_it(engine, monkeypatch):
    model = VLLMModel("some/model")
    texts = iter(["<think>9?</think> 7", "9?</think>7", "9, or"])
    answer = LLM.output

    def thinks(self, ids, index):
        output = answer(self, ids, index)
        output.outputs[0].text = next(texts)
        return output

    monkeypatch.setattr(LLM, "output", thinks)
    monkeypatch.setattr("lse_gym.envs.models.chat_template.prompt_text", lambda tokenizer, request, style: "x <think>")
    answers = model.complete([Request("", str(i)) for i in range(3)])
    assert [one.text for one in answers] == ["7", "7", ""]
    assert all(one.thinking_tokens for one in answers)


def test_a_style_and_what_ends_an_answer_reach_the_engine(engine):
    model = VLLMModel("some/model?style=completion")
    asked = Request("Rules.", "Text: one", 9, cue="Label:", stop=("\n", "E"))
    (answer,) = model.complete([asked])
    ((prompts, sampling),) = model.engine.batches
    assert prompts == [["Rules.", "Text:", "one", "Label:"]]
    assert sampling[0]["stop"] == ["\n", "E"]
    assert answer.text == "ON"
    assert model.revision.endswith("-vllm-0.32.0-completion")
    plain = VLLMModel("some/model")
    plain.complete([asked])
    assert "stop" not in plain.engine.batches[0][1][0]
    assert not plain.revision.endswith("completion")


def test_log_probabilities_are_asked_for_in_one_call(engine):
    model = VLLMModel("m")
    assert model.logprobs_batch([(Request("S", "u"), "two words"), (Request("", "u"), "one")]) == [[-0.5, -0.5], [-0.5]]
    assert [len(prompts) for prompts, _ in model.engine.batches] == [2]
