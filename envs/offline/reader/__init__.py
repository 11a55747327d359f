"""The offline task model ``reader``: a deterministic solver that reads nothing but the prompt."""

from collections.abc import Sequence
from functools import lru_cache

from lse_gym.envs.models.base import Request, Response, TaskModel
from lse_gym.envs.offline.reader.choice import answer_choice
from lse_gym.envs.offline.reader.passages import answer_from_passages, is_about_passages
from lse_gym.envs.offline.reader.sql.analogy import answer_by_analogy
from lse_gym.envs.offline.reader.sql.compose import compose
from lse_gym.envs.offline.reader.sql.question import understand
from lse_gym.envs.offline.reader.sql.rules import Knowledge, Rule, gather, parse_rule
from lse_gym.envs.offline.reader.sql.schema import parse_schema
from lse_gym.envs.offline.text import chance, count_tokens, respond
from lse_gym.envs.offline.worked import Example, find_examples, strip_examples
from lse_gym.envs.prompt import CONTEXT_HEADER
from lse_gym.envs.sql.prompt import SCHEMA_HEADER

SLIP_RATE = 0.01  # answers given as if the context had not been read, at temperature 0
SLIP_RATE_PER_TEMPERATURE = 0.05
ATTENTION_CHARS = 8000  # what of a context is read with full attention
MOODS = 16  # ways in which an over-long context is half forgotten
SURE, HELPFUL = 0.999, 0.3  # similarity of a worked example that is copied, and least one that beats a guess
UNTAUGHT = 0.5  # trust in an understanding that owes nothing to the context


class Reader(TaskModel):
    """Answers text-to-SQL and multiple-choice prompts by what the context says, and guesses literally otherwise.

    Its weaknesses are those of a language model: where the context contradicts itself it follows one side or the other,
    of a context beyond ``ATTENTION_CHARS`` it forgets a share of the lines, and now and then it slips.
    """

    name = "reader"
    revision = "1"

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        """Answer each request by itself."""
        return [respond(request, f"<answer>{answer(request)}</answer>") for request in requests]

    def count_tokens(self, text: str) -> int:
        """One token per four characters."""
        return count_tokens(text)


def answer(request: Request) -> str:
    """The SQL, the letter or, from passages, the answer for a prompt; "" where there is no question in it."""
    if is_about_passages(request.system):
        return answer_from_passages(request)
    frozen, _, context = request.system.partition(f"\n{CONTEXT_HEADER}\n")
    evidence, _, question = f"\n{request.user}".rpartition("\nQuestion: ")
    slip = SLIP_RATE + SLIP_RATE_PER_TEMPERATURE * request.temperature
    luck = (request.seed, request.sample) if request.temperature else ()
    if chance("slip", request.system, request.user, *luck) < slip:
        context = ""
    mood = int(chance("mood", question, *luck) * MOODS) if len(context) > ATTENTION_CHARS else 0
    if SCHEMA_HEADER not in frozen:
        return answer_choice(question, _lines(context, context, mood))
    knowledge, examples = read_context(context, frozen, mood)
    if evidence.strip():
        lines = evidence.strip().removeprefix("Evidence: ").splitlines()
        knowledge = gather([*_rules(context, frozen, mood), *(r for line in lines for r in parse_rule(line, frozen))])

    chosen: list[Rule] = []

    def choose(rules: list[Rule]) -> Rule:
        chosen.append(rules[0])
        return rules[int(chance("choice", question, *(rule.sql for rule in rules)) * len(rules))]

    schema = parse_schema(frozen)
    understood = understand(question, schema, knowledge, choose)
    analogy = answer_by_analogy(question, examples, frozen) if examples else None
    certainty = understood.certainty if understood else 0.0
    if understood and not chosen and all(condition.source != "rule" for condition in understood.conditions):
        certainty *= UNTAUGHT
    if analogy and (analogy.similarity >= SURE or (analogy.similarity >= HELPFUL and analogy.similarity > certainty)):
        return analogy.sql
    return compose(understood, schema, knowledge) if understood else ""


@lru_cache(maxsize=256)
def read_context(context: str, frozen: str, mood: int) -> tuple[Knowledge, tuple[Example, ...]]:
    """The rules and worked examples in a context, less what is forgotten of an over-long one."""
    examples = find_examples(context)
    if len(context) > ATTENTION_CHARS:
        examples = [e for e in examples if _remembered(e.question, context, mood)]
    return gather(_rules(context, frozen, mood)), tuple(examples)


@lru_cache(maxsize=256)
def _rules(context: str, frozen: str, mood: int) -> tuple[Rule, ...]:
    return tuple(rule for line in _lines(strip_examples(context), context, mood) for rule in parse_rule(line, frozen))


@lru_cache(maxsize=256)
def _lines(text: str, context: str, mood: int) -> tuple[str, ...]:
    """The lines of ``text``, less what is forgotten of them in an over-long context."""
    lines = text.splitlines()
    if len(context) > ATTENTION_CHARS:
        lines = [line for line in lines if _remembered(line, context, mood)]
    return tuple(lines)


def _remembered(line: str, context: str, mood: int) -> bool:
    return chance("attention", line, mood) < ATTENTION_CHARS / len(context)
