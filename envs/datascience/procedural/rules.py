"""The oracle context: every convention of a world in one plain sentence each."""

from lse_gym.envs.datascience.procedural.world import World

STATISTIC_WORDS = {"mean": "mean", "median": "median", "max": "maximum", "min": "minimum", "sum": "sum"}


def oracle_context(seed_context: str, world: World) -> str:
    """The seed context and, one a line, what only experience teaches."""
    return "\n".join([seed_context, *(f"- {rule}" for rule in oracle_rules(world).values())])


def oracle_rules(world: World) -> dict[tuple[str, str], str]:
    """One sentence for every convention, in the words a careful analyst would use, each under its kind and subject."""
    theme, rules = world.theme, {}
    for column, value in world.sentinels.items():
        rules["missing value", column] = f"In `{column}`, {value} means missing."
    for column, (low, high) in world.ranges.items():
        rules["range", column] = f"`{column}` lies between {low} and {high}: drop training rows with a value outside."
    for column, value in world.dropped.items():
        rules["dropped rows", column] = f'Leave out training rows whose `{column}` is "{value}".'
    for column, factor in world.units.items():
        target = theme.target(column)
        rules["unit", column] = (
            f"`{column}` is stored in {target.stored}: divide it by {factor}, as reports are in {target.reported}."
        )
    for column, step in world.steps.items():
        rules["rounding", column] = f"Round reported `{column}` to the nearest multiple of {step:g}."
    for column in sorted(world.logs):
        rules["transform", column] = f"Fit models to the logarithm (log1p) of `{column}`, and turn predictions back."
    for column in sorted(world.leaks):
        rules["leakage", column] = f"Never use `{column}` as a feature: it is known only afterwards."
    own, other = world.key, next(key for key in theme.keys if key != world.key)
    rules["merge key", theme.lookup] = f"Merge `{theme.things}` and `{theme.lookup}` by `{own}`, not by `{other}`."
    for column, name in world.names.items():
        rules["name", column] = f"In results, call the column of `{column}` `{name}`."
    for column in sorted(world.first):
        rules["order", column] = f"In results, put `{column}` before row_id."
    for term, statistic in world.terms.items():
        rules["statistic", term] = f'"{term}" means the {STATISTIC_WORDS[statistic]}.'
    rules["resampling", theme.series.column] = (
        f"Resample `{theme.series.column}` to weeks by the {STATISTIC_WORDS[world.weekly]} of its days."
    )
    return rules
