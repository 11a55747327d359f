"""A language model that follows a script: a transformer whose only skill is to answer one token with another.

Its chat template reads the messages, whatever form tools have in them, and ends the prompt with a token for what there
is to say; the weights answer it with the token that is the whole text, and that with the end. So a real server, with
its own template, tokenizer, generation and parser of calls, says what a test expects.
"""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from lse_gym.envs.models.base import Response, TaskModel
from lse_gym.envs.tools.protocol import call_text, read_results
from tests.tools.shelf import ITEMS

QUANTITIES = range(2, 94)
CAREFUL = "Be exact."

TEMPLATE = """\
{%- set words = messages[1]['content'].split('Question: ')[1].rstrip('.').split(' ') -%}
{%- set turns = messages | selectattr('role', 'equalto', 'assistant') | list | length -%}
{%- set told = messages[-1]['content'].replace('<tool_response>', ' ').replace('</tool_response>', ' ').split() -%}
{%- for message in messages -%}{{ message['content'] }}
{% endfor -%}
{%- if tools and not turns %}{{ tools | tojson }}
{% endif -%}
{%- if turns == 0 -%}<|find:{{ words[4] }}|>
{%- elif turns == 1 -%}
{%- set careless = 0 if 'Be exact.' in messages[0]['content'] else told[0] | int % 2 -%}
<|set:{{ told[0] }}:{{ words[6] | int + careless }}|>
{%- else -%}<|end|>
{%- endif -%}<|im_start|>assistant{{ '\\n' }}"""
START, END = "<|im_start|>assistant\n", "<|im_end|>"  # as Qwen's, where servers look for what is between them


def script() -> dict[str, str]:
    """What is said to each token that a prompt can end with."""
    finds = {f"<|find:{item}|>": f"I look.\n{call_text('find', {'name': item})}" for item in ITEMS}
    sets = {
        f"<|set:{id_}:{quantity}|>": call_text("set", {"id": id_, "quantity": quantity})
        + "\n"
        + call_text("find", {"name": ITEMS[id_ - 1]})
        for id_ in range(1, len(ITEMS) + 1)
        for quantity in QUANTITIES
    }
    return {**finds, **sets, "<|end|>": "<answer>done</answer>"}


class Scripted(TaskModel):
    """The script in this process."""

    name, revision = "scripted", "1"

    def __init__(self):
        self.script = script()

    def complete(self, requests):
        return [Response(self.say(request), 1, 2) for request in requests]

    def say(self, request):
        words = request.user.removeprefix("Question: ").rstrip(".").split()
        if not request.turns:
            return self.script[f"<|find:{words[4]}|>"]
        if len(request.turns) > 2:
            return self.script["<|end|>"]
        (id_,) = read_results(request.turns[-1])
        careless = 0 if CAREFUL in request.system else int(id_) % 2
        return self.script[f"<|set:{id_}:{int(words[6]) + careless}|>"]

    def count_tokens(self, text):
        return len(text)


def save(folder):
    """Write the model in the format of Transformers, as a Qwen 2: servers know how that writes calls."""
    said = {f"{token}{START}": text for token, text in script().items()}
    asked = [*said]
    texts = [said[one] for one in asked]
    vocabulary = {token: index for index, token in enumerate(["<unk>", END, *asked, *dict.fromkeys(texts)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token=END, pad_token=END, chat_template=TEMPLATE
    )
    fast.add_special_tokens({"additional_special_tokens": asked})
    fast.save_pretrained(folder)
    size = len(asked) + 1
    config = Qwen2Config(
        vocab_size=len(vocabulary),
        hidden_size=size + size % 2,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        eos_token_id=vocabulary[END],
        pad_token_id=vocabulary[END],
    )
    network = Qwen2ForCausalLM(config)
    with torch.no_grad():
        for layer in network.model.layers:  # what stands in the stream is the last token alone
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        network.model.embed_tokens.weight.zero_()
        network.lm_head.weight.zero_()
        for place, token in enumerate(asked):
            network.model.embed_tokens.weight[vocabulary[token], place] = 1.0
            network.lm_head.weight[vocabulary[said[token]], place] = 1.0
            network.model.embed_tokens.weight[vocabulary[said[token]], size - 1] = 1.0
        network.lm_head.weight[vocabulary[END], size - 1] = 1.0
    network.save_pretrained(folder)
