import json
import os
import re
import subprocess
import sys
from contextlib import closing

import gymnasium as gym
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lse_gym  # noqa: F401 - registers the ids
from lse_gym.envs.domain import SPLITS
from lse_gym.envs.errors import ArgumentError, UnknownNameError
from lse_gym.envs.splits import class_of
from lse_gym.envs.tools.procedural.domain import same_answer
from lse_gym.envs.tools.procedural.draw import SIZES, draw_questions, taught
from lse_gym.envs.tools.procedural.family import THEMES, OfficeFamily, make_world, stream
from lse_gym.envs.tools.procedural.held_out_themes import TEST_THEMES
from lse_gym.envs.tools.procedural.house import hidden_kinds, literal
from lse_gym.envs.tools.procedural.plans import Clerk
from lse_gym.envs.tools.procedural.tasks import OPS, TEACHING, WORDINGS, key, worded
from lse_gym.envs.tools.procedural.theme import ENUMS, ROLES
from lse_gym.envs.tools.procedural.train_themes import TRAIN_THEMES
from lse_gym.envs.tools.report import Ending
from tests.tools.offices import attempt, drawn, questions

FAMILY = OfficeFamily()
NAMES = [f"{theme}-{1 + number % 3}" for number, theme in enumerate(THEMES)]
FIELDS = {  # of a house, by the topic of a rule
    "key": "keys",
    "pages": "first_page",
    "spelling": "codes",
    "confirmation": "confirms",
    "default": "defaults",
    "follow-up": "note",
}
DIGEST = """
import hashlib, sys
from lse_gym.envs.tools.procedural.family import OfficeFamily
for name in sys.argv[1:]:
    d = OfficeFamily().load(name)
    print(d.fingerprint(), hashlib.sha256(d.oracle_context.encode()).hexdigest())
"""


@pytest.mark.parametrize("name", NAMES)
def test_golds_are_right_doing_nothing_is_not_and_there_is_much_to_learn(name):
    domain = FAMILY.load(name)
    assert domain.verify() == []
    assert {split: len(domain.splits[split]) for split in SPLITS} == dict(SIZES)
    assert len({question.text for question in questions(domain)}) == sum(SIZES.values()) >= 120
    world = domain.world
    kinds = hidden_kinds(world.house, world.theme)
    assert len(kinds) >= 9
    assert len(set(kinds)) >= 7
    assert 4 <= len(world.before) <= 8
    assert len({tool.name for tool in domain.tools}) == len(domain.tools) >= 15
    assert len(domain.oracle_context.splitlines()) > len(kinds)


@pytest.mark.parametrize("name", NAMES[::3])
def test_rules_are_needed_and_each_of_them_is(name):
    """A clerk without experience does the tasks that need none; one who lacks a rule fails where it is needed."""
    world = make_world(name)
    domain, usual = FAMILY.load(name), literal(world.theme)
    lacking: dict[str, list[float]] = {}
    guessed, topics = [], set()
    for task, question, used in drawn(name, world, 60):
        topics |= {FIELDS.get(kind, more[0] if more else kind) for kind, *more in used}
        score = domain.score([question], [attempt(world, Clerk(world.theme, usual), task)])[0].score
        guessed.append(score)
        assert score or used
        for field in world.house._fields:
            wanted, plain = getattr(world.house, field), getattr(usual, field)
            if wanted != plain and field in topics:
                without = world.house._replace(**{field: plain})
                ending = attempt(world, Clerk(world.theme, without), task)
                lacking.setdefault(field, []).append(domain.score([question], [ending])[0].score)
    assert 0.1 <= sum(guessed) / len(guessed) <= 0.4
    assert {field: min(scores) for field, scores in lacking.items()} == dict.fromkeys(topics, 0.0)
    assert len(topics) >= 7


def test_tasks_need_only_what_feedback_teaches():
    for name in NAMES[:2]:
        for sealed in (None, (5, 60)):
            found = draw_questions(name, make_world(name), stream(name, 0), sealed)
            heard = taught(found["feedback"])
            assert heard.issuperset(topic for split in SPLITS[1:] for _, used in found[split] for topic in used)
            shown = {question.gold for question, _ in found["feedback"] if question.difficulty in TEACHING}
            house, spelled = make_world(name).house, {topic[1:] for topic in heard if topic[0] == "spelling"}
            for enum, term in spelled:
                assert any(f'"{house.codes[enum][term]}"' in gold for gold in shown)


def test_over_worlds_every_kind_of_task_and_rule_occurs():
    found = [draw_questions(name, make_world(name), stream(name, 0)) for name in NAMES[-4:]]
    assert {question.difficulty for one in found for split in SPLITS for question, _ in one[split]} == {*OPS}
    kinds = {
        kind
        for name in [*NAMES, "bikes-5", "studio-6"]
        for kind in hidden_kinds(make_world(name).house, make_world(name).theme)
    }
    assert len(kinds) == 12


def test_a_right_end_state_by_another_way_passes_and_one_wrong_row_fails():
    name = "marina-1"
    world, domain = make_world(name), FAMILY.load(name)
    found = drawn(name, world, 60)
    theme = world.theme
    tried = 0
    for task, question, _ in found:
        if task.op not in ("note", "complain", "phone"):
            continue
        tried += 1
        endings = []
        for detour in ("reads", "undone", "extra"):
            with closing(world.open()) as office:
                office.call(f"list_{theme.record.table}", {"page": 1})
                if detour == "undone":
                    shown = json.loads(office.call(f"list_{theme.place.table}", {}))[-1]
                    for phone in ("0", shown["phone"]):
                        office.call(f"update_{theme.place.noun}", {theme.place.noun: 5, "phone": phone})
                if detour == "extra":
                    row = world.rows["record"][7]
                    record = row[theme.record.number if world.house.keys["record"] == "number" else theme.record.id]
                    office.call("add_note", {theme.record.noun: record, "text": "one too many"})
                clerk = Clerk(theme, world.house)
                plan = clerk.plan(task)
                try:
                    call = next(plan)
                    while True:
                        call = plan.send(office.call(call.name, call.arguments))
                except StopIteration as end:
                    endings.append(office.finish(end.value))
        scores = [outcome.score for outcome in domain.score([question] * 3, endings)]
        assert scores == [1.0, 1.0, 0.0], task
    assert tried >= 5


def test_the_order_in_which_rows_are_made_plays_no_part():
    world = make_world("bikes-1")
    theme = world.theme
    field = theme.record.number if world.house.keys["record"] == "number" else theme.record.id
    records = [row[field] for row in world.rows["record"][:2]]
    endings = []
    for order in (records, records[::-1]):
        with closing(world.open()) as office:
            for record in order:
                assert "ok" in office.call("add_note", {theme.record.noun: record, "text": "seen"})
            endings.append(office.finish(""))
    assert endings[0] == endings[1]
    assert len(Ending.read(endings[0]).changes["notes"]["added"]) == 2


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("12", "12", True),
        ("There are 12 of them.", "12", True),
        ("12.0", "12", True),
        ("12 13 14", "12", False),
        ("13", "12", False),
        ("", "12", False),
        ("1,200.50 dollars", "1200.50", True),
        ("1200.5", "1200.50", True),
        ("ben lopez,  Ada Keller.", "Ada Keller, Ben Lopez", True),
        ("- Ada Keller\n- Ben Lopez", "Ada Keller, Ben Lopez", True),
        ("Ada Keller", "Ada Keller, Ben Lopez", False),
        ("Ada Keller, Ben Lopez, Eva Costa", "Ada Keller, Ben Lopez", False),
        ("9" * 5000, "12", False),
    ],
)
def test_answers_are_numbers_or_names(answer, gold, right):
    assert same_answer(answer, gold) is right


@pytest.mark.parametrize(
    "text", ["", "12", "{}", "[]", "null", '{"answer": 3}', '{"changes": []}', '{"answer": "x"}', "[" * 9000]
)
def test_what_is_no_right_ending_scores_nothing(text):
    domain = FAMILY.load("bakery-1")
    found = questions(domain)
    assert {outcome.score for outcome in domain.score(found, [text] * len(found))} == {0.0}


def words_of(theme) -> set[str]:
    """Everything that a rule of the theme can be about."""
    said = [theme.name, theme.title, theme.cancel, theme.delete, theme.begin, theme.finish, *theme.notes]
    for entity in (theme.entity(role) for role in ROLES if role != "note"):
        said += [entity.table, entity.noun, entity.number.removesuffix("_no")]
    for name in ENUMS:
        said += [theme.enum(name).column, *theme.enum(name).terms]
    for unit in (theme.money, theme.pack, theme.length):
        said += [unit.said, unit.stored]
    for option in (theme.channel, theme.priority, theme.till, theme.cancel_confirm, theme.delete_confirm):
        said += [option.argument, *option.values]
    return {word.lower() for word in said if word}


def test_train_and_test_themes_share_no_word_that_a_rule_is_about():
    assert len(TRAIN_THEMES) == 5
    assert len(TEST_THEMES) == 3
    train = set().union(*map(words_of, TRAIN_THEMES))
    assert {theme.name: train & words_of(theme) for theme in TEST_THEMES} == {t.name: set() for t in TEST_THEMES}


def test_a_question_belongs_to_one_split_for_good():
    texts: dict[str, str] = {}
    one, other = FAMILY.load("cinema-1"), OfficeFamily(split_seed=1).load("cinema-1")
    secret = FAMILY.sealed("cinema-1", 7, 80)
    assert one.oracle_context == other.oracle_context
    for domain in (one, other):
        for split in SPLITS:
            for question in domain.splits[split]:
                assert texts.setdefault(question.text, split) == split
    assert len(secret.splits["test"]) == 80
    assert not {*texts} & {question.text for question in secret.splits["test"]}
    assert secret.verify() == []
    assert secret.splits["feedback"] == one.splits["feedback"]
    with pytest.raises(ArgumentError):
        FAMILY.sealed("cinema-1", -1, 5)


def test_wording_makes_no_other_question():
    world = make_world("archive-2")
    for task, question, _ in drawn("archive-2", world, 40):
        wordings = {worded(pattern, task, world.theme) for pattern in WORDINGS[task.op]}
        assert question.text in wordings
        assert len(wordings) >= 2
        assert class_of("archive-2", key(task)) == "feedback"
        assert all(re.search(r"\{|\}|_", text) is None for text in wordings)


def test_neighbouring_seeds_share_little():
    one, two = (FAMILY.load(f"nursery-{seed}") for seed in (3, 4))
    assert one.oracle_context != two.oracle_context
    assert len({q.text for q in questions(one)} & {q.text for q in questions(two)}) < 10


def test_domains_are_equal_in_every_process():
    command = [sys.executable, "-c", DIGEST, "studio-3", "parcels-2"]
    runs = [
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True)
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout
    assert len(set(runs[0].stdout.split())) == 4


def test_a_vector_env_is_many_single_ones_and_a_record_is_enough_to_run_again(tmp_path):
    options = {"domain": ["bikes-1", "marina-2"], "feedback_size": 3, "max_edits": 5}
    contexts = [["Be quick.", FAMILY.load("bikes-1").oracle_context], [FAMILY.load("marina-2").oracle_context, "Wait."]]
    envs = gym.make_vec("LSE/ToolUse-v0", num_envs=2, **options)
    single = [gym.make("LSE/ToolUse-v0", record=str(tmp_path / f"{i}.jsonl"), **options) for i in range(2)]
    envs.reset(seed=[3, 4])
    for seed, env in zip((3, 4), single, strict=True):
        env.reset(seed=seed)
    for actions in contexts:
        observations, rewards, *_ = envs.step(tuple(actions))
        steps = [env.step(action) for env, action in zip(single, actions, strict=True)]
        assert [step[1] for step in steps] == list(rewards)
        assert [step[0]["feedback"] for step in steps] == list(observations["feedback"])
    again = gym.make("LSE/ToolUse-v0", task_model=f"replay:{tmp_path / '0.jsonl'}", **options)
    again.reset(seed=3)
    assert [again.step(actions[0])[1] for actions in contexts] != [0.0, 0.0]


@pytest.mark.parametrize("bad", ["bikes", "bikes-", "bikes--1", "bikes-" + 40 * "1", "moon-1", "", "marina-0\n", 3])
def test_unknown_domains_are_refused(bad):
    with pytest.raises(UnknownNameError, match="bikes-17"):
        FAMILY.load(bad)


VALUES = {
    "integer": st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, 101, 2001, 5001]),
    "number": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1),
    "string": st.text() | st.sampled_from(["'; DROP TABLE riders; --", "%", "NULL"]),
}


@settings(max_examples=25)
@given(st.data())
def test_no_call_raises_and_none_leaves_half_a_change(data):
    world = make_world("bikes-1")
    domain = FAMILY.load("bikes-1")
    with closing(world.open()) as office:
        for _ in range(6):
            tool = data.draw(st.sampled_from(domain.tools))
            arguments = {}
            for name, schema in tool.parameters["properties"].items():
                if name in tool.parameters["required"] or data.draw(st.booleans()):
                    arguments[name] = data.draw(VALUES[schema["type"]])
            before = office.finish("")
            if office.call(tool.name, arguments).startswith("Error:"):
                assert office.finish("") == before
        assert Ending.read(office.finish("")) is not None
