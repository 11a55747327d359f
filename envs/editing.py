"""The text between agents and their editors: the prompt for an edit, and the edit in the answer.

Source of the form: LSE, arXiv 2603.18620 (one user message with the context and a report; the new context in
``<prompt>`` tags); the wording is ours.
"""

from typing import NamedTuple

from lse_gym.envs.report import Report, report_of
from lse_gym.envs.text import TextOf, elements, tagged

MIN_EDIT_CHARS = 10  # LSE's released code treats a shorter edit as invalid

CONTEXT_HEADER = "### Current instructions"
REPORT_HEADER = "### Report"
TASK_HEADER = "### Your task"
INSTRUCTION = (
    "Work out what the model did not know. Then write the complete new instructions, which replace the current "
    "ones: keep what is right, correct what is wrong, add what new questions of the same kind will need."
)
_LIMIT = "Use at most "


class EditorTask(NamedTuple):
    """What an editor prompt asks for."""

    context: str
    report: Report
    max_chars: int
    instruction: str


class EditorPrompt(TextOf[EditorTask]):
    """The text of an editor prompt, with what it was made from behind it."""


def editor_prompt(
    context: str, report: str, max_chars: int, notes: str = "", instruction: str = INSTRUCTION
) -> EditorPrompt:
    """One user message: the current context, the report on a feedback batch, and what to write.

    Args:
        context: the context under revision.
        report: the observation's feedback text.
        max_chars: the longest context the env accepts, in characters.
        notes: what else the editor is told, before the context.
        instruction: how the editor is to go about it; ``LSE/Editor-v0`` edits it. What is asked for, and in which form,
            stands behind it.
    """
    told = f"{notes.rstrip()}\n\n" if notes else ""
    text = (
        "You improve the instructions that another language model follows. "
        "Its fixed prompt cannot be changed; its instructions can.\n\n"
        f"{told}{CONTEXT_HEADER}\n{context}\n\n"
        f"{REPORT_HEADER}\n{report}\n\n"
        f"{TASK_HEADER}\n"
        f"{instruction} "
        f"{_LIMIT}{max_chars} characters. Reason first, then put the new instructions between <prompt> and </prompt>. "
        "Or, to change single lines only, put each between <add> and </add> or <remove> and </remove>."
    )
    return EditorPrompt(text, EditorTask(context, report_of(report), max_chars, instruction))


def parse_edit(response: str, context: str, bare: bool = False) -> str | None:
    """The context after the edit in an editor's response; None where there is no edit, or it leaves next to nothing.

    An edit is the complete new context in ``<prompt>`` tags, or else lines in ``<add>`` and ``<remove>`` tags: what is
    to be removed must equal a line of ``context``; what is added comes last, unless it is there already.

    Args:
        response: what the editor said.
        context: what it was to edit.
        bare: whether words without any tag are the complete new context, and of a ``<prompt>`` that is never closed
            what follows it.
    """
    edit = tagged(response, "prompt")
    if edit is None:
        added, removed = ({line.strip(): None for line in elements(response, tag)} for tag in ("add", "remove"))
        if added or removed:
            kept = [line for line in context.split("\n") if line.strip() not in removed]
            present = {line.strip() for line in kept}
            edit = "\n".join([*kept, *(line for line in added if line and line not in present)])
        else:
            edit = response.rpartition("<prompt>")[2].strip() if bare else ""
    return edit if len(edit) >= MIN_EDIT_CHARS else None
