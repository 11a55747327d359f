"""The transformer `nano`: tokenizer, packed pass and greedy decoding. Needs the extra `hf`."""

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.envs.models import NANO
from lse_gym.envs.models.nano import train as training
from lse_gym.envs.models.nano.data import draw_sample
from lse_gym.envs.models.nano.demonstrations import draw_demonstration
from lse_gym.envs.models.nano.evaluate import answer_all
from lse_gym.envs.models.nano.packed import run
from lse_gym.envs.models.nano.qa_data import draw_qa_sample
from lse_gym.envs.models.nano.tokenizer import chat_parts, split_around, train_tokenizer
from lse_gym.envs.models.nano.train import encode, losses, make_model


@pytest.fixture(scope="module")
def tokenizer():
    samples = [draw_sample((3, i), 4) for i in range(60)]
    return train_tokenizer(text for s in samples for text in (s.system, *(t for turn in s.turns for t in turn)))


@pytest.fixture(scope="module")
def model(tokenizer):
    torch.manual_seed(0)
    return make_model(tokenizer, width=64, layers=4).eval()


@pytest.fixture(scope="module")
def respelled():
    samples = [draw_qa_sample((3, i), 4) for i in range(60)]
    split = split_around(word for word in training.shared_words(samples) if word not in training.DECIDED)
    texts = (text for sample in samples for text in (sample.system, *(t for turn in sample.turns for t in turn)))
    return train_tokenizer(texts, split)


@pytest.fixture(scope="module", params=["tokenizer", "respelled"])
def either(request):
    return request.getfixturevalue(request.param)


PIECES = ("zorples", "yes", " is ", "A) ", "\n", "12", "é", "s")


@given(text=st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_round_trips(either, text):
    assert either.decode(either(text).input_ids, skip_special_tokens=False) == text


def test_a_word_has_the_same_tokens_everywhere(tokenizer):
    inside = [tokenizer.tokenize(text) for text in (" zorple ", '"zorple" means', "WHERE a.zorple = 1", "zorple_id")]
    word = tokenizer.tokenize("zorple")
    assert all(any(tokens[i : i + len(word)] == word for i in range(len(tokens))) for tokens in inside)


@pytest.mark.parametrize("around", [" {}s", "- A {} has", '"{}" means', "\n{}\n", "in 3 {}s?"])
def test_a_plural_begins_with_its_singular(respelled, around):
    tokens, word = respelled.tokenize(around.format("zorple")), respelled.tokenize("zorple")
    assert any(tokens[i : i + len(word)] == word for i in range(len(tokens)))


def test_a_line_is_tokens_of_its_own(respelled):
    first, second = "- In the zorple, round down to a multiple of 5.", "C 31 yes"
    assert respelled.tokenize(f"{first}\n{second}") == [
        *respelled.tokenize(first),
        *respelled.tokenize("\n"),
        *respelled.tokenize(second),
    ]
    assert len(respelled.tokenize(" to a multiple of ")) == 1
    for word in ("lowest", "twice", "yes"):
        assert len(respelled.tokenize(word)) == 1
        assert respelled.tokenize(word)[0] in respelled.tokenize(f"Question: zorple has the {word} x")


def test_respelling_keeps_what_is_known_of_a_token_and_begins_others_as_the_mean_of_their_pieces(tokenizer, respelled):
    model = make_model(tokenizer, width=32, layers=2)
    before = model.get_input_embeddings().weight.detach().clone()
    training.respell(model, tokenizer, respelled)
    after, known, new = model.get_input_embeddings().weight, tokenizer.get_vocab(), respelled.get_vocab()
    assert torch.equal(after[new["7"]], before[known["7"]])
    assert model.lm_head.weight is after
    token = next(t for t in new if t not in known and t.isascii() and t.isalpha())
    assert torch.allclose(after[new[token]], before[tokenizer(token).input_ids].mean(0))


def test_chat_template_is_what_training_uses(tokenizer):
    messages = [{"role": "system", "content": "A"}, {"role": "user", "content": "B"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == "".join(chat_parts("A", "B", "")[:2])


def test_packed_pass_equals_the_plain_one(tokenizer, model):
    system, turns, targets = encode(draw_sample((4, 4), 3), tokenizer)
    with torch.no_grad():
        prompt, cache = run(model, system)
        hidden, _ = run(model, turns, cache, system.shape[1])
        plain = model(torch.cat([system.expand(len(turns), -1), turns], 1)).logits
        packed = torch.cat([model.lm_head(prompt).expand(len(turns), -1, -1), model.lm_head(hidden)], 1)
    assert torch.allclose(packed, plain, atol=1e-4)
    assert all(torch.isfinite(loss) for loss in losses(model, system, turns, targets))


def test_batched_answers_equal_generate(tokenizer, model):
    system, users = "S", ["Question: one?", "Question: a longer one, two three?"]
    for user, answer in zip(users, answer_all(model, tokenizer, system, users), strict=True):
        ids = tokenizer("".join(chat_parts(system, user, "")[:2]), return_tensors="pt").input_ids
        out = model.generate(ids, max_new_tokens=40, do_sample=False)[0, ids.shape[1] :]
        assert answer.startswith(tokenizer.decode(out[:20], skip_special_tokens=True)[:20])


def test_the_template_of_an_editor_prompt_is_what_training_uses(tokenizer):
    messages = [{"role": "user", "content": "B"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == "".join(chat_parts("", "B", "")[:2])
    shared, turns, targets = encode(draw_demonstration((4, 4)), tokenizer)
    assert len(turns) > 1
    assert shared.shape[1] > 200  # instructions, context and schema are those of all turns
    assert (targets >= 0).any()


def test_repeated_sequences_repeat():
    ids = training.repeated(np.random.default_rng(0), rows=8, length=80)
    for row in ids.tolist():
        assert any(row[period:] == row[:-period] for period in range(6, 40))


def test_words_that_all_samples_share_keep_their_meaning():
    tokenizer = transformers.AutoTokenizer.from_pretrained(NANO)
    samples = [training.draw((0, 0, index), index, 0.0, 1.0) for index in range(40)]
    kept = training.frame(tokenizer, samples)
    mapping = training.renaming(tokenizer, np.random.default_rng(1), kept)
    for word in ("nearest", "plus", "minus", "twice", "least", "yes", "A"):
        ids = tokenizer(word).input_ids
        assert mapping[ids].tolist() == ids
    assert (mapping != np.arange(len(mapping))).sum() > 500


@pytest.mark.long
def test_interrupted_training_goes_on_to_the_same_weights(tmp_path, monkeypatch):
    for name, value in {"COPY_STEPS": 2, "WORLDS": 1, "TURNS": 2, "DEV": {"sql": ("library-0",)}}.items():
        monkeypatch.setattr(training, name, value)
    torch.set_num_threads(1)
    training.train(tmp_path / "whole", seed=1, steps=6, minutes=1e9, evaluate_every=3)
    monkeypatch.setattr(training, "save", stop_at_first_save := Stop(training.save))
    with pytest.raises(KeyboardInterrupt):
        training.train(tmp_path / "cut", seed=1, steps=6, minutes=1e9, evaluate_every=3)
    monkeypatch.setattr(training, "save", stop_at_first_save.save)
    training.train(tmp_path / "cut", seed=1, steps=6, minutes=1e9, evaluate_every=3)
    whole, cut = (torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("whole", "cut"))
    assert whole["step"] == cut["step"] == 6
    assert all(torch.equal(a, b) for a, b in zip(whole["optimizer"][0], cut["optimizer"][0], strict=True))


class Stop:
    """Interrupts the training when it has saved at its end."""

    def __init__(self, save):
        self.save, self.times = save, 0

    def __call__(self, *arguments):
        self.save(*arguments)
        self.times += 1
        if self.times == 2:
            raise KeyboardInterrupt
