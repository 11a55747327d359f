"""The editor's job in training samples of ``nano``: a report goes in, lines to add and remove come out.

An edit goes through the report and names the rules that its questions have to teach. The demonstrations are of mixed
quality, as the text is that language models learn from: most editors are hasty and stop after the first question that
teaches something, some overlook rules or mistake what a word means. What they share is the form of an edit.
"""

import numpy as np

from lse_gym.envs.domain import Attempt, Outcome, Question
from lse_gym.envs.editing import editor_prompt
from lse_gym.envs.models.nano.data import (
    Key,
    Sample,
    draw_context,
    draw_theme,
    keyed_rules,
    mixed_reading,
    needed,
    schema_of,
)
from lse_gym.envs.sql.procedural.forms import compile_form, say, true_reading
from lse_gym.envs.sql.procedural.space import Space
from lse_gym.envs.sql.procedural.world import World, draw_world
from lse_gym.envs.sql.prompt import frozen_part, report

REPORTS = 3  # on one database and context
MAX_PROBLEMS, FEW_PROBLEMS = 10, 5
FEW = 0.85  # share of reports with few problems: the same skill, learnt from less text
HASTY = 0.75  # share of edits that stop after the first question that teaches something
CARELESS = 0.25  # share of edits that overlook and mistake rules
OVERLOOKED, MISTAKEN = 0.5, 0.15
SPOILT = 0.3  # share of contexts in which some rules are wrong


def draw_demonstration(stream: tuple[int, ...]) -> Sample:
    """Draw an invented database, a context, and several reports on the answers that it leads to, each with an edit."""
    rng = np.random.default_rng(np.random.SeedSequence(stream))
    world = draw_world(draw_theme(rng), rng)
    rules = keyed_rules(world)
    known, context = draw_context(world, rng, complete=0.05)
    wrong: dict[Key, str] = {}  # lines of the context that say something else than the truth
    if rng.random() < SPOILT:
        for key, line in known.items():
            if rng.random() < 0.2 and (spoilt := _mistake(key, rules, rng)) and spoilt != line:
                wrong[key] = spoilt
                context = context.replace(line, spoilt)
    told = frozenset(known) - frozenset(wrong)
    number = int(rng.integers(1, (FEW_PROBLEMS if rng.random() < FEW else MAX_PROBLEMS) + 1))
    turns = []
    for _ in range(REPORTS):
        problems, keys = _draw_problems(world, told, number, rng)
        told_of = report(
            frozen_part(schema_of(world)), [Attempt(question, "", outcome) for question, outcome in problems]
        )
        turns.append((editor_prompt(context, told_of.text(), 8000), _edit(keys, rules, told, wrong, rng)))
    return Sample("", tuple(turns))


def _draw_problems(
    world: World, told: frozenset[Key], number: int, rng: np.random.Generator
) -> tuple[list[tuple[Question, Outcome]], list[list[Key]]]:
    """Questions with the outcomes of a model that knows what is ``told``, and the keys that each question needs."""
    theme, truth, reading = world.theme, true_reading(world), mixed_reading(world, told)
    forms, problems, keys = Space(theme), [], []
    for index in range(1, number + 1):
        form = forms.draw(rng)
        text, gold, answer = say(form, theme, rng), compile_form(form, theme, truth), compile_form(form, theme, reading)
        outcome = Outcome(1.0, answer) if answer == gold else Outcome(0.0, answer, WRONG)
        problems.append((Question(str(index), text, gold), outcome))
        keys.append(needed(form, text, theme))
    return problems, keys


def _edit(
    problems: list[list[Key]],
    rules: dict[Key, str],
    told: frozenset[Key],
    wrong: dict[Key, str],
    rng: np.random.Generator,
) -> str:
    """What one editor makes of a report, given the keys that each problem needs."""
    hasty, careless = rng.random() < HASTY, rng.random() < CARELESS
    lines: list[str] = []
    done = set(told)
    for keys in problems:
        for key in keys:
            if key not in rules or key in done or (careless and rng.random() < OVERLOOKED):
                continue
            done.add(key)
            if key in wrong:
                lines.append(f"<remove>- {wrong[key]}</remove>")
            mistaken = careless and rng.random() < MISTAKEN
            lines.append(f"<add>- {(_mistake(key, rules, rng) if mistaken else '') or rules[key]}</add>")
        if lines and hasty:
            break
    return "\n".join(lines)


WRONG = "The statement runs, but its result is not the right one."


def _mistake(key: Key, rules: dict[Key, str], rng: np.random.Generator) -> str:
    """The rule of a word with another word's meaning; "" for a rule about no word."""
    others = [rule for other, rule in rules.items() if other[0] == "word" and other != key]
    if key[0] != "word":
        return ""
    return f'"{key[1]}" means {others[int(rng.integers(len(others)))].partition(" means ")[2]}'
