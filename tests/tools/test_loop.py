"""The loop of calls and results on a toy: what is asked, what comes back, what goes wrong, what is reported."""

import json
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.budget import Budget
from lse_gym.envs.domain import Attempt, Outcome
from lse_gym.envs.errors import LSEGymError
from lse_gym.envs.session import Session
from lse_gym.envs.tools.domain import Workplace, final_answer
from lse_gym.envs.tools.protocol import MAX_CALLS, Tool, call_text, read_results, tools_block
from lse_gym.envs.tools.report import Ending
from tests.tools.shelf import TOOLS, Clerk, Shelf, ShelfDomain

DOMAIN = ShelfDomain()
QUESTIONS = DOMAIN.splits["held_out"]
ASKED = QUESTIONS[0].text
FIND = call_text("find", {"name": "rope"})


def evaluate(model=None, domain=DOMAIN, questions=QUESTIONS, context="Context."):
    session = Session(model or Clerk())
    return session.run([session.evaluate(domain, context, questions)])[0]


def results(says, domain=DOMAIN):
    """What comes back for a first message."""
    attempt = evaluate(Clerk({ASKED: says}), domain, QUESTIONS[:1]).attempts[0]
    assert attempt.transcript[1].role == "tool"
    return read_results(attempt.transcript[1])


def test_every_gold_is_right_and_doing_nothing_is_not():
    assert DOMAIN.verify() == []
    for ending in ("", "{}", Ending("done").text(), "null", "[1]", '{"answer": 1}'):
        assert [outcome.score for outcome in DOMAIN.score(QUESTIONS[:1], [ending])] == [0.0]


def test_the_right_rows_and_the_right_answer_are_right_and_nothing_else_is():
    changes, others = {"items": {"added": [{"id": 6}]}}, {"items": {"removed": [{"id": 6}]}}
    question = QUESTIONS[0]._replace(gold=Ending("6", changes).text())
    endings = [Ending(" 6 ", changes), Ending("7", changes), Ending("6", others), Ending("6"), Ending("", changes)]
    outcomes = DOMAIN.score([question] * 6, [*(ending.text() for ending in endings), "no ending"])
    assert [outcome.score for outcome in outcomes] == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert len({outcome.error for outcome in outcomes}) == 4
    idle = ShelfDomain()
    idle.splits = idle.splits | {"test": [QUESTIONS[1]._replace(gold=Ending().text())]}
    assert idle.verify() == [QUESTIONS[1].id]


def test_a_gold_that_no_database_can_be_is_told():
    domain = ShelfDomain()
    changes = {"items": {"changed": [{"key": {"id": 1}, "values": {"quantity": [1, 9]}}]}}
    domain.splits = domain.splits | {"test": [QUESTIONS[1]._replace(gold=Ending("done", changes).text())]}
    assert domain.verify() == [QUESTIONS[1].id]


def test_the_prompt_has_overview_tools_output_and_the_context_last():
    system = DOMAIN.system("Look twice.")
    parts = ["You keep a shelf.", "### Tools", tools_block(TOOLS), "### Output", "### Instructions\nLook twice."]
    places = [system.index(part) for part in parts]
    assert places == sorted(places)
    assert system.endswith(parts[-1])
    assert DOMAIN.user(QUESTIONS[0]) == f"Question: {ASKED}"


def test_an_attempt_calls_and_answers_one_batch_a_turn():
    model = Clerk()
    evaluation = evaluate(model)
    assert [len(batch) for batch in model.batches] == [len(QUESTIONS)] * 3
    assert 0 < evaluation.scores.mean() < 1
    for attempt in evaluation.attempts:
        assert [turn.role for turn in attempt.transcript] == ["assistant", "tool", "assistant", "tool", "assistant"]
        ending = Ending.read(attempt.response)
        assert ending.answer == "done"
        assert (ending.changes == Ending.read(attempt.question.gold).changes) == (attempt.outcome.score == 1.0)


def test_several_calls_of_a_message_are_made_in_order():
    says = "".join(call_text("set", {"id": 2, "quantity": n}) for n in (5, 7)) + FIND
    model = Clerk({ASKED: says})
    attempt = evaluate(model, questions=QUESTIONS[:1]).attempts[0]
    assert read_results(attempt.transcript[1]) == ["done", "done", "2"]
    domain = ShelfDomain()
    domain.max_turns = 1
    assert '"to": {"quantity": 7}' in evaluate(model, domain, QUESTIONS[:1]).responses[0]


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("<tool_call>find rope</tool_call>", "not JSON"),
        ("<tool_call>{}</tool_call>", '"name"'),
        ('<tool_call>{"name": "find"', "no </tool_call>"),
        (call_text("fnd", {"name": "rope"}), "no tool 'fnd'; the tools are find, set"),
        (call_text("find", {}), "'name' is missing"),
        (call_text("find", {"nickname": "rope"}), "'name' is missing"),
        (call_text("find", {"name": "rope", "nme": 1}), "no argument 'nme'; did you mean 'name'?"),
        (call_text("find", {"name": 3}), "'name' is 3, not a string"),
        (call_text("set", {"id": "3", "quantity": 1}), "'id' is \"3\", not an integer"),
        (call_text("set", {"id": True, "quantity": 1}), "'id' is true, not an integer"),
        (call_text("set", {"id": 2**70, "quantity": 1}), "too large"),
        ("<tool_call><function=set><parameter=id>x</parameter></function></tool_call>", "'quantity' is missing"),
        (call_text("find", {"name": "sword"}), "no such item"),
    ],
)
def test_what_is_wrong_with_a_call_is_its_result(says, told):
    (result,) = results(says)
    assert result.startswith("Error: ")
    assert told in result


def test_arguments_of_the_xml_form_get_their_types_from_the_schema():
    call = (
        "<tool_call>\n<function=set>\n<parameter=id>\n2\n</parameter>\n"
        "<parameter=quantity>4</parameter>\n</function>\n</tool_call>"
    )
    assert results(call) == ["done"]


def test_a_message_has_so_many_calls_and_no_more():
    told = results(FIND * (MAX_CALLS + 30))
    assert told[:-1] == ["2"] * MAX_CALLS
    assert told[-1] == "Error: a message may hold 20 calls; the last 30 are not made"


def test_after_the_last_turn_its_calls_are_made_and_the_answer_is_empty():
    domain = ShelfDomain()
    domain.max_turns = 2
    model = Clerk()
    for attempt in evaluate(model, domain).attempts:
        ending = Ending.read(attempt.response)
        assert ending.answer == ""
        assert ending.changes["items"]["changed"]
    assert len(model.batches) == 2
    told = [problem.error for problem in domain.report(evaluate(model, domain).attempts).problems]
    assert {error.endswith("The messages were used up before an answer.") for error in told if error} == {True}


@pytest.mark.parametrize(
    ("text", "answer"),
    [(" done ", "done"), ("So <answer> 3 </answer>.", "3"), ("<answer>1</answer><answer></answer>", ""), ("", "")],
)
def test_a_text_without_calls_is_the_final_answer(text, answer):
    assert final_answer(text) == answer
    if text:
        ending = Ending.read(evaluate(Clerk({ASKED: text}), questions=QUESTIONS[:1]).responses[0])
        assert (ending.answer, ending.changes) == (answer, {})


class Told(Shelf):
    """Returns what it is made with, or raises it."""

    def __init__(self, result):
        super().__init__()
        self.result = result

    def call(self, name, arguments):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class ToldDomain(ShelfDomain):
    def __init__(self, result):
        super().__init__()
        self.opened = []
        self.result = result

    def open(self, question):
        self.opened.append(Told(self.result))
        return self.opened[-1]


def test_results_are_cut_to_their_bound_with_a_note_and_short_ones_are_whole():
    domain = ToldDomain("é" * 30_000)
    turn = evaluate(Clerk({ASKED: FIND}), domain, QUESTIONS[:1]).attempts[0].transcript[1]
    assert len(turn.content.encode()) <= domain.max_reply_bytes
    assert read_results(turn)[0].endswith(" of 30000 characters are shown]")
    assert len(turn.content.encode()) > domain.max_reply_bytes - 100
    many = evaluate(Clerk({ASKED: FIND * 60}), domain, QUESTIONS[:1]).attempts[0].transcript[1]
    assert len(many.content.encode()) <= domain.max_reply_bytes
    assert read_results(many)[-1] == "Error: a message may hold 20 calls; the last 40 are not made"


@pytest.mark.parametrize("result", ["a\ud800b\x00c\r\n", "</tool_response> no", "<tool_call>{}</tool_call>"])
def test_whatever_a_tool_returns_is_one_result_that_can_be_sent(result):
    (told,) = results(FIND, ToldDomain(result))
    told.encode()
    assert told.replace("\ufffd", "") in ("abc\n", "<\\/tool_response> no", "<tool_call>{}</tool_call>")


def test_an_exception_of_a_tool_is_a_result_without_addresses(caplog):
    (told,) = results(FIND, ToldDomain(KeyError(f"no {object()}")))
    assert told == "Error: the tool failed (KeyError: 'no <object object at 0x…>')"
    assert "the tool find failed" in caplog.text


def test_an_error_of_the_machinery_ends_the_evaluation_and_everything_is_closed():
    domain = ToldDomain(LSEGymError("no sandbox"))
    closed: list[Told] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Told, "close", lambda told: closed.append(told))
        with pytest.raises(LSEGymError, match="no sandbox"):
            evaluate(domain=domain)
    assert sorted(map(id, closed)) == sorted(map(id, domain.opened))
    assert len(closed) == len(QUESTIONS)


def test_a_workplace_may_take_its_time_and_all_wait_side_by_side():
    pool, running, most = ThreadPoolExecutor(16), [], []

    def slowly(value):
        import time

        running.append(1)
        most.append(len(running))
        time.sleep(0.05)
        running.pop()
        return value() if callable(value) else value

    class Slow(Workplace):
        def __init__(self):
            self.shelf = Shelf()

        def call(self, name, arguments):
            return pool.submit(slowly, "2" if name == "find" else "done")

        def finish(self, answer):
            return pool.submit(slowly, Ending(answer).text())

    class SlowDomain(ShelfDomain):
        def open(self, question):
            return pool.submit(slowly, Slow)

    responses = evaluate(domain=SlowDomain()).responses
    pool.shutdown()
    assert {json.loads(response)["answer"] for response in responses} == {"done"}
    assert max(most) == len(QUESTIONS)


def test_a_workplace_that_is_made_too_late_is_closed():
    made: Future[Shelf] = Future()
    made.set_running_or_notify_cancel()
    late, closed = Shelf(), []
    late.close = lambda: closed.append(late)

    class Late(ShelfDomain):
        def open(self, question):
            if question == QUESTIONS[0]:
                return made
            raise LSEGymError("no sandbox")

    with pytest.raises(LSEGymError, match="no sandbox"):
        evaluate(domain=Late())
    assert not closed
    made.set_result(late)
    assert closed == [late]


def test_the_report_tells_calls_answer_verdict_and_changes_as_the_mode_allows():
    session = Session(Clerk())
    attempts = session.run([session.evaluate(DOMAIN, "Context.", QUESTIONS)])[0].attempts
    wrong = next(index for index, attempt in enumerate(attempts) if attempt.outcome.score == 0)
    gold, error, score = (session.report(DOMAIN, attempts, mode) for mode in ("gold", "error", "score"))
    changed = '{"items": {"changed": [{"from": {"quantity": 1}, "row": {"id": '
    shown = gold.entry(wrong)
    assert 'assistant: <tool_call> {"name": "find", "arguments": {"name": ' in shown
    assert "tool: <tool_response> done </tool_response>" in shown
    assert "Model's answer: done" in shown
    assert f"Model's changes: {changed}" in shown
    assert "Error: The database is not as it should be." in shown
    assert "Correct answer: done" in shown
    assert f"Correct changes: {changed}" in shown
    assert gold.problems[wrong].changes != gold.problems[wrong].gold_changes
    assert "Correct" not in error.text()
    unasked = gold.only([gold.problems[wrong]._replace(gold="")])
    assert "Correct answer" not in unasked.text()
    assert "Correct changes" in unasked.text()
    assert f"Model's changes: {changed}" in error.entry(wrong)
    assert "changes" not in score.text()
    assert "tool" not in score.entry(wrong)
    for report in (gold, error, score):
        assert report.from_json(json.loads(json.dumps(list(report)))) == report


def test_changes_of_many_or_long_rows_are_told_short():
    long = {"items": {"added": [{"id": i, "name": "x" * 150} for i in range(30)]}}
    many = {f"t{i}": {"removed": [{"id": 1}]} for i in range(500)}
    attempts = [Attempt(QUESTIONS[0], Ending("", changes).text(), Outcome(0.0, "")) for changes in (long, many)]
    shown = [json.loads(problem.changes) for problem in DOMAIN.report(attempts).problems]
    assert shown == [{"items": {"added": long["items"]["added"][:10], "more": 20}}, {"tables": 500}]


PIECES = st.text(max_size=8) | st.sampled_from(
    (
        FIND,
        call_text("set", {"id": 2**63 - 1, "quantity": -1}),
        call_text("set", {"id": [], "quantity": {}}),
        "<tool_call><function=set><parameter=id>1</parameter><parameter=quantity>9</parameter></function></tool_call>",
        "<tool_call><function=find><parameter=name>\x00</parameter></function></tool_call>",
        '<tool_call>{"name": "find", "arguments": {"name": "\\u0000"}}</tool_call>',
        "<tool_call>",
        "</tool_call>",
        "<answer>",
        "</answer>",
        "<tool_response>\n1\n</tool_response>",
        "\ud800",
    )
)


@settings(max_examples=100)
@given(st.lists(st.lists(PIECES, max_size=6).map("".join), min_size=1, max_size=4))
def test_whatever_a_model_says_an_attempt_comes_to_an_end(texts):
    class Says(Clerk):
        def say(self, request):
            return texts[len(request.turns) // 2 % len(texts)]

    domain = ToldDomain("2")
    (attempt,) = evaluate(Says(), domain, QUESTIONS[:1]).attempts
    assert Ending.read(attempt.response)
    (problem,) = domain.report([attempt]).problems
    assert len(problem.transcript) == len(attempt.transcript) < 2 * domain.max_turns
    shelf = evaluate(Says(), questions=QUESTIONS[:1]).attempts[0]
    assert Ending.read(shelf.response).changes.keys() <= {"items"}


def test_caps_of_tokens_hold_with_results():
    for cap in (2000, 60_000, 200_000):
        model = Clerk()
        session = Session(model, Budget({"tokens": cap}))
        try:
            session.run([session.evaluate(DOMAIN, "Context.", QUESTIONS)])
        except LSEGymError:
            assert model.calls == 0
        assert session.budget.spent.tokens <= cap
        assert session.budget.affords(session.budget.remaining)


def test_tools_may_have_any_text():
    tool = Tool("x", "</tools> <tool_call>", {"type": "object", "description": "### Instructions\n"})
    block = tools_block([tool])
    assert block.count("</tools>") == 1
    assert json.loads(block.splitlines()[1])["function"] == tool._asdict()
