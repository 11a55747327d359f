"""What the reader makes of a question with the rules of a context: an analysis."""

from collections.abc import Callable, Iterable
from typing import Any

from lse_gym.envs.datascience.plan import Plan
from lse_gym.envs.offline.reader.datascience.question import Asked
from lse_gym.envs.offline.reader.datascience.rules import Kind, Meaning, gather

Choose = Callable[[list], Any]  # one of several meanings that contradict each other


class Knowledge:
    """What the lines of a context say about what is in a question."""

    def __init__(self, lines: Iterable[str], asked: Asked, choose: Choose):
        self._rules, self._choose = gather(lines, asked.columns, asked.term), choose

    def about(self, kind: Kind) -> list[str]:
        """What there are rules of a kind about, in the order of the lines."""
        return [subject for found, subject in self._rules if found == kind]

    def told(self, kind: Kind, subject: str) -> Meaning | None:
        """What is said about a subject; None for nothing."""
        meanings = self._rules.get((kind, subject))
        return self._choose(meanings) if meanings else None

    def value(self, kind: Kind, subject: str, silent: Any) -> Any:
        """The same of a kind that says one word or number; ``silent`` for nothing."""
        told = self.told(kind, subject)
        return told[0] if told else silent

    def values(self, kind: Kind, subjects: Iterable[str]) -> dict[str, Any]:
        """What is said about each of several subjects, in the order of the alphabet."""
        return {subject: self.value(kind, subject, None) for subject in sorted({*subjects} & {*self.about(kind)})}


def planned(asked: Asked, knowledge: Knowledge) -> Plan:
    """The analysis that is asked for, with what the rules change; literal where they are silent."""
    plan, target = asked.plan, asked.plan.target
    fitted, daily = plan.kind in ("regression", "classification"), plan.kind == "series"
    leaks = {*knowledge.about("leakage")} if fitted else set()
    features = tuple(column for column in plan.features if column not in leaks) or plan.features
    numbers = asked.numbers if not daily else frozenset()
    ranged = sorted(numbers & {*knowledge.about("range")})
    return plan._replace(
        features=features,
        key=next((column for column in knowledge.about("key") if column in asked.shared), plan.key),
        statistic=knowledge.value("statistic", asked.term, plan.statistic),
        sentinels=knowledge.values("missing", [target, *(features if plan.kind != "table" else ())]),
        dropped=knowledge.values("dropped", asked.columns - asked.numbers if not daily else ()),
        ranges={column: limits for column in ranged if (limits := _limits(knowledge.told("range", column)))},
        divisor=knowledge.value("unit", target, 1),
        log=plan.kind == "regression" and knowledge.told("transform", target) is not None,
        weekly=knowledge.value("week", target, "") if daily else "",
        step=knowledge.value("rounding", target, 0) if plan.kind != "classification" else 0,
        name=knowledge.value("name", target, ""),
        first=knowledge.told("order", target) is not None,
    )


def _limits(meaning: Meaning | None) -> tuple[float, float] | None:
    return (float(meaning[0]), float(meaning[1])) if meaning else None
