"""A request as a model's tokenizer writes it: one way for every engine that runs in this process."""

from collections.abc import Sequence
from typing import Any

from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.style import plain, styled


def natural_style(tokenizer: Any) -> str:
    """The style of a model that nothing is said of: ``chat`` where it has a template, else ``completion``."""
    return "chat" if tokenizer.chat_template else "completion"


def prompt_ids(tokenizer: Any, requests: Sequence[Request], style: str | None = None) -> list[list[int]]:
    """The token ids of requests.

    Args:
        tokenizer: of Transformers.
        requests: what is asked.
        style: see :mod:`lse_gym.envs.models.style`; None for the one that is natural to the model.

    Raises:
        ArgumentError: the style needs a chat template, and the model has none.
    """
    style = style or natural_style(tokenizer)
    texts = [prompt_text(tokenizer, request, style) for request in requests]
    return tokenizer(texts, add_special_tokens=style == "completion").input_ids if texts else []


def prompt_text(tokenizer: Any, request: Request, style: str) -> str:
    """The text of a request, up to where the answer begins. A system message opens the user's where none is known."""
    if style == "completion":
        return plain(request)
    if not tokenizer.chat_template:
        raise ArgumentError(f"style={style} needs a chat template, and the model has none. Pass ?style=completion.")
    from jinja2 import TemplateError

    def rendered(messages: Sequence[Any]) -> str:
        return tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)

    messages = styled(request, style)
    try:
        return rendered(messages)
    except TemplateError:  # a template without a system role
        if messages[0]["role"] != "system":
            raise
        system, user, *turns = messages
        return rendered([{"role": "user", "content": f"{system['content']}\n\n{user['content']}"}, *turns])


def opens_thinking(tokenizer: Any, ids: Sequence[int]) -> bool:
    """Whether a prompt ends in the tag that thinking begins with, as the templates of some thinking models do."""
    return tokenizer.decode(ids[-4:]).rstrip().endswith("<think>")
