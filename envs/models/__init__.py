"""Task models, made from a string so that an env spec stays serialisable."""

import os
from functools import cache
from importlib import import_module
from pathlib import Path

from lse_gym.envs.errors import ArgumentError, unknown
from lse_gym.envs.models.base import TaskModel
from lse_gym.envs.models.packaged import PACKAGES
from lse_gym.envs.models.recorded import RecordedModel
from lse_gym.envs.models.response_cache import CachedModel, cache_path
from lse_gym.envs.plugins import import_class, is_reference

NANO = str(Path(__file__).parent / "nano" / "weights")
# transformers that come with the package
SHIPPED = {
    "nano": NANO,
    "nano-editor": str(Path(NANO).with_name("editor")),
    "nano-lse": str(Path(NANO).with_name("lse")),
    "nano-qa": str(Path(NANO).with_name("qa")),
    "pico": str(Path(NANO).with_name("pico")),
}
ABOUT = {
    "nano": "A transformer of 1.25 M parameters for text-to-SQL, task model and editor.",
    "nano-editor": "`nano` after more lessons in editing: an *untrained* self-evolving policy.",
    "nano-lse": "`nano-editor` after reinforcement learning by LSE: an editor.",
    "nano-qa": "`nano` after lessons in multiple choice: a task model for question answering.",
    "pico": "A smaller task model of another seed (width 96, 0.75 M parameters), for transfer.",
    **{name: package.about for name, package in PACKAGES.items()},
}
# name -> module, class and arguments; each module is imported on first use
MODELS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "reader": ("lse_gym.envs.offline.reader", "Reader", ()),
    "writer": ("lse_gym.envs.offline.writer", "Writer", ()),
    "apprentice": ("lse_gym.envs.offline.apprentice", "Apprentice", ()),
    **{name: ("lse_gym.envs.models.huggingface", "HuggingFaceModel", (path, name)) for name, path in SHIPPED.items()},
    **{name: ("lse_gym.envs.models.packaged", "packaged_model", (name,)) for name in PACKAGES},
}
# prefix -> module, class, and the name of what follows the colon
BACKENDS = {
    "hf": ("lse_gym.envs.models.huggingface", "HuggingFaceModel", "ID-or-path"),
    "vllm": ("lse_gym.envs.models.vllm", "VLLMModel", "ID-or-path"),
    "openai": ("lse_gym.envs.models.openai", "OpenAIModel", "MODEL"),
    "replay": ("lse_gym.envs.models.replay", "ReplayModel", "FILE"),
}
MODEL_NAMES = [*MODELS, *(f"{backend}:{argument}" for backend, (_, _, argument) in BACKENDS.items()), "module:Class"]
UNCACHED = ("reader", "writer", "apprentice", "replay")  # as fast as the cache


def make_model(name: str, *, record: str | os.PathLike[str] | None = None) -> TaskModel:
    """Make the model that ``name`` stands for; an engine is loaded once however many envs use it.

    Args:
        name: ``reader`` (offline task model), ``writer`` (offline editor), ``apprentice`` (one that heeds its
            instruction), ``nano`` (a small transformer, both),
            ``nano-editor`` (it after more lessons in editing), ``nano-lse`` (that after LSE training),
            ``nano-qa`` (``nano`` after lessons in multiple choice), ``pico`` (a smaller task model),
            ``smollm2`` (SmolLM2-135M-Instruct, from a package of its own),
            ``hf:ID-or-path`` (Transformers), ``vllm:ID-or-path`` (vLLM), ``openai:MODEL`` (a server),
            ``replay:FILE`` (a record) or ``package.module:Class`` (one of your own, a :class:`TaskModel` that takes no
            arguments). Transformers, vLLM and servers are behind the response cache.
        record: file that every response is kept in and taken from; None keeps them in memory only.

    Raises:
        UnknownNameError: there is no such model.
        MissingExtraError: its engine is not installed.
    """
    model = _load(name)
    return model if record is None else RecordedModel(model, Path(record))


@cache
def _load(name: str) -> TaskModel:
    prefix, _, argument = name.partition(":")
    if argument and prefix in BACKENDS:
        (module, attribute, _), arguments = BACKENDS[prefix], (argument,)
    elif name in MODELS:
        module, attribute, arguments = MODELS[name]
    elif name.partition("?")[0] in PACKAGES:
        module, attribute, arguments = "lse_gym.envs.models.packaged", "packaged_model", (name,)
    elif is_reference(name):
        return _of_a_user(name)
    else:
        hub = f'A model of the Hugging Face Hub is "hf:{name}".' if "/" in name else 'Pass e.g. "reader".'
        raise unknown("model", name, MODEL_NAMES, hub)
    model, path = getattr(import_module(module), attribute)(*arguments), cache_path()
    model.check()
    return model if path is None or prefix in UNCACHED else CachedModel(model, path)


def _of_a_user(name: str) -> TaskModel:
    model = import_class(name, TaskModel, "task model")()
    if not isinstance(getattr(model, "revision", None), str):
        raise ArgumentError(
            f"task model {name!r} has no revision. Give it one, a str that changes when its answers do."
        )
    model.name = name
    return model
