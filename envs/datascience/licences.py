"""The licences of DARE-bench's datasets: tables ``LICENSE/kaggle_license_*.csv`` near the data."""

import csv
from pathlib import Path

FOLDER = "LICENSE"
PATTERN = "kaggle_license_*.csv"
LEVELS = 3  # data/eval lies two levels below the folder that has LICENSE


def read_licences(root: Path) -> dict[str, str]:
    """Licence by name of a dataset, as the tables in ``root`` or the nearest folder above tell; {} without any."""
    for folder in [root, *root.parents][:LEVELS]:
        tables = sorted((folder / FOLDER).glob(PATTERN))
        if tables:
            return {name: licence for table in tables for name, licence in _rows(table)}
    return {}


def _rows(table: Path) -> list[tuple[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.DictReader(file) if row.get("folder_name") and row.get("license_name")]
    except (OSError, ValueError, csv.Error):  # a licence is told where it is known, and nothing hangs on it
        return []
    return [(row["folder_name"], row["license_name"]) for row in rows]
