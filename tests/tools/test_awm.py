"""Scenarios of Agent World Model: what loading finds, and attempts with their services."""

import contextlib
import copy
import json
import multiprocessing
import pickle
from types import SimpleNamespace
from typing import ClassVar

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import data_equivalence

from lse_gym.envs.domain import SPLITS
from lse_gym.envs.errors import ArgumentError, DataError, MissingExtraError, UnknownNameError
from lse_gym.envs.tools.awm import warm
from lse_gym.envs.tools.awm.examine import _examine, examine
from lse_gym.envs.tools.awm.family import AWMFamily
from lse_gym.envs.tools.awm.interface import NO_ARGUMENT, NO_OPERATION, UNTOLD
from tests.command import run
from tests.tools.awm_attempts import attempt, calls, task
from tests.tools.awm_fixture import GARDEN, LIBRARY, WRECK, write_awm

pytestmark = pytest.mark.extra("tools")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_awm(tmp_path_factory.mktemp("awm"))


@pytest.fixture(scope="module")
def family(data):
    return AWMFamily(data)


@pytest.fixture(scope="module")
def library(family):
    return family.load(LIBRARY)


@pytest.fixture(scope="module")
def garden(family):
    return family.load(GARDEN)


def test_every_planted_fault_is_found_and_told(family, library):
    note = family.note(LIBRARY)
    for told in (
        "5 tools, 4 tables",
        "tasks that need a judge, not code: 1 (6)",
        "tasks without a verifier: 1 (7)",
        "statements of tables that fail: 2 (CREATE INDEX loans_colour ON loans(colour);: ",
        'near ",": syntax error',
        "rows that fail: 3 (",
        "FOREIGN KEY constraint failed",
        'near "s": syntax error',
        "tasks that an untouched database completes, dropped: 1 (3)",
        "verifiers that fail on the untouched database: 2 (8: the verifier's result is a Odd, expected 'complete' or "
        "'others'; 9: the verifier returned a list, expected a dict)",
        f"{NO_OPERATION}: 1 (burn_book)",
        f"{NO_ARGUMENT}: 1 (borrow_book: colour)",
        f"{UNTOLD}: 1 (untold)",
    ):
        assert told in note
    assert sorted(int(q.id) for split in SPLITS for q in library.splits[split]) == [0, 1, 2, 4, 5, 8, 9]
    assert [tool.name for tool in library.tools] == [
        "search_books",
        "get_book",
        "borrow_book",
        "return_loans",
        "pay_fine",
    ]
    assert "colour" not in library.tools[2].parameters["properties"]
    assert library.verify() == []


def test_a_whole_scenario_has_no_faults(family, garden):
    assert family.note(GARDEN) == "3 tools, 2 tables"
    assert family.sizes(GARDEN) == {"feedback": 4, "held_out": 3, "test": 3}
    assert {q.id for split in SPLITS for q in garden.splits[split]} == {str(n) for n in range(10)}


def test_a_scenario_that_cannot_be_used_says_why_and_stops_no_other(family):
    with pytest.raises(DataError, match=r"'the_wreck' cannot be used: its service fails \(.*a_module_that_nobody_has"):
        family.load(WRECK)
    assert family.sizes(WRECK) == {"feedback": 0, "held_out": 0, "test": 0}
    assert "a_module_that_nobody_has" in family.note(WRECK)
    with pytest.raises(UnknownNameError, match="garden"):
        family.load("gardn")


def test_the_command_line_lists_all_of_it(tmp_path):
    data = write_awm(tmp_path)
    with (data / "gen_spec.jsonl").open("a") as file:
        file.write("[]\n")
    done = run("envs", "LSE/AWM-v0", "--data-dir", data, cwd=tmp_path, env={"COLUMNS": "300"})
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.replace("│", " ").split())
    for part in (
        GARDEN,
        LIBRARY,
        WRECK,
        "5 tools",
        "dropped",
        "a_module_that_nobody_has",
        "gen_spec.jsonl line 4 is a list",
    ):
        assert part in told


def test_tasks_are_split_by_the_seed(data, garden):
    splits = {
        seed: {s: [q.id for q in AWMFamily(data, seed).load(GARDEN).splits[s]] for s in SPLITS} for seed in (0, 1, 2)
    }
    assert splits[0] == {s: [q.id for q in garden.splits[s]] for s in SPLITS}
    assert splits[0] != splits[1] != splits[2]


@pytest.mark.parametrize("arguments", [{"split_seed": -1}, {"split_seed": True}, {"max_turns": 0}, {"max_turns": 1.5}])
def test_a_wrong_argument_says_what_is_right(data, arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(ArgumentError, match=f"{name}={value}"):
        AWMFamily(data, **arguments)


def test_a_database_that_counts_from_now_is_built_alike_every_day(garden):
    assert b"dug 2026-02-19" in garden.examined.initial
    assert _examine(garden.scenario) == garden.examined


def test_few_domains_stay_in_memory(data, monkeypatch):
    monkeypatch.setattr("lse_gym.envs.tools.awm.family.MAX_LOADED", 1)
    family = AWMFamily(data)
    assert family.load(GARDEN) is family.load(GARDEN)
    assert family.sizes(LIBRARY)["feedback"] == 3
    assert [*family._loaded] == [LIBRARY]
    assert family.note(GARDEN), "what was found is still told"


def test_what_running_showed_is_kept(data, family, library, monkeypatch):
    monkeypatch.setattr("lse_gym.envs.tools.awm.examine.libraries", None)
    assert examine(library.scenario) == library.examined
    assert AWMFamily(data).load(LIBRARY).fingerprint() == library.fingerprint()


LEND = ("borrow_book", {"member_id": 1, "book_id": 1})
LENT = '{"loan_id":2,"taken_at":"2026-02-20T12:00:0%d","loans_so_far":%d}'


def test_a_task_is_done_by_the_calls_that_do_it(library):
    done = attempt(library, task(library, 0), calls(("search_books", {"title": "Moss"})), calls(LEND), "Lent.")
    assert done.results == [
        '{"books":[{"id":1,"title":"Moss","copies":2},{"id":3,"title":"Moss Walls","copies":1}]}',
        LENT % (2, 1),
    ]
    assert done.outcome.score == 1.0
    assert done.ending.changes["loans"]["added"] == [
        {"id": 2, "member_id": 1, "book_id": 1, "taken_at": "2026-02-20 12:00:02.000000", "returned_at": None}
    ]
    assert done.ending.changes["books"]["changed"] == [{"row": {"id": 1}, "from": {"copies": 2}, "to": {"copies": 1}}]


def test_every_attempt_finds_the_same_world(library):
    """Neither what another attempt wrote, nor what the service keeps in its memory, nor the clock tells them apart."""
    texts = [calls(LEND, LEND), calls(LEND), "Lent."]
    first, second = (attempt(library, task(library, 1), *texts) for _ in range(2))
    assert first.results == [
        LENT % (1, 1),
        LENT.replace('"loan_id":2', '"loan_id":3') % (2, 2),
        LENT.replace('"loan_id":2', '"loan_id":4') % (3, 3),
    ]
    assert first == second
    assert first.outcome.score == 0.0, "three loans are too many"


def test_chance_and_time_are_alike_in_every_attempt_and_process(garden):
    texts = [calls(("draw_seeds", {}), ("draw_seeds", {})), "Drawn."]
    first, second = (attempt(garden, task(garden, 0), *texts).results for _ in range(2))
    assert first == second
    assert first[0] != first[1]
    warm.services.cache_clear()
    assert attempt(garden, task(garden, 0), *texts).results == first, "in another warm process"


def test_nothing_is_sealed(family):
    with pytest.raises(ArgumentError, match="public"):
        family.sealed(GARDEN, 7, 10)


def test_arguments_go_where_the_service_takes_them(library):
    done = attempt(
        library,
        task(library, 4),
        calls(("search_books", {"in_stock": True, "ids": [1, 2]}), ("get_book", {"book_id": 3})),
        calls(("return_loans", {"loan_ids": [1]}), ("pay_fine", {"member_id": 1, "cents": 50, "note": "é"})),
        "Taken back.",
    )
    assert done.results == [
        '{"books":[{"id":1,"title":"Moss","copies":2}]}',
        '{"id":3,"title":"Moss Walls","copies":1}',
        '{"returned":[1]}',
        '{"left_cents":200}',
    ]
    assert done.outcome.score == 1.0
    assert done.ending.changes["notes"]["added"] == [{"id": 1, "text": "é"}], "a table that only the service makes"


def test_what_goes_wrong_comes_back_as_a_result(library):
    done = attempt(
        library,
        task(library, 0),
        calls(("get_book", {"book_id": 77}), ("borrow_book", {"member_id": 1, "book_id": 77}), ("get_book", {})),
        calls(("search_books", {"title": "a&b=c/%", "ids": ["x"]}), ("burn_book", {"book_id": 1})),
        "No.",
    )
    assert done.results[:2] == ['Error: HTTP 404: {"detail":"no book 77"}', "Error: HTTP 500: Internal Server Error"]
    assert done.results[2].startswith("Error: the argument 'book_id' is missing")
    assert done.results[3].startswith("Error: HTTP 422: ")
    assert done.results[4].startswith("Error: there is no tool 'burn_book'")
    assert done.outcome.score == 0.0
    assert done.ending.changes == {}


@pytest.mark.parametrize(("answer", "score"), [("<answer>2</answer>", 1.0), ("two", 0.0), ("", 0.0)])
def test_a_verifier_may_ask_for_the_answer(library, answer, score):
    assert attempt(library, task(library, 2), answer).outcome.score == score


def test_verdicts_are_told_with_their_reasons(library):
    errors = {number: attempt(library, task(library, number), "").outcome.error for number in (0, 8, 9)}
    assert errors[0] == "The verifier does not find the task done."
    assert errors[8].endswith("done. the verifier's result is a Odd, expected 'complete' or 'others'")
    assert errors[9].endswith("done. the verifier returned a list, expected a dict")


def test_modules_that_verifiers_import_are_there_and_their_clock_stands(library):
    assert attempt(library, task(library, 1), calls(LEND, LEND), "").outcome.score == 1.0


def test_a_service_that_starts_does_so_once_an_attempt(garden):
    done = attempt(
        garden, task(garden, 3), calls(("add_bed", {"name": "pea", "plants": 3})), calls(("list_beds", {})), ""
    )
    assert done.results == [
        '{"id":2,"at":"2026-02-20 12:00:01"}',
        '[{"id":1,"name":"roses","plants":7},{"id":2,"name":"pea","plants":3}]',
    ]
    assert done.ending.changes["log"]["added"] == [{"id": 2, "line": "opened"}]
    idle = attempt(garden, task(garden, 3), "Nothing.")
    assert idle.ending.changes == {"log": {"added": [{"id": 2, "line": "opened"}]}}
    assert (done.outcome.score, idle.outcome.score) == (1.0, 0.0)


def test_nothing_but_an_ending_scores(library):
    for response in (
        "",
        "complete",
        '{"verdict": "complete"',
        json.dumps(["complete"]),
        '{"verdict": "others: complete"}',
    ):
        assert library.score([task(library, 0)], [response])[0].score == 0.0


def test_the_report_tells_calls_and_changes_and_no_test_task(library):
    question = library.splits["feedback"][0]
    text = library.report([attempt(library, question, calls(LEND), "Lent.").attempt]).text()
    for part in (question.text, "borrow_book", '"loans_so_far":1', "Lent.", '"copies": 1'):
        assert part in text
    assert not any(question.text in text for question in library.splits["test"])


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda domain: pickle.loads(pickle.dumps(domain))])  # noqa: S301
def test_a_copy_works_alike(garden, duplicate):
    question, text = task(garden, 5), calls(("add_bed", {"name": "sage", "plants": 5}))
    assert attempt(duplicate(garden), question, text, "") == attempt(garden, question, text, "")


GARDENER = "tests.tools.awm_model:Gardener"
CONTEXTS = ["Take the spade.", "look, and take the spade", "look", "Use the tools."]


def played(env, contexts=CONTEXTS):
    """Everything that a reset and a step a context return."""
    seen = [env.reset(seed=3)]
    return [*seen, *(env.step(context) for context in contexts)]


@pytest.fixture(scope="module")
def options(data):
    return {"data_dir": str(data), "domain": GARDEN, "task_model": GARDENER}


def test_a_playbook_is_paid_by_the_tasks_that_are_done(options):
    (_, info), *steps = played(gym.make("LSE/AWM-v0", **options))
    assert info["held_out_score"] == 0.0
    assert [reward for _, reward, *_ in steps] == [1.0, 0.0, -1.0, 0.0]
    assert [step[-1]["calls"] for step in steps] == [14, 21, 14, 7]
    feedback = steps[1][0]["feedback"]
    assert "list_beds" in feedback
    assert '"name":"roses"' in feedback
    assert "4 turns" in feedback
    assert '"added": [{"id": 2' in feedback


def test_a_vector_of_envs_gives_what_each_gives_alone(options):
    envs = gym.make_vec("LSE/AWM-v0", num_envs=2, **options)
    observations, _ = envs.reset(seed=[3, 4])
    (first, _), (_, reward, *_) = played(gym.make("LSE/AWM-v0", **options), CONTEXTS[:1])
    assert observations["feedback"][0] == first["feedback"]
    assert [*envs.step([CONTEXTS[0], CONTEXTS[2]])[1]] == [reward, 0.0]


def test_a_record_answers_a_later_env(options, tmp_path):
    record = str(tmp_path / "record.jsonl")
    first = played(gym.make("LSE/AWM-v0", **options, record=record))
    again = played(gym.make("LSE/AWM-v0", **options | {"task_model": f"replay:{record}"}))
    assert data_equivalence(first, again, exact=True)


def test_turns_are_bounded(options):
    _, (_, reward, _, _, info) = played(gym.make("LSE/AWM-v0", **options, max_turns=1), CONTEXTS[:1])
    assert reward == 1.0, "the call of the only turn is made"
    assert info["calls"] == 7
    _, (_, reward, *_) = played(gym.make("LSE/AWM-v0", **options, max_turns=1), ["look, and take the spade"])
    assert reward == 0.0


class FakeSandbox:
    """Counts who is open."""

    alive: ClassVar[list[str]] = []

    def __init__(self, preload, *, setup, limits):
        self.name = setup[1]["code"]
        self.alive.append(self.name)

    def open(self):
        return contextlib.closing(self)

    def close(self):
        if self.name in self.alive:
            self.alive.remove(self.name)


def test_services_that_nobody_uses_are_closed(monkeypatch):
    monkeypatch.setattr(warm, "MAX_WARM", 2)
    monkeypatch.setattr(warm, "Sandbox", FakeSandbox)
    services = warm.WarmServices()

    def opened(key):
        box = SimpleNamespace(close=lambda: None)
        services.open(key, lambda: {"code": key})
        return key, box

    boxes = [opened(key) for key in "abca"]
    assert FakeSandbox.alive == ["a", "b", "c"], "all are in use"
    services.close(*boxes[0])
    services.close(*boxes[2])
    assert FakeSandbox.alive == ["a", "b"]
    services.close(*boxes[1])
    services.close(*opened("d"))
    assert FakeSandbox.alive == ["a", "d"], "the one that was used last stays, and the one in use"


@pytest.mark.filterwarnings("ignore:This process")  # it has threads
def test_a_forked_process_has_sandboxes_of_its_own(garden):
    expected = attempt(garden, task(garden, 5), calls(("list_beds", {})), "").results
    child = multiprocessing.get_context("fork").Process(target=_list_beds, args=[garden, expected])
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert attempt(garden, task(garden, 5), calls(("list_beds", {})), "").results == expected


def _list_beds(garden, expected):
    assert attempt(garden, task(garden, 5), calls(("list_beds", {})), "").results == expected


def test_without_the_extra_it_says_what_to_install(data, monkeypatch):
    monkeypatch.setattr("lse_gym.envs.extras.available", lambda module: module != "fastapi")
    warm.libraries.cache_clear()
    with pytest.raises(MissingExtraError, match=r"needs fastapi: pip install 'lse-gym\[tools\]'"):
        warm.libraries()
