"""Which lines of an edit the improvement comes from.

An edit of several lines has one reward, and all its tokens would share it, the false lines that of the true ones. But
every line of an edit is an edit, whose worth can be asked for. A false line costs nothing where no other says what is
true, and a true one gains nothing where a question needs two: so lines are judged in the company that they will be in,
see :meth:`lse_gym.agents.lse.chains.Chains.gains`. How the constants were found is told in ``LOG.md``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from lse_gym.envs.text import tagged

SCALE = 0.02  # worth, in units of the score, that counts in full: two questions in a hundred
REPEATED = -0.015  # worth of a line that is there already
DONE = 0.1  # advantage of an end after which nothing is left to say
MISSED = 0.3  # what goes from it where the other answers to the state found SCALE more
CUT = -0.3  # advantage of what follows the last line of an answer that came to no end
_LINE = re.compile(r"<(add|remove)>.*?</\1>", re.DOTALL)


def spans(answer: str) -> list[tuple[int, int]]:
    """Where the lines of an edit begin and end in an answer; nothing where it is no edit by lines."""
    return [] if tagged(answer, "prompt") is not None else [line.span() for line in _LINE.finditer(answer)]


def lines(answer: str) -> list[str]:
    """The lines of an edit, each with its tag."""
    return [answer[start:end] for start, end in spans(answer)]


def new_lines(context: str, answers: Iterable[str]) -> list[str]:
    """The different lines of several edits of a context that change it."""
    there = {line.strip() for line in context.split("\n")}

    def changes(line: str) -> bool:
        inside = line[line.index(">") + 1 : line.rindex("<")].strip()
        return (inside in there) != line.startswith("<add>")

    return [*filter(changes, dict.fromkeys(line for answer in answers for line in lines(answer)))]


def worths(answer: str, gains: Mapping[str, float], price: float) -> np.ndarray:
    """What the lines of an edit are worth, float64 of shape (lines,), in units of the score.

    Args:
        answer: the edit.
        gains: what each line gains by itself; a line that changes nothing, or comes again, is ``REPEATED``.
        price: what a line costs.
    """
    edit = lines(answer)
    again = [line in edit[:i] or line not in gains for i, line in enumerate(edit)]
    return np.array([REPEATED if twice else gains[line] - price for line, twice in zip(edit, again, strict=True)])


def missed(answer: str, gains: Mapping[str, float], price: float) -> float:
    """What the lines are worth that other answers have and this one has not."""
    edit = lines(answer)
    return sum(gain - price for line, gain in gains.items() if gain > price and line not in edit)


def advantages_of_lines(worth: np.ndarray, left: float, ended: bool) -> np.ndarray:
    """The advantages of the lines of an answer, and of its end, float64 of shape (lines + 1,).

    Args:
        worth: of :func:`worths`.
        left: of :func:`missed`.
        ended: whether the answer came to an end.
    """
    end = DONE - MISSED * min(1.0, left / SCALE) if ended else CUT
    return np.append(np.clip(worth / SCALE, -1.0, 1.0), end)


def token_values(pieces: Sequence[str], advantages: np.ndarray) -> np.ndarray:
    """The advantage of every token of an answer, float64 of shape (tokens,).

    A token has that of the line that it is of. The one that closes a line decides whether another follows (a tokenizer
    may have one for ``</add>`` and one for ``</add>\\n<add>``), so it has that of what comes next: with that of its own
    line, a good line would be a reason to stop.

    Args:
        pieces: the text of every token.
        advantages: of :func:`advantages_of_lines`.
    """
    ends = [end for _, end in spans("".join(pieces))]
    line = np.searchsorted(ends, np.cumsum([len(piece) for piece in pieces]), side="right")
    return advantages[np.minimum(line, len(advantages) - 1)]


def what_adds(answer: str, gains: Mapping[str, float]) -> str:
    """An edit by lines without those that gain nothing and those that are there twice."""
    return "\n".join(dict.fromkeys(line for line in lines(answer) if gains.get(line, 0.0) > 0))
