"""Reading what a stranger sent: strict JSON, bounded in every direction, before anything looks at what it says."""

import json
import math
import os
import re
import stat
from functools import cache
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

from lse_gym.leaderboard.errors import SubmissionError

MAX_BYTES = 16_000_000
MAX_DEPTH = 12
MAX_VALUES = 150_000  # in all: the schema looks at every one, some 10 microseconds each
MAX_DIGITS = 18  # of an integer: exact in SQLite
MAX_NUMBER = 1e15
MAX_REASONS = 20
MAX_REASON_CHARS = 300
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # for who writes to a pipe
_TOO_DEEP = f"it is nested too deep; at most {MAX_DEPTH} levels are read."
# Control characters, lone surrogates, what turns the direction of writing around, and tags, which nobody sees: no
# honest text has them.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f]"
)


def read_document(data: bytes) -> dict[str, Any]:
    """Parse a submission.

    Raises:
        SubmissionError: it is too large, too deep, no UTF-8, no JSON, or has keys twice, odd numbers or odd characters.
    """
    if len(data) > MAX_BYTES:
        raise SubmissionError([f"it has {len(data):,} bytes; at most {MAX_BYTES:,} are read."])
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SubmissionError([f"it is not UTF-8: {error.reason} at byte {error.start}."]) from None
    try:
        document = json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_no_number
        )
    except RecursionError:
        raise SubmissionError([_TOO_DEEP]) from None
    except ValueError as error:
        raise SubmissionError([f"it is no JSON that is read here: {_short(error)}"]) from None
    if not isinstance(document, dict):
        raise SubmissionError([f"it is a JSON {type(document).__name__}, not an object."])
    _check_values(document)
    return document


def read_file(path: Path, most: int = MAX_BYTES) -> bytes:
    """The bytes of a file that a stranger may have sent: a regular one, of at most so many.

    Raises:
        SubmissionError: the file cannot be read, is larger, or is a pipe, a device or a folder, which are not opened
            for as long as it takes to find out.
    """
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | _NO_WAIT)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SubmissionError([f"{str(path)!r} is no regular file."])
            data = file.read(most + 1)
    except OSError as error:
        raise SubmissionError([f"{str(path)!r} cannot be read: {error.strerror}."]) from None
    if len(data) > most:
        raise SubmissionError([f"{str(path)!r} has more than {most:,} bytes, and no more are read."])
    return data


def check_schema(document: object, part: str = "document") -> None:
    """Check a document, or a part of one, against ``submission.schema.json``.

    Args:
        document: what to check.
        part: "document", or the name of one of the schema's definitions, such as "run".

    Raises:
        SubmissionError: it does not conform; up to 20 places are told.
    """
    found = islice(_validator(part).iter_errors(document), MAX_REASONS + 1)
    errors = [f"{error.json_path[:MAX_REASON_CHARS]}: {_short(error.message)}" for error in found]
    if errors:
        raise SubmissionError([*errors[:MAX_REASONS], *(["and more."] if len(errors) > MAX_REASONS else [])])


def schema() -> dict[str, Any]:
    """The JSON Schema of a submission."""
    return json.loads((files("lse_gym.leaderboard") / "submission.schema.json").read_text(encoding="utf-8"))


@cache
def _validator(part: str) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    # To JSON Schema 1.0 is an integer; to what indexes lists and compares seeds it is not.
    strict = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    whole = schema()
    wanted = whole if part == "document" else {"$ref": f"#/$defs/{part}", "$defs": whole["$defs"]}
    return extend(Draft202012Validator, type_checker=strict)(wanted)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a key twice")
    return found


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"an integer has more than {MAX_DIGITS} digits")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value) or abs(value) > MAX_NUMBER:
        raise ValueError(f"a number is beyond {MAX_NUMBER:g}")
    return value


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _check_values(document: dict[str, Any]) -> None:
    """Go through all values, level by level: how many, how deep, and what characters the texts have."""
    level: list[Any] = [document]
    seen = 0
    for _ in range(MAX_DEPTH + 1):
        seen += len(level)
        if seen > MAX_VALUES:
            raise SubmissionError([f"it holds more than {MAX_VALUES:,} values."])
        below: list[Any] = []
        for value in level:
            if isinstance(value, str):
                check_text(value)
            elif isinstance(value, dict):
                below += value.keys()
                below += value.values()
            elif isinstance(value, list):
                below += value
        if not below:
            return
        level = below
    raise SubmissionError([_TOO_DEEP])


def check_text(text: str) -> None:
    """Raise :class:`SubmissionError` where a text has a character that none may have."""
    found = _FORBIDDEN.search(text)
    if found:
        raise SubmissionError([f"a text has the character U+{ord(found[0]):04X}, which none may have."])


def _short(error: object) -> str:
    text = " ".join(str(error).split())
    half = MAX_REASON_CHARS // 2
    return text if len(text) <= MAX_REASON_CHARS else f"{text[:half]} … {text[-half:]}"
