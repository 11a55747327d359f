"""A chat completion as a response: text, thinking and token counts, of which none is believed before it is checked."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lse_gym.envs.models.base import Response
from lse_gym.envs.models.native_tools import with_calls
from lse_gym.envs.models.thinking import split_thinking
from lse_gym.envs.redaction import redact_known
from lse_gym.envs.text import UNPRINTABLE

MAX_TEXT_CHARS = 2**18  # of an answer: the rest is cut off, and the answer counts as cut
MAX_TOKENS = 10**8  # of one answer: a larger count is a mistake
BYTES_PER_TOKEN = 3  # fewer than most tokenizers have in any language, so that an estimate is rather too high
EVENTS = (b"data:", b"event:", b":")  # how a stream begins; no JSON does
THOUGHTS = ("reasoning_content", "reasoning", "thinking")


class Malformed(Exception):  # noqa: N818 - not an error of ours yet
    """A body that is no chat completion."""


class Refused(Exception):  # noqa: N818 - not an error of ours yet
    """An error that came with the status of an answer; ``status`` is the one that it names."""

    def __init__(self, status: int):
        super().__init__(status)
        self.status = status


def read_reply(data: bytes, prompt: str) -> Response:
    """Read the body of an answer.

    What a model thought, in tags or in a field of its own, is no part of the text. Tokens that the server does not
    count, or counts in numbers that cannot be, are estimated from the bytes. Further choices are ignored; a completion
    without any choice or any content is an empty answer. A stream that nobody asked for is joined. Calls of tools are
    text, also where no tools were sent: some servers find calls in the text by themselves.

    Args:
        data: the body.
        prompt: what was asked, to estimate its tokens from.

    Raises:
        Malformed: it is no chat completion.
        Refused: it is an error.
    """
    try:
        body: Any = _stream(data) if data.lstrip().startswith(EVENTS) else json.loads(data, parse_int=_int)
        error, choices = body.get("error"), body.get("choices")
        if error and not choices:
            raise Refused(_status(error))
        if not choices and _count(body["usage"]["prompt_tokens"]):  # a filter took the answer, which is paid for
            choices = [{"message": {"role": "assistant"}}]
        choice = dict(choices[0])
        if error := choice.get("error"):  # of a provider behind a router
            raise Refused(_status(error))
        message = choice["message"] if "message" in choice else {"content": choice["text"]}  # of plain completions
        reason = choice.get("finish_reason")
        if "content" not in message and "role" not in message:
            raise LookupError("content")
        written, thoughts = _text(message.get("content"), message)
        written = with_calls(written, message)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Malformed("the answer is not a chat completion") from None
    text, in_text = split_thinking(written[:MAX_TEXT_CHARS])
    cut = len(written) > MAX_TEXT_CHARS
    reason = "length" if cut else UNPRINTABLE.sub("", reason)[:40] if isinstance(reason, str) else ""
    tokens, estimated = _tokens(body.get("usage"), prompt, written, thoughts)
    thought = _thinking_tokens(body.get("usage"), tokens[1], len(thoughts) + len(in_text), len(text))
    return Response(redact_known(text), *tokens, redact_known(reason), thought, estimated)


def _status(error: Any) -> int:
    """The HTTP status that an error names, as a number or in digits; 502 where it names none."""
    code = error.get("code") if isinstance(error, Mapping) else None
    code = int(code) if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 3 else code
    return code if isinstance(code, int) and 400 <= code < 600 else 502


def _stream(data: bytes) -> dict[str, Any]:
    """Server-sent events as one completion: the deltas joined, and the usage, which comes last if at all."""
    said: dict[str, list[str]] = {}
    choice: dict[str, Any] = {}
    body: dict[str, Any] = {}
    calls: dict[int, dict[str, str]] = {}
    done = False
    for line in data.splitlines():
        event = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or event == b"[DONE]":
            done = done or event == b"[DONE]"
            continue
        chunk = json.loads(event, parse_int=_int)
        body |= {name: chunk[name] for name in ("usage", "error") if chunk.get(name)}
        for part in chunk.get("choices") or ():
            if part.get("index", 0) == 0:
                choice |= {name: part[name] for name in ("finish_reason", "error") if part.get(name)}
                delta = part.get("delta") or {}
                _add_calls(calls, delta.get("tool_calls") or ())
                for name in ("content", *THOUGHTS):
                    said.setdefault(name, []).append(delta.get(name) or "")
    if said and not (done or choice):
        raise ValueError("the stream was cut")
    message: dict[str, Any] = {"role": "assistant"}
    message |= {name: "".join(parts) for name, parts in said.items() if any(parts)}
    message |= {"tool_calls": [{"function": calls[index]} for index in sorted(calls)]} if calls else {}
    return body | ({"choices": [choice | {"message": message}]} if said else {})


def _add_calls(calls: dict[int, dict[str, str]], pieces: Sequence[Any]) -> None:
    """Join the pieces of calls in a stream: a name comes whole, arguments bit by bit."""
    for piece in pieces:
        call = calls.setdefault(piece.get("index", 0), {"name": "", "arguments": ""})
        for name, text in (piece.get("function") or {}).items():
            if name in call and text:
                call[name] += text


def _text(content: Any, message: Mapping[str, Any]) -> tuple[str, str]:
    """What was written, its parts joined, and what was thought apart from it."""
    thoughts = [message[name] for name in THOUGHTS if isinstance(message.get(name), str)][:1]
    if content is None or isinstance(content, str):
        return content or "", "".join(thoughts)
    parts = [content] if isinstance(content, Mapping) else content
    parts = [{"text": part} if isinstance(part, str) else part for part in parts]
    is_text = [part.get("type", "text") in ("text", "output_text") for part in parts]
    texts = [part["text"] for part, said in zip(parts, is_text, strict=True) if said]
    thoughts += [json.dumps(part) for part, said in zip(parts, is_text, strict=True) if not said]
    return "".join(texts), "".join(thoughts)


def _tokens(usage: Any, prompt: str, written: str, thoughts: str) -> tuple[tuple[int, int, int], bool]:
    """Prompt, completion and cached tokens, and whether they are estimated."""
    usage = usage if isinstance(usage, Mapping) else {}
    asked, answered = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    estimated = asked is None or answered is None
    asked = estimate(prompt) if asked is None else asked
    answered = estimate(written + thoughts) if answered is None else answered
    total = _count(usage.get("total_tokens"))
    if total is not None and not estimated:  # some servers count the thinking in the total alone
        answered = max(answered, total - asked)
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, Mapping) else None
    return (asked, answered, cached if cached is not None and cached <= asked else 0), estimated


def _thinking_tokens(usage: Any, completion: int, thought_chars: int, text_chars: int) -> int:
    """Tokens of the thinking: the server's count, else the share of the characters."""
    details = usage.get("completion_tokens_details") if isinstance(usage, Mapping) else None
    counted = _count(details.get("reasoning_tokens")) if isinstance(details, Mapping) else None
    if counted is not None and (counted or not thought_chars):
        return min(counted, completion)
    return -(-completion * thought_chars // max(1, thought_chars + text_chars))


def _count(value: Any) -> int | None:
    """A token count, or None for what cannot be one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MAX_TOKENS:
        return None
    return int(value)


def _int(digits: str) -> float:
    return int(digits) if len(digits) < 20 else float("inf")


def estimate(text: str) -> int:
    """Tokens of ``text`` where nobody counts them: one per three bytes, rounded up."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def asked_text(payload: Mapping[str, Any]) -> str:
    """All that a request asks, to estimate its tokens from where nobody counts them."""
    if "prompt" in payload:
        return payload["prompt"]
    others = [payload.get("tools"), *(message.get("tool_calls") for message in payload["messages"])]
    said = (message["content"] for message in payload["messages"])
    return "".join([*said, *(json.dumps(other) for other in others if other)])
