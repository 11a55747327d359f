"""The hinter: finds where an attempt leaves the reference solution, and says how such a step is done."""

import re

from lse_gym.envs.games.hint.prompt import ATTEMPT, HINTER, PAST_HINTS, SOLUTION
from lse_gym.envs.offline.reader.prompt import Prompt

STEP = re.compile(r"^Step \d+: (.+?) = (-?\d+)(?: \((.+)\))?$", re.MULTILINE)
SENTENCES = 3  # of a hint, at most


def recognises(prompt: Prompt) -> bool:
    """Whether a hint is asked for."""
    return prompt.frozen == HINTER


def answer(prompt: Prompt) -> str:
    """A hint that names the method of the first step that went another way; earlier hints are said again."""
    parts = {name: _part(prompt.question, name) for name in (ATTEMPT, SOLUTION, PAST_HINTS)}
    tried, right = (STEP.findall(parts[name]) for name in (ATTEMPT, SOLUTION))
    told = [hint for hint in dict.fromkeys(re.split(r"(?<=\.) ", parts[PAST_HINTS].replace("\n", " "))) if hint]
    wrong = [method for i, (_, value, method) in enumerate(right) if i >= len(tried) or tried[i][1] != value]
    fresh = [f"Remember: {method}." for method in wrong if method]
    new = next((hint for hint in fresh if hint not in told), "")
    hint = " ".join([*told, new][-SENTENCES:]).strip() or "Go through it again, one step at a time."
    step = f"It goes wrong at: {wrong[0]}." if wrong else "It goes wrong somewhere."
    return f"<analysis>{step}</analysis><hint>{hint}</hint>"


def _part(text: str, header: str) -> str:
    return text.partition(f"{header}\n")[2].partition("\n\n### ")[0]
