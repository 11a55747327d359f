"""The text between agents and their editors: the prompt for an edit, and the edit in the answer.

Source of the form: LSE, arXiv 2603.18620 (one user message with the context and a report; the new context in
``<prompt>`` tags); the wording is ours.
"""

from typing import NamedTuple

from lse_gym.envs.text import tagged

MIN_EDIT_CHARS = 10  # LSE's released code treats a shorter edit as invalid

CONTEXT_HEADER = "### Current instructions"
REPORT_HEADER = "### Report"
TASK_HEADER = "### Your task"
_LIMIT = "Use at most "


def editor_prompt(context: str, report: str, max_chars: int) -> str:
    """One user message: the current context, the report on a feedback batch, and what to write.

    Args:
        context: the context under revision.
        report: the observation's feedback text.
        max_chars: the longest context the env accepts, in characters.
    """
    return (
        "You improve the instructions that another language model follows. "
        "Its fixed prompt cannot be changed; its instructions can.\n\n"
        f"{CONTEXT_HEADER}\n{context}\n\n"
        f"{REPORT_HEADER}\n{report}\n\n"
        f"{TASK_HEADER}\n"
        "Work out what the model did not know. Then write the complete new instructions, which replace the current "
        "ones: keep what is right, correct what is wrong, add what new questions of the same kind will need. "
        f"{_LIMIT}{max_chars} characters. Reason first, then put the new instructions between <prompt> and </prompt>."
    )


def parse_edit(response: str) -> str | None:
    """The new context in an editor's response, or None where there is none of at least ``MIN_EDIT_CHARS``."""
    edit = tagged(response, "prompt")
    return edit if edit is not None and len(edit) >= MIN_EDIT_CHARS else None


class EditorTask(NamedTuple):
    """What an editor prompt holds."""

    context: str
    report: str
    max_chars: int


def read_editor_prompt(prompt: str) -> EditorTask | None:
    """Take an editor prompt apart, as an editor reads it; None where the text is no such prompt."""
    _, found, rest = prompt.partition(f"\n{CONTEXT_HEADER}\n")
    body, found_task, task = rest.rpartition(f"\n\n{TASK_HEADER}\n")
    context, found_report, report = body.rpartition(f"\n\n{REPORT_HEADER}\n")
    limit = task.partition(_LIMIT)[2].partition(" ")[0]
    if not (found and found_task and found_report and limit.isdigit()):
        return None
    return EditorTask(context, report, int(limit))
