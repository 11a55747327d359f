"""``openai:MODEL``: any server that speaks OpenAI's chat-completions protocol.

OpenAI itself, `vllm serve`, `transformers serve`, llama.cpp, and the compatible endpoints of Anthropic and others. The
key and the address come from the environment only: ``OPENAI_API_KEY`` and ``OPENAI_BASE_URL``.
"""

import asyncio
import json
import logging
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from lse_gym.envs.errors import (
    AuthenticationError,
    DataError,
    NoToolsError,
    ProviderError,
    QuotaError,
    UnavailableError,
    UnknownModelError,
)
from lse_gym.envs.extras import require
from lse_gym.envs.models.base import Message, Request, Response, TaskModel, byte_bound, sampling_seed
from lse_gym.envs.models.chat_api import CHAT, COMPLETIONS, DEADLINE_S, TELL_EVERY_S, ChatAPI, check_url
from lse_gym.envs.models.chat_refusal import SYSTEM, Unsupported
from lse_gym.envs.models.environment import environment_key, environment_number, server_url
from lse_gym.envs.models.native_tools import native_request
from lse_gym.envs.models.style import STYLES, mark, plain, split_options, stops, styled, until
from lse_gym.envs.redaction import public_url

CONCURRENCY, TIMEOUT_S = 16, 120.0
RENAMED = {"max_tokens": "max_completion_tokens"}  # OpenAI's newer models know the second name only
FOR_ALL = (AuthenticationError, NoToolsError, QuotaError, UnavailableError, UnknownModelError)  # others fail alike
NEEDED = {"model", "messages", "prompt", "tools"}  # what no request can go without
MOST_STOPS = 4  # strings that OpenAI takes; an answer is cut at the others here
MOST_FAILURES = 8  # before the first answer: the others would fail alike too

log = logging.getLogger("lse_gym.models")


class OpenAIModel(TaskModel):
    """A model behind a server; the requests of a batch are sent side by side.

    Environment: ``OPENAI_BASE_URL``, ``OPENAI_API_KEY``, ``LSE_GYM_CONCURRENCY`` (requests at a time, default 16),
    ``LSE_GYM_TIMEOUT_S`` (seconds a try, default 120), ``LSE_GYM_DEADLINE_S`` (seconds a request, with all tries and
    the waits that the server asks for, default 600), ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``,
    ``LSE_GYM_PRICES`` (a JSON file: model name to US dollars per million prompt, completion and cached prompt tokens,
    ``{"gpt-5": [1.25, 10.0, 0.125]}``, where cached ones cost as much as others if left out; without the file, calls
    count as free).

    Args:
        model: the model's name on the server; with ``?tools=native`` after it, tools that a prompt shows are sent in
            the server's own form. Their calls are text again before anyone sees them. ``?style=user`` sends one
            message, ``?style=completion`` plain text to the server's ``completions``.

    Raises:
        MissingExtraError: httpx is not installed.
    """

    def __init__(self, model: str):
        require("httpx", "api", "A model behind a server (openai:)")
        self.model, options = split_options(model, "openai", {"tools": ["native"], "style": STYLES})
        self.native_tools, self.style = "tools" in options, options.get("style", "chat")
        self.name = f"openai:{model}"
        self.revision = public_url(server_url()) + mark(self.style)
        self.concurrency = int(environment_number("LSE_GYM_CONCURRENCY", CONCURRENCY))
        self.timeout_s = environment_number("LSE_GYM_TIMEOUT_S", TIMEOUT_S)
        self.deadline_s = environment_number("LSE_GYM_DEADLINE_S", DEADLINE_S)
        self.prices = _prices(self.model)
        self._refused: set[str] = set()  # what the model does not take
        self._warned = False

    @cached_property
    def _api(self) -> ChatAPI:
        key = environment_key("OPENAI_API_KEY")
        if not key and not os.environ.get("OPENAI_BASE_URL"):
            raise AuthenticationError(
                "there is no key: OPENAI_API_KEY is not set. Set it, or OPENAI_BASE_URL to a server that needs none."
            )
        return ChatAPI(
            server_url(),
            key,
            timeout_s=self.timeout_s,
            deadline_s=self.deadline_s,
            connections=self.concurrency,
            endpoint=COMPLETIONS if self.style == "completion" else CHAT,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the connections, and never the key."""
        return {name: value for name, value in self.__dict__.items() if name != "_api"}

    def check(self) -> None:
        """Look at the address; nothing is sent."""
        check_url(server_url())

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """Send the batch, ``concurrency`` requests at a time.

        Raises:
            ProviderError: a request was refused, or never answered; the error holds the answers to the others.
            KeyboardInterrupt: it holds in ``answered`` what was answered before, which is paid for.
        """
        answered: dict[Request, Response] = {}
        try:
            failures = self._api.run(self._ask_all([*dict.fromkeys(requests)], answered))
        except KeyboardInterrupt as stop:
            stop.answered = dict(answered)  # ty: ignore[missing-attribute]
            raise
        self._warn(answered)
        if not failures:
            return [answered[request] for request in requests]
        error = next((failure for failure in failures if isinstance(failure, FOR_ALL)), failures[0])
        missing = sum(request not in answered for request in requests)
        told = f"{missing} of {len(requests)} requests to {self.name!r} got no answer: {error}"
        raise type(error)(told, answered) from None

    async def _ask_all(self, requests: list[Request], answered: dict[Request, Response]) -> list[ProviderError]:
        """Fill ``answered``; what was refused costs its own request only, unless all would be refused alike."""
        waiting = iter(requests)
        failures: list[ProviderError] = []

        async def work() -> None:
            for request in waiting:
                try:
                    answered[request] = await self._ask(request)
                except ProviderError as failure:
                    failures.append(failure)
                hopeless = not answered and len(failures) >= MOST_FAILURES
                if hopeless or any(isinstance(failure, FOR_ALL) for failure in failures):
                    return

        teller = asyncio.ensure_future(self._tell(answered, len(requests)))
        workers = [asyncio.ensure_future(work()) for _ in range(min(self.concurrency, len(requests)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for task in (teller, *workers):
                task.cancel()
            await asyncio.gather(teller, *workers, return_exceptions=True)
        return failures

    async def _tell(self, answered: dict[Request, Response], total: int) -> None:
        seconds = 0.0
        while True:
            before = len(answered)
            await asyncio.sleep(TELL_EVERY_S)
            seconds += TELL_EVERY_S
            if len(answered) == before:
                log.info("waiting for %s, %.0f s: %d of %d answered", self._api.url, seconds, before, total)

    async def _ask(self, request: Request) -> Response:
        stop = stops(request, self.style)
        values = {
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": sampling_seed(request),
            **({"stop": [*stop[:MOST_STOPS]]} if stop else {}),
        }
        while True:
            payload: dict[str, Any] = {"model": self.model, **self._asked(request)}
            for name, value in values.items():
                known = name if name not in self._refused else RENAMED.get(name)
                if known and known not in self._refused:
                    payload[known] = value
            try:
                response = await self._api.complete(payload)
                return response._replace(text=until(response.text, stop)) if stop else response
            except Unsupported as refusal:
                there = (
                    payload.get("messages", [{"role": ""}])[0]["role"] == "system"
                    if refusal.parameter == SYSTEM
                    else refusal.parameter in payload.keys() - NEEDED
                )
                if not there:
                    told = f"{self.name!r} does not take {refusal.parameter!r} ({refusal})"
                    raise ProviderError(f"{self._api.url} refused a request: {told}.") from None
                if refusal.parameter not in self._refused:
                    log.info("%s does not take %s and is asked without: %s", self.name, refusal.parameter, refusal)
                self._refused.add(refusal.parameter)

    def _asked(self, request: Request) -> dict[str, Any]:
        if self.style == "completion":
            return {"prompt": plain(request)}
        if self.style == "user":
            return {"messages": styled(request, self.style)}
        asked = native_request(request) if self.native_tools else {"messages": request.messages}
        if SYSTEM not in self._refused or not request.system:
            return asked
        system, user, *turns = asked["messages"]
        opening: Message = {"role": "user", "content": f"{system['content']}\n\n{user['content']}"}
        return asked | {"messages": [opening, *turns]}

    def _warn(self, answered: dict[Request, Response]) -> None:
        """Tell once that a whole batch came back empty, as it does when all tokens go into thinking."""
        if self._warned or not answered or any(response.text.strip() for response in answered.values()):
            return
        self._warned = True
        reasons = sorted({response.finish_reason or "not told" for response in answered.values()})
        mend = "; raise --max-tokens (for an editor --max-edit-tokens)" if "length" in reasons else ""
        empty = f"{len(answered)} of {len(answered)} answers"
        log.warning("%s of %s are empty, finish_reason %s%s", empty, self.name, ", ".join(reasons), mend)

    def count_tokens(self, text: str) -> int:
        """An upper bound: no tokenizer makes more tokens than there are UTF-8 bytes, and a few frame a message."""
        return byte_bound(text)

    def price(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """US dollars by the price table."""
        prompt, completion, cached = self.prices
        fresh = prompt_tokens - cached_tokens
        return (fresh * prompt + completion_tokens * completion + cached_tokens * cached) / 1e6


def _prices(model: str) -> tuple[float, float, float]:
    path = os.environ.get("LSE_GYM_PRICES")
    if not path:
        return 0.0, 0.0, 0.0
    try:
        prompt, completion, *cached = json.loads(Path(path).read_text(encoding="utf-8"))[model]
        (last,) = cached or [prompt]
        prices = float(prompt), float(completion), float(last)
        if min(prices) < 0:
            raise ValueError("a negative price")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"LSE_GYM_PRICES={path!r} has no prices of {model!r} ({type(error).__name__}: {error}). "
            f'Write {{"{model}": [PROMPT, COMPLETION, CACHED]}}, in dollars per million tokens; CACHED may be left out.'
        ) from None
    return prices
