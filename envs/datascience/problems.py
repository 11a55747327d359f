"""What is wrong with a directory of datasets, so that one error can name all of it."""

import json
import os
from pathlib import Path
from typing import Any

from lse_gym.envs.errors import DataError, MissingArgumentError

MAX_SHOWN = 20  # problems of one kind that an error spells out
HELP = """\
Get DARE-bench's evaluation data (https://github.com/Snowflake-Labs/dare-bench, folder data/eval) or its training data
(https://huggingface.co/datasets/Snowflake/dare-bench), and pass the folder; each dataset has a licence of its own.
Expected, there or up to two folders further down:
  data/eval/
  ├── question_list.json
  └── databases/
      └── <file_path>/
          ├── source/   metadata.txt, train_v1.csv, val_v1.csv, … (.sqlite, .parquet)
          └── verify/   all_metadata.json, ground_truth.csv (ground_truth_v1.csv, ground_truth_v2.csv)
Then: gym.make("LSE/DARE-v0", data_dir="path/to/data/eval")
To leave out datasets that are missing or broken: skip_broken=True, on the command line --env-set skip_broken=true"""


class Problems(dict[str, list[str]]):
    """Problems by kind (a plural noun).

    Attributes:
        datasets: names of the datasets that are missing or broken.
    """

    def __init__(self) -> None:
        super().__init__()
        self.datasets: dict[str, None] = {}

    def add(self, kind: str, *items: str) -> None:
        """Record problems under their kind."""
        self.setdefault(kind, []).extend(items)

    def add_dataset(self, kind: str, name: str, fault: str) -> None:
        """Record what is wrong with one dataset, without which the others can be used."""
        self.datasets[name] = None
        self.setdefault(kind, []).append(f"{name}: {fault}")

    def faults(self) -> list[str]:
        """Every problem, without its kind."""
        return [item for items in self.values() for item in items]

    @property
    def only_datasets(self) -> bool:
        """Whether nothing but single datasets is wrong."""
        return set(self) <= {"missing datasets", "broken datasets"}

    def error(self, data_dir: str | os.PathLike[str] | None) -> DataError:
        """Build the error: each kind with its count and first problems, then what is expected."""
        given, count = data_dir and os.fspath(data_dir), sum(map(len, self.values()))
        lines = [f"data_dir={given!r} is not a usable directory of DARE-bench's tasks; problems: {count}."]
        for kind, items in self.items():
            lines.append(f"{kind} ({len(items)}):")
            lines.extend(f"  - {item}" for item in items[:MAX_SHOWN])
            if len(items) > MAX_SHOWN:
                lines.append(f"  … and {len(items) - MAX_SHOWN} more")
        return (DataError if given else MissingArgumentError)("\n".join([*lines, HELP]))


def shown(value: object) -> str:
    """A value from a file as it may appear in a message: on one line, at most 60 signs."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:60] + "…"


def read_json(path: Path, problems: Problems, name: str = "") -> Any:
    """The content of a JSON file, or None with the problem recorded under its displayed ``name``."""
    name = name or str(path)
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        problems.add("unreadable files", f"{name} cannot be read: {error.strerror}")
    except (ValueError, RecursionError) as error:
        problems.add("unreadable files", f"{name} is no JSON: {error}")
    return None
