"""The texts between the game and its players; the roles are HiLL's (arXiv 2604.00698), the wording is ours."""

from typing import Any

HINTER = (
    "You are the teacher of a student who got every answer to a question wrong. You see one wrong attempt and the "
    "reference solution, which the student will never see. Write a hint that gets the student past the mistake.\n\n"
    "Rules:\n"
    "- Nudge as little as you can: name what was overlooked or how such a step is done.\n"
    "- Never tell the answer, and put no number of the solution into the hint.\n"
    "- The student should be able to do without it next time: what holds for every such question is best.\n\n"
    "Say between <analysis> and </analysis> what went wrong. Then put the hint, one to three sentences, between <hint> "
    "and </hint>."
)
QUESTION, ATTEMPT = "### Question", "### A wrong attempt"
SOLUTION, PAST_HINTS = "### Reference solution", "### Hints that did not help"
SHEET_RULES = (
    "The instructions are a sheet of hints. It is shown below a question whose answers were all wrong without it, and "
    "the model answers again.\n\n"
    "Rules:\n"
    "- Name what is overlooked, or how such a step is done: what holds for every such question is best.\n"
    "- Never tell an answer: with such a question the sheet is not shown.\n"
    "- A sheet is worth most where some of the answers are right with it, and hardly rely on it: say as little as "
    "helps. Reliance is negative where answers would be unlikely without the sheet.\n\n"
    "What the model is told before each question:"
)
MAX_SHOWN_CHARS = 12_000  # of an attempt or a solution: its middle is left out


def hinted(user: str, hint: str) -> str:
    """A question with its hint: a blank line between them."""
    return f"{user}\n\n{hint}" if hint else user


def hinter_message(observation: dict[str, Any]) -> str:
    """What the hinter is told of a question."""
    parts = [
        f"{QUESTION}\n{observation['question']}",
        f"{ATTEMPT}\n{middle_cut(observation['attempt'])}",
        f"{SOLUTION}\n{middle_cut(observation['solution'])}",
    ]
    if observation["past_hints"]:
        parts.append(f"{PAST_HINTS}\n{observation['past_hints']}")
    return "\n\n".join(parts)


def middle_cut(text: str, max_chars: int = MAX_SHOWN_CHARS) -> str:
    """``text`` without its middle where it is too long."""
    half = max_chars // 2
    return text if len(text) <= max_chars else f"{text[:half]}\n[…]\n{text[-half:]}"
