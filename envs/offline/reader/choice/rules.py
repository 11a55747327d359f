"""What the reader learns from prose about multiple-choice questions: rules, whatever their exact wording."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

from lse_gym.envs.offline.reader.choice import wording as say
from lse_gym.envs.offline.reader.english import BULLET, stem

MAX_LINE_CHARS = 1000  # what is read of a line
ANYONE = "*"  # in an order rule: whoever else there is
Kind = Literal["definition", "term", "unit", "rounding", "count", "order"]
Meaning = tuple[str | int, ...]


class Rule(NamedTuple):
    """One rule: what it is about, what it says, and what it is limited to (a kind or an occasion; "" for always).

    | kind | trigger | meaning |
    |---|---|---|
    | definition | adjective | attribute, ">=" or "<", number |
    | term | term | attribute; or attribute, "+" or "-", attribute |
    | unit | larger, smaller | how many |
    | rounding | document | "down", "up" or "nearest", step |
    | count | state | as how many it is counted |
    | order | two words in alphabetical order | the one that comes first |
    """

    kind: Kind
    trigger: tuple[str, ...]
    meaning: Meaning
    when: str = ""


@lru_cache(maxsize=65536)
def parse_rule(line: str) -> tuple[Rule, ...]:
    """The rules in one line of a context; other prose holds none."""
    line = re.sub(r"\([^)]*\)", " ", BULLET.sub("", line[:MAX_LINE_CHARS]))
    text = " ".join(re.sub(r"[*`]", "", line).lower().split())
    found: list[Rule] = []
    for sentence in re.split(r"(?<=[\w\"\u201d'\u2019])[.;!]\s+", f"{text} "):
        for number, clause in enumerate(say.BUT.split(sentence.strip(" .;!"))):
            rule = _clause(clause)
            if not rule and number and found:
                rule = _like(clause, found[-1])
            found += rule
    return tuple(dict.fromkeys(found))


def _clause(clause: str) -> tuple[Rule, ...]:
    told = _plain(clause)
    for pattern, groups in ((say.WHEN, (1, 2)), (say.WHEN_LAST, (2, 1))):
        match = pattern.match(clause)
        if match and (limited := _plain(match[groups[1]])) and limited[0].kind != "rounding":
            return tuple(rule._replace(when=match[groups[0]]) for rule in limited)
    return told


def _like(clause: str, before: Rule) -> tuple[Rule, ...]:
    """A clause that only says what is different: "…, but for oak casks at least 40"."""
    match = re.match(rf"(?:for|with|in)\s+(?:an?\s+|the\s+)?({say.W})(?:\s+{say.W})?\s*,?\s*(.+)", clause)
    if not match or before.kind != "definition":
        return ()
    comparison = _comparison(match[2])
    return (before._replace(meaning=(before.meaning[0], *comparison), when=match[1]),) if comparison else ()


def _plain(text: str) -> tuple[Rule, ...]:
    for parse in (_rounding, _definition, _count, _unit, _order, _term):
        if rules := parse(text):
            return rules
    return ()


def _comparison(text: str) -> tuple[str, int] | None:
    match = say.COMPARISON.search(text)
    if not match:
        return None
    number = int(next(n for n in (match[f"n{i}"] for i in range(1, 7)) if n))
    return (">=" if match["least"] or match["more"] else "<", number + bool(match["more"] or match["most"]))


def _definition(text: str) -> tuple[Rule, ...]:
    match = say.COMPARISON.search(text)
    if not match:
        return ()
    before = text[: match.start()]
    words = [word for word in re.findall(say.W, before) if word not in say.FILLER]
    subject = say.QUOTED.search(before) or say.DEFINED.search(before) or say.HAVING.match(before)
    comparison = _comparison(text)
    if not words or not subject or not comparison or words[-1] == subject[1]:
        return ()
    return (Rule("definition", (subject[1],), (words[-1], *comparison)),)


def _term(text: str) -> tuple[Rule, ...]:
    match = say.TERM.match(text)
    if not match:
        return ()
    term, rest = match["term"], match["rest"].strip()
    for pattern, sign in ((say.SUM, "+"), (say.DIFFERENCE, "-")):
        parts = pattern.fullmatch(rest)
        if parts:
            first, second = [part for part in parts.groups() if part]
            return (Rule("term", (term,), (first, sign, second)),)
    one = say.ONE.fullmatch(rest)
    quoted = say.QUOTED.search(text) or re.search(r"\bmeans?\b|refers? to|stands? for|another word|=", text)
    return (Rule("term", (term,), (one[1],)),) if one and quoted and one[1] != term else ()


def _unit(text: str) -> tuple[Rule, ...]:
    match = say.UNIT.search(text) or say.UNIT_IN.search(text)
    if not match:
        return ()
    when = match["when"] or ""
    when = "" if when in say.FILLER or when in ("in", "1", "one") else when
    return (Rule("unit", (stem(match["large"]), stem(match["small"])), (int(match["n"]),), when),)


def _rounding(text: str) -> tuple[Rule, ...]:
    document = next((next(filter(None, m.groups())) for m in say.DOCUMENT.finditer(text) if "multiple" not in m[0]), "")
    if not document or not re.search(r"\b(?:round\w*|truncat\w*|cut)\b", text):
        return ()
    mode = "up" if re.search(r"\bup\b|\bnext\b", text) else "nearest"
    mode = "down" if re.search(r"\bdown\b|truncat|\bcut\b|lower", text) else mode
    step = next((n for word in say.STEP.findall(text) if (n := _number(word))), 1)
    return (Rule("rounding", (document,), (mode, step)),)


def _number(word: str) -> int:
    return int(word.rstrip("s")) if word.rstrip("s").isdecimal() else say.NUMBERS.get(word, 0)


def _count(text: str) -> tuple[Rule, ...]:
    for pattern, times in say.COUNTS:
        match = pattern.search(text)
        if match:
            state = re.search(rf"\bis ({say.W}) (?:is|are|counts)\b", text)
            return (Rule("count", (state[1] if state else match[1],), (times,)),)
    return ()


def order_rule(first: str, second: str, when: str = "") -> Rule:
    """The rule that ``first`` comes before ``second``."""
    a, b = sorted((first, second))
    return Rule("order", (a, b), (first,), when)


def _order(text: str) -> tuple[Rule, ...]:
    if match := say.DISAGREE.search(text):
        first, second, winner = match.groups()
        loser = second if winner == first else first
        return (order_rule(winner, loser),) if winner in (first, second) else ()
    if match := say.TRUST.search(text):
        return tuple(order_rule(match[1], other) for other in _names(match[2] or ANYONE))
    if match := say.OVER.search(text):
        return tuple(order_rule(match[1], other) for other in _names(match[2]))
    if match := say.UNDER.search(text):
        return tuple(order_rule(other, match[1]) for other in _names(match[2]))
    chain = say.CHAIN.search(text)
    if chain and (">" in chain[1] or re.search(r"\b(?:rank|order|trust|reliab|highest|lowest|most|least)\w*", text)):
        names = [name for name in re.findall(say.W, chain[1]) if name not in ("then", "and", "the", "a", "an")]
        names = names[::-1] if say.UPWARDS.search(text) else names
        return tuple(order_rule(a, b) for i, a in enumerate(names) for b in names[i + 1 :])
    return ()


def _names(text: str) -> list[str]:
    words = re.findall(rf"{say.W}|\*", text)
    if re.search(r"\b(?:others?|anyone|anything|everything|all|rest|else)\b", text):
        return [ANYONE]
    return [word for word in words if word not in ("the", "a", "an", "and", "or", "both")][:8]


class Knowledge(NamedTuple):
    """Rules by kind and trigger, then by what they are limited to. Contradicting ones stand side by side."""

    rules: dict[tuple[str, tuple[str, ...]], dict[str, list[Meaning]]]

    def told(self, kind: Kind, trigger: tuple[str, ...], when: str = "") -> list[Meaning]:
        """What is said about a trigger: for the special case if anything is, else in general."""
        by_case = self.rules.get((kind, trigger), {})
        return by_case.get(when) or by_case.get("", [])


def gather(rules: Iterable[Rule]) -> Knowledge:
    """Sort rules by what they are about."""
    knowledge = Knowledge({})
    for rule in rules:
        same = knowledge.rules.setdefault((rule.kind, rule.trigger), {}).setdefault(rule.when, [])
        same.extend([rule.meaning] if rule.meaning not in same else [])
    return knowledge
