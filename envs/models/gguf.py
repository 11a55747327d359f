"""GGUF files, the form of llama.cpp: converted once into a folder of Transformers in the cache.

Transformers reads such a file itself, in a minute for 135 million parameters; the folder loads in a second.
"""

import io
import json
import logging
import os
import shutil
import tempfile
from contextlib import redirect_stderr, suppress
from hashlib import blake2b, file_digest, sha256
from pathlib import Path
from typing import Any

from lse_gym.envs.cache import cache_dir
from lse_gym.envs.extras import require

SUFFIX = ".gguf"
AUTO = "float32"  # a GGUF file has numbers of many kinds; this holds them all
SEAL = "whole.json"  # file -> SHA-256

log = logging.getLogger("lse_gym.models")


def find_file(place: str, revision: str, file: str) -> Path:
    """The path of ``file`` in a folder, or in a repository of the hub, from which it is fetched.

    Raises:
        OSError: there is none.
    """
    if Path(place).is_dir():
        path = Path(place, file)
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {str(path)!r}")
        return path.resolve()
    from transformers.utils.hub import cached_file

    found = cached_file(place, file, **({"revision": revision} if revision else {}))
    if found is None:
        raise FileNotFoundError(f"{place!r} has no file {file!r}")
    return Path(found)


def digest_of(file: Path) -> str:
    """A digest of the whole file, in hex."""
    with file.open("rb") as content:
        return file_digest(content, lambda: blake2b(digest_size=8)).hexdigest()


def converted(file: Path, digest: str, dtype: str) -> Path:
    """The folder with the model, its tokenizer and chat template; made where it is missing or damaged.

    Args:
        file: the GGUF file.
        digest: of it.
        dtype: of the numbers; "auto" is float32.

    Raises:
        MissingExtraError: a package that reads GGUF files is not installed.
        ValueError, OSError, …: it is no GGUF file of a model that Transformers knows.
    """
    dtype = AUTO if dtype == "auto" else dtype
    folder = cache_dir() / "gguf" / f"{file.stem}-{digest}-{dtype}"
    if not _whole(folder):
        shutil.rmtree(folder, ignore_errors=True)
        _convert(file, folder, dtype)
    return folder


def _convert(file: Path, folder: Path, dtype: str) -> None:
    """Write beside ``folder`` and rename: other processes see all of it or nothing."""
    for module in ("gguf", "accelerate"):  # Transformers reads such a file with both
        require(module, "gguf", "A GGUF file")
    log.info("converting %s, which is done once: %s", file.name, folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.") as temporary:
        part = Path(temporary, "part")
        with redirect_stderr(io.StringIO()):  # a progress bar
            _save(file, part, dtype)
        files = sorted(part.iterdir())
        (part / SEAL).write_text(json.dumps({one.name: _sha256(one) for one in files}), encoding="utf-8")
        with suppress(OSError):  # another process was there first
            os.rename(part, folder)
    if not folder.is_dir():
        raise OSError(f"the cache folder {str(folder.parent)!r} cannot be written to; set LSE_GYM_CACHE to another")


def _save(file: Path, folder: Path, dtype: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where: dict[str, Any] = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    read = AutoModelForCausalLM.from_pretrained(dtype=dtype, **where)
    config = read.config
    with suppress(AttributeError):
        del config.quantization_config  # saving refuses a model that was once quantised: another takes its weights
    with torch.device("meta"):
        model = type(read)(config)
    model.load_state_dict(read.state_dict(), assign=True)
    model.tie_weights()
    model.generation_config = read.generation_config
    model.save_pretrained(folder)
    tokenizer: Any = AutoTokenizer.from_pretrained(**where)
    tokenizer.save_pretrained(folder)


def _whole(folder: Path) -> bool:
    try:
        seal = json.loads((folder / SEAL).read_text(encoding="utf-8"))
        return all(_sha256(folder / name) == digest for name, digest in seal.items())
    except (OSError, ValueError, AttributeError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return file_digest(content, sha256).hexdigest()
