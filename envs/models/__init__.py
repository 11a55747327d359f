"""Task models, made from a string so that an env spec stays serialisable."""

from functools import cache
from importlib import import_module
from pathlib import Path

from lse_gym.envs.errors import unknown
from lse_gym.envs.models.base import TaskModel
from lse_gym.envs.models.recorded import RecordedModel
from lse_gym.envs.models.response_cache import CachedModel, cache_path

# name -> module and class; each module is imported on first use
MODELS = {
    "reader": ("lse_gym.envs.models.reader", "Reader"),
    "writer": ("lse_gym.envs.models.writer", "Writer"),
}
# prefix -> module and class, made with what follows the colon
BACKENDS = {"openai": ("lse_gym.envs.models.openai", "OpenAIModel")}


def make_model(name: str, *, record: str | None = None) -> TaskModel:
    """Make the model that ``name`` stands for; an engine is loaded once however many envs use it.

    Args:
        name: ``reader`` (offline task model), ``writer`` (offline editor), or ``openai:MODEL`` (a server, behind the
            response cache).
        record: file that every response is kept in and taken from; None keeps them in memory only.

    Raises:
        UnknownNameError: there is no such model.
    """
    model = _load(name)
    return model if record is None else RecordedModel(model, Path(record))


@cache
def _load(name: str) -> TaskModel:
    prefix, _, argument = name.partition(":")
    if argument and prefix in BACKENDS:
        module, attribute = BACKENDS[prefix]
        model, path = getattr(import_module(module), attribute)(argument), cache_path()
        return model if path is None else CachedModel(model, path)
    if name not in MODELS:
        known = [*MODELS, *(f"{backend}:MODEL" for backend in BACKENDS)]
        raise unknown("model", name, known, 'Pass e.g. task_model="reader".')
    module, attribute = MODELS[name]
    return getattr(import_module(module), attribute)()
