"""What a theme is: the vocabulary of one line of business, from which worlds and their datasets are drawn."""

from typing import NamedTuple


class Measure(NamedTuple):
    """A column of numbers, and the range of what it records."""

    column: str
    low: int
    high: int


class Target(NamedTuple):
    """A column of numbers that is predicted: its range in the unit of reports, and how many stored units make one."""

    column: str
    low: float
    high: float
    reported: str
    stored: str
    factor: int
    steps: tuple[float, ...]  # that predictions may be rounded to, in the unit of reports


class Category(NamedTuple):
    """A column of words."""

    column: str
    values: tuple[str, ...]


class Theme(NamedTuple):
    """Vocabulary. No column, value or term of a test theme is one of a training theme.

    Attributes:
        thing: what a row is about.
        things: the table of rows.
        inputs: what the targets depend on.
        lookup: a second table, with both ``keys`` and the column ``extra``.
        groups: what tables are made by.
        state: values of rows, of which any but the first two may mean that the row does not count.
        origin: the same, of which any but the first may.
        leaks: what is known only afterwards: a number that gives the grade away, and one that gives the targets away.
        series: what is recorded daily, with ``driver``, which it follows.
        terms: words for a statistic.
        names: what the column of predictions may be called, by target.
    """

    name: str
    thing: str
    things: str
    inputs: tuple[Measure, Measure, Measure]
    lookup: str
    keys: tuple[str, str]
    extra: Measure
    targets: tuple[Target, Target]
    groups: tuple[Category, Category]
    state: Category
    origin: Category
    grade: Category
    leaks: tuple[str, str]
    series: Measure
    driver: Measure
    terms: tuple[str, str]
    names: dict[str, tuple[str, str]]

    def target(self, column: str) -> Target:
        """The target of that column."""
        return next(target for target in self.targets if target.column == column)
