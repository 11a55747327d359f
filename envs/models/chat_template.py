"""A request as a model's tokenizer writes it: one way for every engine that runs in this process."""

from collections.abc import Sequence
from typing import Any

from lse_gym.envs.models.base import Request


def prompt_ids(tokenizer: Any, requests: Sequence[Request]) -> list[list[int]]:
    """The token ids of requests, as the chat template of the model has them.

    Where the template knows no system role, the system message opens the user's; where a model has no template, both
    stand there as plain text.

    Args:
        tokenizer: of Transformers.
        requests: what is asked.
    """
    texts = [prompt_text(tokenizer, request) for request in requests]
    return tokenizer(texts, add_special_tokens=not tokenizer.chat_template).input_ids if texts else []


def prompt_text(tokenizer: Any, request: Request) -> str:
    """The text of a request, up to where the answer begins."""
    if not tokenizer.chat_template:
        turns = (turn.content for turn in request.turns)
        return "".join(f"{text}\n\n" for text in (request.system, request.user, *turns) if text)
    from jinja2 import TemplateError

    def rendered(messages: Sequence[Any]) -> str:
        return tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)

    try:
        return rendered(request.messages)
    except TemplateError:  # a template without a system role
        user = {"role": "user", "content": f"{request.system}\n\n{request.user}"}
        return rendered([user, *request.messages[1 + bool(request.system) :]])


def opens_thinking(tokenizer: Any, ids: Sequence[int]) -> bool:
    """Whether a prompt ends in the tag that thinking begins with, as the templates of some thinking models do."""
    return tokenizer.decode(ids[-4:]).rstrip().endswith("<think>")
