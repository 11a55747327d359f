"""The oracle context: every convention of a world in one plain sentence each."""

from lse_gym.envs.qa.procedural.world import Definition, Measure, Rounding, World
from lse_gym.envs.text import an

TIMES = {0: "Leave {0} out of the count.", 1: "Count {0} once.", 2: "Count {0} twice."}


def oracle_context(seed_context: str, world: World) -> str:
    """The seed context and, one a line, what only experience teaches."""
    return "\n".join([seed_context, *(f"- {rule}" for rule in oracle_rules(world).values())])


def oracle_rules(world: World) -> dict[tuple[str, ...], str]:
    """One sentence for every convention, in the words a careful person would use, each under what it is about."""
    theme, rules = world.theme, {}
    things = f"{theme.thing}s"
    for word, definition in world.definitions.items():
        rules["definition", word] = f'"{word}" means {_definition(definition)}.'
    for word, (kind, definition) in world.exceptions.items():
        rules["definition", word, kind] = f'For {kind} {things}, "{word}" means {_definition(definition)}.'
    for term, measure in world.measures.items():
        rules["term", term] = f'"{term}" means {_measure(measure)}.'
    for unit in theme.units:
        large, small = unit.large, f"{unit.small}s"
        rules["unit", large] = f"{an(large, capital=True)} has {world.factors[large]} {small}."
        if large in world.occasional:
            said = an(theme.occasion, capital=True)
            rules["unit", large, theme.occasion] = f"{said} {large} has {world.occasional[large]} {small}."
    for document, rounding in world.roundings.items():
        rules["rounding", document] = f"In the {document}, round {_rounding(rounding)}."
    for state, times in world.counts.items():
        rules["count", state] = TIMES[times].format(f"{state} {things}")
    first, second, third = world.sources
    kind, insider = world.insider
    others = " and the ".join(source for source in world.sources if source != insider)
    rules["source", first] = f"Trust the {first} over the {second} and the {third}."
    rules["source", second] = f"Trust the {second} over the {third}."
    rules["source", insider, kind] = f"For {kind} {things}, trust the {insider} over the {others}."
    rules["rank",] = f"Ranks from highest to lowest: {', '.join(world.ranks)}."
    return rules


def _definition(definition: Definition) -> str:
    comparison = "of at least" if definition.at_least else "below"
    return f"{an(definition.attribute)} {comparison} {definition.threshold}"


def _measure(measure: Measure) -> str:
    return (
        f"{measure.first} {'plus' if measure.sign > 0 else 'minus'} {measure.second}" if measure.sign else measure.first
    )


def _rounding(rounding: Rounding) -> str:
    return f"{'to the nearest' if rounding.mode == 'nearest' else f'{rounding.mode} to a'} multiple of {rounding.step}"
