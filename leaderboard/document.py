"""Reading what a stranger sent: strict JSON, bounded in every direction, before anything looks at what it says."""

import json
import math
import re
from importlib.resources import files
from typing import Any

from lse_gym.envs.errors import SubmissionError

MAX_BYTES = 16_000_000
MAX_DEPTH = 12
MAX_DIGITS = 18  # of an integer: exact in SQLite
MAX_NUMBER = 1e15
MAX_REASONS = 20
MAX_REASON_CHARS = 300
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)  # \Z: not again from every quote inside
# Control characters, lone surrogates, and what turns the direction of writing around: no honest text has them.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


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
    depth = deepest = 0
    for token in _TOKEN.finditer(data):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise SubmissionError([f"it is nested {deepest} deep; at most {MAX_DEPTH} are read."])
    try:
        document = json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_no_number
        )
    except (ValueError, RecursionError) as error:
        raise SubmissionError([f"it is no JSON that is read here: {_short(error)}"]) from None
    if not isinstance(document, dict):
        raise SubmissionError([f"it is a JSON {type(document).__name__}, not an object."])
    _check_text(document)
    return document


def check_schema(document: dict[str, Any]) -> None:
    """Check a document against ``submission.schema.json``.

    Raises:
        SubmissionError: it does not conform; up to 20 places are told.
    """
    errors = [
        f"{error.json_path[:MAX_REASON_CHARS]}: {_short(error.message)}" for error in _validator().iter_errors(document)
    ]
    if errors:
        more = [f"and {len(errors) - MAX_REASONS} more."] if len(errors) > MAX_REASONS else []
        raise SubmissionError([*errors[:MAX_REASONS], *more])


def schema() -> dict[str, Any]:
    """The JSON Schema of a submission."""
    return json.loads((files("lse_gym.leaderboard") / "submission.schema.json").read_text(encoding="utf-8"))


_made: list[Any] = []


def _validator() -> Any:
    if not _made:
        from jsonschema import Draft202012Validator

        _made.append(Draft202012Validator(schema()))
    return _made[0]


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


def _check_text(value: object) -> None:
    if isinstance(value, str):
        found = _FORBIDDEN.search(value)
        if found:
            raise SubmissionError([f"a text has the character U+{ord(found[0]):04X}, which none may have."])
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key)
            _check_text(item)
    elif isinstance(value, list):
        for item in value:
            _check_text(item)


def _short(error: object) -> str:
    text = " ".join(str(error).split())
    half = MAX_REASON_CHARS // 2
    return text if len(text) <= MAX_REASON_CHARS else f"{text[:half]} … {text[-half:]}"
