"""Text-to-SQL: how the reader answers, by rules, literal guesses, and analogy with worked examples."""

from functools import lru_cache

from lse_gym.envs.offline.examples import Example, find_examples, strip_examples
from lse_gym.envs.offline.reader.prompt import Context, Prompt
from lse_gym.envs.offline.reader.sql.analogy import answer_by_analogy
from lse_gym.envs.offline.reader.sql.compose import compose
from lse_gym.envs.offline.reader.sql.question import understand
from lse_gym.envs.offline.reader.sql.rules import Knowledge, Rule, gather, parse_rule
from lse_gym.envs.offline.reader.sql.schema import parse_schema
from lse_gym.envs.offline.stand_in import chance, in_tags
from lse_gym.envs.sql.prompt import SCHEMA_HEADER

SURE, HELPFUL = 0.999, 0.3  # similarity of a worked example that is copied, and least one that beats a guess
UNTAUGHT = 0.5  # trust in an understanding that owes nothing to the context


def recognises(prompt: Prompt) -> bool:
    """Whether there is a schema."""
    return SCHEMA_HEADER in prompt.frozen


@in_tags
def answer(prompt: Prompt) -> str:
    """The statement that rules and guesses lead to, or that of the nearest example where it is the surer one."""
    rules, knowledge, examples = read_context(prompt.context, prompt.frozen)
    if prompt.evidence:
        knowledge = gather([*rules, *(rule for line in prompt.evidence for rule in parse_rule(line, prompt.frozen))])
    chosen: list[Rule] = []

    def choose(rivals: list[Rule]) -> Rule:
        chosen.append(rivals[0])
        return rivals[int(chance("choice", prompt.question, *(rule.sql for rule in rivals)) * len(rivals))]

    schema = parse_schema(prompt.frozen)
    understood = understand(prompt.question, schema, knowledge, choose)
    certainty = understood.certainty if understood else 0.0
    if understood and not chosen and all(condition.source != "rule" for condition in understood.conditions):
        certainty *= UNTAUGHT
    analogy = answer_by_analogy(prompt.question, examples, prompt.frozen) if examples else None
    if analogy and (analogy.similarity >= SURE or (analogy.similarity >= HELPFUL and analogy.similarity > certainty)):
        return analogy.sql
    return compose(understood, schema, knowledge) if understood else ""


@lru_cache(maxsize=256)
def read_context(context: Context, frozen: str) -> tuple[tuple[Rule, ...], Knowledge, tuple[Example, ...]]:
    """The rules in a context, these by what triggers them, and its worked examples, less what is forgotten."""
    prose = [line for line in strip_examples(context.text).splitlines() if context.remembers(line)]
    examples = [example for example in find_examples(context.text) if context.remembers(example.question)]
    rules = tuple(rule for line in prose for rule in parse_rule(line, frozen))
    return rules, gather(rules), tuple(examples)
