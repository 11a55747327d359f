"""How a request becomes the text that a model reads, and the options behind a model's name that say so.

``chat``: the system message, with the context in it, and the question as a message each, by the model's chat template.
``user``: all of it as one message of the user, the cue at its end; for models that pay no heed to a system message.
``completion``: plain text that the model goes on with, without any template; for base models and small ones.

In the last two an answer ends before the first of the request's ``stop``.
"""

import re
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl

from lse_gym.envs.errors import unknown
from lse_gym.envs.models.base import Message, Request

STYLES = ("chat", "user", "completion")
# What a model is known to answer best to, by its id or its file. Measured on AG News, see the README of the models.
PREFERRED = ((re.compile(r"smollm2?-(135|360)m", re.IGNORECASE), "completion"),)


def split_options(name: str, backend: str, known: Mapping[str, Collection[str]]) -> tuple[str, dict[str, str]]:
    """What stands before and behind the question mark of ``MODEL?style=completion&…``.

    Args:
        name: as it was given.
        backend: which model it is of, for messages.
        known: the options, and the values of each.

    Raises:
        UnknownNameError: there is no such option, or no such value.
    """
    model, _, behind = name.partition("?")
    options = [f"{option}={value}" for option, values in known.items() for value in values]
    given = dict(parse_qsl(behind, keep_blank_values=True))
    for option in behind.split("&") if behind else ():
        if option not in options:
            raise unknown(f"option of {backend}:", option, options, f"Pass e.g. '{backend}:{model}?{options[0]}'.")
    return model, given


def preferred(name: str) -> str | None:
    """The style that a model is known to answer best to; None where nothing is known of it.

    >>> preferred("HuggingFaceTB/SmolLM2-135M-Instruct"), preferred("Qwen/Qwen3-4B")
    ('completion', None)
    """
    return next((style for pattern, style in PREFERRED if pattern.search(name)), None)


def mark(style: str | None) -> str:
    """What a revision has at its end for a style: nothing for the one that all models had at first."""
    return f"-{style}" if style and style != "chat" else ""


def styled(request: Request, style: str) -> list[Message]:
    """The messages of a request, in the style ``chat`` or ``user``."""
    if style == "chat":
        return request.messages
    asked = "\n".join(filter(None, (request.user, request.cue)))
    opening = "\n\n".join(filter(None, (request.system, asked)))
    return request._replace(system="", user=opening).messages


def plain(request: Request) -> str:
    """A request as text, up to where the answer begins: right behind the cue, else after a blank line."""
    turns = (turn.content for turn in request.turns)
    text = "\n\n".join(filter(None, (request.system, request.user, *turns)))
    return f"{text}\n{request.cue}" if request.cue else f"{text}\n\n" if text else ""


def stops(request: Request, style: str) -> tuple[str, ...]:
    """What ends the answer to a request, besides the model itself."""
    return () if style == "chat" else request.stop


def until(text: str, stop: Collection[str]) -> str:
    """``text`` before the first of ``stop``.

    >>> until("World. Sports.", [". ", "W"]), until("World", [","])
    ('', 'World')
    """
    return text[: min((found for one in stop if (found := text.find(one)) >= 0), default=len(text))]
