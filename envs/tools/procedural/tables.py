"""The database of an office: what its tables are, and the rows that a seed puts there."""

import sqlite3
from contextlib import closing
from datetime import date, timedelta

import numpy as np

from lse_gym.envs.tools.procedural.house import House, stored_money, written_day
from lse_gym.envs.tools.procedural.theme import Theme

ROWS = {"person": 40, "thing": 24, "place": 5, "record": 240, "payment": 160, "case": 40, "note": 12}
FIRST_ID = {"person": 101, "thing": 301, "place": 1, "record": 2001, "payment": 5001, "case": 701, "note": 901}
APART = {"person": 7_000, "thing": 8_000, "record": 40_000}  # added to numbers that are no ids
FIRST_NAMES = "Ada Ben Cleo Dan Eva Finn Gina Hugo Iris Jon Kira Liam Mona Nils Olga Paul Rosa Sven Tara Uwe".split()
LAST_NAMES = "Adler Brandt Costa Dubois Eriksen Fischer Garcia Hansen Ivanov Jensen Keller Lopez Meyer Novak".split()
FIRST_DAY, DAYS = date(2024, 1, 1), 700
REMARKS = ("asked about opening hours", "prefers mornings", "left a message", "wants a receipt")


def statements(theme: Theme) -> list[str]:
    """The statements that make the tables, in the order of their references."""
    person, thing, place, record, payment, case, note = (
        theme.entity(role) for role in ("person", "thing", "place", "record", "payment", "case", "note")
    )

    def refers(entity) -> str:
        return f"{entity.id} INTEGER NOT NULL REFERENCES {entity.table}({entity.id})"

    return [
        f"CREATE TABLE {person.table} ({person.id} INTEGER PRIMARY KEY, {person.number} INTEGER NOT NULL UNIQUE, "
        f"name TEXT NOT NULL, {theme.level.column} TEXT NOT NULL, email TEXT NOT NULL)",
        f"CREATE TABLE {thing.table} ({thing.id} INTEGER PRIMARY KEY, {thing.number} INTEGER NOT NULL UNIQUE, "
        f"{theme.title} TEXT NOT NULL UNIQUE, price NUMERIC NOT NULL, stock NUMERIC NOT NULL)",
        f"CREATE TABLE {place.table} ({place.id} INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, phone TEXT NOT NULL)",
        f"CREATE TABLE {record.table} ({record.id} INTEGER PRIMARY KEY, {record.number} INTEGER UNIQUE, "
        f"{refers(person)}, {refers(thing)}, {refers(place)}, quantity NUMERIC NOT NULL, date TEXT NOT NULL, "
        f"extended_by NUMERIC NOT NULL DEFAULT 0, {theme.status.column} TEXT NOT NULL, {theme.channel.argument} TEXT, "
        "is_cancelled INTEGER NOT NULL DEFAULT 0)",
        f"CREATE TABLE {payment.table} ({payment.id} INTEGER PRIMARY KEY, {refers(record)}, amount NUMERIC NOT NULL, "
        f"{theme.method.column} TEXT NOT NULL, {theme.till.argument} TEXT)",
        f"CREATE TABLE {case.table} ({case.id} INTEGER PRIMARY KEY, {refers(record)}, "
        f"{theme.reason.column} TEXT NOT NULL, {theme.priority.argument} TEXT, remedy TEXT, is_open INTEGER NOT NULL)",
        f"CREATE TABLE {note.table} ({note.id} INTEGER PRIMARY KEY, {refers(record)}, text TEXT NOT NULL)",
        f"CREATE INDEX by_{record.noun} ON {note.table} ({record.id})",
    ]


def rows(theme: Theme, house: House, rng: np.random.Generator) -> dict[str, list[tuple]]:
    """The rows of every table, in its creation order."""

    def pick(options):
        return options[int(rng.integers(len(options)))]

    def code(name) -> str | None:
        return pick([*house.codes[name].values()])

    def ids(role) -> list[int]:
        return [FIRST_ID[role] + i for i in range(ROWS[role])]

    def numbers(role) -> list[int]:
        """Another number for each row: an id of another row, or no id at all."""
        turned = np.roll(rng.permutation(ids(role)), 1)
        order = [int(i) for i in turned]
        clash = [i for i, (a, b) in enumerate(zip(order, ids(role), strict=True)) if a == b]
        for i in clash:  # no row has its own id as its number
            j = (i + 1) % len(order)
            order[i], order[j] = order[j], order[i]
        return [number + (APART[role] if role in house.apart else 0) for number in order]

    names = [f"{first} {last}" for first in FIRST_NAMES for last in LAST_NAMES]
    names = [names[int(i)] for i in rng.permutation(len(names))[: ROWS["person"]]]
    titles = [f"{one} {two}" for one in theme.thing_words[0] for two in theme.thing_words[1]]
    titles = [titles[int(i)] for i in rng.permutation(len(titles))]
    tables: dict[str, list[tuple]] = {
        theme.person.table: [
            (id, number, name, code("level"), f"{name.lower().replace(' ', '.')}@example.org")
            for id, number, name in zip(ids("person"), numbers("person"), names, strict=True)
        ],
        theme.thing.table: [
            (id, number, title, stored_money(house, 50 * int(rng.integers(4, 160))), int(rng.integers(3, 60)))
            for id, number, title in zip(ids("thing"), numbers("thing"), titles, strict=True)
        ],
        theme.place.table: [
            (id, name, f"555-{int(rng.integers(1000, 10000))}")
            for id, name in zip(ids("place"), theme.places, strict=True)
        ],
    }
    tables[theme.record.table] = [
        (
            id,
            number,
            pick(ids("person")),
            pick(ids("thing")),
            pick(ids("place")),
            int(rng.integers(1, 20)),
            written_day(house, (FIRST_DAY + timedelta(days=int(rng.integers(DAYS)))).isoformat()),
            0,
            code("status"),
            house.defaults["channel"],
            0,
        )
        for id, number in zip(ids("record"), numbers("record"), strict=True)
    ]
    tables[theme.payment.table] = [
        (
            id,
            pick(ids("record")),
            stored_money(house, 50 * int(rng.integers(20, 180))),
            code("method"),
            house.defaults["till"],
        )
        for id in ids("payment")
    ]
    tables[theme.case.table] = [
        (id, pick(ids("record")), code("reason"), house.defaults["priority"], None, 1)
        if rng.random() < 0.5
        else (id, pick(ids("record")), code("reason"), house.defaults["priority"], pick(theme.remedies), 0)
        for id in ids("case")
    ]
    tables[theme.note.table] = [(id, pick(ids("record")), pick(REMARKS)) for id in ids("note")]
    return tables


def database(theme: Theme, house: House, rng: np.random.Generator) -> bytes:
    """The database, as :meth:`sqlite3.Connection.serialize` gives it."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in statements(theme):
            connection.execute(statement)
        for table, content in rows(theme, house, rng).items():
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(content[0]))})", content)
        connection.commit()
        return connection.serialize()
