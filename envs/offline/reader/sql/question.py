"""How the reader takes a question: words matched with rules and schema, literal guesses for the rest."""

import re
from typing import NamedTuple

from lse_gym.envs.offline.reader.english import stems
from lse_gym.envs.offline.reader.sql.reading import STOP, Choose, Reading
from lse_gym.envs.offline.reader.sql.rules import Knowledge, Rule
from lse_gym.envs.offline.reader.sql.schema import Schema, Table

NUMBER = re.compile(r"\d+(?:\.\d+)?")
YEAR = re.compile(r"(?:19|20)\d\d")
SCALED = re.compile(r"([\w.]+)(\s*[*/]\s*\d+(?:\.\d+)?)")
OPERATIONS = {
    "AVG": "average mean typical".split(),
    "SUM": "total sum add overall".split(),
    "MAX": "highest maximum largest biggest greatest most longest top max".split(),
    "MIN": "lowest minimum smallest least fewest shortest min".split(),
}
ABOVE = "above over exceeding beyond more greater larger higher".split()
BELOW = "below under less fewer smaller lower".split()


class Measure(NamedTuple):
    """A numeric expression: the column, the scaling behind an aggregate, and the words it was read from."""

    column: str
    scale: str = ""
    phrase: tuple[str, ...] = ()


class Condition(NamedTuple):
    """A condition, the words it was read from, and whether a rule, the schema or a guess gave it."""

    sql: str
    phrase: tuple[str, ...]
    source: str  # "rule", "schema" or "guess"


class Understanding(NamedTuple):
    """What the reader takes a question to ask."""

    operation: str  # COUNT, LIST, AVG, SUM, MAX, MIN, TOP, BOTTOM
    table: str
    column: str  # what LIST, TOP and BOTTOM show
    measure: Measure | None
    conditions: tuple[Condition, ...]
    group: str  # table, or ""
    unexplained: tuple[tuple[int, str], ...]  # position and stem of words that nothing gave a meaning to
    words: int  # how many words needed a meaning

    @property
    def certainty(self) -> float:
        """The share of the words that was understood and not guessed, in [0, 1]."""
        doubts = len(self.unexplained) + sum(condition.source == "guess" for condition in self.conditions)
        return max(0.0, 1.0 - doubts / max(1, self.words))


def understand(
    question: str, schema: Schema, knowledge: Knowledge, choose: Choose = lambda rules: rules[-1]
) -> Understanding | None:
    """Read a question; None where no table of the schema can be made out.

    Args:
        question: the question in English.
        schema: the schema of the prompt.
        knowledge: the rules of the context.
        choose: picks one of several rules that contradict each other.
    """
    if not schema.tables:
        return None
    reading = Reading(question, schema, knowledge, choose)
    operation, at, explicit = _operation(reading)
    group_at = _group_position(reading)
    mains = [p for p in sorted(reading.tables) if p != group_at]
    if mains:
        table = reading.tables[mains[0]]
    else:
        guessed = [tables[0][0] for _, (_, tables) in sorted(reading.columns.items())]
        owners = [rule.sql.split(".")[0] for rule in reading.rules.values() if "." in rule.sql]
        table = next(iter([*guessed, *(o for o in owners if o in schema.tables), *schema.tables]))
    group = reading.tables[group_at] if group_at is not None else ""
    conditions = [*_amounts(reading, table), *_years(reading, table), *_words(reading), *_names(reading, group_at)]
    measure = _measure(reading, at, table) if operation in OPERATIONS or operation in ("TOP", "BOTTOM") else None
    if measure is None and operation not in ("COUNT", "LIST"):
        operation = "LIST"
    column = _shown(reading, schema.tables[table], operation)
    reading.used.update(j for i, word in enumerate(reading.lower) if word == "in" for j in _unit_after(reading, i))
    unexplained = [
        (i, s)
        for i, s in enumerate(reading.stems)
        if (i not in reading.used or i in reading.idle)
        and i not in explicit
        and reading.lower[i] not in STOP
        and not s.isdigit()
    ]
    words = sum(word not in STOP for word in reading.lower)
    return Understanding(operation, table, column, measure, tuple(conditions), group, tuple(unexplained), words)


def _operation(reading: Reading) -> tuple[str, int, set[int]]:
    lower = reading.lower
    which = bool(lower) and lower[0] == "which"
    for function, words in OPERATIONS.items():
        for i, word in enumerate(lower):
            if word in words and i not in reading.used and lower[i + 1 : i + 2] != ["than"]:
                extreme = {"MAX": "TOP", "MIN": "BOTTOM"}.get(function)
                return (extreme if which and extreme else function), i, {i}
    text = " ".join(lower)
    if re.search(r"\bhow many\b|\bnumber of\b|^count\b", text):
        return "COUNT", 0, set()
    return "LIST", 0, set()


def _group_position(reading: Reading) -> int | None:
    for i in range(len(reading.words)):
        after = i > 0 and (
            reading.lower[i - 1] in ("per", "each") or reading.lower[i - 2 : i] in (["by", "each"], ["for", "every"])
        )
        if after and i in reading.tables:
            return i
    return None


def _expression(rule: Rule) -> Measure:
    scaled = SCALED.fullmatch(rule.sql)
    return Measure(scaled[1], scaled[2], rule.trigger) if scaled else Measure(rule.sql, "", rule.trigger)


def _measure_at(reading: Reading, position: int, table: str) -> Measure | None:
    rule = reading.rules.get(position)
    if rule and rule.kind == "expression":
        return _expression(rule)
    if position in reading.columns:
        size, candidates = reading.columns[position]
        own = [c for c in candidates if c[0] == table] or candidates
        reading.idle.difference_update(range(position, position + size))
        return Measure(".".join(own[0]), "", tuple(reading.stems[position : position + size]))
    return None


def _measure(reading: Reading, at: int, table: str) -> Measure | None:
    positions = sorted({*reading.rules, *reading.columns})
    for position in [p for p in positions if p > at] or positions:
        measure = _measure_at(reading, position, table)
        if measure:
            return measure
    return None


def _amounts(reading: Reading, table: str) -> list[Condition]:
    found = []
    for i, word in enumerate(reading.words):
        if not NUMBER.fullmatch(word):
            continue
        before = reading.lower[max(0, i - 3) : i]
        sign = ">" if set(before) & set(ABOVE) else "<" if set(before) & set(BELOW) else ""
        sign = ">=" if before[-2:] == ["at", "least"] else "<=" if before[-2:] == ["at", "most"] else sign
        if not sign:
            continue
        earlier = [p for p in sorted({*reading.rules, *reading.columns}, reverse=True) if p < i]
        measure = next((m for p in earlier if (m := _measure_at(reading, p, table))), None)
        if measure:
            scope = {j for j in range(max(0, i - 3), i) if reading.lower[j] in (*ABOVE, *BELOW, "least", "most")}
            reading.used.update({i, *scope, *_unit_after(reading, i)})
            source = "rule" if measure.phrase in reading.knowledge.phrases else "schema"
            found.append(Condition(f"{measure.column}{measure.scale} {sign} {word}", measure.phrase, source))
    return found


def _unit_after(reading: Reading, i: int) -> set[int]:
    """The position of a word such as "dollars" right after position ``i``."""
    after = i + 1
    free = after < len(reading.words) and after not in reading.used and reading.lower[after] not in STOP
    return {after} if free and after not in reading.tables and after + 1 not in reading.tables else set()


def _years(reading: Reading, table: str) -> list[Condition]:
    found = []
    for i, word in enumerate(reading.words):
        if not YEAR.fullmatch(word) or i in reading.used:
            continue
        owner = next((reading.tables[p] for p in sorted(reading.tables, reverse=True) if p < i), table)
        dates = reading.schema.tables[owner].dates
        if not dates:
            continue
        column = f"{owner}.{dates[0]}"
        known = reading.knowledge.years.get(column)
        noun = max((p for p in reading.tables if p < i), default=-1)
        start = max((j for j in range(noun + 1, i) if reading.lower[j] in ("who", "that", "which")), default=noun + 1)
        reading.used.update(range(start, i + 1))  # "taken out in 2021" leads to the date
        reading.idle.difference_update(range(start, i + 1))
        expression = known or f"strftime('%Y', {column})"
        sql = f"{expression} = '{word}'"
        found.append(Condition(sql, ("year",), "rule" if known else "guess"))
    return found


def _words(reading: Reading) -> list[Condition]:
    """Conditions that rules give, and literal guesses for unknown words right before a noun."""
    found = [
        Condition(rule.sql, rule.trigger, "rule")
        for _, rule in sorted(reading.rules.items())
        if rule.kind == "condition"
    ]
    for noun, name in sorted(reading.tables.items()):
        first = noun - len(stems(name.replace("_", " "))) if noun - 1 in reading.used else noun - 1
        position = min(first, noun - 1)
        while position > 0 and reading.words[position][0].isupper() and position not in reading.tables:
            position -= 1  # the name of the row stands between
        while position >= 0 and (position in reading.rules or _is_unknown(reading, position)):
            if position not in reading.rules:
                texts = reading.schema.tables[name].texts
                label = reading.schema.tables[name].label
                column = next((c for c in texts if c != label), label)
                reading.used.add(position)
                sql = f"{name}.{column} = '{reading.lower[position]}'"
                found.append(Condition(sql, (reading.stems[position],), "guess"))
            position -= 1
    return found


def _is_unknown(reading: Reading, i: int) -> bool:
    word = reading.words[i]
    operation = any(reading.lower[i] in words for words in OPERATIONS.values())
    return i not in reading.used and reading.lower[i] not in STOP and not operation and word[0].islower()


def _names(reading: Reading, group_at: int | None) -> list[Condition]:
    """Capitalised words right before a noun name one of its rows."""
    found = []
    for noun, name in sorted(reading.tables.items()):
        i = noun - 1
        words: list[int] = []
        while i > 0 and reading.words[i][0].isupper() and i not in reading.tables:
            words.insert(0, i)
            i -= 1
        if words and noun != group_at:
            reading.used.update(words)
            value = " ".join(reading.words[j] for j in words).replace("'", "''")
            label = reading.schema.tables[name].label
            found.append(Condition(f"{name}.{label} = '{value}'", tuple(reading.stems[j] for j in words), "schema"))
    return found


def _shown(reading: Reading, table: Table, operation: str) -> str:
    if operation == "LIST":
        for position, (size, candidates) in sorted(reading.columns.items()):
            own = [column for owner, column in candidates if owner == table.name]
            if own:
                reading.idle.difference_update(range(position, position + size))
                return f"{table.name}.{own[0]}"
    return f"{table.name}.{table.label}"
