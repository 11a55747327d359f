"""The functions of a code base: ten shapes, with the nouns of a theme; and the calls that their tests make."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

Arguments = Mapping[str, Any]
NAMES = ("Ada", "ada", "Bo", "BO", "Cy")


class Shape(NamedTuple):
    """A function to be: name, purpose, arguments, and its body, with ``<matter>`` where the code bases differ."""

    name: str
    purpose: str
    arguments: tuple[str, ...]
    body: str


SHAPES = (
    Shape(
        "{noun}_charge",
        "The charge for the {noun} called name from day first to day last.",
        ("rows", "name", "first", "last"),
        '<empty>\n    days = <ends>\n    money = sum(row["amount"] * days for row in rows if <case>)\n    <unit>',
    ),
    Shape(
        "largest_{noun}",
        "The name of the {noun} of the largest amount.",
        ("rows",),
        '<empty>\n    return <ties>lambda row: row["amount"])["name"]',
    ),
    Shape(
        "{noun}_packs",
        "How many packs of step the {plural} fill together.",
        ("rows", "step"),
        "amounts = <missing>\n    total = sum(amounts)\n    return <rounding>",
    ),
    Shape(
        "mean_{noun}",
        "The mean amount of the {plural}.",
        ("rows",),
        "<empty>\n    amounts = <missing>\n    money = sum(amounts) / len(amounts)\n    <unit>",
    ),
    Shape(
        "{noun}_ranking",
        "The amounts of all {plural}, in order.",
        ("rows",),
        "amounts = <missing>\n    return <order>",
    ),
    Shape(
        "large_{plural}",
        "The amounts of the {plural} over a limit, in order.",
        ("rows", "limit"),
        'amounts = [row["amount"] for row in rows if <limit>]\n    return <order>',
    ),
    Shape(
        "{noun}_weeks",
        "How many stretches of step days a {noun} takes from day first to day last.",
        ("first", "last", "step"),
        "total = <ends>\n    return <rounding>",
    ),
    Shape(
        "count_{plural}",
        "How many {plural} called name are over a limit.",
        ("rows", "name", "limit"),
        "<empty>\n    return sum(1 for row in rows if <case> and <limit>)",
    ),
    Shape(
        "{noun}_place",
        "The position of the first {noun} called name among all rows.",
        ("rows", "name"),
        "<empty>\n    place = next((i for i, row in enumerate(rows) if <case>), len(rows))\n    <start>",
    ),
    Shape(
        "best_{noun}_place",
        "The position of the {noun} of the largest amount.",
        ("rows",),
        '<empty>\n    place = rows.index(<ties>lambda row: row["amount"]))\n    <start>',
    ),
    Shape(
        "{noun}_price",
        "The price of the {plural} from day first to day last, at step a day.",
        ("rows", "first", "last", "step"),
        "amounts = <missing>\n    money = sum(amounts) + step * (<ends>)\n    <unit>",
    ),
    Shape(
        "full_{noun}_packs",
        "How many packs of step the {plural} over a limit fill together.",
        ("rows", "limit", "step"),
        '<empty>\n    total = sum(row["amount"] for row in rows if <limit>)\n    return <rounding>',
    ),
)


def call(rng: np.random.Generator, shape: Shape) -> Arguments:
    """Arguments of one test, in the order of the function's parameters."""
    drawn = rng.random(20).tolist()[::-1]  # one draw, as there are many tests

    def among(low: int, high: int) -> int:
        return low + int(drawn.pop() * (high - low))

    first, gaps = among(1, 20), "<missing>" in shape.body
    rows = [
        {
            "name": NAMES[among(0, len(NAMES))],
            "amount": None if drawn.pop() < 0.4 * bool(gaps and i) else among(1, 6) * 50,
        }
        for i in range(among(0 if "<empty>" in shape.body else 1, 5))
    ]
    values = {
        "rows": rows,
        "name": NAMES[among(0, len(NAMES))],
        "first": first,
        "last": first + among(1, 30),
        "limit": among(1, 6) * 50,
        "step": among(3, 9),
    }
    return {name: values[name] for name in shape.arguments}


@lru_cache(maxsize=1024)
def function(arguments: tuple[str, ...], body: str) -> Callable[..., Any]:
    """A function of ours, to be called; most differ from each other in their names alone."""
    scope: dict[str, Any] = {}
    code = f"def it({', '.join(arguments)}):\n    {body}"
    exec(code, scope)  # noqa: S102 - it is made from the shapes above; what a model wrote runs in the sandbox alone
    return scope["it"]
