"""``hf:ID-or-path``: any causal language model of Hugging Face Transformers, in this process."""

import os
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lse_gym.envs.errors import ArgumentError, ContextLengthError, ProviderError
from lse_gym.envs.extras import require
from lse_gym.envs.models.base import Request, Response, TaskModel
from lse_gym.envs.models.chat_template import natural_style, opens_thinking, prompt_ids
from lse_gym.envs.models.environment import environment_number
from lse_gym.envs.models.heap import keep_freed_memory
from lse_gym.envs.models.style import STYLES, mark, preferred, split_options, stops, until
from lse_gym.envs.models.thinking import split_thinking
from lse_gym.envs.models.weights import Weights

if TYPE_CHECKING:
    from lse_gym.envs.models.generation import Prompt

MAX_BATCH = 128  # rows generated together, as far as the memory goes
MAX_ALIKE = 64  # of them where prompts have to be of like length
FEW = 8  # rows that share a system message and do better apart from others
SCORED = (
    256  # texts whose log-probabilities are computed together: some, as choices of a question, share all but an end
)
SHORT = 64  # tokens; to compute a prompt so short once for its samples saves less than a larger batch does
ONE_THREAD = 50_000_000  # parameters; on busy cores a second thread makes smaller ones 2 to 40 times slower
STOP_TOKENS = 4  # a character of a stop string has at most so many
DTYPES = ("auto", "float32", "bfloat16", "float16")


@contextmanager
def few_threads(parameters: int, device: str) -> Generator[None]:
    """Compute inside on as many threads as a model of so many parameters is worth.

    Threads that wait for each other spin: on cores that others use too, a small model then takes many times longer.
    """
    import torch

    before, given = torch.get_num_threads(), os.environ.get("LSE_GYM_THREADS")
    small = device == "cpu" and parameters < ONE_THREAD
    wanted = int(environment_number("LSE_GYM_THREADS", 1)) if given else 1 if small else before
    torch.set_num_threads(max(1, wanted))
    try:
        yield
    finally:
        torch.set_num_threads(before)


class HuggingFaceModel(TaskModel):
    """A model of Transformers. Batches share the computation of what their prompts begin with.

    Environment: ``LSE_GYM_DEVICE`` (default ``cuda`` where there is one, else ``cpu``), ``LSE_GYM_DTYPE`` (``auto``,
    ``float32``, ``bfloat16`` or ``float16``; default ``float32`` on a CPU and ``auto`` elsewhere), ``LSE_GYM_BATCH``
    (sequences generated together, default 128), ``LSE_GYM_THREADS`` (threads on a CPU; by default one for a model of
    less than 50 million parameters, else what torch takes).

    Args:
        path: a folder, or the id of a repository on the hub, with ``@REVISION`` where a certain one is meant; or a GGUF
            file, ``FOLDER/FILE.gguf``, ``FOLDER:FILE.gguf`` or ``ID:FILE.gguf``. Behind it ``?style=`` ``chat``,
            ``user`` or ``completion``, see :mod:`lse_gym.envs.models.style`.
        name: of the model, for messages and records; by default ``hf:`` and the path.

    Raises:
        MissingExtraError: torch or transformers is not installed, or for a GGUF file gguf.
        UnknownModelError: there is no such model.
        UnknownNameError: there is no such style.
    """

    def __init__(self, path: str, name: str | None = None):
        require("torch", "hf", "A model of Hugging Face")
        transformers = require("transformers", "hf", "A model of Hugging Face")
        if "TRANSFORMERS_VERBOSITY" not in os.environ:  # its progress bars and advice would cut through ours
            transformers.logging.set_verbosity_error()
            transformers.logging.disable_progress_bar()
        self.path, self.name = path, name or f"hf:{path}"
        self.batch = int(environment_number("LSE_GYM_BATCH", MAX_BATCH))
        self.device = os.environ.get("LSE_GYM_DEVICE") or _default_device()
        self.dtype = os.environ.get("LSE_GYM_DTYPE") or ("float32" if self.device == "cpu" else "auto")
        if self.dtype not in DTYPES:
            raise ArgumentError(f"LSE_GYM_DTYPE={self.dtype!r} is not one of {', '.join(DTYPES)}.")
        place, options = split_options(path, "hf", {"style": STYLES})
        self._style = options.get("style") or preferred(place)
        self.weights = Weights(place, self.name, self.dtype)
        self.revision = f"{self.weights.digest}-{self.dtype}{mark(self._style)}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.name)

    @cached_property
    def _tokenizer_and_config(self) -> tuple[Any, Any]:
        return self.weights.load("AutoTokenizer"), self.weights.load("AutoConfig")

    @cached_property
    def model(self) -> Any:
        """The model, loaded on first use."""
        if self.device == "cpu":
            keep_freed_memory()
        return self.weights.load("AutoModelForCausalLM", dtype=self.dtype).to(self.device).eval()

    def few_threads(self) -> AbstractContextManager[None]:
        """Compute inside on as many threads as the model is worth."""
        return few_threads(sum(p.numel() for p in self.model.parameters()), self.device)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer."""
        return self._tokenizer_and_config[0]

    @property
    def style(self) -> str:
        """How requests become text, see :mod:`lse_gym.envs.models.style`."""
        return self._style or natural_style(self.tokenizer)

    @cached_property
    def _ends(self) -> frozenset[int]:
        ends = self.model.generation_config.eos_token_id
        listed = ends if isinstance(ends, list) else [ends]
        return frozenset(end for end in (*listed, self.tokenizer.eos_token_id) if end is not None)

    @cached_property
    def shares(self) -> bool:
        """Whether rows can attend to one copy of the prefix that they share."""
        from lse_gym.envs.models.shared_prefix import works

        return works(self.model)

    @cached_property
    def ragged(self) -> bool:
        """Whether rows of any length can be written side by side."""
        from lse_gym.envs.models.rows import works

        return works(self.model)

    @cached_property
    def _sizes(self) -> tuple[int, int]:
        """Bytes of the weights, and of what one token leaves in the cache."""
        from lse_gym.envs.models.ragged import slot_bytes

        return sum(p.numel() * p.itemsize for p in self.model.parameters()), slot_bytes(self.model)

    @cached_property
    def _window(self) -> float:
        config = self._tokenizer_and_config[1].get_text_config()
        return getattr(config, "max_position_embeddings", None) or float("inf")

    def prompt_ids(self, request: Request) -> list[int]:
        """The token ids of a request, see :func:`lse_gym.envs.models.chat_template.prompt_ids`."""
        return prompt_ids(self.tokenizer, [request], self.style)[0]

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """Answer the batch, prompts of one system message and of like length together.

        Raises:
            ContextLengthError: a prompt fills the model's window; nothing of the batch was answered.
            ProviderError: the device has too little memory; the error holds what was answered.
        """
        import torch

        prompts = self._prompts(requests)
        written: dict[int, list[int]] = {}
        failure: Exception | None = None
        try:
            self._write(requests, prompts, written)
        except torch.OutOfMemoryError as error:
            failure = error
        answers = {i: self._response(prompts[i], ids) for i, ids in written.items()}
        if failure is not None:
            raise ProviderError(
                f"{self.name!r} does not fit into the memory of {self.device!r} ({failure}). Pass a smaller model or "
                "dtype, or serve it and use openai:.",
                {requests[i]: answer for i, answer in answers.items()},
            ) from failure
        return [answers[i] for i in range(len(requests))]

    def _response(self, prompt: "Prompt", ids: list[int]) -> Response:
        text, thinking = split_thinking(self.text(ids), opens_thinking(self.tokenizer, prompt.ids))
        answer = until(text, prompt.stop)
        reason = "stop" if self.ended(ids) or len(answer) < len(text) else "length"
        thought = len(self.tokenizer(thinking, add_special_tokens=False).input_ids) if thinking else 0
        return Response(answer, len(prompt.ids), len(ids), 0, reason, min(thought, len(ids)))

    def _stopped(self, prompt: "Prompt", ids: list[int]) -> bool:
        """Whether the last tokens of an answer spell one of its stop strings."""
        last = STOP_TOKENS * max(map(len, prompt.stop))
        text = self.tokenizer.decode(ids[-last:], skip_special_tokens=True)
        return any(one in text for one in prompt.stop)

    def write(self, requests: Sequence[Request]) -> list[list[int]]:
        """The token ids of the answers, each with the end token where it came to one: what a learner needs."""
        written: dict[int, list[int]] = {}
        self._write(requests, self._prompts(requests), written)
        return [written[i] for i in range(len(requests))]

    def text(self, ids: Sequence[int]) -> str:
        """The text of an answer's token ids, without its end."""
        return self.tokenizer.decode(ids[:-1] if self.ended(ids) else ids, skip_special_tokens=True)

    def ended(self, ids: Sequence[int]) -> bool:
        """Whether an answer came to its end, and was not cut."""
        return bool(ids) and ids[-1] in self._ends

    def _prompts(self, requests: Sequence[Request]) -> list["Prompt"]:
        from lse_gym.envs.models.generation import Prompt

        prompts = []
        style = self.style
        for request, ids in zip(requests, prompt_ids(self.tokenizer, requests, style), strict=True):
            room = self._window - len(ids)
            if room < 1:
                raise ContextLengthError(
                    f"a prompt has {len(ids)} tokens, the window of {self.name!r} {self._window:.0f}. "
                    "Lower max_chars, feedback_size or max_turns."
                )
            seed = (abs(request.seed), request.sample, int(request.seed < 0))
            most = int(min(request.max_tokens, room))
            prompts.append(Prompt(ids, most, request.temperature, seed, stops(request, style)))
        return prompts

    def _write(self, requests: Sequence[Request], prompts: Sequence["Prompt"], written: dict[int, list[int]]) -> None:
        from lse_gym.envs.models import generation, ragged

        def write(indices: list[int]) -> None:
            asked = [prompts[i] for i in indices]
            if self.ragged:
                rows = ragged.generate(self.model, asked, self._ends, self._stopped)
            else:
                rows = generation.generate(self.model, asked, self._ends, self.shares, self._stopped)
            written.update(zip(indices, rows, strict=True))

        parts: list[list[int]] = []
        for group in self._groups(requests, prompts):
            asked = [prompts[i] for i in group]
            if self.ragged:
                found = ragged.batches(asked, self.batch, *self._sizes, ragged.free_bytes(self.model.device))
            else:
                found = generation.batches(asked, min(self.batch, MAX_ALIKE))
            parts += [[group[i] for i in part] for part in found]
        self._in_parts(parts, [prompt.ids for prompt in prompts], write)

    def _groups(self, requests: Sequence[Request], prompts: Sequence["Prompt"]) -> list[list[int]]:
        """Indices of the requests that share enough to be read as one."""
        groups: dict[Any, list[int]] = {}
        asked: Counter[Any] = Counter(request.system if self.ragged else request[:2] for request in requests)
        for i, request in enumerate(requests):
            if self.ragged:  # a few that share little do better beside others
                key: Any = request.system if asked[request.system] >= FEW else None
            else:  # samples of one prompt share all of it, others the system message
                shared = asked[request[:2]] > 1 and len(prompts[i].ids) > SHORT
                key = request[:2] if shared else (request.system, "")
            groups.setdefault(key, []).append(i)
        return [*groups.values()]

    def _in_parts(
        self, parts: Sequence[list[int]], ids: Sequence[list[int]], work: Callable[[list[int]], None]
    ) -> None:
        """Do some work on each part of what is asked, with packed weights where all that is read is worth it.

        Args:
            parts: indices.
            ids: the prompts that they stand for, as token ids.
            work: what is done to a part, or to halves of it.
        """
        from lse_gym.envs.models.generation import to_read
        from lse_gym.envs.models.packed_weights import packed

        with packed(self.model, sum(to_read([ids[i] for i in part]) for part in parts)):
            for part in parts:
                self._as_fits(part, work)

    def _as_fits(self, indices: list[int], work: Callable[[list[int]], None]) -> None:
        """Do some work, in halves where the memory is too small for all of it at once."""
        import torch

        try:
            with self.few_threads():
                return work(indices)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            if len(indices) == 1:
                raise
        half = len(indices) // 2
        self._as_fits(indices[:half], work)
        return self._as_fits(indices[half:], work)

    def count_tokens(self, text: str) -> int:
        """The tokens of ``text``, and as many as the chat template puts around a message."""
        return len(self.tokenizer(text).input_ids) + self._frame

    @cached_property
    def _frame(self) -> int:
        return len(self.prompt_ids(Request("x", "x")))

    def logprobs_batch(self, asked: Sequence[tuple[Request, str]]) -> list[list[float]]:
        """Log-probability of each token of texts after requests, in nats, without their ends."""
        from lse_gym.envs.models.scoring import logprobs

        each = [*dict.fromkeys(request for request, _ in asked)]
        ids_of = dict(zip(each, prompt_ids(self.tokenizer, each, self.style), strict=True))
        prompts = [ids_of[request] for request, _ in asked]
        texts = [self.tokenizer(text, add_special_tokens=False).input_ids for _, text in asked]
        found: dict[int, list[float]] = {}

        def score(indices: list[int]) -> None:
            told = logprobs(self.model, [(prompts[i], texts[i]) for i in indices], self.shares)
            found.update(zip(indices, told, strict=True))

        groups: dict[str, list[int]] = {}
        for i in sorted(range(len(asked)), key=lambda i: len(prompts[i])):
            groups.setdefault(asked[i][0].system, []).append(i)
        parts = [group[start : start + SCORED] for group in groups.values() for start in range(0, len(group), SCORED)]
        self._in_parts(parts, prompts, score)
        return [found[i] for i in range(len(asked))]

    def logprobs(self, request: Request, completion: str) -> list[float]:
        """Log-probability of each token of ``completion`` after ``request``, in nats, without its end."""
        return self.logprobs_batch([(request, completion)])[0]


def _default_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
