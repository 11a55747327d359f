"""The tokenizer of ``nano``: byte-level BPE that spells a word alike wherever it stands.

A word never shares a token with the space or sign before it, so a name in a question has the tokens that it has in the
schema and in a rule. What stands between names (signs, SQL keywords, the common words of questions) is merged freely.
"""

from collections.abc import Iterable

from lse_gym.envs.extras import needs

with needs("hf", "The tokenizer of nano"):
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

VOCABULARY = 2048
PAD, START, END = "<|pad|>", "<|im_start|>", "<|im_end|>"
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_COMMON = (
    "SELECT|COUNT|AVG|SUM|MAX|FROM|JOIN|ON|WHERE|AND|GROUP|ORDER|BY|DESC|LIMIT|IS|NULL|CREATE|TABLE|INTEGER|PRIMARY|KEY"
    "|TEXT|FOREIGN|REFERENCES|strftime|substr|unixepoch|answer|means|The|year|of|is|Always|require|When|using|keep"
    "|only|Join|to|through|Question|How|many|are|there|Count|the|What|number|List|all|average|Give|mean|for|total|Add"
    "|up|highest|among|maximum|Which|has|For|each|per|in|with|a|above|by|at|from|on|who"
    "|Problem|problems|right|wrong|Model|s|SQL|Error|statement|runs|but|its|result|not|one|Correct|add|remove|prompt"
)
_BETWEEN = rf"(?:[^A-Za-z0-9]|(?<=_)id(?![A-Za-z0-9_])|(?<![A-Za-z0-9_-])(?:{_COMMON})(?![A-Za-z0-9_-]))+"
SPLIT = rf"{_BETWEEN}|[0-9]|[A-Z]?[a-z]+|[A-Z]+"


def split_around(words: Iterable[str]) -> str:
    """The pattern of pieces that merge inside: ``words`` with the signs beside them in a line; a plural is in two."""
    common = "|".join(sorted(words, key=lambda word: (-len(word), word)))
    plural = "(?<=[a-z]{3})s(?![A-Za-z0-9])"
    between = rf"(?:[^A-Za-z0-9\n]|{plural}|(?<![A-Za-z0-9])(?:{common})(?![A-Za-z0-9]))+"
    return rf"\n|{between}|[0-9]|[A-Z]?[a-z]{{3,}}?(?=s?(?![a-z]))|[A-Z]?[a-z]+|[A-Z]+"


def train_tokenizer(texts: Iterable[str], split: str = SPLIT) -> PreTrainedTokenizerFast:
    """Learn the merges inside the pieces of ``texts``; every byte is a token, so any text can be encoded."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(split), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=4096,
        padding_side="left",
    )


def chat_parts(system: str, user: str, answer: str) -> tuple[str, str, str]:
    """The chat template in three parts: what all turns share, what a turn asks, what it answers."""
    asked = f"{START}user\n{user}{END}\n"
    shared, asked = (f"{START}system\n{system}{END}\n", asked) if system else (asked, "")
    return shared, f"{asked}{START}assistant\n", f"{answer}{END}"
