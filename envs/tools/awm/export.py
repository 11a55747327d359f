"""Embedded offices as Agent World Model's eight files, for its own runner, or to be loaded back as ``LSE/AWM-v0``.

The service and the verifiers are the office's own source, put into one file each: they need FastAPI and SQLAlchemy, and
nothing of this package.

    from lse_gym.envs.tools.awm.export import export
    from lse_gym.envs.tools.procedural.family import OfficeFamily

    export([OfficeFamily().load("marina-0")], "path/to/awm")
"""

import inspect
import json
import os
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from lse_gym.envs.cache import write_whole
from lse_gym.envs.tools import diff, procedural
from lse_gym.envs.tools.awm.files import FILES, normalised
from lse_gym.envs.tools.procedural import domain, house, service, theme
from lse_gym.envs.tools.procedural.domain import OfficeDomain
from lse_gym.envs.tools.procedural.house import House
from lse_gym.envs.tools.procedural.theme import ROLES
from lse_gym.envs.tools.protocol import Tool
from lse_gym.envs.tools.report import Ending

SPLITS = ("feedback", "held_out")  # whose tasks are written; those of the test stay at home
OFFICE_MODULE = re.compile(rf"^from ({re.escape(procedural.__name__)}\.\w+) import", re.MULTILINE)
OWN_IMPORT = re.compile(r"^from lse_gym[^(\n]*(?:\([^)]*\))?\n", re.MULTILINE)
SERVICE = """
THEME = {theme!r}
HOUSE = {house!r}
TOOLS = {tools!r}

import os
from contextlib import closing
from fastapi import FastAPI, HTTPException, Response
from pydantic import create_model
from sqlalchemy import create_engine

url = os.environ.get("DATABASE_PATH", "sqlite:///office.db")
engine = create_engine(url, connect_args={{"check_same_thread": False}})
app = FastAPI(title={title!r})
TYPES = {{"string": str, "integer": int, "number": int | float}}
OFFICE, SESSION = Service(THEME, HOUSE), Session(None, set(), {{}})


def handler(name, schema):
    required = schema["required"]
    fields = {{key: (TYPES[value["type"]], ...) if key in required else (TYPES[value["type"]] | None, None)
              for key, value in schema["properties"].items()}}

    async def handle(arguments):
        with closing(engine.raw_connection()) as connection:
            connection.driver_connection.isolation_level = None
            session = SESSION._replace(connection=connection.driver_connection)
            text = OFFICE.call(session, name, arguments.model_dump(exclude_unset=True))
        if text.startswith("Error: "):
            raise HTTPException(int(text[7:10]), text[7:])
        return Response(text, media_type="application/json")

    handle.__annotations__ = {{"arguments": create_model(name, **fields)}}
    return handle


for name, description, schema in TOOLS:
    app.add_api_route(f"/{{name}}", handler(name, schema), methods=["POST"], operation_id=name, description=description)

if __name__ == "__main__":
    import uvicorn
    uvicorn.run(app, host=os.environ.get("HOST", "127.0.0.1"), port=int(os.environ.get("PORT", "8000")))
"""
VERIFIER = """
CHANGES, ANSWER = json.loads({changes!r}), {answer!r}
IDS = {ids!r}


def verify_task_completion(initial_db_path: str, final_db_path: str, final_answer: str | None = None) -> dict:
    states = []
    for path in (initial_db_path, final_db_path):
        connection = sqlite3.connect(f"file:{{path}}?mode=ro", uri=True)
        states.append(snapshot(connection))
        connection.close()
    found = difference(*states)
    for table, key in IDS.items():
        added = found.get(table, {{}}).get("added", [])
        added[:] = sorted(({{c: v for c, v in row.items() if c != key}} for row in added), key=canonical)
    right = found == CHANGES and (not ANSWER or same_answer(final_answer or "", ANSWER))
    return {{"result": "complete" if right else "others"}}
"""


def export(domains: Sequence[OfficeDomain], folder: str | os.PathLike[str]) -> None:
    """Write the eight files to ``folder``: a scenario a domain, its feedback and held-out tasks, their verifiers."""
    rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in FILES}
    for one in domains:
        for kind, found in _rows(one).items():
            rows[kind] += found
    for kind, (name, _) in FILES.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows[kind])
        write_whole(Path(folder, name), text.encode())


def _rows(office: OfficeDomain) -> dict[str, list[dict[str, Any]]]:
    name = {"scenario": office.name}
    path = {"db_path": f"./outputs/databases/{normalised(office.name)}.db"}
    tables, samples = _database(office.world.content)
    questions = [question for split in SPLITS for question in office.splits[split]]
    return {
        "scenario": [{"name": office.name, "description": office.overview}],
        "tasks": [name | {"tasks": [question.text for question in questions]}],
        "db": [name | {"db_schema": {"tables": tables}} | path],
        "sample": [name | {"sample_data": {"tables": samples}}],
        "spec": [
            name | {"api_spec": {"api_groups": [{"group_name": "office", "endpoints": _endpoints(office.tools)}]}}
        ],
        "envs": [name | path | {"full_code": _service(office)}],
        "verifier": [],
        "pure_code": [
            {
                **name,
                "task_idx": number,
                "task": question.text,
                "verification": {"code": _verifier(office, question.gold)},
            }
            for number, question in enumerate(questions)
        ],
    }


def _database(content: bytes) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The tables of a database, and the statements that fill them."""
    tables, samples = [], []
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(content)
        for name, ddl in connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY rowid"
        ).fetchall():
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            values = " || ', ' || ".join(f"quote({column})" for column in columns)
            inserts = connection.execute(f"SELECT 'INSERT INTO {name} VALUES (' || {values} || ')' FROM {name}")
            tables.append({"name": name, "ddl": ddl, "indexes": []})
            samples.append({"table_name": name, "insert_statements": [statement for (statement,) in inserts]})
    return tables, samples


def _endpoints(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    return [
        {
            "path": f"/{tool.name}",
            "method": "POST",
            "summary": tool.description,
            "operation_id": tool.name,
            "request_params": {
                name: {**schema, "param_type": "body", "required": name in tool.parameters["required"]}
                for name, schema in tool.parameters["properties"].items()
            },
        }
        for tool in tools
    ]


def _service(office: OfficeDomain) -> str:
    """The source of a FastAPI service with the tools of an office."""
    parts = [inspect.getsource(House) if part is house else _source(part) for part in _needed(service)]
    tools = [tuple(tool) for tool in office.tools]
    own = SERVICE.format(theme=office.world.theme, house=office.world.house, tools=tools, title=office.name)
    return "\n".join(["from __future__ import annotations\n", *parts, own])


def _verifier(office: OfficeDomain, gold: str) -> str:
    """The source of a verifier of the end state and the answer that a gold tells."""
    ending = Ending.read(gold)
    assert ending is not None
    entities = map(office.world.theme.entity, ROLES)
    ids = {entity.table: entity.id for entity in entities}
    numbers = f"NUMBER = re.compile({domain.NUMBER.pattern!r})\nMAX_ANSWER_CHARS = {domain.MAX_ANSWER_CHARS}\n"
    parts = ["import re", _source(diff), numbers, *map(inspect.getsource, (domain.same_answer, domain._names))]
    own = VERIFIER.format(changes=diff.canonical(ending.changes), answer=ending.answer, ids=ids)
    return "\n".join([*parts, own])


def _needed(module: ModuleType) -> list[ModuleType]:
    """A module of the offices after those that it imports."""
    names = OFFICE_MODULE.findall(inspect.getsource(module)) if module is not house else [theme.__name__]
    found = [part for name in names for part in _needed(import_module(name))]
    return list(dict.fromkeys([*found, module]))


def _source(module: ModuleType) -> str:
    """A module's source without what it imports of this package."""
    return OWN_IMPORT.sub("", inspect.getsource(module))
