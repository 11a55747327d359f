"""Functions to be repaired: brought into the forms that the context asks for; where it is silent, into usual ones.

A sentence holds in the module that it names, or everywhere; of two that contradict each other either is followed. What
is not explained is changed into what is usual elsewhere, now and then, as who repairs has to change something.
"""

import re

from lse_gym.envs.offline.reader.prompt import Prompt
from lse_gym.envs.offline.stand_in import chance, in_tags
from lse_gym.envs.repair.idioms import USUAL, forms_in, read_rule, rewritten
from lse_gym.envs.repair.prompt import OVERVIEW

MODULE = re.compile(r"^# module: (\w+)$", re.MULTILINE)
PLACE = re.compile(r"\bin (?:the )?(?:module )?[`'\"]?(\w+)[`'\"]?[:,]", re.IGNORECASE)
SENTENCE = re.compile(r"(?<=[.;])\s+|\n")
GUESSES = 0.35  # how often what nobody explains is changed into what is usual


def recognises(prompt: Prompt) -> bool:
    """Whether it is a function to be repaired."""
    return prompt.frozen.startswith(OVERVIEW)


@in_tags
def answer(prompt: Prompt) -> str:
    """The function, repaired as far as it is understood."""
    code = prompt.question
    module = MODULE.search(code)
    rules = read_rules(prompt.context.lines(), module[1] if module else "")
    wanted = {}
    for matter, form in forms_in(code).items():
        told = rules.get(matter)
        if told:
            wanted[matter] = told[int(chance("side", matter, code, *prompt.luck) * len(told))]
        elif form != USUAL[matter] and chance("guess", matter, code, *prompt.luck) < GUESSES:
            wanted[matter] = USUAL[matter]
    return rewritten(code, wanted)


def read_rules(lines: tuple[str, ...], module: str) -> dict[str, list[str]]:
    """The distinct forms that a context asks for, by matter; what names the module goes before what names none."""
    own: dict[str, list[str]] = {}
    general: dict[str, list[str]] = {}
    for sentence in SENTENCE.split("\n".join(lines)):
        rule, place = read_rule(sentence), PLACE.search(sentence)
        if rule and (place is None or place[1].lower() == module.lower()):
            forms = (general if place is None else own).setdefault(rule[0], [])
            if rule[1] not in forms:
                forms.append(rule[1])
    return general | own
