"""What an analyst's script says about the house style: everything that it does and the question does not ask for."""

import re
from collections.abc import Iterator

from lse_gym.envs.datascience.plan import DAY
from lse_gym.envs.offline.reader.datascience.question import Asked
from lse_gym.envs.offline.reader.datascience.rules import Kind, Meaning

About = tuple[Kind, str]  # what a rule is about

_N = r"(-?[\d.]+(?:e-?\d+)?)"
_MISSING = re.compile(rf'\["(\w+)"\]\.replace\({_N}, np\.nan\)')
_DROPPED = re.compile(r'train\["(\w+)"\] != "([^"]*)"')
_RANGE = re.compile(rf'train\["(\w+)"\]\.between\({_N}, {_N}\)')
_UNIT = re.compile(rf'train\["(\w+)"\] = train\["\1"\] / {_N}')
_LOG = re.compile(r'np\.log1p\(train\["(\w+)"\]\)')
_FEATURES = re.compile(r"^features = \[(.*)\]$", re.MULTILINE)
_KEY = re.compile(r'\.merge\(\w+, on="(\w+)"')
_STATISTIC = re.compile(r'\.groupby\("\w+"\)\["(\w+)"\]\.(\w+)\(\)')
_WEEK = re.compile(r'\.agg\(\{"(\w+)": "(\w+)"')
_STEP = re.compile(rf"\(answer / {_N}\)\.round\(\)")
_RESULT = re.compile(r'pd\.DataFrame\(\{"(\w+)": (\w+).*?, "(\w+)": (\w+)')


def facts(asked: Asked, script: str) -> Iterator[tuple[About, Meaning | None]]:
    """What is to be said about each subject of a question; None where a literal reading does what the script does."""
    plan, target = asked.plan, asked.plan.target
    missing, dropped = dict(_MISSING.findall(script)), dict(_DROPPED.findall(script))
    features = _FEATURES.search(script)
    used = {*re.findall(r"\w+", features[1])} if features else {*plan.features} - {DAY}
    for column in sorted({target, *used} & asked.numbers):
        yield ("missing", column), (float(missing[column]),) if column in missing else None
    if plan.kind != "series":
        for column in sorted(asked.columns - asked.numbers - {target, DAY}):
            yield ("dropped", column), (dropped[column],) if column in dropped else None
    for column, low, high in _RANGE.findall(script):  # clean files need none, so that there being none tells nothing
        yield ("range", column), (float(low), float(high))
    if features:
        for column in plan.features:
            yield ("leakage", column), None if column in used else ()
    if (key := _KEY.search(script)) and plan.key:
        for column in asked.shared:
            yield ("key", column), () if column == key[1] != plan.key else None
    if asked.term and (statistic := _STATISTIC.search(script)):
        yield ("statistic", asked.term), (statistic[2],) if statistic[2] != plan.statistic else None
    if plan.kind == "series":
        week = _WEEK.search(script)
        yield ("week", target), (week[2],) if week else None
    yield from _of_target(asked, script)


def _of_target(asked: Asked, script: str) -> Iterator[tuple[About, Meaning | None]]:
    """How a target is stored, modelled and reported."""
    plan, target = asked.plan, asked.plan.target
    if plan.kind in ("regression", "table"):
        unit, step = _UNIT.search(script), _STEP.search(script)
        yield ("unit", target), (float(unit[2]),) if unit else None
        yield ("rounding", target), (float(step[1]),) if step else None
    if plan.kind == "regression":
        yield ("transform", target), () if _LOG.search(script) else None
    if result := _RESULT.search(script):
        first, made, second, _ = result.groups()
        name = first if made == "answer" else second
        yield ("name", target), (name,) if name != target else None
        yield ("order", target), () if made == "answer" else None
