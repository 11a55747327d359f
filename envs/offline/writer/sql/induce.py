"""How the writer learns rules: it answers each question itself and explains its differences to the gold one by one."""

import re
from collections.abc import Sequence

from lse_gym.envs.offline.reader.english import stem, stems
from lse_gym.envs.offline.reader.sql.compose import compose
from lse_gym.envs.offline.reader.sql.question import Condition, Understanding, understand
from lse_gym.envs.offline.reader.sql.reading import STOP, TOKEN
from lse_gym.envs.offline.reader.sql.rules import Rule
from lse_gym.envs.offline.reader.sql.schema import Schema
from lse_gym.envs.offline.writer.sql.rulebook import Rulebook
from lse_gym.envs.offline.writer.sql.statement import Statement, read_statement
from lse_gym.envs.report import Problem

MAX_EXPLANATIONS = 8  # differences explained per problem
AMOUNT = re.compile(r"(.+?) (>=|<=|>|<) (\d+(?:\.\d+)?)")
YEAR = re.compile(r"(.+) = '((?:19|20)\d\d)'")
MIN_WITNESSES = 2  # problems that must agree before something counts as a standing filter


def learn(problems: Sequence[Problem], earlier: Sequence[Problem], schema: Schema, book: Rulebook) -> list[Problem]:
    """Revise ``book`` by the problems, seen in the light of ``earlier`` ones; returns those that it does not answer."""
    golds = [(problem, gold) for problem in (*problems, *earlier) if (gold := read_statement(problem.gold))]
    for rule in _standing_filters(golds, schema):
        book.add(rule)
    for _ in range(2):  # what a later problem taught may explain an earlier one
        for problem, gold in golds:
            for _ in range(MAX_EXPLANATIONS):
                if not _explain(problem.question, gold, golds, schema, book):
                    break
    for problem, gold in golds:
        _confirm(problem.question, gold, schema, book)
    return [
        problem for problem in problems if problem.gold and not solves(problem.question, problem.gold, schema, book)
    ]


def _confirm(question: str, gold: Statement, schema: Schema, book: Rulebook) -> None:
    """Make a rule of every guess that the gold bears out, so that it is a guess no longer."""
    understood, _ = _answer(question, schema, book)
    for condition in understood.conditions if understood else ():
        if condition.source != "guess" or condition.sql not in gold.where:
            continue
        year = YEAR.fullmatch(condition.sql) if condition.phrase == ("year",) else None
        column = re.search(r"\w+\.\w+", condition.sql)
        if year and column:
            book.add(Rule("year", (column[0],), year[1]))
        elif not year:
            book.add(Rule("condition", condition.phrase, condition.sql))


def solves(question: str, gold_sql: str, schema: Schema, book: Rulebook) -> bool:
    """Whether the rules of ``book`` lead from the question to the gold statement."""
    ours, gold = _answer(question, schema, book)[1], read_statement(gold_sql)
    return gold is not None and ours is not None and _alike(ours) == _alike(gold)


def _alike(statement: Statement) -> tuple:
    measure = statement.measure if statement.order else None
    return statement._replace(order=measure[0] if measure else statement.order)


def _answer(question: str, schema: Schema, book: Rulebook) -> tuple[Understanding | None, Statement | None]:
    if question not in book.answers:
        knowledge = book.knowledge()
        understood = understand(question, schema, knowledge)
        ours = read_statement(compose(understood, schema, knowledge)) if understood else None
        book.answers[question] = understood, ours
    return book.answers[question]


def _explain(
    question: str, gold: Statement, golds: Sequence[tuple[Problem, Statement]], schema: Schema, book: Rulebook
) -> bool:
    """Find one rule that brings our answer closer to the gold; False when there is none."""
    understood, ours = _answer(question, schema, book)
    if understood is None or ours is None or _alike(ours) == _alike(gold):
        return False
    for rule in [rule for rule in book.rules.values() if rule.kind == "table" and rule.sql not in gold.tables]:
        if set(rule.trigger) <= set(stems(question)):
            book.drop(rule)
            return True
    missing, extra = gold.where - ours.where, ours.where - gold.where
    rule, words = (
        _synonym(question, understood, gold, golds, schema, book)
        or _year(missing, extra)
        or _amount(missing, extra, understood)
        or _word(missing, extra, understood, golds, book)
        or _measure(ours, gold, understood)
        or _guard(missing, gold)
        or _join(ours, gold)
        or (None, "")
    )
    if rule is None:
        return _unlearn(extra, gold, ours, book)
    return book.add(rule, words)


def _standing_filters(golds: Sequence[tuple[Problem, Statement]], schema: Schema) -> list[Rule]:
    """Conditions that every gold over a table has, though the questions share no word that could ask for them."""
    found = []
    for table in schema.tables:
        using = [(problem, gold) for problem, gold in golds if table in gold.tables]
        if len(using) < MIN_WITNESSES:
            continue
        nouns = {stem(word) for name in schema.tables for word in name.split("_")}
        common = set.intersection(*(set(stems(problem.question)) for problem, _ in using)) - STOP - nouns
        shared = frozenset.intersection(*(gold.where for _, gold in using))
        asked = " ".join(problem.question for problem, _ in using)
        for condition in sorted(shared):
            values = re.findall(r"'([^']+)'", condition)
            if (
                not common
                and condition.startswith(f"{table}.")
                and not any(value in asked for value in values if len(value) > 2)
            ):
                found.append(Rule("filter", (table,), condition))
    return found


def _synonym(
    question: str,
    understood: Understanding,
    gold: Statement,
    golds: Sequence[tuple[Problem, Statement]],
    schema: Schema,
    book: Rulebook,
) -> tuple[Rule, str] | None:
    """A plural that nothing explains stands for a table that the question does not name but every gold with it has."""
    words, said = TOKEN.findall(question), set(stems(question))
    named = {rule.sql for rule in book.rules.values() if rule.kind == "table" and set(rule.trigger) <= said}
    named |= {table for table in schema.tables if set(stems(table.replace("_", " "))) <= said}
    asked = [t for t in gold.tables if t not in named]
    asked = [t for t in asked if t == gold.table or any(f"{t}." in c for c in (*gold.where, gold.select))]
    plurals = [(i, s) for i, s in understood.unexplained if words[i].lower() != s and words[i].islower()]
    together = {noun: [g.tables for p, g in golds if noun in stems(p.question)] for _, noun in plurals}
    fits = [(i, noun, t) for i, noun in plurals for t in asked if all(t in tables for tables in together[noun])]
    main = [fit for fit in fits if fit[2] == gold.table and understood.table != gold.table][:1]
    only = [fit for fit in fits if sum(fit[0] == i for i, _, _ in fits) == sum(fit[2] == t for _, _, t in fits) == 1]
    for position, noun, table in main or only:
        return Rule("table", (noun,), table), words[position]
    return None


def _year(missing: frozenset[str], extra: frozenset[str]) -> tuple[Rule, str] | None:
    for theirs in sorted(missing):
        match = YEAR.fullmatch(theirs)
        for mine in sorted(extra) if match else ():
            other = YEAR.fullmatch(mine)
            column = re.search(r"\w+\.\w+", mine)
            if match and other and column and other[2] == match[2] and column[0] in theirs:
                return Rule("year", (column[0],), match[1]), ""
    return None


def _amount(missing: frozenset[str], extra: frozenset[str], understood: Understanding) -> tuple[Rule, str] | None:
    for theirs in sorted(missing):
        match = AMOUNT.fullmatch(theirs)
        for condition in understood.conditions if match else ():
            other = AMOUNT.fullmatch(condition.sql)
            if match and other and condition.sql in extra and other.groups()[1:] == match.groups()[1:]:
                return Rule("expression", condition.phrase, match[1]), ""
    return None


def _word(
    missing: frozenset[str],
    extra: frozenset[str],
    understood: Understanding,
    golds: Sequence[tuple[Problem, Statement]],
    book: Rulebook,
) -> tuple[Rule, str] | None:
    """A word that was guessed, or that an old rule got wrong, stands for a condition that every gold with it has."""
    wrong = [c for c in understood.conditions if c.sql in extra and c.source != "schema" and c.phrase != ("year",)]
    for condition in wrong:
        candidates = _candidates(condition, missing, golds)
        table = condition.sql.split(".")[0]
        same = [c for c in candidates if c.startswith(f"{table}.")] or candidates
        taken = {rule.sql for rule in book.rules.values() if rule.trigger != condition.phrase}
        free = [c for c in same if c not in taken] or same
        if len(free) == 1 and len([c for c in wrong if c.sql.startswith(f"{table}.")]) <= max(1, len(same)):
            return Rule("condition", condition.phrase, free[0]), ""
    return None


def _candidates(condition: Condition, missing: frozenset[str], golds: Sequence[tuple[Problem, Statement]]) -> list[str]:
    said = [gold.where for problem, gold in golds if set(condition.phrase) <= set(stems(problem.question))]
    if not said or condition.sql in frozenset.intersection(*said):
        return []
    silent = [gold.where for problem, gold in golds if not set(condition.phrase) <= set(stems(problem.question))]
    everywhere = missing.intersection(*said) if said else missing
    return sorted(c for c in everywhere if not YEAR.fullmatch(c) and not any(c in where for where in silent))


def _measure(ours: Statement, gold: Statement, understood: Understanding) -> tuple[Rule, str] | None:
    mine, theirs = ours.measure, gold.measure
    if not understood.measure or not mine or not theirs or mine == theirs or not understood.measure.phrase:
        return None
    if gold.order and mine[0] == theirs[0]:
        return None
    if ours.select.split("(")[0] != gold.select.split("(")[0] and not gold.order:
        return None
    return Rule("expression", understood.measure.phrase, "".join(theirs)), ""


def _guard(missing: frozenset[str], gold: Statement) -> tuple[Rule, str] | None:
    used = " ".join(gold.where | {gold.select, gold.order})
    for condition in sorted(missing):
        match = re.fullmatch(r"(\w+\.\w+) (?:<>|!=|IS NOT) .+", condition)
        if match and gold.measure and match[1] == gold.measure[0]:
            return Rule("guard", (match[1],), condition), ""
        if match and any(AMOUNT.fullmatch(c) and match[1] in c for c in gold.where) and used.count(match[1]) > 1:
            return Rule("guard", (match[1],), condition), ""
    return None


def _join(ours: Statement, gold: Statement) -> tuple[Rule, str] | None:
    if ours.table != gold.table:
        return None
    for table, on in gold.joins.items():
        if table in ours.joins and ours.joins[table] != on:
            return Rule("join", (gold.table, table), on), ""
    return None


def _unlearn(extra: frozenset[str], gold: Statement, ours: Statement, book: Rulebook) -> bool:
    """Drop a rule that put a condition into our answer which the gold does not have."""
    if ours.table != gold.table:
        return False
    for rule in list(book.rules.values()):
        if rule.sql in extra and rule.kind in ("condition", "filter", "guard"):
            book.drop(rule)
            return True
    return False
