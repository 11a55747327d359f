"""`hf:` with small real architectures: batches give what one prompt at a time gives. Needs the extra `hf`."""

import sys
from copy import deepcopy
from itertools import pairwise

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.envs.errors import (
    ArgumentError,
    ContextLengthError,
    MissingExtraError,
    ProviderError,
    UnknownModelError,
)
from lse_gym.envs.models import SHIPPED, generation, make_model, rows, scoring, shared_prefix, weights
from lse_gym.envs.models import ragged as ragged_module
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.huggingface import HuggingFaceModel
from lse_gym.envs.models.nano.data import draw_sample
from lse_gym.envs.models.nano.tokenizer import train_tokenizer
from lse_gym.envs.models.nano.train import make_model as make_lfm2
from lse_gym.envs.models.style import until
from lse_gym.envs.report import Turn

USERS = [
    "Question: one?",
    "Question: two, three?",
    "Question: " + "many words " * 6,
    "x",
    "",
    "Question: one!",
]
SYSTEM = "You answer questions about a database. " * 8


def tiny(architecture, tokenizer):
    common = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 1024,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": None,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if architecture == "lfm2":
        return make_lfm2(tokenizer, width=64, layers=4)
    if architecture == "gpt2":
        own = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 1024}
        return transformers.GPT2LMHeadModel(
            transformers.GPT2Config(vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, **own)
        )
    kind, options = {
        "llama": ("Llama", {"num_key_value_heads": 2}),
        "qwen3": ("Qwen3", {"num_key_value_heads": 2, "head_dim": 16}),
        "mistral": ("Mistral", {"num_key_value_heads": 2, "sliding_window": 24}),
    }[architecture]
    config = getattr(transformers, f"{kind}Config")(**common, **options)
    return getattr(transformers, f"{kind}ForCausalLM")(config)


@pytest.fixture(scope="module")
def tokenizer():
    samples = [draw_sample((3, i), 4) for i in range(60)]
    return train_tokenizer(text for s in samples for text in (s.system, *(t for turn in s.turns for t in turn)))


@pytest.fixture(scope="module")
def folders(tokenizer, tmp_path_factory):
    made = {}

    def folder(architecture):
        if architecture not in made:
            made[architecture] = tmp_path_factory.mktemp(architecture)
            torch.manual_seed(0)
            model = tiny(architecture, tokenizer)
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.mul_(3)  # else an untrained model repeats a single token
            model.save_pretrained(made[architecture])
            tokenizer.save_pretrained(made[architecture])
        return made[architecture]

    return folder


@pytest.fixture
def model(folders):
    return HuggingFaceModel(str(folders("lfm2")))


def plain(model, request):
    ids = torch.tensor([model.prompt_ids(request)])
    with torch.inference_mode():
        out = model.model.generate(ids, max_new_tokens=request.max_tokens, do_sample=False)
    return model.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)


@pytest.mark.parametrize(
    ("architecture", "shares"), [("lfm2", True), ("llama", True), ("qwen3", True), ("gpt2", True), ("mistral", False)]
)
def test_a_batch_gives_the_tokens_of_plain_generate(folders, architecture, shares):
    model = HuggingFaceModel(str(folders(architecture)))
    requests = [Request(system, user, 24) for system in (SYSTEM, "") for user in USERS]
    expected = [plain(model, request) for request in requests]
    assert len(set(expected)) > 4
    assert [answer.text for answer in model.complete(requests)] == expected
    assert model.shares is shares


def test_prompts_of_any_length_are_one_batch_where_attention_is_plain(folders, monkeypatch):
    model, sizes, real = HuggingFaceModel(str(folders("llama"))), [], ragged_module.generate

    def counted(network, prompts, *rest):
        sizes.append(len(prompts))
        return real(network, prompts, *rest)

    monkeypatch.setattr(ragged_module, "generate", counted)
    users = ["x", "many words " * 3, "Question: " + "two, three " * 30, "many words " * 20, "Question: one?"]
    requests = [Request("", user, 70) for user in [*users, *users[2:4]]]  # longer than a buffer's first room
    expected = [plain(model, request) for request in requests]
    assert [answer.text for answer in model.complete(requests)] == expected
    assert sizes == [7]
    assert not HuggingFaceModel(str(folders("lfm2"))).ragged


def test_rounding_in_bfloat16_is_no_reason_to_go_without_and_a_misread_slot_is(monkeypatch):
    torch.manual_seed(0)
    size = {"vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 8}
    config = transformers.LlamaConfig(num_attention_heads=4, num_key_value_heads=2, initializer_range=0.3, **size)
    deep = transformers.LlamaForCausalLM(config).eval().to(torch.bfloat16)
    assert rows.works(deep)
    assert shared_prefix.works(deep)
    begin = rows.Rows.begin

    def misread(self, lengths, copies):
        begin(self, lengths, copies)
        self.hidden[:, min(lengths)] = False

    monkeypatch.setattr(rows.Rows, "begin", misread)
    assert not rows.works(deep)


def test_shorter_prompts_join_longer_ones_while_their_padding_is_cheaper_than_the_weights():
    prompts = [generation.Prompt([0] * n, 10, 0.0, ()) for n in (5, 100, 90, 40, 100)]
    free = {"most": 64, "slot": 1, "memory": 1e9}
    assert ragged_module.batches(prompts, weights=69, **free) == [[1, 4, 2], [3, 0]]
    assert ragged_module.batches(prompts, weights=70, **free) == [[1, 4, 2, 3], [0]]
    assert ragged_module.batches(prompts, weights=10**6, **free) == [[1, 4, 2, 3, 0]]
    assert ragged_module.batches(prompts, weights=10**6, most=2, slot=1, memory=1e9) == [[1, 4], [2, 3], [0]]
    assert ragged_module.batches(prompts, weights=10**6, most=64, slot=1, memory=2 * 330) == [[1, 4, 2], [3, 0]]
    assert ragged_module.batches([], weights=1, **free) == []
    assert ragged_module.free_bytes(torch.device("cpu")) > 1e6


def test_counts_are_those_of_the_tokenizer(model):
    requests = [Request(SYSTEM, user, tokens) for tokens, user in enumerate(USERS, 1)]
    for request, answer in zip(requests, model.complete(requests), strict=True):
        assert answer.prompt_tokens == len(model.prompt_ids(request))
        assert 0 < answer.completion_tokens <= request.max_tokens


def test_a_sample_depends_on_its_request_and_not_on_the_batch(model):
    requests = [
        Request(SYSTEM, user, 12, 1.0, seed, sample) for user in USERS[:3] for seed in (0, 7, -7) for sample in (0, 1)
    ]
    together = model.complete(requests)
    assert [model.complete([request])[0] for request in requests] == together
    assert model.complete(requests[::-1]) == together[::-1]
    assert len({answer.text for answer in together}) == len(requests)


def test_samples_follow_the_model(model):
    request = Request(SYSTEM, "Q", 1, 0.7)
    logits = model.model(torch.tensor([model.prompt_ids(request)])).logits[0, -1].detach()
    expected = torch.softmax(logits.double() / 0.7, -1)
    uniforms = torch.linspace(0, 1, 4001, dtype=torch.float64)[:-1]
    prompt = generation.Prompt([], 1, 0.7, ())
    drawn = torch.tensor([generation.sample(logits, prompt, float(u)) for u in uniforms])
    found = torch.bincount(drawn, minlength=len(expected)) / len(uniforms)
    assert float((found - expected).abs().max()) < 1e-3


def test_log_probabilities_are_those_of_the_completion(model):
    request, completion = Request(SYSTEM, "Question?"), "SELECT COUNT(*)"
    prompt, ids = model.prompt_ids(request), model.tokenizer(completion).input_ids
    scores = model.model(torch.tensor([prompt + ids])).logits[0].detach().log_softmax(-1)
    expected = sum(float(scores[len(prompt) - 1 + i, token]) for i, token in enumerate(ids))
    assert sum(model.logprobs(request, completion)) == pytest.approx(expected, abs=1e-4)
    assert model.logprobs(request, "") == []


@given(system=st.text(max_size=60), user=st.text(max_size=60))
def test_counted_tokens_are_an_upper_bound(shared_model, system, user):
    bound = shared_model.count_tokens(system) + shared_model.count_tokens(user)
    assert bound >= len(shared_model.prompt_ids(Request(system, user)))


@pytest.fixture(scope="module")
def shared_model(folders):
    return HuggingFaceModel(str(folders("lfm2")))


def test_prompts_of_like_length_are_batched():
    lengths = [1, 500, 3, 2, 49, 50, 510, 51]
    prompts = [generation.Prompt([0] * n, 1, 0.0, ()) for n in lengths]
    groups = generation.batches(prompts, 3)
    assert sorted(i for group in groups for i in group) == list(range(len(prompts)))
    assert all(len(group) <= 3 for group in groups)
    assert all(lengths[group[-1]] - lengths[group[0]] <= generation.MAX_SPREAD for group in groups)
    flat = [lengths[i] for group in groups for i in group]
    assert all(a <= b for a, b in pairwise(flat))


def test_a_prompt_beyond_the_window_is_an_error_of_its_own(folders):
    model = HuggingFaceModel(str(folders("llama")))
    with pytest.raises(ContextLengthError, match=r"window of .* 1024"):
        model.complete([Request("", "a"), Request("", "many words " * 2000)])
    (answer,) = model.complete([Request("", "a " * 495, 4096)])
    assert answer.prompt_tokens + answer.completion_tokens <= 1024


def test_a_model_without_template_or_system_role_still_answers(folders):
    model = HuggingFaceModel(str(folders("gpt2")))
    model.tokenizer.chat_template = None
    turns = (Turn("assistant", "A"), Turn("tool", "T"))
    assert model.tokenizer.decode(model.prompt_ids(Request("S", "U"))) == "S\n\nU\n\n"
    assert model.tokenizer.decode(model.prompt_ids(Request("S", "U", turns=turns))) == "S\n\nU\n\nA\n\nT\n\n"
    model.tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "[{{ m['content'] }}]{% endfor %}"
    )
    assert model.tokenizer.decode(model.prompt_ids(Request("S", "U"))) == "[S\n\nU]"
    assert model.tokenizer.decode(model.prompt_ids(Request("S", "U", turns=turns))) == "[S\n\nU][A][T]"
    assert model.tokenizer.decode(model.prompt_ids(Request("", "U", turns=turns))) == "[U][A][T]"


def test_an_answer_ends_before_the_first_stop(model):
    model._style = "completion"
    free = [Request(SYSTEM, user, 24, cue="A:") for user in USERS]
    texts = [answer.text for answer in model.complete(free)]
    stop = (texts[0][3:5], texts[2][4:5])
    answers = model.complete([request._replace(stop=stop) for request in free])
    assert [answer.text for answer in answers] == [until(text, stop) for text in texts]
    assert answers[0].completion_tokens < 24
    assert answers[0].finish_reason == "stop"
    model._style = "chat"  # which ends by itself
    assert model.complete([free[0]._replace(stop=stop)]) == model.complete([free[0]._replace(cue="")])


def test_a_style_is_part_of_the_revision_and_of_the_prompt(folders):
    path = str(folders("lfm2"))
    chat, user, completion = (HuggingFaceModel(f"{path}{style}") for style in ("", "?style=user", "?style=completion"))
    asked = Request("S", "U", cue="A:")
    assert [model.style for model in (chat, user, completion)] == ["chat", "user", "completion"]
    assert [*map(str.strip, (user.revision, completion.revision))] == [
        f"{chat.revision}-user",
        f"{chat.revision}-completion",
    ]
    assert completion.tokenizer.decode(completion.prompt_ids(asked)) == "S\n\nU\nA:"
    assert "S\n\nU\nA:" in user.tokenizer.decode(user.prompt_ids(asked))
    assert chat.prompt_ids(asked) == chat.prompt_ids(Request("S", "U"))
    assert HuggingFaceModel(f"{path}?style=chat").revision == chat.revision
    user.tokenizer.chat_template = None
    with pytest.raises(ArgumentError, match=r"has none\. Pass \?style=completion"):
        user.prompt_ids(asked)


@pytest.mark.parametrize("architecture", ["lfm2", "llama", "gpt2", "mistral"])
def test_log_probabilities_in_a_batch_are_those_of_one_text_alone(folders, architecture, monkeypatch):
    model = HuggingFaceModel(str(folders(architecture)))
    requests = [Request(system, user) for system in (SYSTEM, "") for user in USERS]
    pairs = [(request, text) for request in requests for text in ("a", "SELECT COUNT(*)", "many words", "")]
    expected = []
    for request, text in pairs:
        prompt, ids = model.prompt_ids(request), model.tokenizer(text, add_special_tokens=False).input_ids
        with torch.inference_mode():
            scores = model.model(torch.tensor([prompt + ids])).logits[0].log_softmax(-1)
        expected.append([float(scores[len(prompt) - 1 + i, token]) for i, token in enumerate(ids)])
    for most in (scoring.MAX_LOGITS, 1):
        monkeypatch.setattr(scoring, "MAX_LOGITS", most)
        for found, wanted in zip(model.logprobs_batch(pairs), expected, strict=True):
            assert found == pytest.approx(wanted, abs=2e-4)


@pytest.mark.parametrize(("architecture", "module"), [("lfm2", generation), ("llama", ragged_module)])
def test_too_little_memory_halves_the_batch(folders, architecture, module, monkeypatch):
    model = HuggingFaceModel(str(folders(architecture)))
    requests = [Request(SYSTEM, user, 6) for user in USERS]
    expected, sizes, real = model.complete(requests), [], module.generate

    def small(network, prompts, *rest):
        sizes.append(len(prompts))
        if len(prompts) > limit:
            raise torch.OutOfMemoryError("out of memory")
        return real(network, prompts, *rest)

    monkeypatch.setattr(module, "generate", small)
    limit = 2
    assert model.complete(requests) == expected
    assert max(sizes) == 6
    limit = 0
    with pytest.raises(ProviderError, match="does not fit into the memory"):
        model.complete(requests)


def test_the_revision_tells_weights_and_dtype_apart(folders, tmp_path, monkeypatch):
    one = HuggingFaceModel(str(folders("lfm2"))).revision
    assert one == HuggingFaceModel(str(folders("lfm2"))).revision != HuggingFaceModel(str(folders("llama"))).revision
    monkeypatch.setenv("LSE_GYM_DTYPE", "bfloat16")
    assert HuggingFaceModel(str(folders("lfm2"))).revision != one
    monkeypatch.setattr(weights, "MAX_HASHED_BYTES", 0)
    assert len(weights.fingerprint(str(folders("lfm2")))) == 16
    monkeypatch.setenv("LSE_GYM_DTYPE", "int3")
    with pytest.raises(ArgumentError, match="'int3' is not one of auto, float32"):
        HuggingFaceModel(str(folders("lfm2")))


def test_what_is_no_model_says_so(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    model = HuggingFaceModel(str(tmp_path))
    with pytest.raises(UnknownModelError, match="saved by Transformers"):
        model.complete([Request("", "x")])


@pytest.mark.parametrize("module", ["torch", "transformers"])
def test_without_it_the_extra_is_named(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'lse-gym\[hf\]'"):
        HuggingFaceModel("some/model")


def test_it_is_copied_by_name_and_cached(folders, monkeypatch, tmp_path):
    monkeypatch.setenv("LSE_GYM_RESPONSE_CACHE", str(tmp_path / "cache.sqlite"))
    cached = make_model(f"hf:{folders('lfm2')}")
    (answer,) = cached.complete([Request("", "x", 3)])
    twin = deepcopy(cached.model)
    assert twin.name == cached.name
    assert twin.complete([Request("", "x", 3)]) == [answer]
    monkeypatch.setattr(cached.model, "complete", None)
    assert cached.complete([Request("", "x", 3)]) == [answer]


def test_a_small_model_takes_one_thread_and_leaves_the_others_theirs(monkeypatch):
    model = HuggingFaceModel(SHIPPED["pico"], "pico")
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with model.few_threads():
            assert torch.get_num_threads() == (1 if model.device == "cpu" else 3)
        assert torch.get_num_threads() == 3
        monkeypatch.setattr("lse_gym.envs.models.huggingface.ONE_THREAD", 1000)  # as if it were a large one
        with model.few_threads():
            assert torch.get_num_threads() == 3
        monkeypatch.setenv("LSE_GYM_THREADS", "2")
        with model.few_threads():
            assert torch.get_num_threads() == 2
        monkeypatch.setenv("LSE_GYM_THREADS", "none")
        with pytest.raises(ArgumentError, match="LSE_GYM_THREADS"), model.few_threads():
            pass
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
