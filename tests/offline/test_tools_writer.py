"""What the writer learns of a house, from reports of what the reader does in it."""

import json

import gymnasium as gym
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lse_gym  # noqa: F401 - registers the ids
from lse_gym.envs.editing import editor_prompt, parse_edit
from lse_gym.envs.evaluation import evaluate_context
from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.reader.tools.rules import Known, gather
from lse_gym.envs.offline.reader.tools.sentences import parse_line
from lse_gym.envs.offline.reader.tools.toolbox import read_toolbox
from lse_gym.envs.offline.writer import Writer
from lse_gym.envs.offline.writer.prompt import Task
from lse_gym.envs.offline.writer.tools import edit, recognises
from lse_gym.envs.offline.writer.tools.book import Book
from lse_gym.envs.report import Problem, Turn
from lse_gym.envs.tools.procedural.family import OfficeFamily

FAMILY = OfficeFamily()
BIKES = FAMILY.load("bikes-1")
KNOWN = Known.of(read_toolbox(BIKES.frozen))


def edited(observation, max_chars=8000):
    prompt = editor_prompt(observation["context"], observation["feedback"], max_chars)
    return parse_edit(Writer().answer(Request("", prompt)), observation["context"])


def evolved(name, edits, **options):
    env = gym.make("LSE/ToolUse-v0", domain=name, max_edits=edits, **options)
    observation, _ = env.reset(seed=0)
    for _ in range(edits):
        observation = env.step(edited(observation))[0]
    return env, observation["context"]


def learn(problem, context="Do it."):
    return edit(Task(context, BIKES.frozen, (problem,), 8000), 0).context


def rules(context):
    return gather(rule for line in context.splitlines() for rule in parse_line(line, KNOWN))


@pytest.mark.parametrize("name", ["marina-1", "parcels-0"])
def test_most_of_what_there_is_to_learn_is_learnt(name):
    env, context = evolved(name, 8)
    domain = FAMILY.load(name)
    seed, oracle, learnt = (
        evaluate_context(env, text, "test", name).mean for text in (domain.seed_context, domain.oracle_context, context)
    )
    assert learnt - seed >= 2 / 3 * (oracle - seed), context


def test_what_is_learnt_is_true():
    """Of the rules that a playbook has come to, the oracle tells the same wherever it tells any."""
    known = Known.of(read_toolbox(FAMILY.load("archive-1").frozen))
    _, context = evolved("archive-1", 6)
    truth = gather(r for line in FAMILY.load("archive-1").oracle_context.splitlines() for r in parse_line(line, known))
    found = gather(r for line in context.splitlines() for r in parse_line(line, known))
    same = [found.rules[key] == meanings for key, meanings in truth.rules.items() if key in found.rules]
    assert sum(same) >= 0.8 * len(same)
    assert len(same) >= 8


@pytest.mark.parametrize("feedback", ["error", "score"])
def test_nothing_is_learnt_without_golds(feedback):
    env, context = evolved("marina-1", 2, feedback=feedback)
    assert context == FAMILY.load("marina-1").seed_context
    env.close()


def test_a_sentence_takes_the_place_of_what_it_contradicts():
    book = Book('Be quick.\n- As "plan", write "X" for "plus".\n- Pages are counted from 0.', KNOWN)
    book.add('As "plan", write "Y" for "plus".')
    book.add("Pages are counted from 0.")
    assert book.render(8000) == 'Be quick.\n- Pages are counted from 0.\n- As "plan", write "Y" for "plus".'
    assert book.new == 1
    assert len(book.render(30)) <= 30


def problem(question, calls=(), gold=None, changes=None, answer="Done.", right=""):
    turns = []
    for name, arguments, result in calls:
        turns.append(
            Turn("assistant", f"<tool_call> {json.dumps({'name': name, 'arguments': arguments})} </tool_call>")
        )
        turns.append(
            Turn(
                "tool",
                f"<tool_response> {json.dumps(result) if not isinstance(result, str) else result} </tool_response>",
            )
        )
    told = {"changes": json.dumps(changes or {}), "gold_changes": json.dumps(gold or {})}
    return Problem(question, answer, right, 0.0, transcript=tuple(turns), **told)


def changed(table, column, before, after, key="rental_id", value=2001):
    return {table: {"changed": [{"row": {key: value}, "from": {column: before}, "to": {column: after}}]}}


ROW = {"rental_id": 2001, "ticket_no": 2050, "status": "z"}
LESSONS = {
    "key, not found": (
        problem("Cancel rental 2050.", [("cancel_rental", {"rental": 2050}, "Error: 404 not found")]),
        ("key", ("rental",), ("rental_id",)),
    ),
    "key, another row": (
        problem("Extend rental 2001 by 3 hours.", [("extend_rental", {"rental": 2001, "by": 3}, {"rental": ROW})]),
        ("key", ("rental",), ("rental_id",)),
    ),
    "which number": (
        problem(
            'Set the price of model "Swift Arrow" to 3.00 dollars.',
            [
                ("find_models", {"query": "Swift Arrow"}, [{"model_id": 301, "frame_no": 305, "label": "Swift Arrow"}]),
                ("update_model", {"model": 301, "price": 3}, {"model": {"model_id": 309, "frame_no": 301}}),
            ],
        ),
        ("key", ("model",), ("frame_no",)),
    ),
    "pages": (
        problem(
            "How many rentals at Harbour are returned?",
            [("list_rentals", {"page": 1, "status": "returned"}, {"rows": [{}], "more": False})],
            answer="1",
            right="9",
        ),
        ("page", (), (0,)),
    ),
    "spelling": (
        problem("Set the plan of rider 103 to plus.", gold=changed("riders", "plan", "E", "PL-plu", "rider_id")),
        ("spelling", ("plus",), ("PL-plu",)),
    ),
    "money": (
        problem('Set the price of model "Swift Arrow" to 3.50 dollars.', gold=changed("models", "price", 5, 350)),
        ("unit", ("dollar",), ("times", 100)),
    ),
    "money, by an answer": (
        problem(
            "What is the total of all charges at Harbour with method cash, in dollars?",
            answer="35000.00",
            right="350.00",
        ),
        ("unit", ("dollar",), ("times", 100)),
    ),
    "pack": (
        problem('Add 60 helmets to the stock of model "Swift Arrow".', gold=changed("models", "stock", 5, 10)),
        ("unit", ("helmet",), ("over", 12)),
    ),
    "length": (
        problem("Extend rental 2050 by 3 hours.", gold=changed("rentals", "extended_by", 0, 180)),
        ("unit", ("hour",), ("times", 60)),
    ),
    "confirmation": (
        problem("Cancel rental 2050.", [("cancel_rental", {"rental": 2050}, "Error: 403 not allowed")]),
        ("value", ("cancel_rental", "confirm"), ("yes",)),
    ),
    "default": (
        problem(
            "Add a charge of 3.00 dollars for rental 2050, method: card.",
            gold={"charges": {"added": [{"rental_id": 2001, "amount": 3, "method": "card", "register": "back"}]}},
        ),
        ("value", ("add_charge", "register"), ("back",)),
    ),
    "begin": (
        problem("Move rental 2050 to 3 May 2026.", [("update_rental", {"rental": 2001}, "Error: 409 conflict")]),
        ("step", ("update_rental", "before"), ("unlock_rental",)),
    ),
    "finish": (
        problem(
            "Move rental 2050 to 3 May 2026.",
            [("update_rental", {"rental": 2001, "date": "2026-05-03"}, {"result": "ok", "rental": ROW})],
            gold=changed("rentals", "date", "2025-05-03", "2026-05-03"),
        ),
        ("step", ("update_rental", "after"), ("lock_rental",)),
    ),
    "follow-up": (
        problem("Cancel rental 2050.", gold={"notes": {"added": [{"rental_id": 2001, "text": "dock freed"}]}}),
        ("step", ("cancel_rental", "after"), ("add_note", "text", "dock freed")),
    ),
    "untouchable": (
        problem(
            "Extend rental 2050 by 3 hours.",
            [("extend_rental", {"rental": 2001, "by": 3}, {"result": "ok", "rental": ROW})],
            gold={"disputes": {"added": [{"rental_id": 2001, "reason": "theft", "is_open": 1, "urgency": None}]}},
        ),
        ("guard", ("z",), ("theft",)),
    ),
    "date": (
        problem("Move rental 2050 to 31 May 2026.", gold=changed("rentals", "date", "01.05.2026", "31.05.2026")),
        ("date", (), ("%d.%m.%Y",)),
    ),
    "rounding": (
        problem("Refund 15 % of charge 5001.", gold=changed("charges", "amount", 50, 42, "charge_id")),
        ("rounding", (), ("up", 1, "")),
    ),
}


@pytest.mark.parametrize("kind", LESSONS)
def test_each_kind_of_rule_is_learnt_from_one_problem(kind):
    lesson, (rule, trigger, meaning) = LESSONS[kind]
    assert rules(learn(lesson)).told(rule, *trigger) == [meaning]


def test_what_confirms_is_tried_one_after_the_other_and_a_slip_is_no_evidence():
    for tried, following in (("yes", "sure"), ("sure", "final"), ("final", "yes")):
        call = ("cancel_rental", {"rental": 1, "confirm": tried}, {"result": "accepted"})
        told = learn(problem("Cancel rental 2050.", [call]), f'Call cancel_rental with confirm="{tried}".')
        assert rules(told).told("value", "cancel_rental", "confirm") == [(following,)]
    slip = problem("Cancel rental 2050.", [("cancel_rental", {"rental": 1}, {"result": "accepted"})])
    assert rules(learn(slip, 'Call cancel_rental with confirm="final".')).told("value", "cancel_rental", "confirm") == [
        ("final",)
    ]


def test_refunds_are_kept_until_one_rule_is_left():
    one = learn(problem("Refund 15 % of charge 5001.", gold=changed("charges", "amount", 50, 40, "charge_id")))
    assert "Seen: 15 % of 50 was refunded as 10." in one
    two = learn(problem("Refund 30 % of charge 5002.", gold=changed("charges", "amount", 40, 25, "charge_id")), one)
    assert rules(two).told("rounding") == [("up", 5, "")]
    assert "Seen" not in two


KEYS = "to from row added changed date text is_open rental_id status plan reason price amount stock extended_by".split()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=12,
)
ROWS = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, VALUES)), max_size=2)
CHANGES = VALUES | st.fixed_dictionaries(
    {"rentals": st.fixed_dictionaries({}, optional={"added": ROWS, "changed": ROWS})}
)
QUESTIONS = st.sampled_from([lesson.question for lesson, _ in LESSONS.values()]) | st.text(max_size=60)


@settings(max_examples=100)
@given(
    QUESTIONS,
    VALUES,
    VALUES,
    st.lists(st.text() | VALUES.map(json.dumps), max_size=4),
    st.text(max_size=80),
    st.text(max_size=12),
)
def test_any_report_is_survived(question, changes, gold, turns, context, answer):
    told = tuple(
        Turn(("assistant", "tool")[i % 2], f"<tool_response>\n{text}\n</tool_response>") for i, text in enumerate(turns)
    )
    hostile = Problem(
        question, answer, answer, 0.0, transcript=told, changes=json.dumps(changes), gold_changes=json.dumps(gold)
    )
    task = Task(context, BIKES.frozen, (hostile,), 500)
    assert recognises(task)
    assert len(edit(task, 0).context) <= 500
