"""Rows out of a file, a Hugging Face dataset or a list; whatever is wrong with them is recorded, not raised."""

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lse_gym.envs.custom.forms import TABLE_OF_CHOICES, list_of, plain, unfold
from lse_gym.envs.errors import LSEGymError
from lse_gym.envs.extras import require
from lse_gym.envs.faults import Faults, shown

HUB = "hf:"
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".yaml", ".yml")
INDEX = "Unnamed: 0"  # pandas writes the numbers of the rows into a column without a name, and reads it as this
UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Row(NamedTuple):
    """One record: where it stands, in words; what it holds; and the split of a dataset that it comes from."""

    where: str
    record: Mapping[str, Any]
    split: str = ""


class Reading(NamedTuple):
    """How a file is to be read: the path of the list of rows in a .json file, and the names of a table's columns.

    ``names`` is None where the first line of a table is its header, and empty where there is no header and no names.
    """

    rows: str = ""
    names: Sequence[str] | None = None


def read_rows(questions: Any, faults: Faults, reading: Reading = Reading()) -> list[Row]:  # noqa: B008 - immutable
    """The rows of ``questions``: a path, ``hf:ID[@REVISION][:NAME][:SPLIT]``, a list of dicts, a ``Dataset``."""
    return [
        row._replace(record=record)
        for row in _read_rows(questions, faults, reading)
        for record in unfold(plain(row.record))
    ]


def _read_rows(questions: Any, faults: Faults, reading: Reading) -> Iterable[Row]:
    if hasattr(questions, "column_names"):  # a Dataset or DatasetDict of Hugging Face, without importing the package
        return list(_dataset_rows(questions, faults))
    if isinstance(questions, (str, os.PathLike)):
        name = os.fspath(questions)
        return list(_read_hub(name, faults) if name.startswith(HUB) else _read_file(name, faults, reading))
    if not isinstance(questions, Sequence):
        faults.add("unreadable file", "", f"{shown(questions)} is neither a path nor a list of dicts")
        return []
    return list(_objects(((f"item {i}", record) for i, record in enumerate(questions)), faults))


def source_name(questions: Any) -> tuple[str, str]:
    """How messages show ``questions``, and what a domain made of them is called."""
    if not isinstance(questions, (str, os.PathLike)):
        return f"<{type(questions).__name__}>", "questions"
    text = os.fspath(questions)
    last = text.removeprefix(HUB).split("@")[0].split(":")[0] if text.startswith(HUB) else Path(text).stem
    return repr(text), Path(last).name or "questions"


def _read_file(name: str, faults: Faults, reading: Reading) -> Iterable[Row]:
    path = Path(os.path.expanduser(name))
    suffix = path.suffix.lower()
    if path.is_dir():
        return _load(name, lambda datasets: datasets.load_from_disk(str(path)), faults)
    if suffix not in SUFFIXES:
        faults.add("unreadable file", name, f"the suffix is {path.suffix!r}; known: {', '.join(SUFFIXES)}")
        return []
    if suffix == ".parquet" and path.exists():
        return _load(name, lambda datasets: _read_parquet(datasets, path), faults)
    try:
        data = path.read_bytes()
    except OSError as error:
        faults.add("unreadable file", name, error.strerror or str(error))
        return []
    if data.startswith(UTF16):
        faults.add("bad encodings", name, "is UTF-16; save it as UTF-8")
        return []
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        faults.add("unreadable file", name, "is empty")
        return []
    if suffix in (".csv", ".tsv"):
        return _read_csv(data, "\t" if suffix == ".tsv" else ",", faults, reading.names)
    if suffix in (".yaml", ".yml"):
        return _rows_of(_parse_yaml(data, faults), faults, reading.rows)
    if suffix == ".json" and not _is_lines(data):
        return _read_json(data, faults, reading.rows)
    return _read_jsonl(data, name, faults)


def _is_lines(data: bytes) -> bool:
    """Whether a .json file holds JSON lines: an object on its first line, and more after it."""
    first, _, rest = data.lstrip().partition(b"\n")
    try:
        return first.startswith(b"{") and bool(rest.strip()) and isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _text(data: bytes, faults: Faults, first_line: int = 1) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = first_line + data.count(b"\n", 0, error.start)
        faults.add("bad encodings", f"line {line}", f"byte 0x{data[error.start]:02x} is not UTF-8")
        return None


def _parse(text: str, where: str, faults: Faults) -> list[Any]:
    """The JSON value of ``text``, alone in a list; an empty one with the fault recorded."""
    try:
        return [json.loads(text)]
    except json.JSONDecodeError as error:
        at = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}, column {error.colno}"
        faults.add("malformed lines", where, f"{error.msg} at {at}: {shown(text.strip()[:200])}")
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond what Python's parser takes
        faults.add("malformed lines", where, f"{type(error).__name__}: {error}")
    return []


def _read_jsonl(data: bytes, name: str, faults: Faults) -> Iterable[Row]:
    if data.lstrip()[:1] == b"[":
        faults.add("malformed lines", name, "is one JSON list, not JSON lines: give the file the suffix .json")
        return
    if data.lstrip().split(b"\n", 1)[0].strip() == b"{":
        faults.add("malformed lines", name, "has objects over several lines: write each on one, as `jq -c` does")
        return
    for number, line in enumerate(data.split(b"\n"), 1):
        text, where = _text(line, faults, number) if line.strip() else None, f"line {number}"
        found = [] if text is None else _parse(text, where, faults)
        yield from _objects(((where, record) for record in found), faults)


def _read_json(data: bytes, faults: Faults, path: str) -> Iterable[Row]:
    text = _text(data, faults)
    for records in [] if text is None else _parse(text, "", faults):
        yield from _rows_of(records, faults, path)


def _parse_yaml(data: bytes, faults: Faults) -> Any:
    """The value of a YAML file, such as a configuration of promptfoo, or None with the fault recorded."""
    yaml, text = require("yaml", "data", "Reading YAML"), _text(data, faults)
    try:
        if text and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            faults.add("malformed lines", "", "has an alias (*name), which can stand for far more than the file holds")
            return None
        return None if text is None else yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        faults.add("malformed lines", "", " ".join(str(error).split()) or type(error).__name__)
    return None


def _rows_of(records: Any, faults: Faults, path: str) -> Iterable[Row]:
    """The rows in what a file holds as one value."""
    if records is None:
        return
    name, found = list_of(records, path)
    if found is not None:
        head = f"{name}[" if name else "item "
        yield from _objects(
            ((f"{head}{i}]" if name else f"{head}{i}", record) for i, record in enumerate(found)), faults
        )
        return
    keys = f" with the keys {', '.join(map(repr, [*records][:5]))}" if isinstance(records, dict) else ""
    told = f"has no list {path!r}" if path else "expected a list; name the one inside: columns={'rows': 'data.items'}"
    faults.add("malformed lines", "", f"the file holds a {type(records).__name__}{keys}, {told}")


def _objects(records: Iterable[tuple[str, Any]], faults: Faults) -> Iterable[Row]:
    for where, record in records:
        if isinstance(record, Mapping):
            yield Row(where, record)
        else:
            faults.add("malformed lines", where, f"is {shown(record)}, expected an object {{…}}")


def _read_csv(data: bytes, delimiter: str, faults: Faults, names: Sequence[str] | None) -> Iterable[Row]:
    text = _text(data, faults)
    if text is None:
        return
    # Only CR, LF and CRLF end a row; a tab-separated file has no quotes that reach beyond a cell
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    first = text.partition("\n")[0].strip()
    if delimiter == "," and ";" in first and "," not in first:  # Excel, where 1,5 is a number
        delimiter = ";"
        text = text.removeprefix(first) if first.lower() == "sep=;" else text
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)
    line = 1
    try:
        cells = _cells(next(filter(None, reader)), delimiter)
        other = next((sign for sign in ",;\t|" if sign != delimiter and sign in cells[0]), None)
        if len(cells) == 1 and other:
            faults.add("malformed rows", "line 1", f"one column {shown(cells[0])}: separated by {other!r}, it seems")
            return
        header = [cell.strip() for cell in cells] if names is None else [*names] or _names(cells)
        if names is None and len(header) > 1:
            header[0] = header[0] or INDEX
        known: set[str] = {""}
        for index, name in enumerate(header):
            if name in known:
                faults.add("malformed rows", "line 1", f"column {index + 1} of the header is {name!r}, empty or twice")
            known.add(name)
        while True:
            if len(cells) != len(header):
                faults.add("malformed rows", f"line {line}", f"{len(cells)} cells, the header has {len(header)}")
            elif names is not None or line > 1:
                yield Row(f"line {line}", dict(zip(header, cells, strict=True)))
            line = reader.line_num + 1
            while not (raw := next(reader)):
                line = reader.line_num + 1
            cells = _cells(raw, delimiter)
    except StopIteration:
        return
    except csv.Error as error:
        faults.add("malformed rows", f"line {line}", str(error))


def _names(cells: Sequence[str]) -> list[str]:
    """Names of columns that have none: those of MMLU where it looks like it, else "1", "2", …"""
    return [*TABLE_OF_CHOICES] if len(cells) == len(TABLE_OF_CHOICES) else [str(n + 1) for n in range(len(cells))]


def _cells(cells: list[str], delimiter: str) -> list[str]:
    """The cells of a row; in a tab-separated file some programs put a whole cell in quotes and double those inside."""
    if delimiter != "\t":
        return cells or [""]
    return [_unquoted(cell) if cell.startswith('"') else cell for cell in cells] or [""]


def _unquoted(cell: str) -> str:
    inner = cell[1:-1]
    whole = len(cell) > 1 and cell.endswith('"') and '"' not in inner.replace('""', "")
    return inner.replace('""', '"') if whole else cell


def _read_hub(name: str, faults: Faults) -> Iterable[Row]:
    """Rows of ``hf:ID[@REVISION][:NAME][:SPLIT]``, as `datasets.load_dataset(ID, NAME, split=SPLIT)` has them."""
    parts = name.removeprefix(HUB).split(":")
    (identity, _, revision), (config, split) = parts[0].partition("@"), [*parts[1:], "", ""][:2]
    if not identity or len(parts) > 3:
        faults.add("unreadable file", name, "expected hf:ID, hf:ID@REVISION, hf:ID:NAME or hf:ID:NAME:SPLIT")
        return []

    def load(datasets: Any) -> Any:
        return datasets.load_dataset(identity, config or None, split=split or None, revision=revision or None)

    return _load(name, load, faults)


def _read_parquet(datasets: Any, path: Path) -> Any:
    """One file as it is: `Dataset.from_parquet` would leave a copy in a cache, and show how far it is."""
    parquet = require("pyarrow.parquet", "data", f"questions={str(path)!r}")
    return datasets.Dataset(parquet.read_table(path, partitioning=None))


def _load(name: str, load: Any, faults: Faults) -> Iterable[Row]:
    datasets = require("datasets", "data", f"questions={name!r}")
    try:
        dataset = load(datasets)
    except LSEGymError:
        raise
    except Exception as error:  # whatever the package and its file formats raise
        faults.add(
            "unreadable file", name, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        )
        return []
    return _dataset_rows(dataset, faults)


def _dataset_rows(dataset: Any, faults: Faults) -> Iterable[Row]:
    """Rows of a ``Dataset``; of a ``DatasetDict``, those of its only split, or of all where each is one of ours.

    With "train" and "test" alone, what is tested stays, and the rest is divided.
    """
    if not isinstance(dataset, Mapping):
        return [Row(f"row {i}", record) for i, record in enumerate(dataset)]
    if len(dataset) == 1:
        return [Row(f"{name}[{i}]", record) for name, part in dataset.items() for i, record in enumerate(part)]
    if set(dataset) not in ({"train", "validation", "test"}, {"train", "test"}):
        names = ", ".join(f"{name} ({len(part)})" for name, part in dataset.items())
        faults.add("unreadable file", "", f"has the splits {names}: name the one to use, e.g. hf:ID:NAME:train")
        return []
    return [Row(f"{name}[{i}]", record, name) for name, part in dataset.items() for i, record in enumerate(part)]
