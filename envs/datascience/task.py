"""A question about a dataset on disk: what may be loaded, and what a prediction is compared with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

Version = Literal["v1", "v2"]
VERSIONS: tuple[Version, ...] = ("v1", "v2")

# (task of the question list, version of the question) -> family; the names follow the benchmark's table of results.
FAMILIES: Mapping[tuple[str, str], str] = {
    ("classification", "v1"): "class_if",  # instruction following: the reference run's predictions, exactly
    ("classification", "v2"): "class_mm",  # modelling: as good as can be
    ("regression", "v1"): "reg_if",
    ("regression", "v2"): "reg_mm",
    ("time_series_analysis", "v1"): "ts_xf",  # exogenous features are given
    ("time_series_analysis", "v2"): "ts_cf",  # only times and identifiers are given
}
FOLLOWING = ("class_if", "reg_if")  # families whose truth is the output of a reference run
ALIGNED_BY_ALL = ("ts_cf",)  # families without row ids: rows are told apart by every column but the targets
PREDICTION = "prediction.csv"  # the file that is scored, in every question of the benchmark
REFERENCE = "simulated_pred_local.csv"  # output of a reference run, as the benchmark's own scripts call it


class Task(NamedTuple):
    """One question.

    Attributes:
        dataset: name of the dataset, unique in its directory; its questions belong to one split.
        family: one of :data:`FAMILIES`.
        question: the text, as the benchmark gives it.
        files: what code may load, by name.
        truth: what a prediction is compared with; None for a reference output that was never made.
        targets: the columns to predict.
        folder: the dataset's folder, with ``source`` and ``verify``.
        licence: of the dataset, or "".
    """

    dataset: str
    family: str
    question: str
    files: Mapping[str, Path]
    truth: Path | None
    targets: tuple[str, ...]
    folder: Path
    licence: str = ""

    @property
    def id(self) -> str:
        """The dataset and the family."""
        return f"{self.dataset}/{self.family}"


def is_file_name(value: object) -> bool:
    """Whether ``value`` names something inside a folder, and nothing outside of it."""
    return isinstance(value, str) and value.isprintable() and value not in ("", ".", "..") and not {*value} & {*"/\\"}
