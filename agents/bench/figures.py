"""The figures of a comparison as SVG files, the same bytes for the same data. Needs the extra ``report``."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lse_gym.agents.bench.report import by_label
from lse_gym.agents.bench.result import Result
from lse_gym.agents.bench.statistics import estimate_score
from lse_gym.envs.errors import DataError
from lse_gym.envs.extras import require

SIZE_INCHES = (8.0, 4.2)
GRID_POINTS = 120


def budget_figure(results: Sequence[Result], path: str | os.PathLike[str]) -> None:
    """Best held-out score so far against calls spent: means over domains, bands are 95 % intervals."""

    def draw(axes: Any) -> None:
        end = max(calls for result in results for calls, _ in result.curve)
        for label, group in by_label(results).items():
            start = max(result.curve[0][0] for result in group)
            calls = np.linspace(start, max(end, start + 1), GRID_POINTS)
            found = [estimate_score(group, lambda r, at=at: _score_at(r, at)) for at in calls]
            (line,) = axes.plot(calls, [f.mean for f in found], label=label)
            if len(group) == 1:
                continue  # one run tells nothing of others
            low, high = ([getattr(f, name) for f in found] for name in ("low", "high"))
            axes.fill_between(calls, low, high, color=line.get_color(), alpha=0.1, linewidth=0)
        axes.set(xlabel="calls spent", ylabel="best held-out score so far", ylim=(0, 1.02))

    _figure(draw, path)


def length_figure(results: Sequence[Result], path: str | os.PathLike[str]) -> None:
    """Test score of the best context against its length, a point a run."""

    def draw(axes: Any) -> None:
        for label, group in by_label(results).items():
            axes.scatter([r.context_tokens for r in group], [r.best for r in group], label=label, s=18, alpha=0.7)
        axes.set(xlabel="length of the best context, tokens", ylabel="its test score", ylim=(0, 1.02))

    _figure(draw, path)


def training_figure(trainings: Sequence[Path], path: str | os.PathLike[str]) -> None:
    """Improvement by an edit (of a policy: by an episode) over training: a running mean, and the dev states."""

    def draw(axes: Any) -> None:
        for folder in trainings:
            rows = read_metrics(folder)
            steps = np.array([row["step"] for row in rows])
            values = np.array([row["improvement"] for row in rows])
            window = max(10, len(values) // 20)
            smooth = [values[max(0, i + 1 - window) : i + 1].mean() for i in range(len(values))]
            (line,) = axes.plot(steps, smooth, label=f"{folder.name}: sampled edits")
            dev = [(row["step"], row["dev_improvement"]) for row in rows if "dev_improvement" in row]
            if dev:
                axes.plot(*zip(*dev, strict=True), "o--", color=line.get_color(), label=f"{folder.name}: dev domains")
        axes.axhline(0, color="0.6", linewidth=0.8)
        axes.set(xlabel="training step", ylabel="improvement")

    _figure(draw, path)


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """The rows of a training's ``metrics.jsonl``.

    Raises:
        DataError: there is none, or it is damaged.
    """
    try:
        lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        if not rows or any("improvement" not in row for row in rows):
            raise ValueError("no rows with an improvement")
    except (OSError, ValueError) as error:
        raise DataError(f"{str(folder)!r} is not the directory of a training: {error}.") from None
    return rows


def _score_at(result: Result, calls: float) -> float:
    return max((score for spent, score in result.curve if spent <= calls), default=result.held_out_seed)


def _figure(draw: Callable[[Any], None], path: str | os.PathLike[str]) -> None:
    require("matplotlib", "report", "Drawing figures")
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {"svg.hashsalt": "lse-gym", "svg.fonttype": "none", "axes.grid": True, "grid.alpha": 0.3}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        paired = [matplotlib.colormaps["tab20"](i) for i in range(20)]  # strong and pale in turn
        axes.set_prop_cycle(color=[*paired[::2], *paired[1::2]])
        draw(axes)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(frameon=False, fontsize=8, loc="outside right upper")
        figure.savefig(path, metadata={"Date": None, "Creator": None})
