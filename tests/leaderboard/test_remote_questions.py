"""Single questions at a host: what agents ask of them is answered as here, paid, kept, and tells nothing more."""

import json

import gymnasium as gym
import pytest

from lse_gym.agents import agent_class
from lse_gym.agents.settings import Settings
from lse_gym.envs.errors import ArgumentError, BudgetExhausted
from lse_gym.envs.evaluation import core_env, evaluate_context
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.host.run import LiveRun
from tests.leaderboard import hosted as hosts
from tests.leaderboard.killed_host import asked

pytestmark = [pytest.mark.extra("host"), pytest.mark.extra("api")]
QUICK = {"domains": ("brewing-0",), "budget": {}}


@pytest.fixture(scope="module")
def hosted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    tracks = [hosts.make_track(folder, **QUICK)]
    tracks += [hosts.make_track(folder, id="poor-v1", **{**QUICK, "budget": {"calls": 140}})]
    for mode in ("error", "score"):
        settings = {"feedback": mode, "feedback_size": 5}
        tracks += [hosts.make_track(folder, id=f"{mode}-v1", **QUICK, settings=settings)]
    with hosts.hosting(folder, *tracks) as hosted:
        yield hosted


@pytest.fixture(autouse=True)
def token(hosted, request, monkeypatch):
    monkeypatch.setenv("LSE_GYM_TOKEN", hosted.token(request.node.name[:60]))


@pytest.fixture
def make(hosted):
    with hosts.remote_envs(hosted) as make:
        yield make


PLACES = [("feedback", 3), ("held_out", 0), ("held_out", 7), ("feedback", 0), ("feedback", 3)]


@pytest.mark.parametrize("track", ["small-v1", "poor-v1", "error-v1", "score-v1"])
def test_questions_at_a_host_are_answered_as_here(hosted, make, track):
    """Bit for bit, and what is paid; between them steps, which find paid what was asked before."""
    env = make(track)
    twin, seen = hosts.local_twin(hosted, env), []
    for one in (env, twin):
        rows = [one.reset(seed=2)[1], asked(one, "A.", PLACES), asked(one, "A.", PLACES[:2]), one.step("A.")[4]]
        for context in ("B.", "C.", "D.", "A."):
            try:
                rows.append(asked(one, context, [("feedback", i) for i in range(12)]))
            except BudgetExhausted as error:
                rows.append(str(error))
        seen.append([*rows, one.unwrapped.budget.spent, one.unwrapped.session.spent])
    assert seen[0] == seen[1]
    assert isinstance(seen[0][-3], str) == (track == "poor-v1")


AGENTS = {
    "gepa": pytest.mark.extra("gepa"),
    "instruct-and-shots": (),
    "dspy-bootstrap": [pytest.mark.extra("dspy"), pytest.mark.long],
    "dspy-mipro": [pytest.mark.extra("dspy"), pytest.mark.long],
}


@pytest.mark.parametrize("agent", [pytest.param(name, marks=marks) for name, marks in AGENTS.items()])
def test_agents_that_ask_single_questions_search_as_here(hosted, agent):
    args = {"url": hosted.url, "track": "small-v1"}
    config = Settings(env="LSE/Remote-v0", domain=None, agent=agent, env_args=args, rounds=2).config()
    env = config.make_env()
    twin, trees = hosts.local_twin(hosted, env), []
    for one in (env, twin):
        running = config.make_agent(one).learn(2)
        trees.append([running.tree.to_json(), running.memory])
    domain = twin.family.load(twin.domain_name)
    if agent.startswith("dspy"):  # golds are free here; there a report has to tell of them
        twin.session.run([twin.session.evaluate(domain, domain.seed_context, domain.splits["feedback"])])
    assert trees[0] == trees[1]
    assert core_env(env).budget.spent == twin.budget.spent
    assert len(trees[0][0]["nodes"]) > 1
    (scores,), _ = env.unwrapped.finish([max(trees[0][0]["nodes"], key=lambda node: node["performance"])["context"]])
    assert len(scores) == 20
    env.close()


def test_what_is_shown_of_questions_depends_on_the_feedback(make):
    """Golds and worked examples where reports show golds; answers but with "score"; of held-out ones scores alone."""
    for mode, track in (("gold", "small-v1"), ("error", "error-v1"), ("score", "score-v1")):
        core = make(track).unwrapped
        core.reset(seed=1)
        domain = core.family.load(core.domain_name)
        first, hidden = domain.splits["feedback"][0], domain.splits["held_out"][0]
        (found,) = core.session.run([core.session.evaluate(domain, "A.", [first, hidden])])
        (problem,) = core.session.report(domain, found.attempts[:1], mode).problems
        assert problem.question
        assert (first.text, first.gold) == ("", "")
        assert bool(problem.gold) == (mode == "gold")
        assert bool(problem.answer) == bool(found.responses[0]) == (mode != "score")
        assert (hidden.text, hidden.gold, found.responses[1], found.outcomes[1][1:]) == ("", "", "", ("", ""))
        with pytest.raises(ArgumentError, match="at the host"):
            core.session.report(domain, found.attempts, mode)


def test_a_gold_is_told_where_a_report_has_told_it(hosted, make):
    """So no agent learns unpaid what others pay for; of a run that has ended everything is told."""

    def golds(env):
        return [bool(question.gold) for question in env.unwrapped.feedback_questions()]

    env = make(play="golds")
    core = env.unwrapped
    assert not any(golds(env))
    env.reset(seed=1, options={"batch": 1})
    count, size = core.track["sizes"]["feedback"], core.feedback_size
    batch = [size <= i < 2 * size for i in range(count)]
    assert golds(env) == batch
    asked(env, "A.", [("held_out", 0), ("feedback", 0)])
    assert golds(env) == [True, *batch[1:]]
    hosted.host._live.clear()
    assert golds(env) == [True, *batch[1:]]
    before = core.budget.spent.calls
    domain = core.family.load(core.domain_name)
    (told,) = core.session.run([core.session.feedback_questions(domain, core.context)])
    assert core.budget.spent.calls - before == count - size - 1  # question 0 has been told, with another context
    twin = hosts.local_twin(hosted, env)
    here = twin.family.load(twin.domain_name)
    assert [question[1:] for question in told] == [question[1:] for question in here.splits["feedback"]]
    assert [domain.user(question) for question in told] == [here.user(question) for question in here.splits["feedback"]]
    other = make(play="ended")
    other.reset(seed=1)
    other.unwrapped.finish([other.unwrapped.context])
    assert all(golds(other))


@pytest.mark.parametrize("track", ["error-v1", "score-v1"])
def test_golds_that_reports_hide_are_never_told(make, track):
    env = make(track)
    core = env.unwrapped
    env.reset(seed=1)
    before = core.budget.spent
    domain = core.family.load(core.domain_name)
    (told,) = core.session.run([core.session.feedback_questions(domain, core.context)])
    assert {question[1:] for question in told} == {("", "", "", "")}
    assert core.budget.spent == before
    core.finish([core.context])
    assert {question[1:] for question in core.feedback_questions()} == {("", "", "", "")}


def test_what_was_asked_before_is_answered_from_the_record(hosted, make, monkeypatch):
    """Sent again, by the same player or one that died, and by a host that has to make the run again."""
    seen, steps = [], []
    for _ in range(2):
        env = make(play="again")
        env.reset(seed=1)
        seen.append([asked(env, "A.", PLACES), asked(env, "B.", PLACES), env.step("A.")[4]])
        steps.append(hosted.store._rows("SELECT COUNT(*) FROM steps"))
    assert seen[0] == seen[1]
    assert steps[0] == steps[1]
    core, made = env.unwrapped, []
    monkeypatch.setattr(LiveRun, "go_through", lambda run, steps, go=LiveRun.go_through: made.append(go(run, steps)))
    hosted.host._live.clear()
    again = {"number": 1, "context": "A.", "questions": [f"{split}-{i}" for split, i in PLACES]}
    first = core.client.post(f"{core._run}/evaluate", again)
    assert (first["scores"], made) == (seen[0][0][0], [])
    with pytest.raises(ArgumentError, match="was another one"):
        core.client.post(f"{core._run}/evaluate", again | {"context": "C."})
    asked(env, "C.", PLACES)
    assert len(made) == 1


@pytest.mark.parametrize("questions", [["test-0"], ["feedback-99999"], ["held_out--1"], [], ["feedback-0"] * 100_001])
def test_there_are_no_other_questions(hosted, make, questions):
    core = make().unwrapped
    core.reset(seed=1)
    before = hosted.store._rows("SELECT COUNT(*) FROM steps")
    with pytest.raises(ArgumentError):
        core.client.post(f"{core._run}/evaluate", {"number": 1, "context": "A.", "questions": questions})
    assert hosted.store._rows("SELECT COUNT(*) FROM steps") == before


def test_a_run_begins_with_a_reset_and_evaluations_outside_of_it_are_refused(make):
    env = make()
    core = env.unwrapped
    with pytest.raises(ArgumentError, match="begins with a reset"):
        asked(env, "A.", PLACES)
    core.reset(seed=1)
    for split in ("feedback", "held_out", "test"):
        with pytest.raises(ArgumentError, match="at the host"):
            evaluate_context(env, "A.", split)
    asked(env, "A.", PLACES)
    with pytest.raises(ArgumentError, match="that it has visited"):
        core.finish(["A."])


def test_what_was_evaluated_in_full_counts_as_visited_and_becomes_an_entry(hosted, make):
    env = make()
    core = env.unwrapped
    core.reset(seed=1)
    asked(env, "Some of it.", PLACES)
    asked(env, "All of it.", [("held_out", i) for i in reversed(range(core.track["sizes"]["held_out"]))])
    core.finish(["All of it."])
    play = core.client.get(f"plays/{core._run.split('/')[1]}")
    assert play["refusal"] is None
    with Board(hosted.board) as board:
        rows = json.loads(board.store.document(play["entry"]))["runs"][0]["trajectory"]
    assert [(one["id"], one["parent_id"]) for one in rows] == [(0, None), (1, 0)]


def test_agents_say_at_once_that_they_cannot_play(hosted):
    """Before a reset, so that nothing has begun."""
    env = gym.make("LSE/Remote-v0", url=hosted.url, track="score-v1")
    with pytest.raises(ArgumentError, match="no oracle"):
        agent_class("oracle")(env)
    env.close()
