"""Drawing the tasks of a world: all different, and each of the class that its split may hold."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

import numpy as np

from lse_gym.envs.domain import SPLITS, Question, Split
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.splits import Class, class_of
from lse_gym.envs.tools.procedural.habits import Stuck, Topic
from lse_gym.envs.tools.procedural.plans import Clerk, follow
from lse_gym.envs.tools.procedural.tables import FIRST_DAY
from lse_gym.envs.tools.procedural.tasks import OPS, TEACHING, Op, Task, key, say
from lse_gym.envs.tools.procedural.world import World
from lse_gym.envs.tools.report import Ending

SIZES: Mapping[Split, int] = {"feedback": 60, "held_out": 30, "test": 60}
GUESSABLE = 0.2  # share of tasks that need no house rule
GUESS_KINDS = 6  # kinds that are tried for one that needs none; then it is of a kind that never does
MAX_KINDS = 500  # kinds that are tried for any; then the class is taken to be used up
MAX_DRAWS = 16  # tasks drawn of a kind, until one is new, of the right class and to be asked
MAX_VAIN = 4  # tasks of a kind that are drawn in vain; then a world is taken to have none that are wanted
MAX_CALLS = 9  # of a plan, so that one call a turn will do
WITHOUT_RULES: tuple[Op, ...] = ("phone", "settle")
REMARKS = ("call back", "paid in advance", "left-handed", "needs a receipt", "came early", "bring a friend")
PERCENT = (10, 15, 20, 30, 35, 40, 45, 55, 60, 65)


class Draw:
    """Draws tasks that were not drawn yet, each with the question that it is.

    Attributes:
        heard: the rules that tasks may need; any, where there are none.
    """

    def __init__(self, name: str, world: World):
        self.name, self.world = name, world
        self.heard: set[Topic] = set()
        self.taken: set[str] = set()
        self._rows = world.rows
        self._vain: Counter[tuple[Op, bool]] = Counter()  # tasks of a kind that need rules, or none, against the wish

    def questions(self, kind: Class, size: int, stream: Sequence[int]) -> list[tuple[Question, set[Topic]]]:
        """As many questions of a class, each from its own stream, with the rules that each needs.

        Raises:
            ArgumentError: there are not as many.
        """
        rngs = (np.random.default_rng(np.random.SeedSequence([*stream, index])) for index in range(size))
        return [self._question(kind, f"{kind}-{index}", rng) for index, rng in enumerate(rngs)]

    def _question(self, kind: Class, name: str, rng: np.random.Generator) -> tuple[Question, set[Topic]]:
        guessable = bool(rng.random() < GUESSABLE)
        for tried in range(MAX_KINDS):
            ops = WITHOUT_RULES if guessable and tried >= GUESS_KINDS else (*OPS, *TEACHING)
            found = self._of(ops[int(rng.integers(len(ops)))], kind, guessable, rng)
            if found:
                task, gold, used = found
                self.taken.add(key(task))
                return Question(name, say(task, self.world.theme, rng), gold, difficulty=task.op), used
        raise ArgumentError(f"domain {self.name!r} has not so many questions to ask. Ask for fewer.")

    def _of(
        self, op: Op, kind: Class, guessable: bool, rng: np.random.Generator
    ) -> tuple[Task, str, set[Topic]] | None:
        """A task of one kind and class with its gold and the rules that it needs; None where none is found."""
        for _ in range(MAX_DRAWS if self._vain[op, guessable] < MAX_VAIN else 0):
            task = self.task(op, rng)
            if key(task) in self.taken or class_of(self.name, key(task)) != kind:
                continue
            if found := self._gold(task, guessable):
                self._vain[op, guessable] = -MAX_KINDS  # there are some
                return task, *found
        return None

    def _gold(self, task: Task, guessable: bool) -> tuple[str, set[Topic]] | None:
        """The gold of a task and the rules that it needs; None where it isn't to be asked."""
        clerk = Clerk(self.world.theme, self.world.house)
        with closing(self.world.open()) as office:
            try:
                answer, calls = follow(clerk.plan(task), office.call)
            except Stuck:  # such as a refund of nothing
                return None
            if guessable != (not clerk.used):
                self._vain[task.op, guessable] += 1
                return None
            if len(calls) > MAX_CALLS:
                return None
            if self.heard and not self.heard.issuperset(clerk.used):
                return None
            gold = office.finish(answer)
        changes = (Ending.read(gold) or Ending()).changes
        return (gold, clerk.used) if changes or answer not in ("", "0", "0.00", "1") else None

    def task(self, op: Op, rng: np.random.Generator) -> Task:
        """A task of a kind, about rows that exist."""
        theme, house = self.world.theme, self.world.house

        def pick(options: Sequence[Any]) -> Any:
            return options[int(rng.integers(len(options)))]

        def row(role) -> dict[str, Any]:
            return pick(self._rows[role])

        def upto(low: int, high: int) -> int:
            return int(rng.integers(low, high))

        match op:
            case "create":
                return Task(
                    op,
                    person=row("person")[theme.person.number],
                    thing=row("thing")[theme.title],
                    place=pick(theme.places),
                    quantity=upto(2, 12) * house.pack,
                    day=self._day(rng),
                )
            case "day":
                return self._record_task(op, rng, day=self._day(rng))
            case "quantity":
                return self._record_task(op, rng, quantity=upto(2, 20) * house.pack)
            case "status":
                return self._record_task(op, rng, term=pick(theme.status.terms))
            case "extend":
                return self._record_task(op, rng, length=upto(2, 12))
            case "cancel":
                return self._record_task(op, rng)
            case "pay":
                return self._record_task(op, rng, cents=50 * upto(5, 150), term=pick(theme.method.terms))
            case "note":
                return self._record_task(op, rng, text=pick(REMARKS))
            case "complain":
                return self._record_task(op, rng, term=pick(theme.reason.terms), text=pick(theme.remedies))
            case "refund":
                return Task(op, payment=row("payment")[theme.payment.id], percent=pick(PERCENT))
            case "delete":
                return Task(op, payment=row("payment")[theme.payment.id])
            case "level":
                return Task(op, person=row("person")[theme.person.number], term=pick(theme.level.terms))
            case "email":
                chosen, other = row("person"), row("person")
                address = f"{other['name'].split()[0].lower()}{upto(2, 99)}@example.net"
                return Task(op, person=chosen[theme.person.number], text=address)
            case "price":
                return Task(op, thing=row("thing")[theme.title], cents=50 * upto(4, 160))
            case "restock":
                return Task(op, thing=row("thing")[theme.title], quantity=upto(2, 20) * house.pack)
            case "phone":
                return Task(op, place=pick(theme.places), text=f"555-{upto(1000, 10000)}")
            case "settle":
                waiting = [row[theme.case.id] for row in self._rows["case"] if row["is_open"]]
                return Task(op, case=pick(waiting), text=pick(theme.remedies))
            case "count":
                return Task(op, place=pick(theme.places), term=pick(theme.status.terms))
            case "total":
                return Task(op, place=pick(theme.places), term=pick(theme.method.terms))
            case "who":
                return Task(op, place=pick(theme.places), term=pick(theme.status.terms))
            case "stock":
                return Task(op, thing=row("thing")[theme.title])
            case "sweep":
                return Task(op, person=row("person")[theme.person.number], term=pick(theme.status.terms))

    def _record_task(self, op: Op, rng: np.random.Generator, **parts: Any) -> Task:
        rows = self._rows["record"]
        number = rows[int(rng.integers(len(rows)))][self.world.theme.record.number]
        return Task(op, record=number)._replace(**parts)

    def _day(self, rng: np.random.Generator) -> str:
        return (FIRST_DAY + timedelta(days=int(rng.integers(700, 1400)))).isoformat()


def draw_questions(
    name: str, world: World, stream: Sequence[int], sealed: tuple[int, int] | None = None
) -> dict[Split, list[tuple[Question, set[Topic]]]]:
    """Draw the three splits of a domain, each question with the rules that it needs.

    Item i of split s comes from ``SeedSequence([*stream, s, i])``. Held-out and test tasks need no rule that no
    feedback task teaches: what nobody could learn is not asked. With ``sealed``, a secret and a count, the test
    questions are of the class "sealed" instead, from ``SeedSequence([*stream, 3, secret, i])``.
    """
    draw = Draw(name, world)
    drawn: dict[Split, list[tuple[Question, set[Topic]]]] = {}
    for number, split in enumerate(SPLITS):
        if sealed and split == "test":
            secret, size = sealed
            drawn[split] = draw.questions("sealed", size, [*stream, len(SPLITS), secret])
        else:
            drawn[split] = draw.questions(split, SIZES[split], [*stream, number])
        draw.heard = draw.heard or taught(drawn[split])
    return drawn


def taught(drawn: Sequence[tuple[Question, set[Topic]]]) -> set[Topic]:
    """The rules that tasks teach: all that they need, but that how a term is written shows only where it is stored."""
    return {
        topic for question, used in drawn for topic in used if topic[0] != "spelling" or question.difficulty in TEACHING
    }
