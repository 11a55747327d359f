"""What a run would ask, cost and take from what is kept, worked out without asking a model."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import NamedTuple

from lse_gym.agents import AGENTS
from lse_gym.agents.editor_agent import MAX_EDIT_TOKENS, EditorAgent
from lse_gym.agents.search import SearchAgent
from lse_gym.agents.settings import Config
from lse_gym.envs.budget import NOTHING, RESOURCES, Budget, Usage
from lse_gym.envs.core import MAX_FEEDBACK_CHARS, ContextEnv
from lse_gym.envs.domain import SPLITS, Attempt, Domain, Outcome, Prompt, Question, Split
from lse_gym.envs.editing import editor_prompt
from lse_gym.envs.errors import ArgumentError, ProviderError
from lse_gym.envs.evaluation import core_env, final_scores
from lse_gym.envs.metered import MeteredModel
from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Delegate, Request, Response, TaskModel
from lse_gym.envs.models.stored import StoredModel, request_key
from lse_gym.envs.report import Turn

COUNTED = {"tokens": 1e18}  # a cap on tokens, so that they are counted


class Plan(NamedTuple):
    """What a run costs at most.

    Tokens and dollars take every context to be as long as it may get, with a token a character, and every answer too;
    what an editor is shown besides is as long as a first report on wrong answers. ``search`` is what the caps of the
    budget leave of ``task_model`` and ``editor`` together.
    """

    task_model: Usage
    editor: Usage
    search: Usage
    test: Usage

    @property
    def whole(self) -> Usage:
        """Search and test."""
        return self.search.plus(self.test)

    def plus(self, other: "Plan") -> "Plan":
        """Both runs."""
        return Plan(*(one.plus(two) for one, two in zip(self, other, strict=True)))

    def times(self, runs: int) -> "Plan":
        """So many runs like this one."""
        return Plan(*(_times(one, runs) for one in self))


NO_PLAN = Plan(NOTHING, NOTHING, NOTHING, NOTHING)


class Preview(NamedTuple):
    """What a run is about: its questions, what the task model sees first, and what is known to be wrong."""

    domain: str
    sizes: Mapping[Split, int]
    batch: int
    prompt: Prompt
    gold: str
    note: str
    problems: list[str]


def plan_run(config: Config) -> Plan:
    """Work out what a run costs at most; no model is asked.

    Raises:
        LSEGymError: the run could not start: wrong arguments, or data that cannot be used.
    """
    core, domain, agent = _parts(config)
    if core.remote:  # the host pays its task model; what reports will hold, and so what an editor costs, nobody knows
        dear = any(has_price(editor.model) for editor in agent.editors.values())
        return NO_PLAN._replace(search=Usage(edits=config.rounds, usd=inf if dear else 0.0))
    held_out, pool = domain.splits["held_out"], domain.splits["feedback"]
    batch = min(core.feedback_size, len(pool))
    looked_at = batch + len(pool) if core.gate else batch  # the gate's, and the batches that are passed over
    longest = max([*held_out, *pool], key=lambda one: core.model.count_tokens(domain.prompt("", one).user))
    answers = agent.most_answers(config.rounds, len(held_out), looked_at)
    task_model = _times(_bound(core, domain, [longest]), answers)
    edits = NOTHING
    if agent.editors and agent.most_editor_calls():
        request = _edit_request(core, domain, agent, batch)
        bounds = [MeteredModel(one.model, Budget(COUNTED)).upper_bound([request]) for one in agent.editors.values()]
        dearest = Usage(*map(max, zip(*bounds, strict=True)))
        edits = _times(dearest, config.rounds * agent.most_editor_calls())
    search = task_model.plus(edits)._replace(edits=config.rounds)
    caps = Budget(config.budget).caps
    capped = {name: min(getattr(search, name), getattr(caps, name)) for name in RESOURCES}
    contexts = 2 if config.rounds else 1
    test = _bound(core, domain, domain.splits["test"])
    return Plan(task_model, edits, search._replace(**capped), _times(test, contexts))


def plan_lasting(config: Config) -> Usage:
    """What a comparison asks at most to tell what lasts of a run: feedback again, and held-out without a context."""
    core, domain, _ = _parts(config)
    if core.remote:  # it is not asked
        return NOTHING
    again = [*domain.splits["feedback"], *domain.splits["held_out"]]
    return _bound(core, domain, again)


def estimates(config: Config) -> str:
    """Why the tokens and dollars that a plan tells of the editor are an estimate; "" where they are a bound too."""
    _, domain, agent = _parts(config)
    if not agent.most_editor_calls():
        return ""
    if not isinstance(agent, EditorAgent) or any(
        getattr(type(agent), name) is not getattr(EditorAgent, name) for name in ("notes", "edit")
    ):
        return f"{config.agent} shows its editor more than a context and a report"
    return "reports hold transcripts of several turns" if domain.max_turns > 1 else ""


def preview(config: Config) -> Preview:
    """What the questions of a run look like, and what is wrong with them."""
    core, domain, _ = _parts(config)
    if core.remote:
        raise ArgumentError(
            "--plan: what is asked at a host is not known here. `lse-gym leaderboard play TRACK --plan` tells the rest."
        )
    question = domain.splits["held_out"][0]
    prompt = domain.prompt(domain.seed_context, question)
    sizes = {split: len(domain.splits[split]) for split in SPLITS}
    batch = min(core.feedback_size, sizes["feedback"])
    return Preview(domain.name, sizes, batch, prompt, question.gold, core.family.note(domain.name), faults(domain))


def faults(domain: Domain) -> list[str]:
    """What is wrong with the golds of a domain, a sentence each; none of its questions is asked."""
    broken = domain.verify()
    shown = ", ".join(broken[:10]) + ", …" * (len(broken) > 10)
    return [f"the gold answer is unusable, or does not score 1.0, in {len(broken)}: {shown}"] if broken else []


def kept_answers(config: Config, folder: str | os.PathLike[str] | None = None) -> int:
    """How many answers a run would take from what is kept before it asks a model for the first time.

    The search of an agent of this package is gone through on the answers that are kept, up to the first one that is
    not; of others only the first evaluation is. No model is asked.

    Args:
        config: the run.
        folder: a run directory, whose records count beside the response cache.
    """
    records = [os.path.join(folder, name) for name in ("responses.jsonl", "edits.jsonl")] if folder else [None, None]
    env = config.make_env(record=records[0])
    agent, core = config.make_agent(env, record=records[1]), core_env(env)
    models = [Kept(core.model)]
    core.session.metered.model = models[0]
    known = config.agent in AGENTS and (isinstance(agent, EditorAgent) or not agent.most_editor_calls())
    contexts = [core.family.load(core.domain_name).seed_context]
    for editor in agent.editors.values():
        models.append(Kept(editor.model))
        editor.model = models[-1]
    with suppress(ProviderError):
        if known:
            contexts.append(agent.learn(config.rounds).measure().best_context)
        else:
            env.reset(seed=config.seed)
    for context in dict.fromkeys(contexts):
        with suppress(ProviderError):
            final_scores(core, [context])
    return sum(len(model.given) for model in models)


class Kept(Delegate):
    """Answers what is kept of a model's answers, and fails where it would have to be asked."""

    def __init__(self, model: TaskModel):
        super().__init__(model)
        self.given: set[Request] = set()

    def respond(self, requests: Sequence[Request]) -> list[Response]:
        """The kept answers."""
        keys = {request: request_key(self.name, self.revision, request) for request in requests}
        known: dict[str, Response] = {}
        model = self.model
        while isinstance(model, StoredModel):
            known = {**model.lookup([key for key in keys.values() if key not in known]), **known}
            model = model.model
        answered = {request: known[key] for request, key in keys.items() if key in known}
        self.given |= answered.keys()
        if len(answered) < len(keys):
            raise ProviderError("not all of it is kept", answered)
        return [answered[request] for request in requests]


def has_price(model: TaskModel) -> bool:
    """Whether calls of a model have a price."""
    return model.price(1_000_000, 1_000_000) > 0


def models_of(*configs: Config) -> dict[str, TaskModel]:
    """The models that runs pay for: task models, and all the editors of their agents."""
    models: dict[str, TaskModel] = {}
    alike = {json.dumps([one.task_model, one.agent, dict(one.agent_args)]): one for one in configs}
    for config in alike.values():
        editors = config.make_agent(None).editors  # without an env, whose data are read when it runs
        models |= {config.task_model: make_model(config.task_model), **{n: one.model for n, one in editors.items()}}
    return models


def _parts(config: Config) -> tuple[ContextEnv, Domain, SearchAgent]:
    env = config.make_env()
    core = core_env(env)
    return core, core.family.load(core.domain_name), config.make_agent(env)


def _longest_context(core: ContextEnv) -> str:
    return "~^" * (core.max_chars // 2 + 1)  # which no tokenizer makes much shorter


def _bound(core: ContextEnv, domain: Domain, questions: Sequence[Question]) -> Usage:
    """What an evaluation of the longest context on questions costs at most."""
    return core.session.isolated(Budget(COUNTED)).upper_bound(domain, _longest_context(core), questions)


def _edit_request(core: ContextEnv, domain: Domain, agent: SearchAgent, batch: int) -> Request:
    wrong = "~^" * min(core.session.max_tokens, 2_000)
    questions = sorted(domain.splits["feedback"], key=lambda one: -len(one.text) - len(one.evidence) - len(one.gold))
    turns = (Turn("assistant", wrong), Turn("tool", "~^" * (domain.max_reply_bytes // 2)))
    transcript = (turns * domain.max_turns)[:-1] if domain.max_turns > 1 else ()
    attempts = [Attempt(question, wrong, Outcome(0.0, wrong), transcript) for question in questions[:batch]]
    report = core.session.report(domain, attempts, core.feedback_mode).text(MAX_FEEDBACK_CHARS)
    prompt = editor_prompt(_longest_context(core), report, core.max_chars)
    return Request("", prompt, getattr(agent.args, "max_edit_tokens", MAX_EDIT_TOKENS))


def _times(usage: Usage, count: int) -> Usage:
    return Usage(*(amount * count for amount in usage))
