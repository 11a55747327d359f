"""A language model that follows a script: a transformer whose only skill is to answer one token with another.

Its chat template reads the messages, whatever form tools have in them, and ends the prompt with a token for what there
is to say; the weights answer it with the token that is the whole text, and that with the end. So a real server, with
its own template, tokenizer, generation and parser of calls, says what a test expects.
"""

import json
from functools import partial

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

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
    vocabulary = {token: index for index, token in enumerate(["<unk>", END, *said, *dict.fromkeys(said.values())])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([END, *said])
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"unk_token": "<unk>", "eos_token": END, "pad_token": END}
    write(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **names})
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    size, end = len(said) + 2 - len(said) % 2, vocabulary[END]  # one number a token, and one for the end
    sizes = {"vocab_size": len(vocabulary), "hidden_size": size, "intermediate_size": 2, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 1, "num_key_value_heads": 1, "tie_word_embeddings": False}
    ends = {"eos_token_id": end, "pad_token_id": end}
    kind = {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "dtype": "float32"}
    write(folder / "config.json", kind | sizes | heads | ends)
    write(folder / "generation_config.json", ends)
    save_file(weights(said, vocabulary, size), folder / "model.safetensors", {"format": "pt"})


def weights(said, vocabulary, size):
    """All zero but for embedding and head, so what stands in the stream is the last token alone."""
    layer, zeros = "model.layers.0", partial(np.zeros, dtype=np.float32)
    embedding, head = zeros((len(vocabulary), size)), zeros((len(vocabulary), size))
    for place, (token, text) in enumerate(said.items()):
        embedding[vocabulary[token], place] = head[vocabulary[text], place] = 1.0
        embedding[vocabulary[text], size - 1] = 1.0
    head[vocabulary[END], size - 1] = 1.0
    square = {f"{layer}.self_attn.{name}_proj.weight": zeros((size, size)) for name in "qkvo"}
    biases = {f"{layer}.self_attn.{name}_proj.bias": zeros(size) for name in "qkv"}
    wide = {f"{layer}.mlp.{name}_proj.weight": zeros((2, size)) for name in ("gate", "up")}
    norms = ("model.norm", f"{layer}.input_layernorm", f"{layer}.post_attention_layernorm")
    return {
        "model.embed_tokens.weight": embedding,
        "lm_head.weight": head,
        f"{layer}.mlp.down_proj.weight": zeros((size, 2)),
        **square,
        **biases,
        **wide,
        **{f"{name}.weight": np.ones(size, np.float32) for name in norms},
    }


def write(path, value):
    path.write_text(json.dumps(value))
