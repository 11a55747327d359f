"""``LSE/Remote-v0``: the env at a host, as if it were here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Unpack

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Dict

from lse_gym.envs.arguments import checked
from lse_gym.envs.budget import NOTHING, Budget, Usage
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.domain import Question
from lse_gym.envs.errors import ArgumentError, BudgetExhausted, MissingArgumentError, unknown
from lse_gym.envs.metered import Task
from lse_gym.envs.options import CoreOptions, check_reset
from lse_gym.envs.remote.client import Client, odd
from lse_gym.envs.remote.domain import RemoteFamily
from lse_gym.envs.remote.notes import new_name, read_play, write_play
from lse_gym.envs.remote.questions import evaluation
from lse_gym.envs.remote.session import RemoteModel, RemoteSession
from lse_gym.envs.remote.wire import Outcome, unpacked
from lse_gym.envs.report import Report
from lse_gym.envs.session import Evaluation
from lse_gym.envs.spaces import FreeText
from lse_gym.envs.state import MAX_FEEDBACK_CHARS, NO_REPORT, TOLD, TOLD_BY_AGENT, Info, Observation
from lse_gym.envs.text import clean, clean_action
from lse_gym.envs.vector import ContextVectorEnv

FREE = ("record", "render_mode", "budget", "max_edits")  # of the shared arguments; the track decides all others


class RemoteEnv(ContextEnv):
    """Edit a context of a track that a host plays: secret domain, task model, budget and clock are there.

    ## Description
    An episode is one of the env that the track names, on a domain which the host draws from its secret for this run
    alone. Its questions, golds and prompts stay there; what an env observes is sent. Agents may also evaluate a context
    on single questions through the session, paid as all else: of held-out ones only scores come back, of feedback ones
    what a report shows. Needs the extra ``api``, and a team's token, best in the environment variable
    ``LSE_GYM_TOKEN``.

    A *play* is what a team plays of a track: a run on each of its domains. The host keeps every step of it. Who makes
    an env of the same play and domain again begins at its first step, and is told what was answered then as long as the
    actions are the same; so a program that died is simply started again. ``leaderboard/README.md`` has more.

    ## Action Space
    ``FreeText(max_chars)``: the new context, whole; ``max_chars`` is the track's.

    ## Observation Space
    As in :class:`lse_gym.envs.core.ContextEnv`: context, feedback, feedback_score, remaining_budget; the last one is
    what the host has left for its task model. What an editor costs is the player's own, and not in it.

    ## Rewards
    ``r = S(c_after) - S(c_before)``, ``S`` being the mean score on the held-out questions; in [-1, 1].

    ## Starting State
    As in the env of the track, whose domain is the one of this run.

    ## Episode End
    As in :class:`lse_gym.envs.core.ContextEnv`: terminated after ``max_edits``, truncated when the budget is used up.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | url | str | | | address of the host; https, or this machine |
    | track | str | | | id of a track that it plays |
    | token | str or None | None | | the team's token; None takes it from ``LSE_GYM_TOKEN`` |
    | domain | str or None | None | | a domain of the track by the name it has here; None is the first |
    | play | str or None | None | | name of the play, the team's own; None is a new one |

    Of the shared arguments ``record`` keeps the name of the play, so that a later env with it goes through the same
    one; ``max_edits`` ends episodes, which are the player's; ``budget`` caps nothing at the host and has to be empty;
    all others are the track's, and may be given only as they are there. ``reset(options=...)`` takes ``context``,
    ``domain`` and ``batch``.

    ## Cost
    As in the env of the track, paid by the host.

    ## Version History
    v0: first version.
    """

    remote: ClassVar[bool] = True
    session: RemoteSession
    family: RemoteFamily

    @checked
    def __init__(
        self,
        url: str | None = None,
        track: str | None = None,
        token: str | None = None,
        domain: str | Sequence[str] | None = None,
        play: str | None = None,
        **options: Unpack[CoreOptions],
    ):
        if not url or not track:
            raise MissingArgumentError(
                "LSE/Remote-v0 needs url= and track=: the address of a host and what to play there, e.g. "
                "gym.make('LSE/Remote-v0', url='http://127.0.0.1:8321', track='sql-reader-500-v2')."
            )
        self.client = Client(url, token)
        facts = self.client.get(f"tracks/{track}")
        _check_fixed(options, facts)
        self.track, self.render_mode = facts, options.get("render_mode")
        if self.render_mode not in (None, *self.metadata["render_modes"]):
            raise unknown("render mode", self.render_mode, self.metadata["render_modes"], "None renders nothing.")
        self.family = RemoteFamily(facts)
        self.domains = self.family.select(domain)[:1]
        self.feedback_mode, self.feedback_size = facts["feedback"], facts["feedback_size"]
        self.max_edits, self.max_chars, self.gate = options.get("max_edits", 10), facts["max_chars"], facts["gate"]
        sampling = {name: facts[name] for name in ("samples", "temperature", "max_tokens")}
        model = RemoteModel(facts["task_model"], facts["revision"])
        self.session = RemoteSession(self, model, Budget(), facts["budget"], **sampling)
        self.action_space = FreeText(self.max_chars)
        texts = {"context": FreeText(self.max_chars), "feedback": FreeText(MAX_FEEDBACK_CHARS)}
        score, budget_left = Box(0.0, 1.0, (), np.float64), Box(0.0, 1.0, (4,), np.float64)
        self.observation_space = Dict(texts | {"feedback_score": score, "remaining_budget": budget_left})
        record = options.get("record")
        self._record = Path(record) if record else None
        kept = read_play(self._record) if self._record else None
        self._play = play or kept or new_name()
        self._run = ""  # where the steps go, once the host has been told of the play
        self._number = 0  # of the next request of this run
        self._seen = NOTHING  # what the host had charged by the last answer
        self._now: Outcome | None = None
        self._last: Info = {}
        self._by_agent = Usage()
        self._edits_paid = 0

    def reset_task(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> Task[tuple[Observation, Info]]:
        """``reset`` at the host."""
        gym.Env.reset(self, seed=seed)
        check_reset(options)
        options = options or {}
        for name in ("domain",) if options.get("domain") is not None else ():
            self.family.check(options[name])
        if options.get("domain") not in (None, *self.domains):
            raise ArgumentError(
                f"this env plays {self.domains[0]!r} of {self.track['id']}. Make another for {options['domain']!r}."
            )
        body: dict[str, Any] = {"seed": seed, "context": None, "batch": None}
        problem = ""
        if options.get("context") is not None:
            body["context"], problem = clean(options["context"], self.max_chars)
        if options.get("batch") is not None:
            body["batch"] = int(options["batch"])
        if seed is not None:
            self._by_agent = self._spent_by_agent()
        outcome = self._ask("reset", body)
        return outcome.observation, self._told(outcome, problem)
        yield  # a task that asks no model here

    def step_task(self, action: Any) -> Task[tuple[Observation, float, bool, bool, Info]]:
        """``step`` at the host."""
        if self._now is None:
            raise gym.error.ResetNeeded("step() before reset(). Call env.reset() first.")
        context, problem = clean_action(action, self.context, self.max_chars)
        outcome = self._ask("step", {"action": context})
        told = self._told(outcome, problem)
        if not outcome.truncated:
            self._edits_paid += 1
            self._by_agent = self._spent_by_agent()
        terminated = not outcome.truncated and told["edits"] >= self.max_edits
        return outcome.observation, outcome.reward, terminated, outcome.truncated, told
        yield

    @property
    def report(self) -> Report:
        """The report behind the last observation's ``feedback``, as data."""
        return self._now.observation["feedback"].data if self._now else NO_REPORT.data

    @property
    def domain_name(self) -> str:
        """The domain of this run."""
        return self.domains[0]

    @property
    def context(self) -> str:
        """The context of the running episode; "" before any."""
        return self._now.observation["context"] if self._now else ""

    @property
    def held_out_scores(self) -> tuple[float, ...]:
        """The last measured score of each held-out question, by its place alone; () before any."""
        return self._now.held_out_scores if self._now else ()

    def render(self) -> str | None:
        """The last step in a few lines of text (``render_mode="ansi"``)."""
        if self.render_mode is None or self._now is None:
            return None
        return "\n".join([*(f"{key}: {value}" for key, value in self._last.items()), "", self.context])

    def close(self) -> None:
        """Close the connection; the play goes on whenever an env of its name is made again."""
        self.client.close()

    def finish(self, contexts: Sequence[str]) -> tuple[list[np.ndarray] | None, Usage]:
        """End the run, which no step follows then: scores of visited contexts on sealed questions, and their cost.

        The scores are None until all runs of the play have ended; the same call tells them then.

        Args:
            contexts: one or two that the run has visited; the last one is what the run comes to.

        Raises:
            ArgumentError: one was not visited, or the run has ended with others.
        """
        used = self._spent_by_agent()
        declared = {"calls": used.calls, "tokens": used.tokens, "usd": used.usd}
        visited = [clean(context, self.max_chars)[0] for context in contexts]
        data = self._post("finish", {"contexts": visited, "editor": declared})
        self._number -= 1  # nothing follows it, and it may be asked again
        try:
            told = data["scores"]
            scores = None if told is None else [np.array(found, dtype=np.float64) for found in told]
            return scores, Usage(**{name: float(data["used"][name]) for name in TOLD})
        except (KeyError, TypeError, ValueError) as error:
            raise odd(error) from None

    def evaluate(self, context: str, questions: Sequence[Question]) -> tuple[Evaluation, Report]:
        """Evaluate a context on single questions, outside of the episode: feedback and held-out ones, by their places.

        Raises:
            BudgetExhausted: they cannot be paid in full; nothing was.
        """
        body = {"context": clean(context, self.max_chars)[0], "questions": [question.id for question in questions]}
        data = self._post("evaluate", body)
        try:
            if data["exhausted"]:
                raise BudgetExhausted(str(data["exhausted"]))
            found = evaluation(data, questions, self._booked(Usage(*map(float, data["spent"]))))
        except (KeyError, TypeError, ValueError) as error:
            raise odd(error) from None
        return found

    def feedback_questions(self) -> list[Question]:
        """The feedback questions of this run: those with a text and a gold of which a report has told them by now.

        Once the run has ended that is all of them; where reports hide golds, none.
        """
        domain = self.family.load(self.domain_name)
        data = self.client.get(f"{self._at()}/questions")
        try:
            return domain.told(data["questions"])
        except (KeyError, TypeError, ValueError) as error:
            raise odd(error) from None

    def _ask(self, kind: str, body: Mapping[str, Any]) -> Outcome:
        try:
            outcome = unpacked(self._post(kind, body))
        except (KeyError, TypeError, ValueError) as error:
            raise error if isinstance(error, ArgumentError) else odd(error) from None
        self._booked(outcome.spent)
        self._now = outcome
        return outcome

    def _booked(self, spent: Usage) -> Usage:
        """Book what the host has charged since its last answer."""
        used, self._seen = spent.minus(self._seen), spent
        self.session.book(used)
        return used

    def _post(self, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        data = self.client.post(f"{self._at()}/{kind}", {"number": self._number, **body})
        self._number += 1
        return data

    def _at(self) -> str:
        if not self._run:
            self._run = self._begun()
        return self._run

    def _begun(self) -> str:
        """Tell the host of the play, for the first time or once more; where this run's steps go."""
        if self._record:
            write_play(self._record, self._play)
        data = self.client.post("plays", {"track": self.track["id"], "name": self._play})
        return f"plays/{data['play']}/runs/{data['domains'].index(self.domain_name)}"

    def _told(self, outcome: Outcome, problem: str) -> Info:
        by_agent = self._spent_by_agent().minus(self._by_agent)
        own = dict(zip(TOLD_BY_AGENT, map(float, by_agent[1:]), strict=True))
        told = {"problem": "; ".join(filter(None, (problem, outcome.info["problem"]))), **own}
        self._last = {name: told.get(name, value) for name, value in outcome.info.items()}
        return dict(self._last)


class RemoteVectorEnv(ContextVectorEnv):
    """Many :class:`RemoteEnv`, each a play of its own unless ``play`` names one."""

    env_class: ClassVar[Any] = RemoteEnv


def _check_fixed(options: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    if (options.get("budget") or facts["budget"]) != facts["budget"]:
        raise ArgumentError(f"budget={options['budget']!r}: the track has its own, {facts['budget']}. Leave it out.")
    for name, value in options.items():
        wanted = facts.get(name, "seed" if name == "start" else None)
        if name not in FREE and value != wanted:
            raise ArgumentError(f"{name}={value!r}: the track {facts['id']} has {wanted!r}. Leave it out.")
