"""How a question and an example are laid side by side, word by word, and what the differences cost."""

import itertools
from typing import NamedTuple

from lse_gym.envs.offline.reader.sql.asked import Asked
from lse_gym.envs.offline.reader.sql.words import canonical

MAX_VALUE_WORDS = 4
# Costs, in units of one rare word left unmatched; found by trial on real questions, flat around these values.
SYNONYM = 0.1
SUBSTITUTE = 0.9  # of the two words together, so that one in place of the other is better than neither
EXCHANGED = 0.4  # a word in place of another where the SQL could follow


class Alignment(NamedTuple):
    """The cheapest way to read a question as an example's template."""

    cost: float
    spans: dict[int, tuple[int, int]]  # slot -> words of the question
    changed: tuple[tuple[str, str], ...]  # word of the template, word of the question in its place


def cost_table(asked: Asked, number: int) -> tuple[list[list[float]], list[list[int]]]:
    """Costs of reading each prefix of the question as each prefix of an example's template, and the last moves.

    A move is the number of words taken: -1 for a word that the template lacks, 0 for a part that the question lacks.
    """
    parsed = asked.index.parsed[number]
    inserts, stems, alike = asked.inserts, asked.stems, asked.canonical
    width = len(inserts) + 1
    best: list[list[float]] = [list(itertools.accumulate(inserts, initial=0.0))]
    back: list[list[int]] = [[-1] * width]
    for part, drop in zip(parsed.template, asked.index.drops[number], strict=True):
        above = best[-1]
        row, moves = [above[0] + drop], [0]
        same = canonical(part) if isinstance(part, str) else ""
        for j in range(1, width):
            cost, move = above[j] + drop, 0
            if row[-1] + inserts[j - 1] < cost:
                cost, move = row[-1] + inserts[j - 1], -1
            if isinstance(part, str):
                if stems[j - 1] == part:
                    total = above[j - 1]
                elif alike[j - 1] == same:
                    total = above[j - 1] + SYNONYM
                else:
                    total = above[j - 1] + SUBSTITUTE * (drop + inserts[j - 1])
                if total < cost:
                    cost, move = total, 1
            else:
                for taken in range(1, min(MAX_VALUE_WORDS, j) + 1):
                    if above[j - taken] < cost:
                        total = above[j - taken] + asked.capture(parsed.slots[part], j - taken, j)
                        if total < cost:
                            cost, move = total, taken
            row.append(cost)
            moves.append(move)
        best.append(row)
        back.append(moves)
    return best, back


def align(asked: Asked, number: int) -> Alignment:
    """Follow the cheapest moves back from the end of question and template."""
    best, back = cost_table(asked, number)
    template = asked.index.parsed[number].template
    i, j = len(template), len(asked.stems)
    spans: dict[int, tuple[int, int]] = {}
    changed = []
    while i:
        move = back[i][j]
        part = template[i - 1]
        if move == -1:
            changed.append(("", asked.stems[j - 1]))
            j -= 1
            continue
        if isinstance(part, int):
            if move:
                spans[part] = (j - move, j)
        elif not move:
            changed.append((part, ""))
        elif asked.stems[j - 1] != part:
            changed.append((part, asked.stems[j - 1]))
        i, j = i - 1, j - move
    changed += [("", word) for word in asked.stems[:j]]
    return Alignment(best[-1][-1], spans, tuple(reversed(changed)))
