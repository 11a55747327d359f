"""The tools of an office: one row a tool, filled with the words of a theme."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lse_gym.envs.tools.procedural.theme import CONFIRMS, Role, Theme
from lse_gym.envs.tools.protocol import Tool


class Template(NamedTuple):
    """A tool of any theme.

    Attributes:
        name: of the tool.
        description: terse, as of a real interface; house rules are not in it.
        parameters: ``name:type``, with a question mark where optional.
        does: the operation of :class:`lse_gym.envs.tools.procedural.service.Service`.
        role: the entity that it acts on.
    """

    name: str
    description: str
    parameters: str
    does: str
    role: Role


TEMPLATES = (
    Template("find_{persons}", "Search by part of a name, or by {person_no}.", "query:string", "find", "person"),
    Template("get_{person}", "One {person}.", "{person}:integer", "get", "person"),
    Template(
        "update_{person}", "Change {a_person}.", "{person}:integer {level}:string? email:string?", "update", "person"
    ),
    Template("find_{things}", "Search by part of a name, or by {thing_no}.", "query:string", "find", "thing"),
    Template("get_{thing}", "One {thing}.", "{thing}:integer", "get", "thing"),
    Template("list_{things}", "All {things}, page by page.", "page:integer", "list", "thing"),
    Template("update_{thing}", "Set the price of {a_thing}.", "{thing}:integer price:number", "update", "thing"),
    Template(
        "restock_{thing}", "Add to the stock of {a_thing}.", "{thing}:integer quantity:number", "restock", "thing"
    ),
    Template("list_{places}", "All {places}.", "", "all", "place"),
    Template("update_{place}", "Change {a_place}.", "{place}:integer phone:string", "update", "place"),
    Template("find_{records}", "Search by {record_no}.", "query:string", "find", "record"),
    Template("get_{record}", "One {record}.", "{record}:integer", "get", "record"),
    Template(
        "list_{records}",
        "{records}, page by page.",
        "page:integer {status}:string? {place}:integer? {person}:integer?",
        "list",
        "record",
    ),
    Template(
        "create_{record}",
        "New {record}.",
        "{person}:integer {thing}:integer {place}:integer quantity:number date:string {channel}:string?",
        "create_record",
        "record",
    ),
    Template("{begin}_{record}", "{begin} {a_record}.", "{record}:integer", "begin", "record"),
    Template(
        "update_{record}",
        "Change {a_record}.",
        "{record}:integer {status}:string? quantity:number? date:string?",
        "update_record",
        "record",
    ),
    Template("{finish}_{record}", "{finish} {a_record}.", "{record}:integer", "finish", "record"),
    Template("extend_{record}", "Lengthen {a_record}.", "{record}:integer by:number", "extend", "record"),
    Template(
        "{cancel}_{record}", "{cancel} {a_record}.", "{record}:integer {cancel_confirm}:string?", "cancel", "record"
    ),
    Template(
        "add_{payment}",
        "New {payment}.",
        "{record}:integer amount:number {method}:string {till}:string?",
        "pay",
        "payment",
    ),
    Template("get_{payment}", "One {payment}.", "{payment}:integer", "get", "payment"),
    Template(
        "list_{payments}",
        "{payments}, page by page.",
        "page:integer {method}:string? {place}:integer?",
        "list",
        "payment",
    ),
    Template(
        "refund_{payment}", "Pay part of {a_payment} back.", "{payment}:integer amount:number", "refund", "payment"
    ),
    Template(
        "{delete}_{payment}", "{delete} {a_payment}.", "{payment}:integer {delete_confirm}:string?", "delete", "payment"
    ),
    Template(
        "open_{case}",
        "New {case} about {a_record}.",
        "{record}:integer {reason}:string {priority}:string?",
        "open",
        "case",
    ),
    Template("settle_{case}", "Settle {a_case}.", "{case}:integer remedy:string", "settle", "case"),
    Template("close_{case}", "Close {a_case}.", "{case}:integer", "close", "case"),
    Template("add_note", "New note on {a_record}.", "{record}:integer text:string", "remark", "note"),
)


def filled(pattern: str, words: Mapping[str, str]) -> str:
    """A template's text in the words of a theme, its first letter a capital where it is a sentence."""
    text = pattern.format(**words)
    return text[:1].upper() + text[1:] if text.endswith(".") else text


def tool(template: Template, words: Mapping[str, str], choices: Mapping[str, Sequence[str]]) -> Tool:
    """A template as a tool with a JSON schema; some arguments take one of a few values."""
    properties: dict[str, dict[str, Any]] = {}
    required = []
    for parameter in filled(template.parameters, words).split():
        name, kind = parameter.split(":")
        properties[name] = {"type": kind.rstrip("?")}
        if name in choices:
            properties[name]["enum"] = [*choices[name]]
        if not kind.endswith("?"):
            required.append(name)
    schema = {"type": "object", "properties": properties, "required": required}
    return Tool(filled(template.name, words), filled(template.description, words), schema)


def tools(theme: Theme) -> tuple[Tool, ...]:
    """Every tool of a theme, in the order in which prompts show them."""
    choices = {option.argument: option.values for option in map(theme.confirm, CONFIRMS)}
    return tuple(tool(template, theme.words, choices) for template in TEMPLATES)
