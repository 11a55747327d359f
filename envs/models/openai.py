"""``openai:MODEL``: any server that speaks OpenAI's chat-completions protocol.

OpenAI itself, `vllm serve`, `transformers serve`, llama.cpp, and the compatible endpoints of Anthropic and others. The
key and the address come from the environment only: ``OPENAI_API_KEY`` and ``OPENAI_BASE_URL``.
"""

import json
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from lse_gym.envs.errors import DataError, ProviderError
from lse_gym.envs.models.base import Request, Response, TaskModel, byte_bound
from lse_gym.envs.models.chat_api import ChatAPI, Unsupported, environment_number

DEFAULT_URL = "https://api.openai.com/v1"
CONCURRENCY, TIMEOUT_S = 16, 120.0
RENAMED = {"max_tokens": "max_completion_tokens"}  # OpenAI's newer models know the second name only


class OpenAIModel(TaskModel):
    """A model behind a server; the requests of a batch are sent side by side.

    Environment: ``OPENAI_BASE_URL``, ``OPENAI_API_KEY``, ``LSE_GYM_CONCURRENCY`` (requests at a time, default 16),
    ``LSE_GYM_TIMEOUT_S`` (seconds a try, default 120), ``LSE_GYM_PRICES`` (a JSON file: model name to US dollars per
    million prompt, completion and cached prompt tokens, ``{"gpt-5": [1.25, 10.0, 0.125]}``, where cached ones cost as
    much as others if left out; without the file, calls count as free).

    Args:
        model: the model's name on the server.
    """

    def __init__(self, model: str):
        self.model = model
        self.name = f"openai:{model}"
        self.base_url = os.environ.get("OPENAI_BASE_URL", DEFAULT_URL)
        self.revision = self.base_url
        self.concurrency = int(environment_number("LSE_GYM_CONCURRENCY", CONCURRENCY))
        self.timeout_s = environment_number("LSE_GYM_TIMEOUT_S", TIMEOUT_S)
        self.prices = _prices(model)
        self._refused: set[str] = set()  # parameters that the model does not take

    @cached_property
    def _api(self) -> ChatAPI:
        return ChatAPI(self.base_url, os.environ.get("OPENAI_API_KEY", ""), timeout_s=self.timeout_s)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the connections, and never the key."""
        return {name: value for name, value in self.__dict__.items() if name != "_api"}

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """Send the batch, ``concurrency`` requests at a time.

        Raises:
            ProviderError: a request was refused, or never answered; the error holds the answers to the others.
        """
        with ThreadPoolExecutor(min(self.concurrency, max(1, len(requests)))) as pool:
            futures = [pool.submit(self._ask, request) for request in requests]
            failed = next((f for f in futures if not f.cancelled() and f.exception()), None)
            if failed is not None:
                for future in futures:
                    future.cancel()  # what has not been sent yet would fail alike
        if failed is None:
            return [future.result() for future in futures]
        answered = {r: f.result() for r, f in zip(requests, futures, strict=True) if _succeeded(f)}
        error = failed.exception()
        if not isinstance(error, ProviderError):
            raise error or RuntimeError("a future without result or exception")
        told = f"{len(requests) - len(answered)} of {len(requests)} requests to {self.name!r} got no answer: {error}"
        raise type(error)(told, answered) from None

    def _ask(self, request: Request) -> Response:
        values = {
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed * 1_000_003 + request.sample,
        }
        while True:
            payload: dict[str, Any] = {"model": self.model, "messages": request.messages}
            for name, value in values.items():
                known = name if name not in self._refused else RENAMED.get(name)
                if known and known not in self._refused:
                    payload[known] = value
            try:
                return self._api.complete(payload)
            except Unsupported as refusal:
                if refusal.parameter not in payload:
                    raise ProviderError(f"{self.name!r} does not take {refusal.parameter!r}.") from None
                self._refused.add(refusal.parameter)

    def count_tokens(self, text: str) -> int:
        """An upper bound: no tokenizer makes more tokens than there are UTF-8 bytes, and a few frame a message."""
        return byte_bound(text)

    def price(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """US dollars by the price table."""
        prompt, completion, cached = self.prices
        fresh = prompt_tokens - cached_tokens
        return (fresh * prompt + completion_tokens * completion + cached_tokens * cached) / 1e6


def _succeeded(future: "Future[Response]") -> bool:
    return not future.cancelled() and future.exception() is None


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
