"""The oracle context: every hidden convention of a world in one plain sentence each."""

from lse_gym.envs.sql.procedural.forms import Filter, true_reading
from lse_gym.envs.sql.procedural.theme import ROLES, Theme
from lse_gym.envs.sql.procedural.world import ENCODINGS, World


def oracle_context(seed_context: str, world: World) -> str:
    """The seed context and, one a line, what only experience teaches."""
    return "\n".join([seed_context, *(f"- {rule}" for rule in oracle_rules(world))])


def oracle_rules(world: World) -> list[str]:
    """One sentence for every convention, in the words a careful person would write into instructions."""
    theme, reading = world.theme, true_reading(world)
    rules = []
    for code in theme.codes:
        rules += [f'"{t}" means {reading.condition(Filter(code.role, "code", t))}.' for t in code.terms]
    for a in theme.adjectives:
        rules.append(f'"{a.word}" means {reading.condition(Filter(a.role, "adjective", a.word))}.')
    rules.append(f'"{theme.open_word}" means {reading.condition(Filter("event", "open", theme.open_word))}.')
    for m in theme.measures:
        column, scale, guard = reading.measure(m.word)
        rules.append(f'"{m.word}" means {column}{scale}.')
        if guard:
            rules.append(f"When using {column}, keep only {guard}.")
    for d in theme.dates:
        column = f"{theme.entity(d.role).table}.{d.column}"
        rules.append(f"The year of {column} is {ENCODINGS[world.encodings[d.column]][1].format(column)}.")
    if reading.filter:
        rules.append(f"Always require {reading.filter}.")
    if reading.home:
        rules.append(_join_rule(theme))
    for role in ROLES:
        entity = theme.entity(role)
        rules.append(f'"{entity.other}" means {entity.table}.')
    return rules


def _join_rule(theme: Theme) -> str:
    key = f"{theme.place.noun}_id"
    edge = f"{theme.person.table}.base_{key} = {theme.place.table}.{key}"
    return f"Join {theme.event.table} to {theme.place.table} through {edge}."
