"""What a theme consists of: the words of an office, its tables, tools and rules."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Role = Literal["person", "thing", "place", "record", "payment", "case", "note"]
ROLES: tuple[Role, ...] = ("person", "thing", "place", "record", "payment", "case", "note")
EnumName = Literal["level", "status", "method", "reason"]
ENUMS: tuple[EnumName, ...] = ("level", "status", "method", "reason")
DefaultName = Literal["channel", "priority", "till"]
DEFAULTS: tuple[DefaultName, ...] = ("channel", "priority", "till")
ConfirmName = Literal["cancel", "delete"]
CONFIRMS: tuple[ConfirmName, ...] = ("cancel", "delete")


class Entity(NamedTuple):
    """A table and what one row of it is called; ``number`` is the column with the number that people say."""

    table: str
    noun: str
    number: str = ""

    @property
    def id(self) -> str:
        """The primary key."""
        return f"{self.noun}_id"

    @property
    def one(self) -> str:
        """The noun with its article."""
        return f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}"


class Enum(NamedTuple):
    """A column that holds one of a few terms."""

    column: str
    terms: tuple[str, ...]


class Option(NamedTuple):
    """An optional argument that a house may want, and the values that it may want."""

    argument: str
    values: tuple[str, ...]


class Unit(NamedTuple):
    """What people count in and what the tools may count in, with how many of the smaller one make the larger."""

    said: str
    stored: str
    factors: tuple[int, ...]


class Theme(NamedTuple):
    """The words of an office: people have records of things at places, pay, and complain in cases."""

    name: str
    person: Entity
    thing: Entity
    place: Entity
    record: Entity
    payment: Entity
    case: Entity
    title: str  # column with the name of a thing
    level: Enum  # of a person
    status: Enum  # of a record
    method: Enum  # of a payment
    reason: Enum  # of a case
    money: Unit  # said in the larger one, may be stored in the smaller one
    pack: Unit  # said in the smaller one, may be stored in the larger one
    length: Unit  # said in the larger one, may be stored in the smaller one
    channel: Option  # of a new record
    priority: Option  # of a new case
    till: Option  # of a new payment
    cancel_confirm: Option
    delete_confirm: Option
    cancel: str  # verbs, as in the names of tools
    delete: str
    begin: str
    finish: str
    remedies: tuple[str, str, str]
    notes: tuple[str, str, str]  # texts that a house may want as a note after a record was cancelled
    places: tuple[str, ...]
    thing_words: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def note(self) -> Entity:
        """Notes are notes everywhere."""
        return Entity("notes", "note")

    def entity(self, role: Role) -> Entity:
        """The entity of a role."""
        return getattr(self, role)

    def enum(self, name: EnumName) -> Enum:
        """The enumeration of a name."""
        return getattr(self, name)

    def option(self, name: DefaultName) -> Option:
        """The argument that a house may want the same value of every time."""
        return getattr(self, name)

    def confirm(self, name: ConfirmName) -> Option:
        """The argument that confirms a destructive call."""
        return self.cancel_confirm if name == "cancel" else self.delete_confirm

    @property
    def words(self) -> Mapping[str, str]:
        """The words that templates of tools and requests are filled with."""
        entities = {role: self.entity(role) for role in ROLES}
        return {
            **{role: entity.noun for role, entity in entities.items()},
            **{f"a_{role}": entity.one for role, entity in entities.items()},
            **{f"{role}s": entity.table for role, entity in entities.items()},
            **{f"{role}_no": entity.number.replace("_", " ") for role, entity in entities.items()},
            **{name: self.enum(name).column for name in ENUMS},
            **{name: self.option(name).argument for name in DEFAULTS},
            **{f"{name}_confirm": self.confirm(name).argument for name in CONFIRMS},
            "cancel": self.cancel,
            "delete": self.delete,
            "begin": self.begin,
            "finish": self.finish,
            "title": self.title,
            "money": self.money.said,
            "pieces": self.pack.said,
            "lengths": self.length.said,
        }
