"""Training samples of ``nano`` on multiple-choice questions: invented subjects, what is known of them, and the answers.

Subjects are in the mould of the shipped ones, in other words. An answer first quotes the lines of the context that it
needs, then works, then gives the letter.
"""

from functools import cache

import numpy as np

from lse_gym.envs.models.nano.data import Sample
from lse_gym.envs.models.nano.lexicon import invent, strings
from lse_gym.envs.models.reader.choice.rules import parse_rule
from lse_gym.envs.models.writer.choice import sentences
from lse_gym.envs.qa.procedural.forms import (
    Form,
    Reading,
    answer,
    choice_text,
    draw_choices,
    draw_form,
    draw_op,
    fits,
    measured,
    say,
)
from lse_gym.envs.qa.procedural.rules import oracle_rules
from lse_gym.envs.qa.procedural.theme import Attribute, Theme, Unit
from lse_gym.envs.qa.procedural.themes import TEST_THEMES, TRAIN_THEMES
from lse_gym.envs.qa.procedural.world import World, draw_world
from lse_gym.envs.qa.prompt import LETTERS, SEED_CONTEXT, Item, frozen_part, system_message, user_message

Key = tuple[str, ...]
COMPLETE, NOTHING = 0.6, 0.1  # shares of contexts that tell every rule, and none
EDITED = 0.4  # share of contexts in the words of the offline editor
GUESS = LETTERS[0]  # of who does not know


@cache
def shipped() -> frozenset[str]:
    """The words of the shipped subjects."""
    return frozenset(word.lower() for theme in (*TRAIN_THEMES, *TEST_THEMES) for word in strings(theme))


def draw_subject(rng: np.random.Generator) -> Theme:
    """Invent a trade in the mould of the shipped ones, in other words."""
    taken: set[str] = set()

    def word() -> str:
        while True:
            new = invent(rng)
            if new not in shipped() and not new.endswith(("s", "x", "sh", "ch")) and new not in taken:
                taken.add(new)
                return new

    def unit() -> Unit:
        return Unit(word(), word(), int(rng.integers(3, 16)))

    return Theme(
        name=word(),
        thing=word(),
        place=word(),
        kinds=(word(), word(), word()),
        names=tuple(word().capitalize() for _ in range(8)),
        attributes=tuple(Attribute(word(), word()) for _ in range(4)),
        terms=(word(), word()),
        units=(unit(), unit()),
        occasion=word(),
        documents=(word(), word()),
        states=(word(), word(), word()),
        sources=(word(), word(), word()),
        ranks=(word(), word(), word(), word(), word()),
    )


def draw_qa_sample(stream: tuple[int, ...], turns: int = 10) -> Sample:
    """Draw an invented subject, a context that tells some of its conventions, and questions with answers."""
    rng = np.random.default_rng(np.random.SeedSequence(stream))
    world = draw_world(draw_subject(rng), rng)
    known, context = draw_context(world, rng)
    told = world._replace(
        exceptions={w: e for w, e in world.exceptions.items() if ("definition", w, e[0]) in known},
        occasional={u: n for u, n in world.occasional.items() if ("unit", u, world.theme.occasion) in known},
        insider=world.insider if ("source", world.insider[1], world.insider[0]) in known else ("", ""),
    )
    asked: dict[str, str] = {}
    while len(asked) < turns:
        form = draw_form(draw_op(rng), world, rng)
        choices = draw_choices(form, world, rng)
        gold = answer(form, Reading(told), choices or ()) if choices else None
        if not choices or gold not in choices:
            continue
        item = Item("", say(form, world.theme, rng), tuple(choice_text(c, form, world.theme) for c in choices), 0)
        asked[user_message(item)] = respond(form, told, known, choices, gold)
    return Sample(system_message(frozen_part(world.theme.name), context), tuple(asked.items()))


def draw_context(world: World, rng: np.random.Generator) -> tuple[dict[Key, str], str]:
    """What the context tells, line by line, and its text: all, nothing or some of the rules, in one of two wordings."""
    rules: dict[Key, str] = {key: f"- {rule}" for key, rule in oracle_rules(world).items()}
    if rng.random() < EDITED:
        rules = {
            key: "\n".join(f"- {sentence}" for sentence in sentences(parse_rule(rule))) for key, rule in rules.items()
        }
    share = float(rng.choice([1.0, 0.0, rng.random()], p=[COMPLETE, NOTHING, 1 - COMPLETE - NOTHING]))
    kept = [key for key in rules if rng.random() < share]
    if rng.random() < 0.5:
        kept = [kept[int(i)] for i in rng.permutation(len(kept))]
    return {key: rules[key] for key in kept}, "\n".join([SEED_CONTEXT, *(rules[key] for key in kept)])


def needed(form: Form, world: World) -> tuple[list[Key], list[Key]]:
    """The keys of the rules without which a question is a guess, and of the exceptions that bear on it if told."""
    kinds = {thing.kind for thing in form.things}
    definition: list[Key] = [("definition", form.word)]
    excepted: list[Key] = [
        ("definition", word, kind) for word, (kind, _) in world.exceptions.items() if word == form.word
    ]
    excepted = [key for key in excepted if key[2] in kinds]
    match form.op:
        case "adjective":
            return definition, excepted
        case "term":
            return [("term", form.term)], []
        case "both":
            return [*definition, ("term", form.term)], excepted
        case "convert" if form.occasion and form.word in world.occasional:
            return [("unit", form.word, form.occasion)], []
        case "convert":
            return [("unit", form.word)], []
        case "enter":
            return [("unit", form.word), ("rounding", form.document)], []
        case "entry":
            return [("rounding", form.document)], []
        case "count":
            return [("count", state) for state, _ in form.parts], []
        case "source":
            kind, insider = world.insider
            if kind in kinds and insider in dict(form.parts):
                return [("source", insider, kind)], []
            best = next(source for source in world.sources if source in dict(form.parts))
            return [("source", best)], []
    return [("rank",)], []


def respond(form: Form, world: World, known: dict[Key, str], choices: list[str], gold: str) -> str:
    """The answer of someone who knows the lines of ``known``: quotes, working, letter."""
    wanted, excepted = needed(form, world)
    if not all(key in known for key in wanted):
        return f"<answer>{GUESS}</answer>"
    quoted = [known[key] for key in (*wanted, *excepted) if key in known]
    return "\n".join(
        [*quoted, *working(form, world, choices, gold), f"<answer>{LETTERS[choices.index(gold)]}</answer>"]
    )


def working(form: Form, world: World, choices: list[str], gold: str) -> list[str]:
    """The steps between rules and answer, as short as they can be."""
    theme, things = world.theme, {thing.name: thing for thing in form.things}
    lines = []
    if form.op in ("adjective", "both"):
        kind, changed = world.exceptions.get(form.word, ("", world.definitions[form.word]))
        shown = []
        for letter, name in zip(LETTERS, choices, strict=False):
            thing = things[name]
            definition = changed if thing.kind == kind else world.definitions[form.word]
            value = thing.values[[a.name for a in theme.attributes].index(definition.attribute)]
            shown.append(f"{letter} {value} {'yes' if fits(thing, definition, theme) else 'no'}")
        lines.append(", ".join(shown))
    if form.op in ("term", "both"):
        values = [
            (letter, measured(things[name], world.measures[form.term], theme))
            for letter, name in zip(LETTERS, choices, strict=False)
        ]
        lines.append(", ".join(f"{letter} {value}" for letter, value in values))
    if form.op in ("convert", "enter", "entry", "count", "source"):
        lines.append(f"{gold}")
    return lines
