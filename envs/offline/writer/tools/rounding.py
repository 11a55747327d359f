"""How refunds are rounded: the rules that explain those that were seen, which are kept until one rule is left."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from lse_gym.envs.offline.reader.tools.rules import Knowledge
from lse_gym.envs.offline.writer.tools.book import Book, Refund, keep
from lse_gym.envs.offline.writer.tools.lesson import Lesson

MAX_STORED = 10**9  # what is more is no amount of an office
STEPS = (1, 2, 5, 10, 20, 50)  # that people round to
MODES = ("down", "up", "nearest")


def learn_rounding(lessons: Sequence[Lesson], book: Book) -> None:
    """Put the rule that explains all refunds, and keep those that may still speak for another one."""
    refunds = [*book.refunds, *_seen(lessons)]
    told = book.knowledge.told("rounding")
    if not refunds:
        return
    factor = _factor(book.knowledge)
    if not told and all(refund.paid == _exact(refund, factor) for refund in refunds):
        return
    fits = [rule for rule in _rules() if all(_paid(refund, rule, factor) == refund.paid for refund in refunds)]
    if not fits:
        keep(book, refunds)
        return
    mode, step = next((rule for rule in fits if told and tuple(told[0][:2]) == rule), fits[0])
    how = "to the nearest" if mode == "nearest" else f"{mode} to a"
    book.add(f"Round refunds {how} multiple of {step}.")
    keep(book, refunds if len(fits) > 1 else ())


def _seen(lessons: Sequence[Lesson]) -> Iterator[Refund]:
    for lesson in lessons:
        grew = lesson.grew("amount")
        amounts = [value for value in lesson.values("amount", "from") if isinstance(value, int | float)]
        if lesson.request.op == "refund" and grew and max(map(abs, [grew, *amounts])) < MAX_STORED:
            before = amounts[0]
            yield Refund(lesson.request.percent, Decimal(str(before)), -Decimal(str(grew)))


def _factor(knowledge: Knowledge) -> int:
    """In how many parts of what people say the tools count money."""
    told = knowledge.told("unit", "amount")
    return int(told[0][1]) if told and told[0][0] == "times" else 1


def _rules() -> Iterator[tuple[str, int]]:
    for step in STEPS:
        yield from ((mode, step) for mode in MODES)


def _exact(refund: Refund, factor: int) -> Decimal:
    """To the hundredth of what people say."""
    hundredths = refund.amount * refund.percent / factor
    return (hundredths + Decimal("0.5")) // 1 * factor / 100


def _paid(refund: Refund, rule: tuple[str, int], factor: int) -> Decimal:
    mode, step = rule[0], rule[1] * factor
    down, rest = divmod(refund.amount * refund.percent / 100, step)
    return (down + {"down": 0, "up": rest > 0, "nearest": 2 * rest >= step}[mode]) * step
