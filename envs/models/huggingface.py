"""``hf:ID-or-path``: any causal language model of Hugging Face Transformers, in this process."""

import os
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lse_gym.envs.errors import ArgumentError, ContextLengthError, ProviderError, UnknownModelError
from lse_gym.envs.extras import require
from lse_gym.envs.models.base import Request, Response, TaskModel
from lse_gym.envs.models.chat_template import opens_thinking, prompt_ids
from lse_gym.envs.models.environment import environment_number
from lse_gym.envs.models.thinking import split_thinking

if TYPE_CHECKING:
    from lse_gym.envs.models.generation import Prompt

MAX_BATCH = 64  # rows generated together
SHORT = 64  # tokens; to compute a prompt so short once for its samples saves less than a larger batch does
ONE_THREAD = 50_000_000  # parameters; on busy cores a second thread makes smaller ones 2 to 40 times slower
MAX_HASHED_BYTES = 2**28  # larger weights are told apart by size and time
DTYPES = ("auto", "float32", "bfloat16", "float16")


class HuggingFaceModel(TaskModel):
    """A model of Transformers. Batches share the computation of what their prompts begin with.

    Environment: ``LSE_GYM_DEVICE`` (default ``cuda`` where there is one, else ``cpu``), ``LSE_GYM_DTYPE`` (``auto``,
    ``float32``, ``bfloat16`` or ``float16``; default ``float32`` on a CPU and ``auto`` elsewhere), ``LSE_GYM_BATCH``
    (sequences generated together, default 64), ``LSE_GYM_THREADS`` (threads on a CPU; by default one for a model of
    less than 50 million parameters, else what torch takes).

    Args:
        path: a folder, or the id of a repository on the hub, with ``@REVISION`` where a certain one is meant.
        name: of the model, for messages and records; by default ``hf:`` and the path.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        UnknownModelError: there is no such model.
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
        digest = fingerprint(path) or getattr(self._tokenizer_and_config[1], "_commit_hash", None) or path
        self.revision = f"{digest}-{self.dtype}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.name)

    def _load(self, kind: str, **options: Any) -> Any:
        import transformers

        path, revision = split_revision(self.path)
        options |= {"revision": revision} if revision else {}
        try:
            return getattr(transformers, kind).from_pretrained(path, **options)
        except (OSError, ValueError, KeyError) as error:
            raise UnknownModelError(
                f"{self.name!r} cannot be loaded ({str(error).strip().splitlines()[0]}). Pass the folder of a model "
                "saved by Transformers, or a hub id such as hf:Qwen/Qwen3-4B-Instruct-2507."
            ) from error

    @cached_property
    def _tokenizer_and_config(self) -> tuple[Any, Any]:
        return self._load("AutoTokenizer"), self._load("AutoConfig")

    @cached_property
    def model(self) -> Any:
        """The model, loaded on first use."""
        return self._load("AutoModelForCausalLM", dtype=self.dtype).to(self.device).eval()

    @contextmanager
    def few_threads(self) -> Generator[None]:
        """Compute inside on as many threads as the model is worth.

        Threads that wait for each other spin: on cores that others use too, a small model then takes many times longer.
        """
        import torch

        before, given = torch.get_num_threads(), os.environ.get("LSE_GYM_THREADS")
        small = self.device == "cpu" and sum(p.numel() for p in self.model.parameters()) < ONE_THREAD
        wanted = int(environment_number("LSE_GYM_THREADS", 1)) if given else 1 if small else before
        torch.set_num_threads(max(1, wanted))
        try:
            yield
        finally:
            torch.set_num_threads(before)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer."""
        return self._tokenizer_and_config[0]

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
    def _window(self) -> float:
        config = self._tokenizer_and_config[1].get_text_config()
        return getattr(config, "max_position_embeddings", None) or float("inf")

    def prompt_ids(self, request: Request) -> list[int]:
        """The token ids of a request, see :func:`lse_gym.envs.models.chat_template.prompt_ids`."""
        return prompt_ids(self.tokenizer, [request])[0]

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
        reason = "stop" if ids and ids[-1] in self._ends else "length"
        thought = len(self.tokenizer(thinking, add_special_tokens=False).input_ids) if thinking else 0
        return Response(text, len(prompt.ids), len(ids), 0, reason, min(thought, len(ids)))

    def write(self, requests: Sequence[Request]) -> list[list[int]]:
        """The token ids of the answers, each with the end token where it came to one: what a learner needs."""
        written: dict[int, list[int]] = {}
        self._write(requests, self._prompts(requests), written)
        return [written[i] for i in range(len(requests))]

    def text(self, ids: Sequence[int]) -> str:
        """The text of an answer's token ids, without its end."""
        return self.tokenizer.decode(ids[:-1] if ids and ids[-1] in self._ends else ids, skip_special_tokens=True)

    def _prompts(self, requests: Sequence[Request]) -> list["Prompt"]:
        from lse_gym.envs.models.generation import Prompt

        prompts = []
        for request, ids in zip(requests, prompt_ids(self.tokenizer, requests), strict=True):
            room = self._window - len(ids)
            if room < 1:
                raise ContextLengthError(
                    f"a prompt has {len(ids)} tokens, the window of {self.name!r} {self._window:.0f}. "
                    "Lower max_chars, feedback_size or max_turns."
                )
            seed = (abs(request.seed), request.sample, int(request.seed < 0))
            prompts.append(Prompt(ids, int(min(request.max_tokens, room)), request.temperature, seed))
        return prompts

    def _write(self, requests: Sequence[Request], prompts: Sequence["Prompt"], written: dict[int, list[int]]) -> None:
        from lse_gym.envs.models.generation import batches

        asked = Counter(request[:2] for request in requests)
        groups: dict[tuple[str, str], list[int]] = {}
        for index, request in enumerate(requests):  # samples of one prompt share all of it, others the system message
            shared = asked[request[:2]] > 1 and len(prompts[index].ids) > SHORT
            key = request[:2] if shared else (request.system, "")
            groups.setdefault(key, []).append(index)
        for group in groups.values():
            for part in batches([prompts[i] for i in group], self.batch):
                self._write_part([group[i] for i in part], prompts, written)

    def _write_part(self, indices: list[int], prompts: Sequence["Prompt"], written: dict[int, list[int]]) -> None:
        import torch

        from lse_gym.envs.models.generation import generate

        try:
            with self.few_threads():
                rows = generate(self.model, [prompts[i] for i in indices], self._ends, self.shares)
            written |= dict(zip(indices, rows, strict=True))
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            if len(indices) == 1:
                raise
            half = len(indices) // 2
            self._write_part(indices[:half], prompts, written)
            self._write_part(indices[half:], prompts, written)

    def count_tokens(self, text: str) -> int:
        """The tokens of ``text``, and as many as the chat template puts around a message."""
        return len(self.tokenizer(text).input_ids) + self._frame

    @cached_property
    def _frame(self) -> int:
        return len(self.prompt_ids(Request("x", "x")))

    def logprobs(self, request: Request, completion: str) -> list[float]:
        """Log-probability of each token of ``completion`` after ``request``, in nats, without its end."""
        import torch

        prompt = self.prompt_ids(request)
        ids = self.tokenizer(completion, add_special_tokens=False).input_ids
        if not ids:
            return []
        with self.few_threads(), torch.inference_mode():
            out = self.model(torch.tensor([prompt + ids], device=self.model.device), logits_to_keep=len(ids) + 1)
            scores = out.logits[0, :-1].float().log_softmax(-1)
        return scores.gather(1, torch.tensor(ids, device=scores.device)[:, None])[:, 0].tolist()


def split_revision(path: str) -> tuple[str, str]:
    """Id and revision of ``ID@REVISION``; the revision is "" where there is none, as for a folder."""
    repository, _, revision = path.partition("@")
    return (path, "") if Path(path).is_dir() else (repository, revision)


def fingerprint(path: str) -> str:
    """A digest of the files in a folder; "" for a path that is none."""
    folder = Path(path)
    if not folder.is_dir():
        return ""
    digest, files = blake2b(digest_size=8), sorted(f for f in folder.iterdir() if f.is_file())
    small = sum(f.stat().st_size for f in files) <= MAX_HASHED_BYTES
    for file in files:
        told = file.read_bytes() if small else str((file.stat().st_size, file.stat().st_mtime_ns)).encode()
        digest.update(file.name.encode() + b"\0" + told)
    return digest.hexdigest()


def _default_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
