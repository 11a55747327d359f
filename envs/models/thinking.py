"""What a model thinks before it answers is not its answer."""

import re

_OPENING = re.compile(r"\s*(?:<(think|thinking|thought)>|\[(THINK)\])")
_CLOSING = re.compile(r"</(think|thinking|thought)>|\[/(THINK)\]")


def split_thinking(text: str, opened: bool = False) -> tuple[str, str]:
    """The answer in a model's text, and the thinking before it.

    Thinking stands at the start, between tags, of which the prompt may have had the first; a text that ends inside it
    has no answer. Tags further on, as in a context that speaks of them, are part of the answer.

    Args:
        text: what the model wrote.
        opened: whether the prompt ended in the opening tag.

    >>> split_thinking("<think>3? No.</think> 4"), split_thinking("Hm. </think>4"), split_thinking("<think>It is 3")
    (('4', '<think>3? No.</think> '), ('4', 'Hm. </think>'), ('', '<think>It is 3'))
    """
    start = 0
    while True:
        opening = _OPENING.match(text, start)
        closing = _CLOSING.search(text, opening.end() if opening else start)
        if opening is None and closing is not None and _mentioned(text, start, closing):
            closing = None
        if closing is None:
            unfinished = opening is not None or (opened and not start)
            answer = "" if unfinished else text[start:].lstrip() if start else text
            return answer, text[: len(text) - len(answer)]
        start = closing.end()


def _mentioned(text: str, start: int, closing: re.Match[str]) -> bool:
    """Whether a closing tag belongs to an opening one inside the answer."""
    name = closing[1] or closing[2]
    opening = f"<{name}>" if closing[1] else f"[{name}]"
    return text.find(opening, start, closing.start()) >= 0
