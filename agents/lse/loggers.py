"""Where the metrics of a training go besides ``metrics.jsonl``: TensorBoard, Weights & Biases, Trackio."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from lse_gym.envs.errors import ArgumentError, unknown
from lse_gym.envs.extras import require

LOGGERS = ("tensorboard", "wandb", "trackio")


class Logger(Protocol):
    """Takes a row of numbers a step."""

    def log(self, row: Mapping[str, float], step: int) -> None:
        """Keep the numbers of a step."""

    def close(self) -> None:
        """Write what is left."""


def make_logger(name: str, out: Path, config: Mapping[str, Any], step: int = 0) -> Logger:
    """The logger of a training.

    Args:
        name: "tensorboard" writes ``out/tensorboard``; "wandb" and "trackio" log to the project "lse-gym".
        out: the directory of the training.
        config: its settings.
        step: the first step to come; what a killed training logged from there on is replaced (TensorBoard).

    Raises:
        UnknownNameError: there is no such logger.
        MissingExtraError: TensorBoard is not installed.
        ArgumentError: the other package is not installed.
    """
    if name not in LOGGERS:
        raise unknown("logger", name, LOGGERS)
    if name == "tensorboard":
        require("tensorboard", "tensorboard", "TensorBoard")
        return _TensorBoard(out / "tensorboard", step)
    try:
        module = import_module(name)
    except ImportError as error:
        raise ArgumentError(f"logger {name!r} needs its package: pip install {name}") from error
    return _Project(module, out.resolve().name, config)


class _TensorBoard:
    def __init__(self, folder: Path, step: int):
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=step)

    def log(self, row: Mapping[str, float], step: int) -> None:
        for name, value in row.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _Project:
    """The interface that Weights & Biases and Trackio share."""

    def __init__(self, module: Any, run: str, config: Mapping[str, Any]):
        self._module = module
        module.init(project="lse-gym", name=run, config=dict(config))

    def log(self, row: Mapping[str, float], step: int) -> None:
        self._module.log(dict(row), step=step)

    def close(self) -> None:
        self._module.finish()
