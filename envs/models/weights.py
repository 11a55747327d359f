"""Where the weights of ``hf:`` and ``vllm:`` come from: a folder, a repository of the hub, or a GGUF file in either."""

from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from lse_gym.envs.errors import LSEGymError, UnknownModelError
from lse_gym.envs.models.gguf import SUFFIX, converted, digest_of, find_file

MAX_HASHED_BYTES = 2**28  # of a folder; larger weights are told apart by size and time


class Weights:
    """What ``PATH``, ``ID``, ``ID@REVISION``, ``FILE.gguf``, ``FOLDER:FILE.gguf`` or ``ID:FILE.gguf`` stands for.

    Args:
        path: the string.
        name: of the model, for messages.
        dtype: of the numbers, as Transformers names them; "auto" for those that were saved.

    Attributes:
        digest: of the files; of a repository of the hub, the commit, which asks for its configuration.
    """

    def __init__(self, path: str, name: str, dtype: str):
        self.path, self.name, self.dtype = path, name, dtype

    @cached_property
    def _gguf(self) -> Path:
        """The GGUF file on this machine, fetched from the hub where it is meant."""
        place, colon, file = self.path.rpartition(":")
        if not colon or "/" in file:
            place, file = str(Path(self.path).parent), Path(self.path).name
        try:
            return find_file(*split_revision(place), file)
        except OSError as error:
            raise self._unknown(error) from error

    @cached_property
    def digest(self) -> str:
        """See the class."""
        return self.local_digest or getattr(self.load("AutoConfig"), "_commit_hash", None) or self.path

    @cached_property
    def local_digest(self) -> str:
        """Of the files on this machine; "" for a repository of the hub."""
        return digest_of(self._gguf) if self.path.lower().endswith(SUFFIX) else fingerprint(self.path)

    @cached_property
    def place(self) -> tuple[str, str]:
        """Folder or id, and revision, "" for none: what engines take. A GGUF file is converted on first use.

        Raises:
            MissingExtraError: a package that reads GGUF files is not installed.
            UnknownModelError: it cannot be read.
        """
        if not self.path.lower().endswith(SUFFIX):
            return split_revision(self.path)
        try:
            return str(converted(self._gguf, self.local_digest, self.dtype)), ""
        except LSEGymError:
            raise
        except Exception as error:  # whatever a file that is none makes its reader do
            raise self._unknown(error) from error

    def load(self, kind: str, **options: Any) -> Any:
        """``kind``, such as "AutoTokenizer", from the weights.

        Raises:
            UnknownModelError: there is no such model, or it cannot be loaded.
        """
        import transformers

        place, revision = self.place
        options |= {"revision": revision} if revision else {}
        try:
            return getattr(transformers, kind).from_pretrained(place, **options)
        except (OSError, ValueError, KeyError) as error:
            raise self._unknown(error) from error

    def _unknown(self, error: Exception) -> UnknownModelError:
        told = str(error).strip().splitlines() or [type(error).__name__]
        return UnknownModelError(
            f"{self.name!r} cannot be loaded ({told[0]}). Pass the folder of a model saved by Transformers, a hub id "
            "such as hf:Qwen/Qwen3-4B-Instruct-2507, or a GGUF file: hf:FILE.gguf, hf:FOLDER-or-ID:FILE.gguf."
        )


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
