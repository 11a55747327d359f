"""`hf:` with a model that thinks: what it writes between its tags is paid for, and no part of the answer.

The model is a real one, of one layer, whose weights were written instead of trained: after each token it writes the one
that follows it in a script. Everything from the chat template to the split of the text is as for any other model.
"""

from itertools import pairwise

import pytest
import torch
import transformers

from lse_gym.envs.models.base import Request
from lse_gym.envs.models.huggingface import HuggingFaceModel
from lse_gym.envs.models.nano.tokenizer import train_tokenizer
from lse_gym.envs.models.tally import Tally

THOUGHTS, ANSWER = "red green;blue", "pears"  # no token twice, as a script has one way to go on after each
USERS = ["Question: one?", "Question: two, three?", "Question: many words, and more of them?"]
SYSTEM = "You answer questions. " * 4


def write_model(folder, opened):
    """A model that thinks before it answers; the opening tag is its own, or (``opened``) ends the prompt."""
    tokenizer = train_tokenizer([THOUGHTS, ANSWER, SYSTEM, *USERS] * 3)
    tokenizer.add_tokens(["<think>", "</think>"])  # as Qwen's: tokens of their own that a decoder does not skip
    if opened:
        tokenizer.chat_template += "{% if add_generation_prompt %}<think>{% endif %}"
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "x"}], add_generation_prompt=True, tokenize=True
    )
    last = list(getattr(prompt, "input_ids", prompt))[-1]
    words = tokenizer(f"{THOUGHTS}</think>{ANSWER}").input_ids
    start = [] if opened else tokenizer.convert_tokens_to_ids(["<think>"])
    script = [last, *start, *words, tokenizer.eos_token_id]
    assert len(set(script)) == len(script)
    torch.manual_seed(0)
    model = transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(
            vocab_size=len(tokenizer), hidden_size=256, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=1, head_dim=8, eos_token_id=tokenizer.eos_token_id,
            tie_word_embeddings=False, max_position_embeddings=1024,
        )
    )  # fmt: skip
    with torch.no_grad():
        layer, known = model.model.layers[0], model.model.embed_tokens.weight
        layer.self_attn.o_proj.weight.zero_()  # nothing is added to a token on its way up,
        layer.mlp.down_proj.weight.zero_()
        known.normal_()
        model.lm_head.weight.zero_()
        for token, following in pairwise(script):  # where it points to the next one
            model.lm_head.weight[following] = known[token]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return HuggingFaceModel(str(folder)), len(script) - 1


@pytest.fixture(scope="module", params=[False, True], ids=["its own tag", "opened by the prompt"])
def thinker(request, tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("thinker"), request.param)


def test_thoughts_are_paid_for_and_not_part_of_the_answer(thinker):
    model, written = thinker
    answers = model.complete([Request(SYSTEM, user, 64) for user in USERS])
    assert [answer.text.strip() for answer in answers] == [ANSWER] * len(USERS)
    for answer in answers:
        assert (answer.completion_tokens, answer.finish_reason) == (written, "stop")
        assert 3 <= answer.thinking_tokens < written


def test_an_answer_cut_while_thinking_is_empty(thinker):
    model, _ = thinker
    (answer,) = model.complete([Request(SYSTEM, USERS[0], 2)])
    assert (answer.text, answer.completion_tokens, answer.finish_reason) == ("", 2, "length")
    assert answer.thinking_tokens == 2


def test_thinking_goes_with_the_tally(thinker):
    model, _ = thinker
    tally = Tally()
    tally.add(
        {answer.text + str(i): answer for i, answer in enumerate(model.complete([Request("", u) for u in USERS]))}
    )
    facts = tally.facts()
    assert (facts["thinking"], facts["empty"], facts["cut"]) == (len(USERS), 0, 0)
    assert facts["thinking_tokens"] >= 3 * len(USERS)
