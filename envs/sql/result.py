"""What a statement may use, and what it gave."""

from typing import Literal, NamedTuple

Status = Literal["ok", "error", "denied", "timeout", "too_large", "crash"]


class Limits(NamedTuple):
    """What one statement may use. ``max_steps`` decides alike on every machine; ``timeout_s`` is the backstop.

    Attributes:
        timeout_s: wall-clock seconds, above 0, at most 86 400.
        max_steps: instructions of SQLite's virtual machine, at least 1; checked every 10 000 (or every ``max_steps``).
        max_rows: rows of the result, at least 1.
        max_bytes: bytes of the result as JSON, at least 1. A single value is always capped at 10 MB.
    """

    timeout_s: float = 30.0
    max_steps: int = 20_000_000
    max_rows: int = 100_000
    max_bytes: int = 32_000_000


DEFAULT_LIMITS = Limits()


class Result(NamedTuple):
    """What a statement gave.

    Attributes:
        rows: tuples of None, int, float, str and bytes; text that is not UTF-8 has U+FFFD in its place.
        columns: one name a column.
        error: why there are no rows; empty if there was no error.
        status: ``"ok"`` exactly when ``error`` is empty.
    """

    rows: list[tuple]
    columns: list[str]
    error: str = ""
    status: Status = "ok"


class Digest(NamedTuple):
    """What a statement gave, in brief: two results are equal as lists, multisets or sets where these digests are.

    Rows are equal as Python's tuples are: ``1 == 1.0``, but a text is no BLOB.

    Attributes:
        count: how many rows.
        as_list: digest of the rows in their order.
        as_multiset: digest of the rows in any order.
        as_set: digest of the different rows: BIRD's accuracy, as in ``evaluation.py`` of DAMO-ConvAI and mini_dev.
        error: why there are no rows; empty if there was no error.
        status: as of a :class:`Result`.
    """

    count: int
    as_list: str
    as_multiset: str
    as_set: str
    error: str = ""
    status: Status = "ok"
