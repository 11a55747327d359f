"""The oracle context: every rule of a house that nobody would guess, in one plain sentence each."""

from collections.abc import Iterator

from lse_gym.envs.tools.procedural.house import DATE_FORMATS, House, literal
from lse_gym.envs.tools.procedural.theme import CONFIRMS, DEFAULTS, ENUMS, Theme

CREATES = {"channel": ("create_", "record"), "priority": ("open_", "case"), "till": ("add_", "payment")}


def oracle_context(seed_context: str, theme: Theme, house: House) -> str:
    """The seed context and, one a line, what only experience teaches."""
    return "\n".join([seed_context, *(f"- {rule}" for rule in oracle_rules(theme, house))])


def oracle_rules(theme: Theme, house: House) -> list[str]:
    """One sentence for every hidden rule, in the words a careful person would write into a playbook."""
    return [*_keys(theme, house), *_words(theme, house), *_arguments(theme, house), *_steps(theme, house)]


def _keys(theme: Theme, house: House) -> Iterator[str]:
    usual = literal(theme)
    for role in ("person", "record"):
        entity = theme.entity(role)
        if house.keys[role] != usual.keys[role]:
            number = entity.number.replace("_", " ")
            yield (
                f"Requests tell the {number} of {entity.one}: look it up with find_{entity.table} and pass its "
                f'{entity.id} as "{entity.noun}".'
            )
    if house.keys["thing"] != usual.keys["thing"]:
        thing = theme.thing
        yield f'As "{thing.noun}", pass the {thing.number} of the {thing.noun}, not its {thing.id}.'
    if house.first_page != usual.first_page:
        yield f"Pages are counted from {house.first_page}."


def _words(theme: Theme, house: House) -> Iterator[str]:
    for name in ENUMS:
        column = theme.enum(name).column
        for term, code in house.codes[name].items():
            if term != code:
                yield f'As "{column}", write "{code}" for "{term}".'
    if house.money != 1:
        yield f"Amounts and prices are in {theme.money.stored}: {house.money} are one of the {theme.money.said}."
    if house.pack != 1:
        yield f"Quantities and stock are in {theme.pack.stored} of {house.pack} {theme.pack.said}."
    if house.length != 1:
        yield f"Extensions are in {theme.length.stored}: {house.length} are one of the {theme.length.said}."
    if house.date != literal(theme).date:
        yield f"Write dates as {DATE_FORMATS[house.date]}."
    if house.rounding:
        mode, step = house.rounding
        how = "to the nearest" if mode == "nearest" else f"{mode} to a"
        yield f"Round refunds {how} multiple of {step} ({theme.money.said})."


def _arguments(theme: Theme, house: House) -> Iterator[str]:
    for name in CONFIRMS:
        tool = f"{theme.cancel}_{theme.record.noun}" if name == "cancel" else f"{theme.delete}_{theme.payment.noun}"
        if house.confirms[name]:
            yield f'Call {tool} with {theme.confirm(name).argument}="{house.confirms[name]}".'
    for name in DEFAULTS:
        verb, role = CREATES[name]
        if house.defaults[name]:
            noun = theme.record.noun if role == "record" else theme.case.noun if role == "case" else theme.payment.noun
            yield f'Call {verb}{noun} with {theme.option(name).argument}="{house.defaults[name]}".'


def _steps(theme: Theme, house: House) -> Iterator[str]:
    noun = theme.record.noun
    if house.begin:
        yield f"Call {theme.begin}_{noun} before update_{noun}."
    if house.finish:
        yield f"Call {theme.finish}_{noun} after update_{noun}."
    if house.note:
        yield f'After {theme.cancel}_{noun}, call add_note with text="{house.note}".'
    if house.guard:
        status, reason = house.guard
        yield (
            f'Never change, extend or {theme.cancel} {theme.record.one} that is "{status}": open {theme.case.one} with '
            f'{theme.reason.column} "{reason}" instead.'
        )
