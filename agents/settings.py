"""What a run depends on: ``Config``, and ``Settings``, the same by the short names that people write."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from math import inf
from typing import Annotated, Any

import gymnasium as gym

from lse_gym.agents import AGENTS, agent_class
from lse_gym.agents.editor_agent import MAX_EDIT_TOKENS, EditorAgent, default_editor
from lse_gym.agents.search import MAX_SEED, Order, SearchAgent
from lse_gym.agents.tree import UCB_C, Selection
from lse_gym.envs.arguments import Range
from lse_gym.envs.budget import RESOURCES
from lse_gym.envs.errors import ArgumentError, unknown
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.registration import ENVS, default
from lse_gym.envs.report import FeedbackMode

FIRST_ENV, FIRST_DOMAIN = "LSE/TextToSQL-v1", "clinic-0"


@dataclass(frozen=True)
class Config:
    """Everything that a run's result depends on, besides the code and the data; what ``config.json`` holds."""

    env: str = FIRST_ENV
    """id of the env"""
    env_args: Mapping[str, Any] = field(default_factory=dict)
    """what ``gym.make`` is told besides: domain, task_model, feedback, …"""
    agent: str = "lse"
    """name of the agent, or ``package.module:Class``"""
    agent_args: Mapping[str, Any] = field(default_factory=dict)
    """fields of the agent's ``Args``: editor, selection, …"""
    budget: Mapping[str, float] = field(default_factory=dict)
    """hard caps of the run on "edits", "calls", "tokens", "usd", editor included; the final test has its own"""
    seed: int = 0
    """seed of the search"""
    rounds: int = 20
    """edits to make"""

    def __post_init__(self) -> None:
        finite = {name: cap for name, cap in self.budget.items() if cap != inf}  # no cap, and JSON has no Infinity
        object.__setattr__(self, "budget", finite)

    @classmethod
    def of(cls, **settings: Any) -> "Config":
        """The configuration that :class:`Settings` of these short names stand for."""
        return Settings(**settings).config()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Config":
        """Read what ``config.json`` holds, of this version or of one that wrote all settings side by side.

        Nothing that it names is imported: an agent that does not come with the package keeps whatever was set.
        """
        if "task_model" not in data:
            return cls(**{f.name: data[f.name] for f in fields(cls) if f.name in data})
        given = {f.name: data[f.name] for f in fields(Settings) if f.name in data}
        settings = Settings(**dict(one for one in given.items() if one not in SIDE_BY_SIDE.items()))
        known = agent_class(settings.agent).Args.__dataclass_fields__ if settings.agent in AGENTS else OF_AGENT
        return settings.as_config(known)

    @property
    def domain(self) -> str | None:
        """The domain, where one is named."""
        return self.env_args.get("domain")

    @property
    def task_model(self) -> str:
        """The task model."""
        return self.of_env("task_model")

    def of_env(self, name: str) -> Any:
        """An argument of the env: as it is given, or the env's own default."""
        return self.env_args[name] if name in self.env_args else default(self.env, name)

    @property
    def editor(self) -> str | None:
        """The editor, by its name; None for an agent without one."""
        if not issubclass(agent_class(self.agent), EditorAgent):
            return None
        return self.agent_args.get("editor") or default_editor()

    def on_one_domain(self) -> "Config":
        """With a domain where none is named: that of the first env, else the first that there is."""
        if self.domain is not None:
            return self
        first = FIRST_DOMAIN if self.env == FIRST_ENV else core_env(self.make_env()).domains[0]
        return replace(self, env_args={**self.env_args, "domain": first})

    def settings(self) -> dict[str, Any]:
        """All of it as plain data, the editor by its name."""
        named = {"editor": self.editor} if self.editor else {}
        return asdict(self) | {"agent_args": {**self.agent_args, **named}}

    def make_env(self, record: str | None = None) -> gym.Env:
        """The env of this run."""
        if self.env not in gym.registry:
            try:
                gym.spec(self.env)  # tells of a version that is retired
            except gym.error.DeprecatedEnv:
                raise
            except gym.error.Error:
                raise unknown("environment", self.env, ENVS) from None
        one_episode = {"max_edits": max(1, self.rounds)}
        options: dict[str, Any] = {"record": record, "budget": dict(self.budget), **one_episode, **self.env_args}
        try:
            return gym.make(self.env, **options)
        except TypeError as error:
            told = f"{self.env!r} is no env of contexts, or takes other arguments: {error}"
            raise ArgumentError(f"{told}. 'lse-gym envs' lists those that there are.") from error

    def make_agent(self, env: gym.Env | None, record: str | None = None) -> SearchAgent:
        """The agent of this run."""
        kind = agent_class(self.agent)
        of_the_run = {"seed": self.seed, "record": record}
        known = kind.Args.__dataclass_fields__
        return kind(env, **{name: value for name, value in of_the_run.items() if name in known}, **self.agent_args)


@dataclass(frozen=True)
class Settings:
    """A run by the short names that command lines, comparisons and submissions share.

    Each is a field of :class:`Config`, or an argument of the env or of the agent; what is left at its default is not
    passed on. An agent is told only what it knows, so that several can be compared under the same settings.
    """

    env: str = FIRST_ENV
    agent: str = "lse"
    task_model: str | None = None  # the env's own
    editor: str | None = None  # LSE_GYM_EDITOR, or writer
    domain: str | None = FIRST_DOMAIN
    start: str = "seed"  # or a text file with the context to start from
    data_dir: str | None = None
    exclude: str | None = None
    rounds: Annotated[int, Range(0)] = 20
    seed: Annotated[int, Range(0, MAX_SEED)] = 0
    split_seed: Annotated[int, Range(0, MAX_SEED)] = 0
    budget_calls: Annotated[float, Range(0)] | None = None
    budget_tokens: Annotated[float, Range(0)] | None = None
    budget_usd: Annotated[float, Range(0)] | None = None
    budget_edits: Annotated[float, Range(0)] | None = None
    selection: Selection | None = None  # the agent's own
    ucb_c: Annotated[float, Range(0, 1e6)] = UCB_C
    order: Order = "paper"
    feedback: FeedbackMode = "gold"
    feedback_size: Annotated[int, Range(1, 1_000)] | None = None  # the env's own
    gate: Annotated[int, Range(0, 1_000_000)] = 0
    scoring: str = "set"
    max_chars: Annotated[int, Range(1, 1_000_000)] = 8000
    max_tokens: Annotated[int, Range(1, 1_000_000)] = 512
    max_edit_tokens: Annotated[int, Range(1, 1_000_000)] = MAX_EDIT_TOKENS
    agent_args: dict[str, Any] = field(default_factory=dict)
    env_args: dict[str, Any] = field(default_factory=dict)

    def config(self) -> Config:
        """The configuration that these settings stand for.

        Raises:
            UnknownNameError: an argument that the agent does not have.
        """
        return self.as_config(agent_class(self.agent).Args.__dataclass_fields__)

    def as_config(self, known: Collection[str]) -> Config:
        """The same for an agent that has ``known`` arguments."""
        return Config(
            env=self.env,
            env_args=({"domain": self.domain} if self.domain else {}) | self._changed(OF_ENV) | self.env_args,
            agent=self.agent,
            agent_args={name: v for name, v in self._changed(OF_AGENT).items() if name in known} | self.agent_args,
            budget=dict(self.budget),
            seed=self.seed,
            rounds=self.rounds,
        )

    @classmethod
    def of(cls, config: Config) -> "Settings":
        """The inverse of :meth:`config`: what has a short name by it, the rest as ``agent_args`` and ``env_args``."""
        short: dict[str, Any] = {"domain": None}
        short |= {name: config.env_args[name] for name in ("domain", *OF_ENV) if name in config.env_args}
        short |= {name: config.agent_args[name] for name in OF_AGENT if name in config.agent_args}
        short |= {f"budget_{name}": cap for name, cap in config.budget.items()}
        return cls(
            **short,
            env=config.env,
            agent=config.agent,
            rounds=config.rounds,
            seed=config.seed,
            agent_args={name: value for name, value in config.agent_args.items() if name not in OF_AGENT},
            env_args={name: value for name, value in config.env_args.items() if name not in ("domain", *OF_ENV)},
        )

    @property
    def budget(self) -> dict[str, float]:
        """The caps that there are."""
        caps = {name: getattr(self, f"budget_{name}") for name in RESOURCES}
        return {name: cap for name, cap in caps.items() if cap is not None}

    def _changed(self, names: tuple[str, ...]) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names if getattr(self, name) != getattr(Settings, name)}


OF_ENV = (
    *("task_model", "start", "data_dir", "exclude", "split_seed", "feedback", "feedback_size", "gate", "scoring"),
    *("max_chars", "max_tokens"),
)
BY_ENV = ("task_model", "feedback_size")  # of these, what envs have different defaults of
SIDE_BY_SIDE = {"task_model": "reader", "feedback_size": 10}  # what nobody had chosen, where all settings were written
OF_AGENT = ("editor", "selection", "ucb_c", "order", "max_edit_tokens")
