"""`hf:FILE.gguf`: a tiny model written as llama.cpp writes one answers as the model that it was made from."""

import json
import sys

import pytest

pytestmark = pytest.mark.extra("gguf")
gguf = pytest.importorskip("gguf")
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from lse_gym.envs import cache  # noqa: E402 - after what may be missing
from lse_gym.envs.errors import MissingExtraError, UnknownModelError  # noqa: E402
from lse_gym.envs.models.base import Request  # noqa: E402
from lse_gym.envs.models.gguf import SEAL, converted, digest_of  # noqa: E402
from lse_gym.envs.models.huggingface import HuggingFaceModel  # noqa: E402

HEADS, GROUPS, WIDTH, LAYERS = 4, 2, 32, 2
REQUEST = Request("Rules.", "Text: one two", 8, cue="Label:")


@pytest.fixture(scope="module")
def bpe():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)
    made.train_from_iterator(["Text: one two three\nLabel: World\n\nRules."] * 4, trainer)
    return made


@pytest.fixture(scope="module")
def network(bpe):
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=bpe.get_vocab_size(),
        hidden_size=WIDTH,
        intermediate_size=64,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=GROUPS,
        max_position_embeddings=256,
        bos_token_id=0,
        eos_token_id=1,
        tie_word_embeddings=True,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


def interleaved(weight, heads):
    """As llama.cpp orders the rows of queries and keys."""
    return weight.reshape(heads, 2, len(weight) // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


@pytest.fixture(scope="module")
def file(tmp_path_factory, bpe, network):
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer, config = gguf.GGUFWriter(path, "llama"), network.config
    writer.add_block_count(LAYERS)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(GROUPS)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    words = bpe.get_vocab()
    writer.add_token_list(sorted(words, key=words.__getitem__))
    writer.add_token_merges([" ".join(pair) for pair in json.loads(bpe.to_str())["model"]["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, LAYERS)
    for name, weight in network.state_dict().items():
        heads = HEADS if "q_proj" in name else GROUPS if "k_proj" in name else 0
        values = interleaved(weight, heads) if heads else weight
        if name != "lm_head.weight":
            writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), values.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr("lse_gym.envs.models.gguf.cache_dir", lambda: tmp_path)
    return tmp_path / "gguf"


def test_it_answers_as_the_model_that_it_was_made_from(file, place, bpe, network):
    model = HuggingFaceModel(str(file))
    assert model.style == "completion"  # without a chat template
    ids = torch.tensor([bpe.encode("Rules.\n\nText: one two\nLabel:").ids])
    assert model.prompt_ids(REQUEST) == ids[0].tolist()
    with torch.inference_mode():
        out = network.generate(ids, max_new_tokens=8, do_sample=False)[0, ids.shape[1] :].tolist()
    (answer,) = model.complete([REQUEST])
    assert answer.text == bpe.decode(out[:-1] if out[-1] == 1 else out)


def test_it_is_converted_once_and_a_damaged_folder_is_made_again(file, place, monkeypatch):
    digest = digest_of(file)
    folder = converted(file, digest, "auto")
    assert folder == place / f"tiny-{digest}-float32"
    before = (folder / SEAL).stat().st_mtime_ns
    assert converted(file, digest, "float32") == folder
    assert (folder / SEAL).stat().st_mtime_ns == before
    (folder / "model.safetensors").write_bytes(b"cut")
    assert converted(file, digest, "float32") == folder
    assert (folder / "model.safetensors").stat().st_size > 1000
    assert [*place.iterdir()] == [folder]  # nothing half made is left
    for module in ("gguf", "accelerate"):
        told = rf"needs {module}: pip install 'lse-gym\[gguf\]'"
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            with pytest.raises(MissingExtraError, match=told):
                converted(file, digest, "bfloat16")


def test_the_revision_is_the_digest_of_the_file_wherever_it_lies(file, place, tmp_path):
    copy = tmp_path / "SmolLM2-135M.gguf"
    copy.write_bytes(file.read_bytes())
    one, two = HuggingFaceModel(f"{file.parent}:{file.name}"), HuggingFaceModel(str(copy))
    assert one.revision == f"{digest_of(file)}-float32"
    assert two.revision == f"{digest_of(file)}-float32-completion"  # a style chosen for its name
    copy.write_bytes(file.read_bytes() + b"\0")
    assert HuggingFaceModel(f"{copy}?style=completion").revision != two.revision


@pytest.mark.parametrize("path", ["{0}/none.gguf", "{0}:none.gguf", "{0}/bad.gguf"])
def test_what_is_no_gguf_file_says_so(place, tmp_path, path):
    (tmp_path / "bad.gguf").write_bytes(b"GGUF, it says")
    with pytest.raises(UnknownModelError, match=r"cannot be loaded .*hf:FILE\.gguf"):
        HuggingFaceModel(path.format(tmp_path)).complete([REQUEST])
    assert not [*place.glob("*")]
    assert cache.cache_dir()
