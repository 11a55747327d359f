"""Forms that people's records have, recognised by their shape: nested lists, chats, passages, answers in objects."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time, timedelta
from numbers import Number
from typing import Any, NamedTuple
from uuid import UUID

TABLE_OF_CHOICES = ("question", "A", "B", "C", "D", "answer")  # MMLU's files, which have no header
NESTED = ("qas", "qa_pairs", "questions")  # where SQuAD, DROP and QuALITY keep the questions about one text
TEXTS = ("text", "paragraph_text", "passage_text", "content", "body")  # names of what a titled passage says
SPEAKERS = {"human": "user", "gpt": "assistant", "developer": "system"}
# Checks of promptfoo that are no answers: "icontains: red", "similar(0.8): red", "is-json"
_CHECK = re.compile(
    r"(?:not-)?(?:i?contains|starts-with|regex|is-|javascript|fn|eval|python|file|webhook|similar|llm-rubric|grade|"
    r"model-graded|factuality|rouge|bleu|meteor|levenshtein|latency|cost|perplexity|moderation|answer-relevance|"
    r"context-)[\w-]*(?:\([^()]*\))?(?::|$)",
    re.IGNORECASE,
)


class Message(NamedTuple):
    """One message of a chat; the role is "system", "user", "assistant" or another name."""

    role: str
    text: str


def list_of(value: Any, path: str = "") -> tuple[str, Sequence[Any] | None]:
    """The list of rows in a JSON value, with its name: the value, what ``path`` names, or the only one inside.

    Objects of records by key (PubMedQA, DROP) are their records, and a table by columns, as pandas and datasets write
    it, is its rows.
    """
    if path:
        found = look_up(value, path)
        return path, found if isinstance(found, list) else _by_key(found)
    if isinstance(value, list):
        return "", value
    if isinstance(value, dict) and "prompts" in value and _is_rows(value.get("tests")):  # a configuration of promptfoo
        return "tests", value["tests"]
    inside = {key: one for key, one in value.items() if _is_rows(one)} if isinstance(value, dict) else {}
    return next(iter(inside.items())) if len(inside) == 1 else ("", _by_key(value))


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _by_key(value: Any) -> Sequence[Any] | None:
    if not isinstance(value, dict) or len(value) < 2:
        return None
    names, parts = [*value], [*value.values()]
    if isinstance(value.get("columns"), list) and isinstance(rows := value.get("data"), list):  # pandas, orient="split"
        whole = all(isinstance(row, list) and len(row) == len(value["columns"]) for row in rows)
        return [dict(zip(value["columns"], row, strict=True)) for row in rows] if whole else None
    if all(isinstance(part, dict) for part in parts):
        if all(part.keys() == parts[0].keys() for part in parts) and all(key.isdigit() for key in parts[0]):
            return [{name: value[name][key] for name in names} for key in parts[0]]  # pandas, orient="columns"
        return parts
    if all(isinstance(part, list) and len(part) == len(parts[0]) for part in parts) and not any(map(_is_rows, parts)):
        return [dict(zip(names, row, strict=True)) for row in zip(*parts, strict=True)]
    return None


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
    """The records that one stands for: several questions about one text, or the values of a promptfoo test."""
    paragraphs = record.get("paragraphs")
    if isinstance(paragraphs, list) and any(isinstance(one, Mapping) and "qas" in one for one in paragraphs):
        for paragraph in paragraphs:
            yield from unfold(paragraph) if isinstance(paragraph, Mapping) else ()
    elif "question" not in record and (name := next((name for name in NESTED if _is_rows(record.get(name))), "")):
        rest = {key: record[key] for key in ("context", "passage", "article", "split", "domain") if key in record}
        for asked in record[name]:
            yield rest | asked
    elif _is_parallel(record):
        rest = {key: value for key, value in record.items() if key not in ("id", "questions", "answers", "options")}
        options = record.get("options") or [None] * len(record["questions"])
        for question, answer, several in zip(record["questions"], record["answers"], options, strict=True):
            yield rest | {"question": question, "answer": answer} | ({"options": several} if several else {})
    elif isinstance(record.get("vars"), Mapping):
        rest = {key: value for key, value in record.items() if key not in ("vars", "assert")}
        wanted = [one.get("value") for one in record.get("assert") or () if _is_equality(one)]
        yield rest | record["vars"] | ({"answer": wanted} if wanted and "answer" not in record["vars"] else {})
    else:
        yield record


def _is_parallel(record: Mapping[str, Any]) -> bool:
    """Whether questions, answers and perhaps options are lists of one length, as in RACE."""
    lists = [record.get("questions"), record.get("answers"), *filter(None, [record.get("options")])]
    return all(isinstance(one, list) and bool(one) and len(one) == len(lists[0] or ()) for one in lists)


def _is_equality(assertion: Any) -> bool:
    return isinstance(assertion, Mapping) and assertion.get("type") in ("equals", "is-equal")


def checked_answer(value: Any) -> Any:
    """The answer in a cell `__expected` of promptfoo's tables; None where it is a check of another kind.

    >>> checked_answer("equals: red"), checked_answer("red"), checked_answer("icontains: red")
    ('red', 'red', None)
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    return None if _CHECK.match(text) else text.removeprefix("equals:").strip()


def messages_of(value: Any) -> list[Message] | None:
    """The messages of a chat in OpenAI's form or ShareGPT's; None where the value is no chat."""
    if not isinstance(value, (list, tuple)) or not value or not all(isinstance(one, Mapping) for one in value):
        return None
    named = [
        (one.get("role", one.get("from")), one.get("content") if "role" in one else one.get("value")) for one in value
    ]
    if not all(isinstance(role, str) and isinstance(text, str) for role, text in named):
        return None
    return [Message(SPEAKERS.get(role, role), text.strip()) for role, text in named]


def chat_text(messages: Sequence[Message]) -> str:
    """Chat messages as one question: system and user as they are, of a longer talk each with who says it."""
    if sum(one.role != "system" for one in messages) == 1:
        return "\n".join(one.text for one in messages)
    return "\n".join(f"{one.role.capitalize()}: {one.text}" for one in messages)


def answer_in(value: Any, names: Sequence[str]) -> Any:
    """The answer in an object of SQuAD, TriviaQA or DROP, or under one of the ``names``; any other value as it is.

    >>> answer_in({"value": "Oslo", "aliases": ["Kristiania"]}, ()), answer_in({"answer": "7"}, ("answer",))
    (['Oslo', 'Kristiania'], '7')
    """
    if not isinstance(value, Mapping):
        return value
    known = {str(key).lower(): one for key, one in value.items()}
    if "text" in known:  # SQuAD: {"text": [...], "answer_start": [...]}
        return known["text"]
    if isinstance(known.get("aliases"), (list, tuple)):
        return [known.get("value"), *known["aliases"]]
    if isinstance(known.get("spans"), (list, tuple)):  # DROP: spans, a number or a date
        date = known["date"].values() if isinstance(known.get("date"), Mapping) else ()
        return [*known["spans"]] or known.get("number") or " ".join(str(part) for part in date if part)
    found = [known[name.lower()] for name in names if name.lower() in known]
    return found[0] if len(found) == 1 else value


def plain(value: Any) -> Any:
    """A value of a table or of Python as JSON has them: dates, decimals and the like as people write them.

    >>> plain({"answer": {date(2020, 1, 31)}, "size": (b"2.50", None)})
    {'answer': ['2020-01-31'], 'size': ['2.50', None]}
    """
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if isinstance(value, (str, bool, int, float)) or value is None:
        return value
    if type(value).__name__ in ("NAType", "NaTType"):  # of pandas, whose comparisons have no truth value
        return None
    if hasattr(value, "tolist"):  # of NumPy, a scalar too
        return plain(value.tolist())
    if isinstance(value, (date, time, timedelta, Number, UUID)):
        return str(value)
    return _decoded(value) if isinstance(value, bytes) else value


def _decoded(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


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
        if isinstance(said := next((value[name] for name in TEXTS if name in value), None), str):
            title = value.get("title")  # MuSiQue: with marks of what is needed, which are no evidence
            return f"{title}: {said}" if title else said
        return "\n".join(f"{key}: {text_of(one)}" for key, one in value.items() if text_of(one))
    if isinstance(value, (list, tuple)):
        if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], (list, tuple)):
            return f"{value[0]}: {''.join(map(text_of, value[1])).strip()}"
        return "\n".join(filter(None, map(text_of, value)))
    return str(value)
