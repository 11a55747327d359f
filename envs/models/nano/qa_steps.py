"""The steps of an answer of ``nano`` to a multiple-choice question, written out: sums, roundings, comparisons."""

from collections.abc import Iterable

from lse_gym.envs.qa.procedural.forms import entered
from lse_gym.envs.qa.procedural.world import Rounding


def total(first: int, sign: int, second: int) -> str:
    """A sum or a difference by tens and units."""
    tens, units = (first // 10 + sign * (second // 10)) * 10, first % 10 + sign * (second % 10)
    operator = "+" if sign > 0 else "-"
    return f"{first} {operator} {second} = {tens} {'+' if units >= 0 else '-'} {abs(units)} = {first + sign * second}"


def product(number: int, factor: int) -> str:
    """A product, by tens and units where the factor has both."""
    tens, units = factor // 10 * 10, factor % 10
    parts = f" = {number * tens} + {number * units}" if tens and units else ""
    return f"{number} x {factor}{parts} = {number * factor}"


def division(number: int, divisor: int) -> tuple[list[str], int, int]:
    """Long division, one line a digit, with its quotient and remainder."""
    lines, quotient, rest = [], "", 0
    for digit in str(number):
        current = 10 * rest + int(digit)
        q, rest = divmod(current, divisor)
        quotient += str(q)
        lines.append(f"{current}: {product(q, divisor)}, {current} - {q * divisor} = {rest}")
    return [*lines, f"{quotient} rest {rest}"], int(quotient), rest


def rounded(whole: int, rest: int, divisor: int, rounding: Rounding) -> str:
    """``whole + rest / divisor`` between its two neighbours, and the one that the rule chooses."""
    down = whole // rounding.step * rounding.step
    up, over = down + rounding.step, f"{whole - down}{' and more' * (rest > 0)}"
    result = entered(whole * divisor + rest, divisor, rounding)
    return f"{whole} = {down} + {over}, {down} or {up}, {rounding.mode} {rounding.step}: {result}"


def running_best(rows: Iterable[tuple[str, str, int]], most: bool) -> list[str]:
    """A line each of what to show, a letter and a value; it ends with the best value so far and its letter."""
    lines: list[str] = []
    best: tuple[str, int] | None = None
    for shown, letter, value in rows:
        line = shown
        if best is not None:
            relation = "=" if value == best[1] else ">" if value > best[1] else "<"
            line += f", {best[1]} {'max' if most else 'min'} {relation}"
        if best is None or (value > best[1] if most else value < best[1]):
            best = (letter, value)
        lines.append(f"{line}: {best[0]} {best[1]}")
    return lines


def matching(lettered: dict[str, str], gold: str) -> str:
    """Which of the choices the answer is."""
    return ", ".join(f"{letter} {choice} {'yes' if choice == gold else 'no'}" for letter, choice in lettered.items())
