"""Reading a playbook sentence by sentence: the rules in it, whatever their exact wording."""

import re
from collections.abc import Iterator
from functools import lru_cache

from lse_gym.envs.offline.reader.english import BULLET, stem
from lse_gym.envs.offline.reader.tools import wording as say
from lse_gym.envs.offline.reader.tools.dates import date_format
from lse_gym.envs.offline.reader.tools.rules import Known, Rule

MAX_LINE_CHARS = 600  # what is read of a line


@lru_cache(maxsize=4096)
def parse_line(line: str, known: Known) -> tuple[Rule, ...]:
    """The rules in one line of a playbook; other prose holds none."""
    line = " ".join(BULLET.sub("", line[:MAX_LINE_CHARS]).replace("**", "").split())
    if guard := _guard(line, known):
        return guard
    found: list[Rule] = []
    for sentence in say.SENTENCE_END.split(line):
        found += _sentence(sentence.strip(), known)
    return tuple(dict.fromkeys(found))


def _sentence(sentence: str, known: Known) -> tuple[Rule, ...]:
    for parse in (_step, _page, _date, _rounding, _key, _value, _spelling, _unit):
        if rules := parse(sentence, known):
            return rules
    return ()


def _quoted(text: str, known: Known) -> list[re.Match[str]]:
    """What stands in quotation marks, names of arguments left out."""
    names = {*known.enums, *(name for _, names in known.arguments for name in names)}
    return [match for match in say.QUOTED.finditer(text) if _inside(match) not in names]


def _inside(match: re.Match[str]) -> str:
    return next(filter(None, match.groups())).strip()


def _mentioned(text: str, known: Known) -> list[tuple[int, int, str]]:
    """The tools in a text, by where they start and end: by name, or in words, as "cancel a rental"."""
    named = _named(text, tuple(tool for tool, _ in known.arguments))
    if len(named) < 2:
        for at, end, tool in _in_words(text, tuple(tool for tool, _ in known.arguments)):
            if all(end <= start or at >= stop for start, stop, _ in named):
                named.append((at, end, tool))
    return sorted(named)


def _named(text: str, tools: tuple[str, ...]) -> list[tuple[int, int, str]]:
    return [(m.start(), m.end(), m[0]) for m in re.finditer(r"\b\w+_\w+\b", text) if m[0] in tools]


@lru_cache(maxsize=64)
def _phrases(tools: tuple[str, ...]) -> tuple[tuple[re.Pattern[str], str], ...]:
    found = []
    for tool in tools:
        verb, _, noun = tool.partition("_")
        stemmed = re.escape(verb[:-1] if verb.endswith("e") else verb)
        articles = "(?: (?:an?|the|any|every|each|such|new))*"
        pattern = rf"\b{stemmed}(?:e|\w?ing|\w?ed)?{articles} {re.escape(stem(noun))}\w{{0,3}}\b"
        found.append((re.compile(pattern, re.IGNORECASE), tool))
    return tuple(found)


def _in_words(text: str, tools: tuple[str, ...]) -> Iterator[tuple[int, int, str]]:
    for pattern, tool in _phrases(tools):
        if match := pattern.search(text):
            yield match.start(), match.end(), tool


def _guard(line: str, known: Known) -> tuple[Rule, ...]:
    """Records of a status are left alone: a case is opened instead."""
    case = dict(known.nouns)["case"]
    quoted = _quoted(line, known)
    if len(quoted) != 2 or not say.REFUSES.search(line.lower()) or not re.search(rf"\b(?:open_)?{case}", line.lower()):
        return ()
    status, reason = quoted
    reasons = "|".join(map(re.escape, known.enums))
    before = line[: status.start()].lower()
    if say.REASON.search(before) or (re.search(rf"\b(?:{reasons})\W*$", before) and "open" in before):
        status, reason = reason, status
    return (Rule("guard", (_inside(status).lower(),), (_inside(reason),)),)


def _step(text: str, known: Known) -> tuple[Rule, ...]:
    tools = _mentioned(text, known)
    if len({tool for *_, tool in tools}) < 2:
        return ()
    (start, end, one), (begin, stop, two) = tools[:2]
    before, middle, after = text[:start].lower(), text[end:begin].lower(), text[stop:].lower()
    if len(tools) > 2 and re.search(r"\bthen\b|,|→|->", middle):
        return (Rule("step", (two, "before"), (one,)), Rule("step", (two, "after"), (tools[2][2],)))
    for words, word, trigger, when in (
        (before, "before", one, "before"),
        (before, "after", one, "after"),
        (before, "once", one, "after"),
        (middle, "before", two, "before"),
        (middle, "after", two, "after"),
        (middle, "followed by", one, "after"),
        (middle, "preceded by", one, "before"),
        (after, "first", one, "before"),
        (after, "afterwards", one, "after"),
        (before, "first", two, "before"),
        (middle, "needs", one, "before"),
        (middle, "then", one, "after"),
    ):
        if re.search(rf"\b{word}\b", words):
            called, at = (two, stop) if trigger == one else (one, end)
            return (Rule("step", (trigger, when), (called, *_given(text, at, called, known))),)
    return ()


def _given(text: str, at: int, tool: str, known: Known) -> tuple[str, ...]:
    """The arguments, by turns name and value, that a step gives to the tool that it calls."""
    arguments = dict(known.arguments)[tool]
    quoted = [match for match in _quoted(text, known) if match.start() > 0]
    named = [argument for argument in arguments if re.search(rf"\b{re.escape(argument)}\b", text[at:])]
    if len(quoted) == 1 and arguments:
        name = named[0] if named else arguments[-1]
        return (name, _inside(quoted[0]))
    return ()


def _page(text: str, known: Known) -> tuple[Rule, ...]:
    del known
    low = text.lower()
    match = say.PAGE.search(low)
    if not match or "pag" not in low or not say.PAGE_CUE.search(low):
        return ()
    said = next(filter(None, match.groups()), match[0])
    return (Rule("page", (), (0 if said.startswith(("0", "zero")) else 1,)),)


def _date(text: str, known: Known) -> tuple[Rule, ...]:
    del known
    found = date_format(text)
    return (Rule("date", (), (found,)),) if found else ()


def _rounding(text: str, known: Known) -> tuple[Rule, ...]:
    del known
    low = text.lower()
    if not say.ROUND.search(low) or not re.search(r"\brefund|\bpaid back|\bpay back|\bround", low):
        return ()
    match = say.STEP_OF_ROUNDING.search(low)
    if not match and not re.search(r"\b(?:full|whole|integer)\b", low):
        return ()
    mode = next((mode for mode in ("nearest", "down", "up") if re.search(rf"\b{mode}\b", low)), "nearest")
    unit = re.match(r"\W+([a-z]{3,})", low[match.end() :]) if match else re.search(r"\b(?:full|whole) ([a-z]{3,})", low)
    return (Rule("rounding", (), (mode, int(match[1]) if match else 1, unit[1] if unit else "")),)


def _key(text: str, known: Known) -> tuple[Rule, ...]:
    low, nouns = text.lower(), dict(known.nouns)
    keyed = [nouns[role] for role in ("record", "person", "thing")]
    tables = [dict(known.tables)[role] for role in ("record", "person", "thing")]
    quoted = {_inside(match).lower() for match in say.QUOTED.finditer(low)}
    mentioned = [n for n, t in zip(keyed, tables, strict=True) if n in quoted] or [
        n for n, t in zip(keyed, tables, strict=True) if re.search(rf"\b(?:{n}|{t})\b", low)
    ]
    if say.INTERNAL.search(low) and mentioned:
        return (Rule("key", (mentioned[0],), (f"{mentioned[0]}_id",)),)
    for match in say.FIELD.finditer(low):
        if say.DENIED.search(low[: match.start()]) or match[1] in ("the", "its", "a", "an", "their", "this", "which"):
            continue
        field = f"{match[1]}_{'id' if match[2] == 'id' else 'no'}"
        noun = match[1] if match[2] == "id" and match[1] in keyed else (mentioned[0] if mentioned else "")
        if noun and (match[2] != "id" or match[1] == noun):
            return (Rule("key", (noun,), (field,)),)
    return ()


def _value(text: str, known: Known) -> tuple[Rule, ...]:
    tools = _mentioned(text, known)
    if not tools:
        return ()
    tool, quoted = tools[0][2], _quoted(text, known)
    for argument in dict(known.arguments)[tool]:
        named = re.search(rf"\b{re.escape(argument)}\b", text)
        if not named or len(quoted) > 1:
            continue
        if quoted:
            return (Rule("value", (tool, argument), (_inside(quoted[0]),)),)
        plain = re.sub(rf" (?:of|in|for|to|on) {re.escape(tool)}\b", "", text)
        after = re.search(say.VALUE_AFTER.format(argument=re.escape(argument)), plain)
        if after and after[1].lower() not in say.NO_VALUE and after[1] != tool:
            return (Rule("value", (tool, argument), (after[1],)),)
    return ()


def _spelling(text: str, known: Known) -> tuple[Rule, ...]:
    quoted = _quoted(text, known)
    if len(quoted) != 2:
        arrow = say.ARROW.match(text.rstrip("."))
        return (Rule("spelling", (arrow[1].strip().lower(),), (arrow[2],)),) if arrow and not quoted else ()
    one, two = quoted
    middle = text[one.end() : two.start()].lower()
    if say.WRITTEN_FIRST.search(middle):
        one, two = two, one
    elif not say.TERM_FIRST.search(middle):
        return ()
    return (Rule("spelling", (_inside(one).lower(),), (_inside(two),)),)


def _unit(text: str, known: Known) -> tuple[Rule, ...]:
    del known
    low = text.lower()
    numbers = [m for m in say.NUMBER.finditer(low) if say.NUMBERS.get(m[1]) or int(m[1]) > 1]
    if len(numbers) != 1 or say.QUOTED.search(low):
        return ()
    number = say.NUMBERS.get(numbers[0][1]) or int(numbers[0][1])
    counted = re.match(r"\W+([a-z]+)", low[numbers[0].end() :])
    words = {word for word in re.findall(r"[a-z]{3,}", low) if word not in say.FILLER}
    divides = bool(re.search(r"\bdivide", low))
    return tuple(
        Rule("unit", (stem(word),), ("over" if divides or (counted and counted[1] == word) else "times", number))
        for word in sorted(words)
    )
