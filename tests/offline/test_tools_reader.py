"""How the reader works in an office: what it makes of a playbook, and what it does without one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.models.base import Request as ModelRequest
from lse_gym.envs.offline.reader import Reader
from lse_gym.envs.offline.reader import tools as solver
from lse_gym.envs.offline.reader.prompt import Context, Prompt
from lse_gym.envs.offline.reader.tools.request import understand
from lse_gym.envs.offline.reader.tools.rules import Known, gather
from lse_gym.envs.offline.reader.tools.sentences import parse_line
from lse_gym.envs.offline.reader.tools.toolbox import read_toolbox
from lse_gym.envs.report import Turn
from lse_gym.envs.tools.procedural.family import THEMES, OfficeFamily, make_world
from lse_gym.envs.tools.procedural.tasks import WORDINGS, worded
from lse_gym.envs.tools.protocol import read_calls, results_turn
from tests.tools.offices import drawn, questions

FAMILY = OfficeFamily()
MARINA = FAMILY.load("marina-0")
BIKES = FAMILY.load("bikes-1")
KNOWN = Known.of(read_toolbox(BIKES.frozen))


def reads(line):
    return {(rule.kind, rule.trigger): rule.meaning for rule in parse_line(line, KNOWN)}


def attempt(domain, context, question):
    """What is scored where the reader never slips."""
    steps = domain.attempt(context, question)
    prompt = next(steps)
    try:
        while True:
            shown = Prompt(domain.frozen, Context(context, 0), question.text, (), (), prompt.turns)
            prompt = steps.send(solver.answer(shown))
    except StopIteration as end:
        return end.value


def scores(domain, context, asked):
    return [outcome.score for outcome in domain.score(asked, [attempt(domain, context, one) for one in asked])]


@pytest.mark.parametrize("theme", THEMES)
def test_the_oracle_leads_to_every_gold_and_the_seed_to_few(theme):
    domain = FAMILY.load(f"{theme}-{len(theme) % 3}")
    asked = questions(domain)
    assert set(scores(domain, domain.oracle_context, asked)) == {1.0}
    found = scores(domain, domain.seed_context, asked)
    assert 0.05 < sum(found) / len(found) <= 0.4


@pytest.mark.parametrize("name", ["nursery-0", pytest.param("studio-1", marks=pytest.mark.long)])
def test_each_rule_of_the_oracle_matters(name):
    """Without a line of the playbook some task fails that needs it; a line that no task needs is not counted."""
    domain, world = FAMILY.load(name), make_world(name)
    lines = domain.oracle_context.splitlines()
    asked = [question for _, question, _ in drawn(name, world, 90)]
    idle = []
    for index in range(1, len(lines)):
        without = "\n".join(lines[:index] + lines[index + 1 :])
        found = (scores(domain, without, [one])[0] for one in asked)
        if all(found):
            idle.append(lines[index])
    assert len(idle) <= 2, idle


WORDED = {
    ("key", ("rider",)): (
        ("rider_id",),
        'Requests tell the badge no of a rider: look it up with find_riders and pass its rider_id as "rider".',
        "Pass the rider_id, not the badge number, as rider.",
        "For riders, the tools take the internal id; find it with find_riders first.",
        "The argument `rider` is the rider_id from find_riders.",
        "Never pass the badge_no of a rider; use the rider_id.",
    ),
    ("key", ("model",)): (
        ("frame_no",),
        'As "model", pass the frame_no of the model, not its model_id.',
        "Tools that take a model want its frame_no rather than its model_id.",
        "Use the frame number of a model instead of the model id.",
        "Do not use model_id for a model, use frame_no.",
    ),
    ("page", ()): (
        (0,),
        "Pages are counted from 0.",
        "The first page is page 0.",
        "Paging is zero-based.",
        "Start at page 0 when you list things.",
    ),
    ("spelling", ("over time",)): (
        ("OVER_TIME",),
        'As "status", write "OVER_TIME" for "over time".',
        'Write "over time" as "OVER_TIME".',
        'The status "over time" is written "OVER_TIME".',
        'Use "OVER_TIME" instead of "over time".',
        'For "over time", pass "OVER_TIME".',
        "over time -> OVER_TIME",
        "`OVER_TIME` means `over time`.",
    ),
    ("unit", ("dollar",)): (
        ("times", 100),
        "Amounts and prices are in cents: 100 are one of the dollars.",
        "Give money in cents; 1 dollar is 100 cents.",
        "Multiply dollars by 100.",
        "Amounts are in cents, 100 to the dollar.",
    ),
    ("unit", ("helmet",)): (
        ("over", 12),
        "Quantities and stock are in crates of 12 helmets.",
        "A crate holds 12 helmets; quantities are counted in crates.",
        "Divide the number of helmets by 12.",
        "Stock is counted in crates, 12 helmets each.",
    ),
    ("value", ("cancel_rental", "confirm")): (
        ("final",),
        'Call cancel_rental with confirm="final".',
        'cancel_rental needs confirm set to "final".',
        "Always pass confirm=final to cancel_rental.",
        'When you cancel a rental, pass confirm: "final".',
        'Set the argument confirm to "final" in cancel_rental.',
    ),
    ("value", ("create_rental", "channel")): (
        ("kiosk",),
        'Call create_rental with channel="kiosk".',
        "The channel of create_rental is always kiosk.",
        'When creating a rental, give "kiosk" as channel.',
        "Use channel=kiosk whenever you create a rental.",
    ),
    ("step", ("update_rental", "before")): (
        ("unlock_rental",),
        "Call unlock_rental before update_rental.",
        "Before update_rental, call unlock_rental.",
        "update_rental needs unlock_rental first.",
        "First call unlock_rental, then update_rental.",
        "Unlock a rental before you update the rental.",
    ),
    ("step", ("update_rental", "after")): (
        ("lock_rental",),
        "Call lock_rental after update_rental.",
        "After update_rental, call lock_rental.",
        "update_rental must be followed by lock_rental.",
        "Always call lock_rental after you update a rental.",
    ),
    ("step", ("cancel_rental", "after")): (
        ("add_note", "text", "dock freed"),
        'After cancel_rental, call add_note with text="dock freed".',
        'After you cancel a rental, add the note "dock freed".',
        'Call add_note with the text "dock freed" after cancel_rental.',
        'cancel_rental must be followed by add_note, text "dock freed".',
    ),
    ("guard", ("over time",)): (
        ("billing",),
        'Never change, extend or cancel a rental that is "over time": open a dispute with reason "billing" instead.',
        'Do not touch rentals with status "over time"; open a dispute with the reason "billing".',
        'If a rental is "over time", leave it alone and open_dispute with reason "billing".',
        'Open a dispute with reason "billing" instead of changing a rental that is "over time".',
        'Rentals that are "over time" must not be changed. Open a dispute, reason "billing", instead.',
    ),
    ("date", ()): (
        ("%d.%m.%Y",),
        "Write dates as DD.MM.YYYY.",
        "Dates look like 31.12.2025.",
        "The format of a date is %d.%m.%Y.",
        "A date is day.month.year.",
        "Dates are day, month and year with dots.",
    ),
    ("rounding", ()): (
        ("down", 5, "dollars"),
        "Round refunds down to a multiple of 5 (dollars).",
        "Refunds are rounded down to full 5 dollars.",
        "A refund must be a multiple of 5 dollars, rounded down.",
        "Round every refund down to the next 5 dollars.",
    ),
}


@pytest.mark.parametrize("rule", WORDED, ids=[" ".join((kind, *trigger)) for kind, trigger in WORDED])
def test_a_rule_is_understood_in_other_words(rule):
    meaning, *lines = WORDED[rule]
    assert len(lines) >= 4
    for line in lines:
        for shown in (line, f"- {line}", f"3. **{line}**"):
            assert reads(shown).get(rule) == meaning, (shown, reads(shown))


@pytest.mark.parametrize(
    "line",
    [
        "Do what is asked with the tools, and nothing else.",
        "Be careful and read the request twice.",
        "Riders like it when you are quick.",
        "Think step by step before you call a tool.",
        "Answer with a number or with names.",
        "",
        "#",
    ],
)
def test_other_prose_holds_no_rule(line):
    assert reads(line) == {}


def test_contradicting_rules_are_followed_by_the_question():
    told = gather(rule for code in ("X", "Y") for rule in parse_line(f'Write "{code}" for "over time".', KNOWN))
    assert told.told("spelling", "over time") == [("X",), ("Y",)]


def test_every_wording_of_a_request_is_understood():
    for name in ("archive-1", "cinema-2"):
        world, toolbox = make_world(name), read_toolbox(FAMILY.load(name).frozen)
        for task, _, _ in drawn(name, world, 60):
            for pattern in WORDINGS[task.op]:
                request = understand(worded(pattern, task, world.theme), toolbox)
                assert request is not None
                assert request.op == task.op, worded(pattern, task, world.theme)


def test_it_reads_prompt_and_turns_alone_and_goes_on_where_it_was():
    question = next(q for q in questions(MARINA) if q.difficulty == "who")
    reader, context = Reader(), MARINA.oracle_context
    first = reader.answer(ModelRequest(MARINA.system(context), MARINA.user(question)))
    (call,) = read_calls(first)
    assert call.name == "list_basins"
    office = MARINA.open(question)
    turns = (Turn("assistant", first), results_turn([office.call(call.name, call.arguments)]))
    second = reader.answer(ModelRequest(MARINA.system(context), MARINA.user(question), turns=turns))
    assert read_calls(second)[0].name == "list_stays"
    assert second == reader.answer(ModelRequest(MARINA.system(context), MARINA.user(question), turns=turns))


@pytest.mark.parametrize(
    "result", ["Error: 404 not found", "[]", "{}", "null", "12", "[[[", '[{"x": 1}]', "", "[3]", '{"rows": 3}']
)
def test_results_of_any_kind_are_survived(result):
    turns = (Turn("assistant", "x"), results_turn([result] * 3)) * 3
    for question in MARINA.splits["test"]:
        for count in (2, 4, 6):
            prompt = Prompt(MARINA.frozen, Context(MARINA.oracle_context, 0), question.text, (), (), turns[:count])
            assert solver.answer(prompt)


WORDS = st.lists(
    st.sampled_from(
        [
            *'Call before after update_rental unlock_rental = : 0 12 page "over time" round refund % rider'.split(),
            '"',
            ".",
        ]
    )
    | st.text(max_size=6),
    max_size=60,
).map(" ".join)


@settings(max_examples=150)
@given(context=WORDS | st.text(), question=WORDS | st.text(), turns=st.lists(st.text(), max_size=3))
def test_any_text_is_survived(context, question, turns):
    prompt = Prompt(BIKES.frozen, Context(context, 0), question, (), (), tuple(Turn("tool", text) for text in turns))
    assert solver.recognises(prompt)
    assert isinstance(solver.answer(prompt), str)


@settings(max_examples=60)
@given(st.text() | st.text(alphabet='{}[]":,functioname<>/tls\n '))
def test_any_tools_are_survived(block):
    prompt = Prompt(f"x\n<tools>\n{block}\n</tools>\n", Context("", 0), "Cancel rental 3.", (), ())
    assert solver.recognises(prompt) in (True, False)
    assert isinstance(solver.answer(prompt), str)


@pytest.mark.parametrize(
    "text", ["a " * 50_000, "_" * 100_000, '"' * 100_000, "before " * 20_000, "1 " * 50_000, "page" * 25_000]
)
def test_long_lines_take_no_longer(text):
    prompt = Prompt(BIKES.frozen, Context(text, 0), text, (), ())
    assert isinstance(solver.answer(prompt), str)
    assert isinstance(parse_line(text, KNOWN), tuple)
