"""``openai:MODEL``: any server that speaks OpenAI's chat-completions protocol.

OpenAI itself, `vllm serve`, `transformers serve`, llama.cpp, and the compatible endpoints of Anthropic and others. The
key and the address come from the environment only: ``OPENAI_API_KEY`` and ``OPENAI_BASE_URL``.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from lse_gym.envs.models.base import Request, Response, TaskModel
from lse_gym.envs.models.chat_api import ChatAPI, environment_number

DEFAULT_URL = "https://api.openai.com/v1"
CONCURRENCY, TIMEOUT_S = 16, 120.0


class OpenAIModel(TaskModel):
    """A model behind a server; the requests of a batch are sent side by side.

    Environment: ``OPENAI_BASE_URL``, ``OPENAI_API_KEY``, ``LSE_GYM_CONCURRENCY`` (requests at a time, default 16),
    ``LSE_GYM_TIMEOUT_S`` (seconds a try, default 120).

    Args:
        model: the model's name on the server.
    """

    def __init__(self, model: str):
        self.model = model
        self.name = f"openai:{model}"
        self.base_url = os.environ.get("OPENAI_BASE_URL", DEFAULT_URL)
        self.revision = self.base_url
        self.concurrency = int(environment_number("LSE_GYM_CONCURRENCY", CONCURRENCY))

    @cached_property
    def _api(self) -> ChatAPI:
        timeout_s = environment_number("LSE_GYM_TIMEOUT_S", TIMEOUT_S)
        return ChatAPI(self.base_url, os.environ.get("OPENAI_API_KEY", ""), timeout_s=timeout_s)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the connections, and never the key."""
        return {name: value for name, value in self.__dict__.items() if name != "_api"}

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """Send the batch, ``concurrency`` requests at a time.

        Raises:
            ProviderError: a request was refused, or never answered.
        """
        with ThreadPoolExecutor(min(self.concurrency, max(1, len(requests)))) as pool:
            return list(pool.map(self._ask, requests))

    def _ask(self, request: Request) -> Response:
        payload: dict[str, Any] = {
            "model": self.model,
            "messages": request.messages,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed * 1_000_003 + request.sample,
        }
        return Response(*self._api.complete(payload))

    def count_tokens(self, text: str) -> int:
        """An upper bound: no tokenizer makes more tokens than there are UTF-8 bytes, and a few frame a message."""
        return len(text.encode("utf-8", "replace")) + 16
