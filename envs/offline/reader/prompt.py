"""A prompt as the reader takes it in: its parts, less what slips from its attention."""

from typing import NamedTuple

from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.stand_in import chance
from lse_gym.envs.prompt import CONTEXT_HEADER
from lse_gym.envs.report import Turn

SLIP_RATE = 0.01  # answers given as if the context had not been read, at temperature 0
SLIP_RATE_PER_TEMPERATURE = 0.05
ATTENTION_CHARS = 8000  # what of a context is read with full attention
MOODS = 16  # ways in which an over-long context is half forgotten


class Context(NamedTuple):
    """A context, and the mood that decides which lines of an over-long one are forgotten."""

    text: str
    mood: int

    def remembers(self, line: str) -> bool:
        """Whether a line is kept in mind; of a context beyond ``ATTENTION_CHARS`` only that share of the lines is."""
        size = len(self.text)
        return size <= ATTENTION_CHARS or chance("attention", line, self.mood) < ATTENTION_CHARS / size

    def lines(self) -> tuple[str, ...]:
        """The lines that are kept in mind."""
        return tuple(line for line in self.text.splitlines() if self.remembers(line))


class Prompt(NamedTuple):
    """The parts of a prompt.

    Attributes:
        frozen: what comes before the context: overview, schema or passages, output format.
        context: the context; empty in one of a hundred prompts, where the reader slips.
        question: the question, with its choices.
        evidence: what stands before the question, line by line.
        turns: what was said since.
        luck: seed and sample, which decide with the question what a doubtful reader says at a temperature; else empty.
    """

    frozen: str
    context: Context
    question: str
    evidence: tuple[str, ...]
    luck: tuple[int, ...]
    turns: tuple[Turn, ...] = ()


def slip_rate(request: Request) -> float:
    """How often a request like this is answered as if the context had not been read."""
    return SLIP_RATE + SLIP_RATE_PER_TEMPERATURE * request.temperature


def read_prompt(request: Request, slips: bool | None = None) -> Prompt:
    """Take the prompt of a request apart; whether the context slips is drawn unless it is given."""
    frozen, _, context = request.system.partition(f"\n{CONTEXT_HEADER}\n")
    evidence, _, question = f"\n{request.user}".rpartition("\nQuestion: ")
    luck = (request.seed, request.sample) if request.temperature else ()
    if slips is None:
        slips = chance("slip", request.system, request.user, *luck) < slip_rate(request)
    context = "" if slips else context
    mood = int(chance("mood", question, *luck) * MOODS) if len(context) > ATTENTION_CHARS else 0
    told = evidence.strip().removeprefix("Evidence: ").splitlines()
    return Prompt(frozen, Context(context, mood), question, tuple(told), luck, request.turns)
