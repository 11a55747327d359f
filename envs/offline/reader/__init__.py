"""The offline task model ``reader``: a deterministic solver that reads nothing but the prompt.

How an answer comes about: ``prompt.py`` takes the prompt apart and forgets some of it, as a language model would; the
first solver that recognises what is left answers it. A solver is a module (or a folder) with two functions: it looks
for rules in the context, applies those that it finds to the question, and guesses literally where the context is
silent. None has seen a database, a gold answer or the generator of a family.

| solver | recognises | answers |
|---|---|---|
| ``datascience`` | a Python executor | a script, by rules and by what the question says, then the file that it wrote |
| ``passages`` | passages | the offered answer that weighs more, by what passages claim and where they stand |
| ``games/problems`` | word problems | the steps, each the likelier wrong the harder its kind, and a number |
| ``games/hints`` | the hinter's role | a hint: how the first step is done that an attempt has wrong |
| ``servicedesk`` | a help desk | an action by the rules, or by memories of satisfied customers |
| ``repair`` | functions with bugs | the function, by rules, and into usual forms |
| ``games/injection`` | a text to grade or to sort | a mark, a desk, the word for an injection, or what the text wants |
| ``sql`` | a schema | a statement, by rules and by analogy with worked examples |
| ``choice`` | choices A) B) … | a letter, by rules and by what everyone knows |
| ``tools`` | the tools of an office | the next calls, by the playbook, then an answer |
"""

from math import log
from operator import mul
from typing import Protocol

from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.reader import choice, datascience, passages, repair, servicedesk, sql, tools
from lse_gym.envs.offline.reader.games import hints, injection, problems
from lse_gym.envs.offline.reader.prompt import Prompt, read_prompt, slip_rate
from lse_gym.envs.offline.stand_in import UNREADABLE, StandIn


class Solver(Protocol):
    """How the reader answers the prompts of one family."""

    def recognises(self, prompt: Prompt) -> bool:
        """Whether the prompt is of its family, by its form alone."""

    def answer(self, prompt: Prompt, /) -> str:
        """The response: an answer in tags, empty where it can make nothing of the question; or a call. Never raises."""


SOLVERS: tuple[Solver, ...] = (
    *(datascience, passages, problems, hints, injection, servicedesk, repair),
    *(sql, choice, tools),
)


NOTHING = "<answer></answer>"


class Reader(StandIn):
    """Answers by what the context says, and guesses literally where it is silent.

    Its weaknesses are those of a language model: where the context contradicts itself it follows one side or the other,
    of a context beyond ``ATTENTION_CHARS`` it forgets a share of the lines, now and then it slips, and it believes a
    passage the more the nearer it stands to the beginning or the end.
    """

    name = "reader"
    revision = "1"
    position_weights = staticmethod(passages.position_weights)
    slips: bool | None = None  # whether it slips; drawn for every prompt where None

    def answer(self, request: Request) -> str:
        """What the solver says; an empty answer where none recognises the prompt."""
        prompt = read_prompt(request, self.slips)
        solver = next((solver for solver in SOLVERS if solver.recognises(prompt)), None)
        try:
            return solver.answer(prompt) if solver else NOTHING
        except UNREADABLE:
            return NOTHING

    def logprobs(self, request: Request, completion: str) -> list[float]:
        """The exact log-probability of an answer to a word problem at a temperature, in equal parts a token.

        Raises:
            NotImplementedError: it is another prompt, or an answer that it never gives.
        """
        attentive, absent = (read_prompt(request, slips) for slips in (False, True))
        if not problems.recognises(attentive):
            raise NotImplementedError(f"{self.name!r} has log-probabilities of word problems alone.")
        slip = slip_rate(request) if self.slips is None else float(self.slips)
        tokens = self.count_tokens(completion)
        chances = (problems.likelihood(prompt, completion) for prompt in (attentive, absent))
        probability = sum(map(mul, (1 - slip, slip), chances))
        if not probability:
            raise NotImplementedError(f"{self.name!r} never gives this answer.")
        return [log(probability) / tokens] * tokens


class AttentiveReader(Reader):
    """The reader that never slips: in the reward of a single line a slip is noise as large as what a line gains.

    A training takes it by ``--task-model lse_gym.envs.offline.reader:AttentiveReader``.
    """

    name = "attentive-reader"
    slips = False
