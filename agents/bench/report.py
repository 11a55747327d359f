"""The tables of a comparison, in Markdown, made from results alone."""

from collections.abc import Callable, Sequence
from math import inf

from lse_gym.agents.bench.result import Result
from lse_gym.agents.bench.statistics import Estimate, estimate, estimate_score, paired
from lse_gym.agents.console import counted
from lse_gym.envs.errors import unknown

# what each table tells, in a sentence
SCORES = "Scores on the test questions, of the context that a run begins with and of the best that it found:"
LASTING = (
    "How much the contexts that were tried differ, and what lasts of the best one: its score on the feedback batches "
    "shown before it, that less what they had when shown, and the share of its held-out score that no context has, too "
    "(1: it is worth nothing):"
)
CONTEXTS = (
    "What these contexts are like, how far the gain on held-out questions flatters them, and what a run took; what is "
    "taken from feedback questions is learnt by heart:"
)
TRANSFER = "The same contexts, scored with task models that they were not evolved for:"


def by_label(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The results of each contestant, in the order of their first appearance."""
    return _by(results, lambda r: r.label)


def by_env(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The results on each env, in the order of their first appearance: scores of different tasks have no mean."""
    return _by(results, lambda r: r.env)


def _by(results: Sequence[Result], key: Callable[[Result], str]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(key(result), []).append(result)
    return groups


def score_table(results: Sequence[Result], reference: str | None = None) -> str:
    """Scores on the test questions, each row compared with ``reference`` (by default the best row) in pairs.

    "≈" marks a gain or a difference whose interval contains zero.

    Raises:
        UnknownNameError: there is no such contestant.
    """
    groups = by_label(results)
    gains = {label: estimate(group, lambda r: r.gain).within(-1.0, 1.0) for label, group in groups.items()}
    if reference is not None and reference not in groups:
        raise unknown("contestant", reference, groups)
    measured = reference or max(gains, key=lambda label: gains[label].mean)
    head = ["contestant", "runs", "test, seed context", "test, best context", "gain", f"gain less that of {measured}"]
    rows = []
    for label, group in groups.items():
        difference = "" if label == measured else _marked(paired(group, groups[measured]).within(-1.0, 1.0))
        scores = estimate_score(group, lambda r: r.start), estimate_score(group, lambda r: r.best)
        rows.append([label, str(len(group)), *map(str, scores), _marked(gains[label]), difference])
    return markdown(head, rows)


def context_table(results: Sequence[Result]) -> str:
    """What the contexts found are like, and what they cost: signs of reward hacking would show here."""
    head = [
        "contestant",
        "context tokens",
        "words taken from feedback questions",
        "whole questions copied",
        "held-out less test",
        "contexts measured",
        "most calls of a run",
        "tokens of a run",
    ]
    rows = []
    for label, group in by_label(results).items():
        gap = estimate(group, lambda r: (r.held_out_best - r.held_out_seed) - r.gain).within(-2.0, 2.0)
        rows.append(
            [
                label,
                f"{estimate(group, lambda r: float(r.context_tokens)).mean:.0f}",
                f"{estimate(group, lambda r: r.overlap).mean:.1%}",
                f"{estimate(group, lambda r: r.copied).mean:.1%}",
                _marked(gap),
                f"{estimate(group, lambda r: float(r.rounds)).mean:.0f}",
                f"{max(r.calls for r in group):.0f}",
                f"{estimate(group, lambda r: r.tokens).mean:,.0f}",
            ]
        )
    return markdown(head, rows)


def lasting_table(results: Sequence[Result]) -> str:
    """How different the visited contexts were, and what lasts of the best; "" where it was not measured.

    A column that no contestant has a value in is left out; where not all runs have one, it tells how many.
    """
    columns: dict[str, tuple[Callable[[Result], float | None], float, float]] = {
        "diversity": (lambda r: r.diversity, 0.0, 1.0),
        "retention": (lambda r: r.retention, 0.0, 1.0),
        "backward transfer": (lambda r: r.backward_transfer, -1.0, 1.0),
        "left without context": (lambda r: r.without_context, 0.0, inf),
        "gain, unseen domain": (_unseen_gain, -1.0, 1.0),
    }
    rows = []
    for label, group in by_label(results).items():
        rows.append([label, *(_where_told(group, *column) for column in columns.values())])
    told = [i for i, column in enumerate(zip(*rows, strict=True)) if any(column)]
    head = ["contestant", *columns]
    return markdown([head[i] for i in told], [[row[i] for i in told] for row in rows]) if len(told) > 1 else ""


def transfer_table(results: Sequence[Result]) -> str:
    """The contexts found, scored with task models that they were not evolved for; "" where none were."""
    models = list(dict.fromkeys(name for result in results for name in result.transfer))
    rows = []
    for label, group in by_label(results).items():
        for name in models:
            scored = [result for result in group if name in result.transfer]
            if scored:
                first = estimate_score(scored, lambda r, name=name: r.transfer[name][0])
                last = estimate_score(scored, lambda r, name=name: r.transfer[name][1])
                gain = estimate(scored, lambda r, name=name: r.transfer[name][1] - r.transfer[name][0])
                gain = gain.within(-1.0, 1.0)
                rows.append([label, name, str(len(scored)), str(first), str(last), _marked(gain)])
    head = ["contestant", "scored with", "runs", "test, seed context", "test, best context", "gain"]
    return markdown(head, rows) if rows else ""


def report(results: Sequence[Result], reference: str | None = None) -> str:
    """All tables, one after the other; of several envs those of each, which leave out a reference that is not there."""
    envs = by_env(results)
    if len(envs) < 2:
        return _report(results, reference)
    if reference is not None and reference not in by_label(results):
        raise unknown("contestant", reference, by_label(results))
    parts = [(env, group, reference if reference in by_label(group) else None) for env, group in envs.items()]
    return "\n".join(f"## {env}\n\n{_report(group, compared)}" for env, group, compared in parts)


def _report(results: Sequence[Result], reference: str | None) -> str:
    n = estimate(results, lambda r: r.gain)
    caps = sorted({r.budget_calls for r in results if r.budget_calls is not None})
    budgets = [f"{calls:,.10g}" for calls in caps] or ["any number of"]
    where, unit = (f"{n.domains} domains", "domains") if n.domains > 1 else ("1 domain", "seeds")
    told = (
        f"{where}, {counted(n.runs, 'run')}; budget of a run: {', '.join(budgets)} calls. Means over {unit} with "
        "Student's 95 % intervals, cut to what is possible; differences in pairs of the same domain and seed; ≈: the "
        "interval contains zero."
    )
    models = [("Task model", [r.task_model for r in results]), ("editor", [r.editor for r in results])]
    named = [f"{what}: {', '.join(used)}" for what, names in models if (used := [*dict.fromkeys(filter(None, names))])]
    told += f" {'; '.join(named)}."
    tables = {
        SCORES: score_table(results, reference),
        LASTING: lasting_table(results),
        CONTEXTS: context_table(results),
        TRANSFER: transfer_table(results),
    }
    parts = [told, *(part for about, table in tables.items() if table for part in (about, table))]
    return "\n".join(f"{part}\n" for part in parts)


def _unseen_gain(result: Result) -> float | None:
    return next((last - first for first, last in (result.unseen or {}).values()), None)


def _where_told(group: Sequence[Result], value: Callable[[Result], float | None], low: float, high: float) -> str:
    """The mean over the runs that have a value, cut to what is possible; what can be below zero is a difference."""
    runs = [result for result in group if value(result) is not None]
    if not runs:
        return ""
    mean = estimate(runs, lambda result: value(result) or 0.0).within(low, high)
    few = f", {counted(len(runs), 'run')}" if len(runs) < len(group) else ""
    return (_marked(mean) if low < 0 else str(mean)) + few


def _marked(value: Estimate) -> str:
    return f"{value}{' ≈' if value.is_zero else ''}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; what would break it is taken out of the cells."""
    lines = [head, ["---"] * len(head), *rows]
    cells = [[cell.replace("|", "/").replace("\n", " ") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)
