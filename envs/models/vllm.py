"""``vllm:ID-or-path``: vLLM's engine in this process, one offline batch for every batch of requests."""

import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from lse_gym.envs.errors import ContextLengthError, UnknownModelError
from lse_gym.envs.extras import require
from lse_gym.envs.models.base import Request, Response, TaskModel, sampling_seed
from lse_gym.envs.models.chat_template import natural_style, opens_thinking, prompt_ids
from lse_gym.envs.models.environment import environment_number
from lse_gym.envs.models.style import STYLES, mark, preferred, split_options, stops, until
from lse_gym.envs.models.thinking import split_thinking
from lse_gym.envs.models.weights import Weights


class VLLMModel(TaskModel):
    """A model in vLLM with prefix caching: what prompts begin with is computed once, across batches too.

    Environment: ``LSE_GYM_TENSOR_PARALLEL`` (GPUs that share the model, default 1), ``LSE_GYM_DTYPE`` (default
    ``auto``), ``LSE_GYM_WINDOW`` (longest prompt and answer together, in tokens; default: what the model has).

    Args:
        path: a folder, or the id of a repository on the hub, with ``@REVISION`` where a certain one is meant; GGUF
            files and ``?style=`` as for ``hf:``.

    Raises:
        MissingExtraError: vLLM is not installed.
    """

    def __init__(self, path: str):
        self._vllm = require("vllm", "vllm", "A model in vLLM")
        self.path, self.name = path, f"vllm:{path}"
        self.dtype = os.environ.get("LSE_GYM_DTYPE") or "auto"
        self.parallel = int(environment_number("LSE_GYM_TENSOR_PARALLEL", 1))
        place, options = split_options(path, "vllm", {"style": STYLES})
        self._style = options.get("style") or preferred(place)
        self.weights = Weights(place, self.name, self.dtype)
        digest = self.weights.local_digest or place
        self.revision = f"{digest}-{self.dtype}-vllm-{self._vllm.__version__}{mark(self._style)}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path,)

    @cached_property
    def engine(self) -> Any:
        """The engine, started on first use."""
        path, revision = self.weights.place
        options: dict[str, Any] = {"revision": revision} if revision else {}
        if os.environ.get("LSE_GYM_WINDOW"):
            options["max_model_len"] = int(environment_number("LSE_GYM_WINDOW", 1))
        try:
            return self._vllm.LLM(
                model=path,
                dtype=self.dtype,
                tensor_parallel_size=self.parallel,
                enable_prefix_caching=True,
                disable_log_stats=True,
                seed=0,
                **options,
            )
        except (OSError, ValueError) as error:
            told = str(error).strip().splitlines() or [type(error).__name__]
            raise UnknownModelError(f"vLLM cannot load {path!r} ({told[0]}). Pass a folder or a hub id.") from error

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """Answer the batch in one call of the engine.

        Raises:
            ContextLengthError: a prompt is longer than the window; nothing of the batch was answered.
        """
        stop = [stops(request, self.style) for request in requests]
        sampling = [
            self._vllm.SamplingParams(
                max_tokens=r.max_tokens,
                temperature=r.temperature,
                seed=sampling_seed(r),
                **({"stop": [*ends]} if ends else {}),
            )
            for r, ends in zip(requests, stop, strict=True)
        ]
        outputs = self._generate(prompt_ids(self.engine.get_tokenizer(), requests, self.style), sampling)
        return [self._response(output, ends) for output, ends in zip(outputs, stop, strict=True)]

    @property
    def style(self) -> str:
        """How requests become text, see :mod:`lse_gym.envs.models.style`."""
        return self._style or natural_style(self.engine.get_tokenizer())

    def _generate(self, prompts: Sequence[list[int]], sampling: Any) -> list[Any]:
        if not prompts:
            return []
        try:
            return self.engine.generate([{"prompt_token_ids": ids} for ids in prompts], sampling, use_tqdm=False)
        except ValueError as error:
            if not any(word in str(error) for word in ("max_model_len", "maximum model length", "context length")):
                raise
            raise ContextLengthError(
                f"a prompt is too long for {self.name!r} ({error}). Lower max_chars, feedback_size or max_turns."
            ) from error

    def _response(self, output: Any, stop: Sequence[str]) -> Response:
        (answer, *_), prompt = output.outputs, output.prompt_token_ids
        text, thinking = split_thinking(answer.text, opens_thinking(self.engine.get_tokenizer(), prompt))
        written, cached = len(answer.token_ids), int(output.num_cached_tokens or 0)
        thought = -(-written * len(thinking) // len(answer.text)) if thinking else 0
        return Response(until(text, stop), len(prompt), written, cached, str(answer.finish_reason or ""), thought)

    def count_tokens(self, text: str) -> int:
        """The tokens of ``text``, and as many as the chat template puts around a message."""
        return len(self.engine.get_tokenizer()(text).input_ids) + self._frame

    @cached_property
    def _frame(self) -> int:
        return len(prompt_ids(self.engine.get_tokenizer(), [Request("x", "x")], self.style)[0])

    def logprobs_batch(self, asked: Sequence[tuple[Request, str]]) -> list[list[float]]:
        """Log-probability of each token of texts after requests, in nats, without their ends."""
        tokenizer = self.engine.get_tokenizer()
        prompts = prompt_ids(tokenizer, [request for request, _ in asked], self.style)
        texts = [tokenizer(text, add_special_tokens=False).input_ids for _, text in asked]
        sampling = self._vllm.SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0)
        outputs = self._generate([prompt + text for prompt, text in zip(prompts, texts, strict=True)], sampling)
        found = []
        for prompt, text, output in zip(prompts, texts, outputs, strict=True):
            told = output.prompt_logprobs[len(prompt) :]
            found.append([options[token].logprob for token, options in zip(text, told, strict=True)])
        return found

    def logprobs(self, request: Request, completion: str) -> list[float]:
        """Log-probability of each token of ``completion`` after ``request``, in nats, without its end."""
        return self.logprobs_batch([(request, completion)])[0]
