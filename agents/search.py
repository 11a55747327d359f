"""The loop that every search agent shares: select a visited context, edit it, score the child, keep it."""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

import gymnasium as gym

from lse_gym.agents.files import write_text
from lse_gym.agents.live import Live
from lse_gym.agents.tree import Node, Selection, Tree
from lse_gym.envs.arguments import Range, check, hints
from lse_gym.envs.core import ContextEnv, Info, Observation
from lse_gym.envs.errors import ArgumentError, BudgetExhausted, unknown
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.extras import require_installed
from lse_gym.envs.metered import MeteredModel
from lse_gym.envs.spaces import FreeText

Order = Literal["paper", "code"]
MAX_CHARS = 8000  # of a context, where there is no env to ask
MAX_SEED = 2**53  # exact as a number of JSON
Callback = Callable[["SearchAgent", Node, Info], bool | None]


@dataclass(frozen=True)
class SearchArgs:
    """Arguments of every search agent. What a number may be stands beside its type, and is checked."""

    seed: Annotated[int, Range(0, MAX_SEED)] = 0
    """seed of the env's first reset and of the agent's own choices"""


class SearchAgent(ABC):
    """An agent that grows an evolution tree through the public API of an env.

    ``learn`` searches: one timestep is one edit. ``predict`` makes a single edit of what an observation shows.

    Args:
        env: an env of the namespace ``LSE`` on one domain; None for an agent that only predicts.
        args: fields of ``Args``, by name.
    """

    name: ClassVar[str]
    package: ClassVar[str] = ""
    """the package that the agent is made of, where it is another's; the extra of that name brings it"""
    Args: ClassVar[type[SearchArgs]] = SearchArgs
    selection: Selection = "deepest"
    order: Order = "code"

    def __init__(self, env: gym.Env | None = None, **args: Any):
        known = hints(self.Args)
        for name, value in args.items():
            if name not in known:
                raise unknown(f"argument of agent {self.name!r}", name, known)
            check(name, known[name], value)
        self.args = self.Args(**args)
        if self.package:
            require_installed(self.package, self.package, f"The agent {self.name!r}")
        if env and isinstance(env.unwrapped, ContextEnv) and not isinstance(env.action_space, FreeText):
            raise ArgumentError(
                f"the agent {self.name!r} writes texts, and actions of this env are {env.action_space}. Pass it "
                "without the wrapper, or the argument, that makes them so."
            )
        self.env = env
        self.tree = self._new_tree()
        self.memory: dict[str, Any] = {}  # what an agent knows beyond its tree, fit for JSON; saved with it
        self.editors: dict[str, MeteredModel] = {}  # the models that the budget pays for edits, by their names
        self.edits = 0  # made so far, those that a gate did not keep included
        self._at: tuple[Node, Observation] | None = None  # where the env stands, if not at the last node

    def _new_tree(self) -> Tree:
        return Tree(self.selection)

    @abstractmethod
    def edit(self, observation: Observation, step: int, deterministic: bool = False) -> str:
        """Write a new context from an observation; ``step`` counts the edits so far.

        Raises:
            BudgetExhausted: the editor cannot be paid.
        """

    def most_answers(self, edits: int, held_out: int, batch: int) -> int:
        """The questions that the task model answers at most in a search.

        Args:
            edits: edits to make.
            held_out: held-out questions.
            batch: questions of a feedback batch.
        """
        again = batch if self.order == "paper" else 0  # a context that is edited once more is shown a new batch
        return (edits + 1) * (held_out + batch) + edits * again

    def most_editor_calls(self) -> int:
        """The calls of an editor that one edit takes at most."""
        return 0

    def facts(self) -> dict[str, Any]:
        """What ``summary.json`` tells of this search beside what it tells of all; fit for JSON."""
        return {}

    def predict(
        self, observation: Observation, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Edit what the observation shows, in the shape of Stable-Baselines3.

        Args:
            observation: of one env, or of a vector env (then the action is a tuple of contexts).
            state: what the last call returned; None at first.
            episode_start: not used: the observation holds everything.
            deterministic: make the most likely edit instead of a sampled one.

        Returns:
            The new context, and the state for the next call.
        """
        step = int(state or 0)
        if isinstance(observation["context"], str):
            return self.edit(observation, step, deterministic), step + 1
        each = [{k: v[i] for k, v in observation.items()} for i in range(len(observation["context"]))]
        return tuple(self.edit(one, step, deterministic) for one in each), step + 1

    def learn(self, total_timesteps: int, callback: Callback | None = None, progress_bar: bool = False) -> Self:
        """Search for ``total_timesteps`` edits, or until the budget is used up; calling again goes on.

        Args:
            total_timesteps: edits to make, >= 0.
            callback: called with (agent, node, info) for the start and after every edit; returning False stops.
            progress_bar: show one, with the best held-out score.
        """
        env = self.require_env()
        check("total_timesteps", Annotated[int, Range(0)], total_timesteps)
        if progress_bar:
            with Live(total_timesteps, callback) as live:
                return self._search(env, total_timesteps, live.show)
        return self._search(env, total_timesteps, callback)

    def _search(self, env: gym.Env, total_timesteps: int, callback: Callback | None) -> Self:
        """The loop of :meth:`learn`."""
        if not self.tree.nodes:
            observation, info = env.reset(seed=self.args.seed)
            if not self._keep(None, observation, info, callback):
                return self
        for _ in range(total_timesteps):
            try:
                if not self._grow(env, callback):
                    break
            except BudgetExhausted:
                break
        return self

    def measure(self, callback: Callback | None = None) -> Self:
        """Ask for the held-out score of what a gate has kept since the last measurement, at the end of a search.

        Args:
            callback: as of :meth:`learn`.
        """
        if unmeasured := self._unmeasured():
            self._at = None
            observation, info = self.require_env().reset(options={"context": unmeasured[1]["context"]})
            self._keep(unmeasured[0], observation, info, callback)
        return self

    def select(self) -> Node:
        """The context to edit next, its visit counted."""
        return self.tree.select(self.args.seed)

    def _grow(self, env: gym.Env, callback: Callback | None) -> bool:
        """Select, edit and evaluate; False when the budget could not pay, or the callback ends the search."""
        at = self._stand(env)
        if at is None:
            return False
        parent, observation = at
        context = self.edit(observation, self.edits)
        if not isinstance(context, str):  # an env would keep the old one, and every edit be in vain
            raise ArgumentError(
                f"edit() of {type(self).__name__} returned a {type(context).__name__}. Return the new context as a str."
            )
        self.edits += 1
        observation, _, _, truncated, info = env.step(context)
        if truncated:
            return False
        if info["evaluated"]:
            self._at = None
            return self._keep(parent, observation, info, callback)
        self._at = parent, observation
        return True

    def _stand(self, env: gym.Env) -> tuple[Node, Observation] | None:
        """The context to edit and what the env shows of it; None when the budget could not pay.

        Edits that a gate kept and that are not measured yet are built on before another context is selected.
        """
        if unmeasured := self._unmeasured():
            return unmeasured
        node = self.select()
        if self._at and self._at[0] is node:
            return self._at
        options: dict[str, Any] = {"context": node["context"]}
        if self.order != "paper" or node["visits"] == 1:  # else its batch has been edited from: take a new one
            options["batch"] = node["batch"]  # in memory: free
        observation, info = env.reset(options=options)
        return (node, observation) if info["evaluated"] else None

    def _unmeasured(self) -> tuple[Node, Observation] | None:
        """Where the env stands, if a gate has kept edits there since the last measurement."""
        return self._at if self._at and self._at[0]["context"] != self._at[1]["context"] else None

    def _keep(self, parent: Node | None, observation: Observation, info: Info, callback: Callback | None) -> bool:
        if not info["evaluated"]:
            return False
        node = self.tree.add(
            parent,
            observation["context"],
            info["held_out_score"],
            round_idx=self.edits,
            feedback=observation["feedback"],
            feedback_score=float(observation["feedback_score"]),
            batch=int(info["batch"]),
            scores=core_env(self.require_env()).held_out_scores,
        )
        return callback is None or callback(self, node, info) is not False

    def require_env(self) -> gym.Env:
        """The agent's env; ArgumentError where it was made without one."""
        if self.env is None:
            raise ArgumentError(f"{type(self).__name__} has no env. Pass env=gym.make('LSE/TextToSQL-v1').")
        return self.env

    @property
    def best_context(self) -> str:
        """The context of the best held-out score so far; ArgumentError before anything was visited."""
        if not self.tree.nodes:
            raise ArgumentError(f"{type(self).__name__} has visited no context yet. Call learn first.")
        return self.tree.best["context"]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write arguments, tree and memory as JSON, atomically."""
        state = {"agent": self.name, "args": asdict(self.args), "tree": self.tree.to_json(), "memory": self.memory}
        write_text(path, json.dumps(state | {"edits": self.edits}, ensure_ascii=False))

    @classmethod
    def load(cls, path: str | os.PathLike[str], env: gym.Env | None = None) -> Self:
        """Read what :meth:`save` wrote.

        A search goes on from its tree in a new env, which pays anew and whose feedback batches begin at the first. To
        go on to the identical result, as if nothing had stopped it, keep a run directory
        (:func:`lse_gym.agents.run.evolve`).
        """
        with open(path, encoding="utf-8") as file:
            state = json.load(file)
        if state.get("agent") != cls.name:
            raise ArgumentError(f"{os.fspath(path)!r} holds agent {state.get('agent')!r}, not {cls.name!r}.")
        agent = cls(env, **state["args"])
        agent.tree, agent.memory = Tree.from_json(state["tree"]), state["memory"]
        agent.edits = state.get("edits", len(agent.tree.nodes) - 1)
        return agent

    def _max_chars(self) -> int:
        return self.env.unwrapped.action_space.max_chars if self.env is not None else MAX_CHARS  # ty: ignore[missing-attribute] - FreeText
