"""A toy whose questions take tools: a shelf in SQLite, and a clerk who finds an item and sets its quantity."""

import sqlite3
from hashlib import sha256

from lse_gym.envs.core import ContextEnv
from lse_gym.envs.domain import Question
from lse_gym.envs.metered import MeteredModel
from lse_gym.envs.models.base import Response, TaskModel
from lse_gym.envs.report import Turn
from lse_gym.envs.tools.diff import difference, snapshot
from lse_gym.envs.tools.domain import ToolDomain, Workplace
from lse_gym.envs.tools.protocol import Tool, call_text, read_results
from lse_gym.envs.tools.report import Ending
from lse_gym.envs.vector import ContextVectorEnv
from tests.envs.stub import StubFamily, digest

SIZES = {"feedback": 6, "held_out": 5, "test": 4}
ITEMS = ("lamp", "rope", "drum", "kite", "bowl")
SETUP = "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, quantity INTEGER)"
TOOLS = (
    Tool("find", "Find an item.", {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}),
    Tool(
        "set",
        "Set the quantity of an item.",
        {
            "type": "object",
            "properties": {"id": {"type": "integer"}, "quantity": {"type": "integer"}},
            "required": ["id", "quantity"],
        },
    ),
)


class Shelf(Workplace):
    def __init__(self):
        self.connection = sqlite3.connect(":memory:")
        self.connection.execute(SETUP)
        self.connection.executemany("INSERT INTO items VALUES (?, ?, 1)", enumerate(ITEMS, 1))
        self.before = snapshot(self.connection)

    def call(self, name, arguments):
        if name == "set":
            self.connection.execute("UPDATE items SET quantity = :quantity WHERE id = :id", arguments)
            return "done"
        found = self.connection.execute("SELECT id FROM items WHERE name = ?", [arguments["name"]]).fetchone()
        return str(found[0]) if found else "Error: there is no such item"

    def finish(self, answer):
        return Ending(answer, difference(self.before, snapshot(self.connection))).text()

    def close(self):
        self.connection.close()


def question(split, index):
    item, quantity = digest(split, index, "item") % len(ITEMS), 2 + digest(split, index) % 90
    row = {"row": {"id": item + 1}, "from": {"quantity": 1}, "to": {"quantity": quantity}}
    gold = Ending("done", {"items": {"changed": [row]}}).text()
    return Question(f"{split}-{index}", f"Set the quantity of {ITEMS[item]} to {quantity}.", gold)


class ShelfDomain(ToolDomain):
    overview, tools, oracle_context = "You keep a shelf.", TOOLS, None
    max_turns = 4

    def __init__(self, name="a"):
        self.name, self.seed_context = name, f"Seed of {name}."
        self.splits = {split: tuple(question(split, i) for i in range(size)) for split, size in SIZES.items()}

    def open(self, question):
        return Shelf()

    def fingerprint(self):
        return sha256(self.frozen.encode()).hexdigest()


class ShelfFamily(StubFamily):
    def load(self, name):
        self.check(name)
        return ShelfDomain(name)


class Clerk(TaskModel):
    """Finds the item, sets its quantity, says "done"; some contexts make it set another quantity.

    Args:
        says: what it says in place of its first words, by question, for tests of what goes wrong.
    """

    name, revision = "clerk", "1"

    def __init__(self, says=None):
        self.says = says or {}
        self.batches, self.calls = [], 0

    def complete(self, requests):
        self.batches.append(list(requests))
        self.calls += len(requests)
        return [Response(text := self.say(request), 10, len(text) // 4 + 1) for request in requests]

    def say(self, request):
        asked = request.user.removeprefix("Question: ")
        if asked in self.says and not request.turns:
            return self.says[asked]
        return clerk(request.system, asked, request.turns)

    def count_tokens(self, text):
        return len(text.encode()) + 16


def clerk(system: str, asked: str, turns: tuple[Turn, ...]) -> str:
    """What the clerk says next: a pure function of what it was told."""
    *_, name, _, quantity = asked.rstrip(".").split()
    if not turns:
        return call_text("find", {"name": name})
    (result, *_), step = read_results(turns[-1]), len(turns) // 2
    if step > 1 or not result.isdigit():
        return "<answer>done</answer>"
    context = system.rpartition("### Instructions\n")[2]
    wrong = digest(context, asked) % 2
    return "I found it. " + call_text("set", {"id": int(result), "quantity": int(quantity) + wrong})


class Talker(TaskModel):
    """Says as much as it may: a long call in every turn; a token is a character."""

    name, revision = "tests.tools.shelf:Talker", "1"

    def complete(self, requests):
        return [self._say(request) for request in requests]

    def _say(self, request):
        frame = len(call_text("find", {"name": ""}))
        text = call_text("find", {"name": "~" * max(0, request.max_tokens - frame)})[: request.max_tokens]
        told = (message["content"] for message in request.messages)
        return Response(text, sum(len(content) for content in told), len(text))

    def count_tokens(self, text):
        return len(text)


class ShelfEnv(ContextEnv):
    def __init__(self, domain="a", **options):
        super().__init__(ShelfFamily(), domain=domain, **{"feedback_size": 3, "max_edits": 100, **options})


class ShelfVectorEnv(ContextVectorEnv):
    env_class = ShelfEnv


def make(model, num_envs=None, **options):
    env = ShelfEnv(**options) if num_envs is None else ShelfVectorEnv(num_envs, **options)
    for one in getattr(env, "envs", [env]):
        one.session.metered = MeteredModel(model, one.budget, is_task_model=True)
    return env
