"""One task model for all runs: side by side it is one batch, and what it breaks is one step of one player."""

import json
import threading
from functools import partial

import gymnasium as gym
import pytest

from lse_gym.envs.errors import ProviderError, UnavailableError
from lse_gym.envs.models.base import Request, Response, TaskModel
from lse_gym.envs.remote import client
from lse_gym.leaderboard.host.model import Recorder, SharedModel
from tests.leaderboard import hosted as hosts

pytestmark = [pytest.mark.extra("host"), pytest.mark.extra("api")]
HIDDEN = "Which question nobody may see?"


class Slow(TaskModel):
    """Answers with the user's message, once it is let go; fails at what has "bad" in it."""

    name, revision = "slow", "1"

    def __init__(self):
        self.batches, self.go = [], threading.Event()

    def complete(self, requests):
        self.batches.append(list(requests))
        self.go.wait(10)
        good = {r: Response(r.user, 1, 1) for r in requests if "bad" not in r.user}
        if len(good) < len(requests):
            raise ProviderError("bad", good)
        return [good[request] for request in requests]

    def count_tokens(self, text):
        return len(text)


def side_by_side(model, batches):
    results = {}

    def ask(number, requests):
        try:
            results[number] = [response.text for response in model.complete(requests)]
        except ProviderError as error:
            results[number] = sorted(request.user for request in error.answered)

    threads = [threading.Thread(target=ask, args=pair) for pair in enumerate(batches)]
    for thread in threads:
        thread.start()
    return threads, results


def test_who_waits_is_answered_in_one_batch():
    slow = Slow()
    model = SharedModel(slow)
    first, _ = side_by_side(model, [[Request("", "first")]])
    while not slow.batches:
        pass
    batches = [[Request("", f"{n}"), Request("", "of all")] for n in range(8)]
    threads, results = side_by_side(model, batches)
    while len(model._waiting) < 8:
        pass
    slow.go.set()
    for thread in [*first, *threads]:
        thread.join()
    assert results == {n: [f"{n}", "of all"] for n in range(8)}
    assert [len(batch) for batch in slow.batches] == [1, 9]


def test_a_failure_costs_only_whose_requests_failed():
    slow = Slow()
    model = SharedModel(slow)
    first, _ = side_by_side(model, [[Request("", "first")]])
    while not slow.batches:
        pass
    threads, results = side_by_side(model, [[Request("", "good")], [Request("", "bad"), Request("", "fine")]])
    while len(model._waiting) < 2:
        pass
    slow.go.set()
    for thread in [*first, *threads]:
        thread.join()
    assert results == {0: ["good"], 1: ["fine"]}


def test_a_model_that_breaks_down_costs_only_who_broke_it():
    slow = Slow()
    slow.complete = partial(breaking, slow.complete)
    model = SharedModel(slow)
    first, _ = side_by_side(model, [[Request("", "first")]])
    while not slow.batches:
        pass
    threads, results = side_by_side(model, [[Request("", "good")], [Request("", "crash")], [Request("", "fine")]])
    while len(model._waiting) < 3:
        pass
    slow.go.set()
    for thread in [*first, *threads]:
        thread.join()
    assert results == {0: ["good"], 1: [], 2: ["fine"]}


def breaking(complete, requests):
    if any(request.user == "crash" for request in requests):
        raise ZeroDivisionError
    return complete(requests)


def test_what_was_kept_is_not_asked_again():
    slow = Slow()
    slow.go.set()
    recorder, requests = Recorder(slow), [Request("", "one"), Request("", "two"), Request("", "one")]
    recorder.begin()
    assert [response.text for response in recorder.complete(requests)] == ["one", "two", "one"]
    kept = json.loads(json.dumps(recorder.taken()))
    recorder.begin(kept)
    assert [response.text for response in recorder.complete([*requests, Request("", "three")])][1:] == [
        *"two one three".split()
    ]
    assert [[request.user for request in batch] for batch in slow.batches] == [["one", "two"], ["three"]]


def test_a_failed_step_is_not_taken_and_tells_nothing_of_the_prompt(tmp_path, monkeypatch):
    quick = {"env": "LSE/PassageOrder-v1", "domains": ("mill-0",), "budget": {"calls": 10_000}}
    monkeypatch.setattr(client, "PATIENCE_S", 0.0)
    with hosts.hosting(tmp_path, hosts.make_track(tmp_path, **quick)) as hosted:
        env = gym.make("LSE/Remote-v0", url=hosted.url, track="small-v1", token=hosted.token("a team"))
        twin = gym.make("LSE/Remote-v0", url=hosted.url, track="small-v1", token=hosted.token("another"))
        first = env.reset(seed=1)
        model = hosted.host._models["small-v1"]["reader"].model
        with monkeypatch.context() as failing:
            failing.setattr(model, "complete", lambda requests: (_ for _ in ()).throw(ProviderError(HIDDEN)))
            with pytest.raises(UnavailableError, match="the task model failed") as caught:
                env.step("A.")
            assert HIDDEN not in str(caught.value)
            assert env.unwrapped._number == 1
        after = env.step("A.")
        assert after[4]["edits"] == 1
        assert first[1]["calls"] + after[4]["calls"] == env.unwrapped.budget.spent.calls
        twin.reset(seed=1)
        env.close(), twin.close()
