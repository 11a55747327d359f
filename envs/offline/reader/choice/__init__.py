"""How the reader answers multiple-choice questions: by the rules in the context, everyday knowledge, or a guess."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from lse_gym.envs.offline.reader.choice.question import split_choices, understand
from lse_gym.envs.offline.reader.choice.rules import Knowledge, Meaning, gather, parse_rule
from lse_gym.envs.offline.reader.choice.solve import solve
from lse_gym.envs.offline.text import chance

Lines = tuple[str, ...]


@lru_cache(maxsize=256)
def read_lines(lines: Lines) -> Knowledge:
    """The rules in the lines of a context; examples ("Q: …") are not rules."""
    return gather(rule for line in lines if not line.lstrip("-* ").startswith("Q:") for rule in parse_rule(line))


def answer_choice(question: str, lines: Lines) -> str:
    """The letter for a question with its choices, "" where there are none."""
    asked = understand(question)
    letters = list(split_choices(question)[1])
    if asked:
        letters = solve(asked, read_lines(lines), _choose(question))
    return letters[int(chance("guess", question) * len(letters))] if letters else ""


def _choose(question: str) -> Callable[[Sequence[Meaning]], Meaning]:
    """Of meanings that contradict each other, one or another, by the question."""

    def choose(meanings: Sequence[Meaning]) -> Meaning:
        return meanings[int(chance("choice", question, *meanings) * len(meanings))]

    return choose
