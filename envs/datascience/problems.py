"""What is wrong with a directory of datasets, so that one error can name all of it."""

import json
from pathlib import Path
from typing import Any

from lse_gym.envs.faults import Faults

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
To leave out datasets that are missing or broken: pass skip_broken=True"""


class Problems(Faults):
    """What is wrong with a directory; single datasets apart, without which the others can be used.

    Attributes:
        datasets: names of the datasets that are missing or broken.
    """

    def __init__(self, source: str):
        super().__init__(source)
        self.datasets: dict[str, None] = {}

    def add_dataset(self, kind: str, name: str, fault: str) -> None:
        """Record what is wrong with one dataset."""
        self.datasets[name] = None
        self.add(kind, name, fault)

    @property
    def only_datasets(self) -> bool:
        """Whether nothing but single datasets is wrong."""
        return self.found.keys() <= {"missing datasets", "broken datasets"}


def read_json(path: Path, faults: Faults, name: str = "") -> Any:
    """The content of a JSON file, or None with the fault recorded under its displayed ``name``."""
    name = name or str(path)
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        faults.add("unreadable files", "", f"{name} cannot be read: {error.strerror}")
    except (ValueError, RecursionError) as error:
        faults.add("unreadable files", "", f"{name} is no JSON: {error}")
    return None
