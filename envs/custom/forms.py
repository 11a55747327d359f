"""Forms that people's records have, recognised by their shape: nested lists, chats, passages, scores of choices."""

import re
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

TABLE_OF_CHOICES = ("question", "A", "B", "C", "D", "answer")  # MMLU's files, which have no header
CHOICE_NAME = re.compile(r"(?:(?:choice|option|ending|opt|op|answer)[ _]?)(\d{1,2}|[a-z])", re.IGNORECASE)


class Choices(NamedTuple):
    """The choices of a question, and what each is called in the data (empty where nothing is)."""

    texts: tuple[str, ...]
    labels: tuple[str, ...] = ()


def list_of(value: Any, path: str = "") -> tuple[str, Sequence[Any] | None]:
    """The list of rows in a JSON value, with its name: the value, what ``path`` names, or the only one inside."""
    if path:
        found = look_up(value, path)
        return path, found if isinstance(found, list) else None
    if isinstance(value, list):
        return "", value
    inside = {key: one for key, one in value.items() if _is_rows(one)} if isinstance(value, dict) else {}
    return next(iter(inside.items())) if len(inside) == 1 else ("", None)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def look_up(record: Any, path: str) -> Any:
    """What a column holds, or a dotted path into it; None where there is nothing.

    >>> look_up({"question": {"stem": "Which?"}}, "question.stem")
    'Which?'
    """
    if isinstance(record, Mapping) and path in record:
        return record[path]
    for key in path.split("."):
        if isinstance(record, Mapping):
            record = record.get(key)
        elif isinstance(record, (list, tuple)) and key.isdigit() and len(key) < 6 and int(key) < len(record):
            record = record[int(key)]
        else:
            return None
    return record


def unfold(record: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """The records that one stands for: SQuAD keeps questions inside of paragraphs, promptfoo values in `vars`."""
    if isinstance(record.get("paragraphs"), list):
        for paragraph in record["paragraphs"]:
            for asked in paragraph.get("qas", ()) if isinstance(paragraph, Mapping) else ():
                if isinstance(asked, Mapping):
                    yield {"context": paragraph.get("context"), **asked}
    elif isinstance(record.get("vars"), Mapping):
        rest = {key: value for key, value in record.items() if key not in ("vars", "assert")}
        wanted = [one.get("value") for one in record.get("assert") or () if _is_equality(one)]
        yield rest | record["vars"] | ({"answer": wanted} if wanted and "answer" not in record["vars"] else {})
    else:
        yield record


def _is_equality(assertion: Any) -> bool:
    return isinstance(assertion, Mapping) and assertion.get("type") in ("equals", "is-equal")


def is_chat(value: Any) -> bool:
    """Whether a value is a list of chat messages."""
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(isinstance(one, Mapping) and "role" in one and isinstance(one.get("content"), str) for one in value)
    )


def chat_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """Chat messages as one question: system and user as they are, of a longer talk each with who says it."""
    if sum(one["role"] not in ("system", "developer") for one in messages) == 1:
        return "\n".join(one["content"].strip() for one in messages)
    return "\n".join(f"{str(one['role']).capitalize()}: {one['content'].strip()}" for one in messages)


def text_of(value: Any) -> str:
    """Evidence as text, however it is nested: paragraphs of HotpotQA, lists of passages, objects of texts.

    >>> text_of([["Oslo", ["Oslo is a city.", " It is old."]], ["Rome", ["Rome is older."]]])
    'Oslo: Oslo is a city. It is old.\\nRome: Rome is older.'
    """
    if value is None:
        return ""
    if isinstance(value, Mapping):
        if isinstance(value.get("title"), (list, tuple)):  # HotpotQA on the hub: parallel lists
            rest = next((one for key, one in value.items() if key != "title" and isinstance(one, (list, tuple))), ())
            return text_of([[title, part] for title, part in zip(value["title"], rest, strict=False)])
        return "\n".join(f"{key}: {text_of(one)}" for key, one in value.items() if text_of(one))
    if isinstance(value, (list, tuple)):
        if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], (list, tuple)):
            return f"{value[0]}: {''.join(map(text_of, value[1])).strip()}"
        return "\n".join(filter(None, map(text_of, value)))
    return str(value)


def scored_choices(value: Any) -> Choices | None:
    """The choices of BIG-bench's `target_scores`; None where the value is none."""
    if isinstance(value, Mapping) and len(value) > 1 and all(isinstance(one, (int, float)) for one in value.values()):
        return Choices(tuple(map(str, value)))
    return None


def best_choices(value: Mapping[str, float]) -> list[str]:
    """The choices of `target_scores` with the highest score."""
    return [str(name) for name, score in value.items() if score == max(value.values())]


def choice_columns(names: Sequence[str]) -> list[tuple[str, str]]:
    """The columns that hold a choice each, with the choice's label: A, B, C, …, or choice0, option_1, opa, …"""
    letters = [(name, name) for name in names if len(name) == 1 and name in string.ascii_uppercase]
    if len(letters) > 1:
        return sorted(letters)
    found: dict[str, list[tuple[str, str]]] = {}
    for name in names:
        if match := CHOICE_NAME.fullmatch(name):
            found.setdefault(name[: match.start(1)], []).append((name, match[1].upper()))
    longest = max(found.values(), key=len, default=[])
    return longest if len(longest) > 1 else []


def choices_of(value: Any) -> Choices:
    """Choices as a list, as objects with `label` and `text`, as an object of both, or as an object of letters."""
    if isinstance(value, Mapping):
        if isinstance(value.get("text"), (list, tuple)):  # ARC: {"text": [...], "label": ["A", ...]}
            labels = value.get("label") or ()
            return Choices(tuple(map(_text, value["text"])), tuple(map(_text, labels)))
        return Choices(tuple(map(_text, value.values())), tuple(map(_text, value)))
    if not isinstance(value, (list, tuple)):
        return Choices(())
    if value and all(isinstance(one, Mapping) and ("text" in one or "content" in one) for one in value):
        texts = tuple(_text(one.get("text", one.get("content"))) for one in value)
        labels = tuple(_text(one.get("label", one.get("key", ""))) for one in value)
        return Choices(texts, labels if all(labels) else ())
    return Choices(tuple(map(_text, value)))


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
