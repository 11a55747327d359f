"""The editor's job in training samples of ``nano``: a report goes in, lines to add and remove come out.

The demonstrations are of mixed quality, as the text is that language models learn from: some editors overlook rules or
mistake what a word means. What they share is the form of an edit.
"""

import numpy as np

from lse_gym.envs.domain import Outcome, Question
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
from lse_gym.envs.sql.procedural.forms import compile_form, draw_form, say, true_reading
from lse_gym.envs.sql.procedural.world import draw_world
from lse_gym.envs.sql.prompt import frozen_part, render_report

MAX_PROBLEMS, FEW_PROBLEMS = 10, 3
FEW = 0.6  # share of reports with few problems: the same skill, learnt from a third of the text
CARELESS = 0.4  # share of demonstrations that overlook and mistake rules
OVERLOOKED, MISTAKEN = 0.5, 0.15
SPOILT = 0.3  # share of contexts in which some rules are wrong


def draw_demonstration(stream: tuple[int, ...]) -> Sample:
    """Draw an invented database, a context, a report on the answers that it leads to, and an edit."""
    rng = np.random.default_rng(np.random.SeedSequence(stream))
    world = draw_world(draw_theme(rng), rng)
    theme, truth, rules = world.theme, true_reading(world), keyed_rules(world)
    known, context = draw_context(world, rng, complete=0.05)
    wrong: dict[Key, str] = {}  # lines of the context that say something else than the truth
    if rng.random() < SPOILT:
        for key, line in known.items():
            if rng.random() < 0.2 and (spoilt := _mistake(key, rules, rng)) and spoilt != line:
                wrong[key] = spoilt
                context = context.replace(line, spoilt)
    reading = mixed_reading(world, frozenset(known) - frozenset(wrong))
    careless = rng.random() < CARELESS
    number = int(rng.integers(1, (FEW_PROBLEMS if rng.random() < FEW else MAX_PROBLEMS) + 1))
    problems: list[tuple[Question, Outcome]] = []
    edits, told = [], set(known) - set(wrong)
    for index in range(1, number + 1):
        form = draw_form(theme, rng)
        text, gold, answer = say(form, theme, rng), compile_form(form, theme, truth), compile_form(form, theme, reading)
        right = answer == gold
        problems.append((Question(str(index), text, gold), _outcome(right, answer)))
        edit = [f"Problem {index}"]
        for key in needed(form, text, theme):
            if key not in rules or key in told or (careless and rng.random() < OVERLOOKED):
                continue
            told.add(key)
            if key in wrong:
                edit.append(f"<remove>- {wrong[key]}</remove>")
            line = rules[key]
            if careless and rng.random() < MISTAKEN:
                line = _mistake(key, rules, rng) or line
            edit.append(f"<add>- {line}</add>")
        edits += edit
    questions, outcomes = zip(*problems, strict=True)
    report = render_report(frozen_part(schema_of(world)), questions, outcomes, "gold")
    return Sample("", ((editor_prompt(context, report, 8000), "\n".join(edits)),))


def _outcome(right: bool, answer: str) -> Outcome:
    return Outcome(1.0, answer) if right else Outcome(0.0, answer, WRONG)


WRONG = "The statement runs, but its result is not the right one."


def _mistake(key: Key, rules: dict[Key, str], rng: np.random.Generator) -> str:
    """The rule of a word with another word's meaning; "" for a rule about no word."""
    others = [rule for other, rule in rules.items() if other[0] == "word" and other != key]
    if key[0] != "word":
        return ""
    return f'"{key[1]}" means {others[int(rng.integers(len(others)))].partition(" means ")[2]}'
