"""What the reader learns from prose about multiple-choice questions: rules, whatever their exact wording."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

from lse_gym.envs.offline.reader.sql.rules import stem
from lse_gym.envs.offline.reader.sql.wording import MARK

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


_W = r"[\w-]+"
_FILLER = frozenset(
    "a an the its is are of be that have has must need with means only if when and or to at it they their there "
    "there's as by for was were greater value number".split()
)
_NUMBERS = {"whole": 1, "integer": 1, "unit": 1, "one": 1, "two": 2, "five": 5, "ten": 10, "twenty": 20, "fifty": 50}
_COMPARISON = re.compile(
    r"(?P<least>(?:at least|no less than|not less than|not below|minimum of|>=|≥|=>)\s*(?P<n1>\d+)"
    r"|(?P<n2>\d+)\s*(?:or (?:more|above|over|greater|higher)|and (?:more|above|over|up)\b|upwards|\+))"
    r"|(?P<more>(?:more than|above|over|greater than|higher than|exceeds|exceeding|beyond|>)\s*(?P<n3>\d+))"
    r"|(?P<most>(?:at most|no more than|not more than|not above|up to|<=|≤)\s*(?P<n4>\d+)"
    r"|(?P<n5>\d+)\s*or (?:less|below|under|fewer|lower))"
    r"|(?P<less>(?:less than|below|under|lower than|fewer than|smaller than|short of|<)\s*(?P<n6>\d+))"
)
_WHEN = re.compile(
    rf"^(?:for|with|in the case of|among|about|on)\s+(?:an?\s+|the\s+|all\s+|any\s+)?({_W})(?:\s+{_W})?\s*[,:]\s*(.+)"
)
_WHEN_LAST = re.compile(rf"^(.+?)\s+(?:for|in the case of|when it comes to)\s+(?:an?\s+|the\s+|all\s+)?({_W})\s+{_W}$")
_BUT = re.compile(r"\s*[,;]?\s+(?:but|except that|except|however|whereas|while)\s+")
_MEANS = (
    r"(?:means?|refers? to|stands? for|denotes?|is defined as|is short for|is another word for|equals?|is|=|:|->|→)"
)
_QUOTED = re.compile(r"[\"\u201c'\u2018]([\w-]+)[\"\u201d'\u2019]")
_DEFINED = re.compile(
    rf"(?:^|\b)(?:{_W}\s+is|{_W}\s+are|{_W}\s+counts as|call (?:an? |the )?{_W})\s+(?:called |considered |counted as )?"
    rf"({_W})\s+(?:when|if|whenever|only|iff|where|once|as soon)\b"
)
_HAVING = re.compile(
    rf"^(?:an? |the |all |every )?({_W})(?: {_W})?\s*(?:have|has|must have|need|needs|are|is|{_MEANS})\s"
)
_SUM = re.compile(
    rf"(?:the )?sum of (?:the |its )?({_W}) and (?:the |its )?({_W})"
    rf"|(?:the |its )?({_W})\s*(?:plus|\+)\s*(?:the |its )?({_W})"
)
_DIFFERENCE = re.compile(
    rf"(?:the )?difference (?:between|of) (?:the |its )?({_W}) and (?:the |its )?({_W})"
    rf"|(?:the |its )?({_W})\s*(?:minus|less|-)\s*(?:the |its )?({_W})"
)
_TERM = re.compile(
    rf"^(?:the |an? |read |by )?[\"\u201c'\u2018]?(?P<term>{_W})[\"\u201d'\u2019]?\s*{_MEANS}\s*(?P<rest>.+)$"
)
_ONE = re.compile(rf"(?:(?:the|an?|its|simply|just) )*({_W})")
_UNIT = re.compile(
    rf"(?:\b(?:an?|one|1|each|every|the)\s+)?(?:(?P<when>(?!(?:an?|one|each|every|the)\b){_W})\s+)?"
    rf"\b(?!there\b)(?P<large>{_W})\s*"
    r"(?:has|have|is|are|equals?|=|contains?|makes?|counts|lasts?|holds?|consists of|comes to)\s+"
    r"(?:exactly |only |of )?"
    rf"(?P<n>\d+)\s+(?P<small>{_W})"
)
_UNIT_IN = re.compile(
    rf"(?P<n>\d+)\s+(?P<small>{_W})\s+(?:in|to|make(?: up)?|per)\s+(?:an?|one|each|every|the)?\s*"
    rf"(?:(?P<when>{_W})\s+)?(?P<large>{_W})$"
)
_DOCUMENT = re.compile(
    rf"\b(?:in|for|into|on|of)\s+(?:the|an?)\s+({_W})|\b(?!round\b)({_W})\s+(?:entries|figures|values|numbers|amounts)\b"
    rf"|\bthe\s+({_W})\s+(?:always\s+)?rounds"
)
_STEP = re.compile(rf"(?:of|nearest|next|lower|to|by)\s+(?:the\s+|an?\s+|full\s+)?(?=({_W}))")
_THING = rf"(?:\s+(?!out\b|count|twice|double|once){_W})?"
_COUNTS: tuple[tuple[re.Pattern[str], int], ...] = tuple(
    (re.compile(pattern), times)
    for pattern, times in (
        (rf"\b(?:leave|keep)\s+(?:the |any |all |every )?({_W}){_THING}\s+out\b", 0),
        (
            r"\b(?:leave out|exclude|ignore|skip|omit|drop|do not count|don't count|never count)\s+"
            rf"(?:the |any |all |every |an? )?({_W})",
            0,
        ),
        (rf"\b({_W}){_THING}\s+(?:do not|does not|don't|doesn't|never|is not|are not|aren't|isn't)\s+count", 0),
        (rf"\b({_W}){_THING}\s+(?:are|is)\s+(?:left out|excluded|ignored|skipped|omitted|not counted)", 0),
        (rf"\bcount\s+(?:the |each |every |all |an? )?({_W}){_THING}\s+(?:twice|double|as two|two times)", 2),
        (rf"\b({_W}){_THING}\s+(?:counts?|(?:is|are) counted)\s+(?:twice|double|as two|two times)", 2),
        (rf"\bcount\s+(?:the |each |every |all |an? )?({_W}){_THING}\s+(?:once|as one|normally|like any other)", 1),
        (rf"\b({_W}){_THING}\s+(?:counts?|(?:is|are) counted)\s+(?:once|as one|normally|like any other)", 1),
    )
)
_CHAIN = re.compile(rf"({_W}(?:\s*(?:>|,|then)\s*(?:and |then )?(?:the |an? )?{_W})+)\s*$")
_UPWARDS = re.compile(r"lowest (?:to|first)|from (?:the )?(?:lowest|least|bottom)|least .* first|ascending")
_OVER = re.compile(
    rf"({_W})\s+(?:outranks?|ranks? (?:above|over|higher than)|beats?|overrides?|is above|is higher than|stands above"
    r"|wins (?:over|against)|prevails over|comes before|is (?:more reliable|more trusted|better) than"
    r"|takes precedence over)"
    rf"\s+(.+)$"
)
_UNDER = re.compile(
    rf"({_W})\s+(?:ranks? (?:below|under|lower than)|is (?:below|lower than|under|outranked by)"
    rf"|comes after|yields to)\s+(.+)$"
)
_TRUST = re.compile(
    rf"\b(?:trust|believe|prefer|follow|take|use|go with|rely on)\s+(?:only |always )?(?:the\s+|an?\s+)?({_W})"
    r"(?:\s*,?\s+(?:over|before|rather than|more than|instead of|against|to|and not|not|whatever)\s+(.+))?$"
)
_DISAGREE = re.compile(
    rf"\b(?:when|if|where)\s+(?:the\s+)?({_W})\s+and\s+(?:the\s+)?({_W})\s+(?:disagree|differ|conflict|contradict)\w*"
    rf"(?:\s+\w+ other)?,?\s*(?:then )?(?:the\s+|trust the |believe the |follow the |take the |use the )({_W})"
)


@lru_cache(maxsize=65536)
def parse_rule(line: str) -> tuple[Rule, ...]:
    """The rules in one line of a context; other prose holds none."""
    line = re.sub(r"\([^)]*\)", " ", MARK.sub("", line[:MAX_LINE_CHARS]))
    text = " ".join(re.sub(r"[*`]", "", line).lower().split())
    found: list[Rule] = []
    for sentence in re.split(r"(?<=[\w\"\u201d'\u2019])[.;!]\s+", f"{text} "):
        for number, clause in enumerate(_BUT.split(sentence.strip(" .;!"))):
            rule = _clause(clause)
            if not rule and number and found:
                rule = _like(clause, found[-1])
            found += rule
    return tuple(dict.fromkeys(found))


def _clause(clause: str) -> tuple[Rule, ...]:
    told = _plain(clause)
    for pattern, groups in ((_WHEN, (1, 2)), (_WHEN_LAST, (2, 1))):
        match = pattern.match(clause)
        if match and (limited := _plain(match[groups[1]])) and limited[0].kind != "rounding":
            return tuple(rule._replace(when=match[groups[0]]) for rule in limited)
    return told


def _like(clause: str, before: Rule) -> tuple[Rule, ...]:
    """A clause that only says what is different: "…, but for oak casks at least 40"."""
    match = re.match(rf"(?:for|with|in)\s+(?:an?\s+|the\s+)?({_W})(?:\s+{_W})?\s*,?\s*(.+)", clause)
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
    match = _COMPARISON.search(text)
    if not match:
        return None
    number = int(next(n for n in (match[f"n{i}"] for i in range(1, 7)) if n))
    return (">=" if match["least"] or match["more"] else "<", number + bool(match["more"] or match["most"]))


def _definition(text: str) -> tuple[Rule, ...]:
    match = _COMPARISON.search(text)
    if not match:
        return ()
    before = text[: match.start()]
    words = [word for word in re.findall(_W, before) if word not in _FILLER]
    subject = _QUOTED.search(before) or _DEFINED.search(before) or _HAVING.match(before)
    comparison = _comparison(text)
    if not words or not subject or not comparison or words[-1] == subject[1]:
        return ()
    return (Rule("definition", (subject[1],), (words[-1], *comparison)),)


def _term(text: str) -> tuple[Rule, ...]:
    match = _TERM.match(text)
    if not match:
        return ()
    term, rest = match["term"], match["rest"].strip()
    for pattern, sign in ((_SUM, "+"), (_DIFFERENCE, "-")):
        parts = pattern.fullmatch(rest)
        if parts:
            first, second = [part for part in parts.groups() if part]
            return (Rule("term", (term,), (first, sign, second)),)
    one = _ONE.fullmatch(rest)
    quoted = _QUOTED.search(text) or re.search(r"\bmeans?\b|refers? to|stands? for|another word|=", text)
    return (Rule("term", (term,), (one[1],)),) if one and quoted and one[1] != term else ()


def _unit(text: str) -> tuple[Rule, ...]:
    match = _UNIT.search(text) or _UNIT_IN.search(text)
    if not match:
        return ()
    when = match["when"] or ""
    when = "" if when in _FILLER or when in ("in", "1", "one") else when
    return (Rule("unit", (stem(match["large"]), stem(match["small"])), (int(match["n"]),), when),)


def _rounding(text: str) -> tuple[Rule, ...]:
    document = next((next(filter(None, m.groups())) for m in _DOCUMENT.finditer(text) if "multiple" not in m[0]), "")
    if not document or not re.search(r"\b(?:round\w*|truncat\w*|cut)\b", text):
        return ()
    mode = "up" if re.search(r"\bup\b|\bnext\b", text) else "nearest"
    mode = "down" if re.search(r"\bdown\b|truncat|\bcut\b|lower", text) else mode
    step = next((n for word in _STEP.findall(text) if (n := _number(word))), 1)
    return (Rule("rounding", (document,), (mode, step)),)


def _number(word: str) -> int:
    return int(word.rstrip("s")) if word.rstrip("s").isdigit() else _NUMBERS.get(word, 0)


def _count(text: str) -> tuple[Rule, ...]:
    for pattern, times in _COUNTS:
        match = pattern.search(text)
        if match:
            state = re.search(rf"\bis ({_W}) (?:is|are|counts)\b", text)
            return (Rule("count", (state[1] if state else match[1],), (times,)),)
    return ()


def order_rule(first: str, second: str, when: str = "") -> Rule:
    """The rule that ``first`` comes before ``second``."""
    a, b = sorted((first, second))
    return Rule("order", (a, b), (first,), when)


def _order(text: str) -> tuple[Rule, ...]:
    if match := _DISAGREE.search(text):
        first, second, winner = match.groups()
        loser = second if winner == first else first
        return (order_rule(winner, loser),) if winner in (first, second) else ()
    if match := _TRUST.search(text):
        return tuple(order_rule(match[1], other) for other in _names(match[2] or ANYONE))
    if match := _OVER.search(text):
        return tuple(order_rule(match[1], other) for other in _names(match[2]))
    if match := _UNDER.search(text):
        return tuple(order_rule(other, match[1]) for other in _names(match[2]))
    chain = _CHAIN.search(text)
    if chain and (">" in chain[1] or re.search(r"\b(?:rank|order|trust|reliab|highest|lowest|most|least)\w*", text)):
        names = [name for name in re.findall(_W, chain[1]) if name not in ("then", "and", "the", "a", "an")]
        names = names[::-1] if _UPWARDS.search(text) else names
        return tuple(order_rule(a, b) for i, a in enumerate(names) for b in names[i + 1 :])
    return ()


def _names(text: str) -> list[str]:
    words = re.findall(rf"{_W}|\*", text)
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
