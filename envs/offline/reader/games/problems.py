"""Word problems: step by step, each step the more likely wrong the harder its kind; lessons and hints help.

A sentence of the context or of a hint teaches a kind of step where it names both what the step is about and how it is
done. What was taught is forgotten now and then, a hint less often than a line of the context.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from math import prod

from lse_gym.envs.games.problems.wording import OVERVIEW, Step, apply, line, read_problem
from lse_gym.envs.offline.reader.prompt import Prompt
from lse_gym.envs.offline.stand_in import chance

# kind -> how often it goes wrong; what it is about; how it is done
KINDS = {
    "gain": (0.03, r"arriv|added|comes? in", r"\badd"),
    "lose": (0.03, r"\bgoes\b|lost|taken", r"take away|taken away|subtract"),
    "packs": (0.25, r"\bpack|\beach\b|\bper\b", r"multiply|multiplied"),
    "times": (0.25, r"times as many|times (?:the|their|its) number", r"multiply|multiplied"),
    "share": (0.45, r"evenly|equal(?:ly)? |shared|split", r"divid"),
    "fraction": (0.75, r"one (?:in|out of|in every)|fraction|\bevery\b", r"divid"),
    "percent": (0.85, r"percent|per cent|%", r"hundred"),
    "more": (0.85, r"twice|more than", r"doubl"),
}
STILL_WRONG = {"hint": 0.12, "context": 0.3}  # of what goes wrong, after it was taught by one
SENTENCE = re.compile(r"[.;!?\n]+")


def recognises(prompt: Prompt) -> bool:
    """Whether it is about word problems."""
    return prompt.frozen.startswith(OVERVIEW)


def answer(prompt: Prompt) -> str:
    """The steps as far as they are understood, and the number that they come to."""
    question, _, hint = prompt.question.partition("\n\n")
    read = read_problem(question)
    if read is None:
        return "<answer></answer>"
    value, steps = read
    lines = []
    for number, (step, rate) in enumerate(zip(steps, _rates(steps, prompt, hint), strict=True), 1):
        wrong = chance("step", question, number, *prompt.luck) < rate
        working, value = _misread(step, value) if wrong else apply(step, value)
        lines.append(line(number, working, value))
    return "\n".join([*lines, f"<answer>{value}</answer>"])


def likelihood(prompt: Prompt, text: str) -> float:
    """How likely this text is as an answer, over all samples at a temperature; in [0, 1]."""
    question, _, hint = prompt.question.partition("\n\n")
    read = read_problem(question)
    lines = text.split("\n")
    if read is None or len(lines) != len(read[1]) + 1:
        return 0.0
    value, steps = read
    likely = 1.0
    for number, (step, rate, said) in enumerate(zip(steps, _rates(steps, prompt, hint), lines, strict=False), 1):
        right, wrong = apply(step, value), _misread(step, value)
        ways = {line(number, *right): (right[1], 1 - rate), line(number, *wrong): (wrong[1], rate)}
        if said not in ways:
            return 0.0
        value, p = ways[said]
        likely *= p
    return likely if lines[-1] == f"<answer>{value}</answer>" else 0.0


def _rates(steps: Iterable[Step], prompt: Prompt, hint: str) -> list[float]:
    """How often each step goes wrong, after what context and hint teach."""
    taught = {"context": taught_by(tuple(prompt.context.lines())), "hint": taught_by((hint,))}
    left = {kind: prod(STILL_WRONG[source] for source in taught if kind in taught[source]) for kind in KINDS}
    return [KINDS[step.kind][0] * left[step.kind] for step in steps]


@lru_cache(maxsize=1024)
def taught_by(texts: tuple[str, ...]) -> frozenset[str]:
    """The kinds of steps that sentences teach."""
    sentences = [sentence.lower() for text in texts for sentence in SENTENCE.split(text)]
    return frozenset(
        kind
        for kind, (_, about, method) in KINDS.items()
        if any(re.search(about, sentence) and re.search(method, sentence) for sentence in sentences)
    )


def _misread(step: Step, value: int) -> tuple[str, int]:
    """The mistake that is made with a kind of step: a carry that is lost, or the number as if it stood alone."""
    kind, a, b = step
    match kind:
        case "gain":
            return f"{value} + {a}", value + a + 10
        case "lose":
            return f"{value} - {a}", value - a - 10
        case "packs":
            return f"{value} + {a} + {b}", value + a + b
        case "times" | "more":
            return f"{value} + {a}", value + a
    return f"{value} - {a}", value - a
