"""Three worlds in Agent World Model's eight files, written for these tests, with the faults that real files have.

Names are spelled as people write them in some files and normalised in others, and each file has its rows in another
order. ``library`` has a table and rows that fail, a task that an untouched database completes already, one for a judge,
one without a verifier, verifiers that return odd things, an operation that its service lacks. ``garden`` is whole.
``wreck`` has a service that cannot be executed.
"""

import json
from pathlib import Path
from typing import Any

SPELLINGS = {"library": "Library (Loans & Fines)", "garden": "Garden", "wreck": "The  Wreck!"}
LIBRARY, GARDEN, WRECK = "library_loans_fines", "garden", "the_wreck"

LIBRARY_TABLES = [
    {
        "name": "members",
        "ddl": "CREATE TABLE members (id INTEGER PRIMARY KEY, name TEXT NOT NULL, fines_cents INTEGER DEFAULT 0);",
        "indexes": ["CREATE INDEX members_name ON members(name);"],
        "examples": ["INSERT INTO members (id, name, fines_cents) VALUES (1, 'Ida', 250);"],
    },
    {
        "name": "books",
        "ddl": "CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT NOT NULL, copies INTEGER NOT NULL);",
        "indexes": [],
    },
    {
        "name": "loans",
        "ddl": "CREATE TABLE loans (id INTEGER PRIMARY KEY, member_id INTEGER NOT NULL REFERENCES members(id), "
        "book_id INTEGER NOT NULL REFERENCES books(id), taken_at TEXT DEFAULT CURRENT_TIMESTAMP, returned_at TEXT);",
        "indexes": ["CREATE INDEX loans_member ON loans(member_id);", "CREATE INDEX loans_colour ON loans(colour);"],
    },
    {"name": "shelves", "ddl": "CREATE TABLE shelves (id INTEGER PRIMARY KEY,, place TEXT);", "indexes": []},
]
LIBRARY_ROWS = [
    ("members", ["INSERT INTO members VALUES (2, 'Ole', 0);"]),
    (
        "books",
        [
            f"INSERT INTO books VALUES ({n}, '{t}', {c});"
            for n, t, c in [(1, "Moss", 2), (2, "Fern", 0), (3, "Moss Walls", 1)]
        ],
    ),
    ("loans", ["INSERT INTO loans (id, member_id, book_id, taken_at) VALUES (1, 1, 2, '2026-01-05 10:00:00');"]),
    (
        "loans",
        ["INSERT INTO loans (id, member_id, book_id) VALUES (2, 99, 1);", "INSERT INTO loans VALUES (3, 1, 'it's');"],
    ),
    ("shelves", ["INSERT INTO shelves VALUES (1, 'left');"]),
]
LIBRARY_CODE = '''
import os
from datetime import datetime
from typing import List, Optional
from fastapi import Body, Depends, FastAPI, HTTPException, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import Column, DateTime, ForeignKey, Integer, String, create_engine
from sqlalchemy.orm import declarative_base, sessionmaker

DATABASE_PATH = os.getenv("DATABASE_PATH", "sqlite:///nowhere.db")
engine = create_engine(DATABASE_PATH, connect_args={"check_same_thread": False})
SessionLocal = sessionmaker(bind=engine)
Base = declarative_base()


class Book(Base):
    __tablename__ = "books"
    id = Column(Integer, primary_key=True)
    title = Column(String, nullable=False)
    copies = Column(Integer, nullable=False)


class Member(Base):
    __tablename__ = "members"
    id = Column(Integer, primary_key=True)
    name = Column(String, nullable=False)
    fines_cents = Column(Integer, nullable=False)


class Loan(Base):
    __tablename__ = "loans"
    id = Column(Integer, primary_key=True)
    member_id = Column(Integer, ForeignKey("members.id"), nullable=False)
    book_id = Column(Integer, ForeignKey("books.id"), nullable=False)
    taken_at = Column(DateTime, default=datetime.utcnow)
    returned_at = Column(DateTime)


class Note(Base):
    """A table that the schema of the scenario lacks."""
    __tablename__ = "notes"
    id = Column(Integer, primary_key=True)
    text = Column(String)


Base.metadata.create_all(engine)
app = FastAPI(title="Library")
CALLS = []


def session():
    made = SessionLocal()
    try:
        yield made
    finally:
        made.close()


class Payment(BaseModel):
    member_id: int = Field(..., example=1)
    cents: int
    note: Optional[str] = None


@app.get("/books", operation_id="search_books")
async def search_books(title: str = Query(""), in_stock: bool = Query(False), ids: Optional[List[int]] = Query(None)):
    db = SessionLocal()
    found = db.query(Book).filter(Book.title.like(f"%{title}%")).order_by(Book.id)
    kept = [b for b in found if (b.copies or not in_stock) and (ids is None or b.id in ids)]
    db.close()
    return {"books": [{"id": b.id, "title": b.title, "copies": b.copies} for b in kept]}


@app.get("/books/{book_id}", operation_id="get_book")
def get_book(book_id: int = Path(...), db=Depends(session)):
    book = db.get(Book, book_id)
    if book is None:
        raise HTTPException(404, f"no book {book_id}")
    return {"id": book.id, "title": book.title, "copies": book.copies}


@app.post("/members/{member_id}/loans", operation_id="borrow_book", status_code=201)
async def borrow_book(member_id: int, book_id: int = Body(..., embed=True)):
    db = SessionLocal()
    book = db.get(Book, book_id)
    book.copies -= 1
    loan = Loan(member_id=member_id, book_id=book_id)
    db.add(loan)
    db.commit()
    CALLS.append(loan.id)
    made = {"loan_id": loan.id, "taken_at": loan.taken_at.isoformat(), "loans_so_far": len(CALLS)}
    db.close()
    return made


@app.put("/loans/return", operation_id="return_loans")
async def return_loans(loan_ids: List[int] = Body(...)):
    db = SessionLocal()
    for loan in db.query(Loan).filter(Loan.id.in_(loan_ids)):
        loan.returned_at = datetime.now()
    db.commit()
    db.close()
    return {"returned": loan_ids}


@app.post("/fines", operation_id="pay_fine")
async def pay_fine(payment: Payment, db=Depends(session)):
    member = db.get(Member, payment.member_id)
    member.fines_cents -= payment.cents
    db.add(Note(text=payment.note))
    db.commit()
    return {"left_cents": member.fines_cents}


@app.get("/secret", operation_id="untold")
async def untold():
    return {}


if __name__ == "__main__":
    import uvicorn
    uvicorn.run(app, host=os.environ["HOST"], port=int(os.environ["PORT"]))
'''


def endpoint(name: str, about: str, /, **params: tuple[str, str, bool]) -> dict[str, Any]:
    """An endpoint of a specification; each parameter is its type, its place and whether it is required."""
    told = {
        key: {"type": kind, "param_type": place, "required": required, "description": f"The {key}", "example": None}
        for key, (kind, place, required) in params.items()
    }
    return {
        "path": f"/{name}",
        "method": "POST",
        "summary": about,
        "description": "",
        "operation_id": name,
        "tags": [],
        "request_params": told,
        "response": {},
        "required_tables": [],
        "required_fields": {},
    }


LIBRARY_ENDPOINTS = [
    endpoint(
        "search_books",
        "Search books by title",
        title=("string", "query", False),
        in_stock=("boolean", "query", False),
        ids=("array", "query", False),
    ),
    endpoint("get_book", "One book", book_id=("integer", "path", True)),
    endpoint(
        "borrow_book",
        "Lend a book to a member",
        member_id=("integer", "path", True),
        book_id=("integer", "body", True),
        colour=("string", "body", False),
    ),
    endpoint("return_loans", "Take books back", loan_ids=("array", "body", True)),
    endpoint(
        "pay_fine",
        "Pay a fine",
        member_id=("integer", "body", True),
        cents=("integer", "body", True),
        note=("string", "body", False),
    ),
    endpoint("burn_book", "An operation that nobody wrote", book_id=("integer", "path", True)),
]

HEAD = (
    "def verify_task_completion(initial_db_path: str, final_db_path: str, final_answer: str | None = None) -> dict:\n"
)
VALUE = """    import sqlite3
    def value(path, sql):
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        row = connection.execute(sql).fetchone()
        connection.close()
        return row[0] if row else None
"""


def verifier(condition: str, before: str = "") -> str:
    """A verifier in code mode that says "complete" where the condition holds."""
    return f'{HEAD}{VALUE}{before}    return {{"result": "complete" if {condition} else "others"}}\n'


BORROWED = "SELECT COUNT(*) FROM loans WHERE book_id = 1 AND member_id = 1"
LIBRARY_TASKS = [
    ("Lend Moss to Ida.", verifier(f'value(final_db_path, "{BORROWED}") == value(initial_db_path, "{BORROWED}") + 1')),
    (
        "Lend Moss to Ida once more, now.",
        verifier(
            f'value(final_db_path, "{BORROWED}") == 2',
            "    import csv, io, zoneinfo\n    from datetime import datetime\n"
            "    assert next(csv.reader(io.StringIO('a,b'))) == ['a', 'b'] and str(zoneinfo.ZoneInfo('UTC')) == 'UTC'\n"
            "    assert datetime.now().year == 2026\n",
        ),
    ),
    ("How many copies of Moss are there?", verifier('(final_answer or "").strip() == "2"')),
    ("Keep Ole free of fines.", verifier('value(final_db_path, "SELECT fines_cents FROM members WHERE id = 2") == 0')),
    ("Take Fern back from Ida.", verifier('value(final_db_path, "SELECT returned_at FROM loans WHERE id = 1")')),
    ("Pay all of Ida's fines.", verifier('value(final_db_path, "SELECT fines_cents FROM members WHERE id = 1") == 0')),
    (
        "Say how the library feels.",
        "def verify_task(initial_db_path: str, final_db_path: str) -> dict:\n    return {'rows': []}\n",
    ),
    ("Sing.", None),
    (
        "Return something odd.",
        "class Odd(str):\n    def __eq__(self, other): return True\n    __hash__ = str.__hash__\n"
        + HEAD
        + "    return {'result': Odd('no')}\n",
    ),
    ("Return something strange.", HEAD + "    return ['complete']\n"),
]

GARDEN_CODE = """
import os
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import create_engine, text

engine = create_engine(os.environ["DATABASE_PATH"], future=True)
app = FastAPI()


class Bed(BaseModel):
    name: str
    plants: int = 0


@app.on_event("startup")
async def begin():
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO log (line) VALUES ('opened')"))


@app.get("/beds", operation_id="list_beds")
async def list_beds():
    with engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(text("SELECT * FROM beds ORDER BY id"))]


@app.get("/seeds", operation_id="draw_seeds")
async def draw_seeds():
    import random, secrets, time, uuid
    return [str(uuid.uuid4()), secrets.token_hex(4), random.random(), time.time(), list({"a", "b", "c", "d"})]


@app.post("/beds", operation_id="add_bed")
async def add_bed(bed: Bed):
    with engine.begin() as connection:
        made = connection.execute(text("INSERT INTO beds (name, plants) VALUES (:name, :plants)"), bed.model_dump())
        return {"id": made.lastrowid, "at": connection.execute(text("SELECT datetime('now')")).scalar()}


import uvicorn  # without asking for "__main__"
uvicorn.run(app)
"""
GARDEN_TASKS = [
    (
        f"Add a bed of {name} with {plants} plants.",
        verifier(
            f"value(final_db_path, \"SELECT COUNT(*) FROM beds WHERE name = '{name}' AND plants = {plants}\") == 1"
        ),
    )
    for plants, name in enumerate("beet kale leek pea rye sage thyme yam mint dill".split())
]

WORLDS: dict[str, dict[str, Any]] = {
    "library": {
        "tables": LIBRARY_TABLES,
        "rows": LIBRARY_ROWS,
        "endpoints": LIBRARY_ENDPOINTS,
        "code": LIBRARY_CODE,
        "tasks": LIBRARY_TASKS,
        "description": "A library that lends books and takes fines.",
    },
    "garden": {
        "tables": [
            {
                "name": "beds",
                "ddl": "CREATE TABLE beds (id INTEGER PRIMARY KEY, name TEXT, plants INTEGER)",
                "indexes": [],
            },
            {"name": "log", "ddl": "CREATE TABLE log (id INTEGER PRIMARY KEY, line TEXT)", "indexes": []},
        ],
        "rows": [
            ("beds", ["INSERT INTO beds (name, plants) VALUES ('roses', 7)"]),
            ("log", ["INSERT INTO log (line) VALUES ('dug ' || date('now', '-1 days'))"]),
        ],
        "endpoints": [
            endpoint("list_beds", "All beds"),
            endpoint("draw_seeds", "Seeds by chance"),
            endpoint("add_bed", "Add a bed", name=("string", "body", True), plants=("integer", "body", False)),
        ],
        "code": GARDEN_CODE,
        "tasks": GARDEN_TASKS,
        "description": "Beds of a garden.",
    },
    "wreck": {
        "tables": [{"name": "t", "ddl": "CREATE TABLE t (id INTEGER PRIMARY KEY)", "indexes": []}],
        "rows": [],
        "endpoints": [endpoint("sink", "Sink")],
        "code": "import a_module_that_nobody_has\napp = None\n",
        "tasks": GARDEN_TASKS,
        "description": "",
    },
}


def write_awm(folder: Path, worlds: dict[str, dict[str, Any]] | None = None) -> Path:
    """Write the eight files; verifiers that are no code mode go to ``gen_verifier.jsonl``. Returns ``folder``."""
    worlds = WORLDS if worlds is None else worlds
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, list[dict[str, Any]]] = {}
    for key, world in worlds.items():
        spelling = SPELLINGS.get(key, key)
        normal = {"library": LIBRARY, "garden": GARDEN, "wreck": WRECK}.get(key, key)
        tables = [{"table_name": table, "insert_statements": rows} for table, rows in world["rows"]]
        row = {"scenario": spelling}
        for file, content in {
            "gen_scenario": {"name": spelling, "description": world["description"]},
            "gen_tasks": row | {"tasks": [text for text, _ in world["tasks"]]},
            "gen_db": row | {"db_schema": {"tables": world["tables"]}, "db_path": f"./outputs/databases/{normal}.db"},
            "gen_sample": row | {"tables_count": len(tables), "inserts_count": 0, "sample_data": {"tables": tables}},
            "gen_spec": row | {"api_spec": {"api_groups": [{"group_name": "all", "endpoints": world["endpoints"]}]}},
            "gen_envs": row | {"db_path": f"./outputs/databases/{normal}.db", "full_code": world["code"]},
        }.items():
            files.setdefault(file, []).append(content)
        for number, (text, code) in enumerate(world["tasks"]):
            if code:
                file = "gen_verifier.pure_code" if "final_answer" in code else "gen_verifier"
                verification = {"code": code, "raw_response": ""}
                files.setdefault(file, []).append(
                    {"scenario": normal, "task_idx": number, "task": text, "verification": verification}
                )
    for place, (name, rows) in enumerate(files.items()):
        turned = rows[place % len(rows) :] + rows[: place % len(rows)]
        lines = [json.dumps(row, ensure_ascii=False) for row in turned]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
