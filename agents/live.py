"""What a person sees while an agent searches: a progress bar, and on a terminal the tree as it grows."""

from typing import TYPE_CHECKING, Self

from rich.console import Group, RenderableType
from rich.live import Live as RichLive
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text
from rich.tree import Tree as RichTree

from lse_gym.agents.console import Console

if TYPE_CHECKING:
    from lse_gym.agents.search import Callback, SearchAgent
    from lse_gym.agents.tree import Node, Tree
    from lse_gym.envs.core import Info

MAX_SHOWN = 24  # nodes drawn in the terminal
BAR_CELLS = 20


class Live:
    """A display fed by the callback :meth:`show`. Use as a context manager.

    On a terminal it redraws in place; elsewhere it prints a line a round.

    Args:
        rounds: edits to come.
        callback: another callback to call with each node.
        console: where to print; standard error by default, so that results can be piped.
    """

    def __init__(self, rounds: int, callback: "Callback | None" = None, console: Console | None = None):
        self.console = console or Console(stderr=True)
        self._callback = callback
        self._progress = Progress(
            TextColumn("[bold]evolving"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=self.console
        )
        self._bar = self._progress.add_task("", total=rounds)
        self._live = RichLive(self._progress, console=self.console, refresh_per_second=8, transient=False)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.console.is_terminal:
            self._live.stop()

    def show(self, agent: "SearchAgent", node: "Node", info: "Info") -> bool | None:
        """Draw the tree with its newest node."""
        tree = agent.tree
        self._progress.update(self._bar, completed=len(tree.nodes) - 1)
        if self.console.is_terminal:
            self._live.update(Group(_draw(tree), _headline(tree), self._progress))
        else:
            best = tree.best["performance"]
            self.console.print(
                f"round {node['round_idx']:>3}  held-out {node['performance']:.2f}  best {best:.2f}  "
                f"from round {'-' if node['parent_id'] is None else node['parent_id']}"
            )
        return self._callback(agent, node, info) if self._callback else None


def _headline(tree: "Tree") -> Text:
    seed, best = tree.nodes[0]["performance"], tree.best["performance"]
    filled, start = round(best * BAR_CELLS), round(seed * BAR_CELLS)
    bar = "█" * start, "█" * (filled - start), "·" * (BAR_CELLS - filled)
    colours = zip(bar, ("yellow", "green", "dim"), strict=True)
    return Text.assemble("held-out ", *colours, f" seed {seed:.2f} → best ", (f"{best:.2f}", "bold green"))


def _draw(tree: "Tree") -> RenderableType:
    """The newest nodes of the tree, with their ancestors folded into the lines above them."""
    best = tree.best["id"]
    shown = {node["id"] for node in tree.nodes[-MAX_SHOWN:]} | {0, best}
    drawn: dict[int, RichTree] = {}
    for node in tree.nodes:
        if node["id"] not in shown:
            continue
        style = "bold green" if node["id"] == best else "red" if node["improvement"] < 0 else ""
        label = Text(f"{node['performance']:.2f}", style) + Text(f"  round {node['round_idx']}", "dim")
        parent = node["parent_id"]
        while parent is not None and parent not in drawn:
            parent = tree.nodes[parent]["parent_id"]
        drawn[node["id"]] = RichTree(label) if parent is None else drawn[parent].add(label)
    return drawn[0]
