"""Messages to a help desk: answered by the shop's rules, unless memories of satisfied customers say otherwise.

A line of the context that says that customers like an action, or that it is to be given, is followed as often as there
are such lines; where the context says that memories are no rules, seldom.
"""

import re

from lse_gym.envs.offline.reader.prompt import Prompt
from lse_gym.envs.offline.stand_in import chance, in_tags
from lse_gym.envs.servicedesk.prompt import ACTIONS, MESSAGE, OVERVIEW, PLAIN, RULES, WISHES, Kind, Rules

MEANING = re.compile(r"[\"'\u2018]([^\"'\u2019]+)[\"'\u2019] (?:means|stands for|is):? (.+?)\.?$", re.IGNORECASE)
URGED = re.compile(rf"\b({'|'.join(ACTIONS)})\b", re.IGNORECASE)
PRAISE = re.compile(r"satisf|happ|like|always|whenever|whoever|best|give", re.IGNORECASE)
NO_RULES = re.compile(r"references?,? not rules|rules of the shop come first", re.IGNORECASE)
FOLLOWED = (0.0, 0.6, 0.85, 0.95)  # how often praise is followed, by the number of such lines
RESISTED = 0.15  # of that where memories are no rules
LATE = re.compile(r"(\d+) days late")


def recognises(prompt: Prompt) -> bool:
    """Whether it is a help desk."""
    return prompt.frozen.startswith(OVERVIEW)


@in_tags
def answer(prompt: Prompt) -> str:
    """An action; EXPLAIN where nothing is understood."""
    rules, said = RULES.search(prompt.frozen), MESSAGE.search(prompt.question)
    if not rules or not said:
        return "EXPLAIN"
    lines = prompt.context.lines()
    wants_money = said["wish"].strip() in WISHES[True]
    matter = said["matter"].strip()
    kind, late = kind_of(matter, lines)
    praised = [found[1].upper() for line in lines if (found := URGED.search(line)) and PRAISE.search(line)]
    followed = FOLLOWED[min(len(praised), len(FOLLOWED) - 1)]
    followed *= RESISTED if any(NO_RULES.search(line) for line in lines) else 1.0
    if praised and wants_money and chance("praise", prompt.question, *prompt.luck) < followed:
        return max(set(praised), key=lambda action: (praised.count(action), action))
    return Rules(*map(int, rules.groups())).right(kind, int(said["age"]), late, wants_money)


def kind_of(matter: str, lines: tuple[str, ...]) -> tuple[Kind, int]:
    """What a matter is, by plain words or by those that a context explains; a change of mind where nobody knows."""
    for line in lines:
        found = MEANING.search(line.strip(" -*"))
        if found and found[1].lower() == matter.lower():
            matter = found[2]
    late = LATE.search(matter)
    for kind, wordings in PLAIN.items():
        if any(LATE.sub("", wording.replace("{late}", "0")) == LATE.sub("", matter) for wording in wordings):
            return kind, int(late[1]) if late else 0
    return "changed mind", 0
