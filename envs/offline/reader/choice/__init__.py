"""Multiple choice: how the reader answers, by the rules in the context, everyday knowledge, or a guess."""

from collections.abc import Sequence
from functools import lru_cache

from lse_gym.envs.offline.reader.choice.question import split_choices, understand
from lse_gym.envs.offline.reader.choice.rules import Knowledge, Meaning, gather, parse_rule
from lse_gym.envs.offline.reader.choice.solve import solve
from lse_gym.envs.offline.reader.prompt import Prompt
from lse_gym.envs.offline.stand_in import chance, in_tags


def recognises(prompt: Prompt) -> bool:
    """Whether the question has choices."""
    return bool(split_choices(prompt.question)[1])


@in_tags
def answer(prompt: Prompt) -> str:
    """The letter of a choice."""

    def choose(meanings: Sequence[Meaning]) -> Meaning:
        """Of meanings that contradict each other, one or another, by the question."""
        return meanings[int(chance("choice", prompt.question, *meanings) * len(meanings))]

    asked = understand(prompt.question)
    letters = (
        solve(asked, read_lines(prompt.context.lines()), choose) if asked else [*split_choices(prompt.question)[1]]
    )
    return letters[int(chance("guess", prompt.question) * len(letters))]


@lru_cache(maxsize=256)
def read_lines(lines: tuple[str, ...]) -> Knowledge:
    """The rules in the lines of a context; examples ("Q: …") are not rules."""
    return gather(rule for line in lines if not line.lstrip("-* ").startswith("Q:") for rule in parse_rule(line))
