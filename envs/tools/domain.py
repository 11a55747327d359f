"""A domain whose questions take tools: the loop of calls and results, and where the tools of one attempt work."""

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future
from copy import copy
from functools import cached_property
from typing import Any, Self, TypeVar

from lse_gym.envs.domain import SPLITS, Attempt, Domain, Outcome, Prompt, Question
from lse_gym.envs.errors import LSEGymError
from lse_gym.envs.prompt import OUTPUT_HEADER, system_message, user_message
from lse_gym.envs.report import Report, Turn
from lse_gym.envs.text import one_line, tagged
from lse_gym.envs.tools.diff import is_difference
from lse_gym.envs.tools.protocol import MAX_CALLS, Call, Tool, read_calls, results_turn, tools_block
from lse_gym.envs.tools.report import Ending, report
from lse_gym.envs.tools.schema import problem_of, typed

T = TypeVar("T")

TOOLS_HEADER = "### Tools"
OUTPUT = (
    "A message without a call ends the task. Put the answer between <answer> and </answer> there; where nothing is "
    "asked, a few words on what was done. There are at most {} messages."
)
UNREADABLE = "The attempt has no readable end."
WRONG_ROWS, WRONG_ANSWER = "The database is not as it should be.", "The answer is not the right one."
MAX_ERROR_CHARS = 500  # as of other families' errors
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")  # of an object: another one in every process

log = logging.getLogger("lse_gym.tools")


class Workplace(ABC):
    """What the tools of one attempt act on. Deterministic: a resumed run makes the recorded calls again.

    Work that takes time is returned as a Future, so that all attempts of an evaluation work side by side. A Future that
    fails ends the evaluation: what the task model or foreign code does wrong is a result.
    """

    @abstractmethod
    def call(self, name: str, arguments: dict[str, Any]) -> str | Future[str]:
        """The result of a call, for the task model: also an error is one, ``"Error: …"``.

        Name and arguments are those of a tool, by its schema. An exception that is none of this package's is told to
        the task model as an error, too, and logged.
        """

    @abstractmethod
    def finish(self, answer: str) -> str | Future[str]:
        """What is scored: the text of an :class:`lse_gym.envs.tools.report.Ending`, or any other that the domain reads.

        ``answer`` is "" where the turns ran out.
        """

    def close(self) -> None:  # noqa: B027 - many hold nothing
        """Let go of what the attempt holds; called once, whatever happened."""


class ToolDomain(Domain):
    """Questions that are answered with tools, over several turns.

    Attributes:
        overview: the task in a few sentences, at the head of the prompt.
        tools: what may be called.
        max_turns: most responses of the task model in one attempt, >= 1.
        max_reply_bytes: most UTF-8 bytes of the results of one turn; what is cut of them is told, >= 4000.
    """

    max_turns = 10
    max_reply_bytes = 8000

    overview: str
    tools: Sequence[Tool]

    @abstractmethod
    def open(self, question: Question) -> Workplace | Future[Workplace]:
        """A workplace in the state that the question starts from."""

    def with_turns(self, max_turns: int) -> Self:
        """The domain with another number of turns, which its prompt tells."""
        if max_turns == self.max_turns:
            return self
        made = copy(self)
        made.max_turns = max_turns
        made.__dict__.pop("frozen", None)
        return made

    def system(self, context: str) -> str:
        """Overview, tools, how to end, and the context."""
        return system_message(self.frozen, context)

    @cached_property
    def frozen(self) -> str:
        """The prompt without the context."""
        output = OUTPUT.format(self.max_turns)
        return f"{self.overview}\n\n{TOOLS_HEADER}\n{tools_block(self.tools)}\n\n{OUTPUT_HEADER}\n{output}\n\n"

    def user(self, question: Question) -> str:
        """Evidence and question."""
        return user_message(question)

    def attempt(self, context: str, question: Question) -> Generator[Prompt | Future, Any, str]:
        """Ask, make the calls of the response, ask again with their results, until a response has none.

        Returns:
            What the workplace finishes with; see :func:`final_answer`.
        """
        workplace = yield from _opened(self.open(question))
        try:
            prompt, turns = self.prompt(context, question), ()
            for _ in range(self.max_turns):
                text = yield prompt._replace(turns=turns)
                calls = read_calls(text)
                if not calls:
                    return (yield from _result(workplace.finish(final_answer(text))))
                results = yield from self._make(calls, workplace)
                turns = (*turns, Turn("assistant", text), results_turn(results, self.max_reply_bytes))
            return (yield from _result(workplace.finish("")))
        finally:
            workplace.close()

    def score(self, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
        """1.0 where exactly the rows of the gold are different, and the answer is the gold's where that has one."""
        return [self._outcome(question, response) for question, response in zip(questions, responses, strict=True)]

    def same_answer(self, answer: str, gold: str) -> bool:
        """Whether a final answer says what the gold one says; by default, whether it is the same text."""
        return answer.strip() == gold

    def verify(self) -> list[str]:
        """The ids of the questions whose gold scores no 1.0, can be no ending, or is reached by doing nothing."""
        questions = [question for split in SPLITS for question in self.splits[split]]
        idle = self.score(questions, [Ending().text()] * len(questions))
        faulty = [q.id for q, outcome in zip(questions, idle, strict=True) if outcome.score or not _reachable(q.gold)]
        return [*dict.fromkeys((*super().verify(), *faulty))]

    def report(self, attempts: Sequence[Attempt]) -> Report:
        """The report of :func:`lse_gym.envs.tools.report.report`."""
        return report(self.frozen, attempts)

    def gold_response(self, question: Question) -> str:
        """The gold: how an attempt that scores 1.0 ends."""
        return question.gold

    def _outcome(self, question: Question, response: str) -> Outcome:
        gold, found = Ending.read(question.gold), Ending.read(response)
        if gold is None or found is None:
            return Outcome(0.0, "", UNREADABLE)
        if found.changes != gold.changes:
            return Outcome(0.0, found.answer, WRONG_ROWS)
        right = not gold.answer or self.same_answer(found.answer, gold.answer)
        return Outcome(float(right), found.answer, "" if right else WRONG_ANSWER)

    def _make(self, calls: Sequence[Call], workplace: Workplace) -> Generator[Future, Any, list[str]]:
        """Make calls one after the other; what is wrong with one is its result."""
        results = []
        for call in calls[:MAX_CALLS]:
            arguments, problem = self._checked(call)
            made = f"Error: {problem}" if problem else _call(workplace, call.name, arguments)
            results.append((yield from _result(made)))
        if more := len(calls[MAX_CALLS:]):
            results.append(f"Error: a message may hold {MAX_CALLS} calls; the last {more} are not made")
        return results

    def _checked(self, call: Call) -> tuple[dict[str, Any], str]:
        """The arguments of a call, and why it cannot be made."""
        if call.problem:
            return {}, call.problem
        tool = self._by_name.get(call.name)
        if tool is None:
            names = ", ".join(self._by_name)
            return {}, one_line(f"there is no tool {call.name[:60]!r}; the tools are {names}", 4 * MAX_ERROR_CHARS)
        arguments = typed(call.arguments, tool.parameters) if call.textual else call.arguments
        return arguments, problem_of(arguments, tool.parameters)

    @cached_property
    def _by_name(self) -> Mapping[str, Tool]:
        return {tool.name: tool for tool in self.tools}


def final_answer(text: str) -> str:
    """The answer in a response without calls: what stands in its last answer tags, else all of it."""
    answer = tagged(text, "answer")
    return text.strip() if answer is None else answer


def _reachable(gold: str) -> bool:
    """Whether an attempt can end so; golds of another form are the domain's own."""
    ending = Ending.read(gold)
    return ending is None or is_difference(ending.changes)


def _call(workplace: Workplace, name: str, arguments: dict[str, Any]) -> str | Future[str]:
    try:
        return workplace.call(name, arguments)
    except LSEGymError:
        raise
    except Exception as error:  # of a tool: a result like others, as the task model may have caused it
        log.warning("the tool %s failed", name, exc_info=True)
        told = _ADDRESS.sub("0x…", f"{type(error).__name__}: {error}")
        return f"Error: the tool failed ({one_line(told, MAX_ERROR_CHARS)})"


def _opened(made: Workplace | Future[Workplace]) -> Generator[Future[Workplace], Any, Workplace]:
    """The workplace; one that is still being made when the attempt is given up is closed as soon as it is there."""
    try:
        return (yield from _result(made))
    except GeneratorExit:
        if isinstance(made, Future) and not made.cancel():
            made.add_done_callback(lambda done: done.exception() or done.result().close())
        raise


def _result(made: T | Future[T]) -> Generator[Future[T], Any, T]:
    """What was made, waited for where it is still being made."""
    return (yield made) if isinstance(made, Future) else made
