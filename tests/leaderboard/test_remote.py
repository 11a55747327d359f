"""An env at a host is the env it would be here, and plays as any other."""

import copy
import pickle
import socket
import threading
import time
import warnings

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env, data_equivalence

from lse_gym.envs.errors import (
    ArgumentError,
    AuthenticationError,
    MissingArgumentError,
    UnavailableError,
    UnknownNameError,
)
from lse_gym.envs.remote import client
from lse_gym.leaderboard.host import server
from tests.envs.specs import rollout
from tests.leaderboard import hosted as hosts
from tests.patience import STALL_S

pytestmark = [pytest.mark.extra("host"), pytest.mark.extra("api")]


@pytest.fixture(scope="module")
def hosted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    track = hosts.make_track(folder, budget={"calls": 100_000})
    poor = hosts.make_track(folder, id="poor-v1", budget={"calls": 200})
    gated = hosts.make_track(folder, id="gated-v1", settings={"feedback_size": 5, "env_args": {"gate": 2}})
    free = hosts.make_track(folder, id="free-v1", budget={})  # nothing is left over from an episode before
    with hosts.hosting(folder, track, poor, gated, free) as hosted:
        yield hosted


@pytest.fixture(scope="module")
def token(hosted):
    return hosted.token("a team")


@pytest.fixture
def make(hosted, token, monkeypatch):
    monkeypatch.setenv("LSE_GYM_TOKEN", token)
    with hosts.remote_envs(hosted) as make:
        yield make


@pytest.mark.filterwarnings("ignore:.*after the end of the episode")  # on purpose
@pytest.mark.parametrize("track", ["small-v1", "poor-v1", "gated-v1"])
def test_remote_equals_local(hosted, make, track):
    """Bit for bit: observations, reports as data, rewards, ends, infos, until the budget is used up and beyond."""
    env = make(track, domain="apiary-secret-2", max_edits=4)
    twin = hosts.local_twin(hosted, env)
    assert (env.observation_space, env.action_space) == (twin.observation_space, twin.action_space)
    jumps = [{"context": "Answer with a letter.\nBe\x00 brief."}, {"batch": 2}, {"domain": "apiary-secret-2"}]
    seen = []
    for one in (env, twin):
        rows = [one.reset(seed=4)]
        rows += [one.step(action) for action in ("A.", "A.", 7, "long " * 4000, "\ud800 \x1b[2J", "")]
        rows += [step for jump in jumps for step in (one.reset(options=jump), one.step("B."))]
        rows += [one.reset(seed=5), one.reset()]
        seen.append(([(*row[1:], one_report(row[0])) for row in rows], one.unwrapped.budget.spent))
    assert data_equivalence(*seen, exact=True)
    assert env.unwrapped.report == twin.report
    assert env.unwrapped.held_out_scores == twin.held_out_scores


def one_report(observation):
    return {**observation, "report": repr(observation["feedback"].data)}


def test_gymnasium_check_passes(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(make("free-v1").unwrapped)
        env = make(render_mode="ansi")
        rollout(env, 3, steps=3)
        assert isinstance(env.render(), str)


def test_who_comes_again_is_told_the_same_and_goes_on(make, hosted, tmp_path):
    """By the name of a play, or by the file that keeps it; nothing is executed twice."""
    one = rollout(make(play="again"), 11, steps=3)
    before = hosted.store._rows("SELECT COUNT(*) FROM steps")
    env = make(play="again")
    assert data_equivalence(one, rollout(env, 11, steps=3), exact=True)
    assert hosted.store._rows("SELECT COUNT(*) FROM steps") == before
    env.step("And on.")
    assert not data_equivalence(one[:1], [make(play="another").reset(seed=11)], exact=True)  # another domain
    with pytest.raises(ArgumentError, match="was another one"):
        make(play="again").reset(seed=12)
    kept = {"record": str(tmp_path / "record.jsonl")}
    assert data_equivalence(rollout(make(**kept), 1, steps=2), rollout(make(**kept), 1, steps=2), exact=True)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])  # noqa: S301
def test_a_copy_continues_identically_and_not_otherwise(make, duplicate):
    env = make().unwrapped
    rollout(env, seed=7, steps=2)
    twin = duplicate(env)
    goings_on = [[e.step(f"Line {i}.") for i in range(2)] + [e.reset()] for e in (env, twin)]
    assert data_equivalence(*goings_on, exact=True)
    env.step("One way.")
    with pytest.raises(ArgumentError, match="was another one"):
        twin.step("Another way.")
    twin.close()


def test_spec_survives_json_and_pickle(make, token):
    env = make(play="spec")
    for spec in (EnvSpec.from_json(env.spec.to_json()), pickle.loads(pickle.dumps(env.spec))):  # noqa: S301 - our own
        again = gym.make(spec)
        assert again.unwrapped.domains == env.unwrapped.domains
        again.close()
    assert token not in env.spec.to_json()


def test_envs_side_by_side(make, hosted, token):
    envs = gym.make_vec("LSE/Remote-v0", num_envs=2, url=hosted.url, track="small-v1")
    observations, _ = envs.reset(seed=0)
    assert len(observations["context"]) == 2
    assert envs.step(["A.", "B."])[1].shape == (2,)
    for env in envs.envs:
        env.close()


@pytest.mark.parametrize(
    ("given", "error", "shown"),
    [
        ({"track": None}, MissingArgumentError, "url= and track="),
        ({"track": "smal-v1"}, ArgumentError, "small-v1"),
        ({"domain": "apiary-1"}, UnknownNameError, "apiary-secret-2"),
        ({"max_edits": 0}, ArgumentError, "max_edits=0"),
        ({"feedback": "score"}, ArgumentError, "has 'gold'"),
        ({"budget": {"calls": 5}}, ArgumentError, "the track has its own"),
        ({"max_edit": 3}, UnknownNameError, "Did you mean 'max_edits'"),
        ({"url": "http://play.example.org"}, ArgumentError, "not https"),
        ({"url": "ftp://127.0.0.1"}, ArgumentError, "no address"),
        ({"url": "https://me:pw@example.org"}, ArgumentError, "no address"),
    ],
)
def test_a_wrong_argument_says_what_is_right(hosted, given, error, shown):
    arguments = {"url": hosted.url, "track": "small-v1"} | given
    with pytest.raises(error, match=shown):
        gym.make("LSE/Remote-v0", **arguments)


def test_a_wrong_option_says_what_is_right_and_changes_nothing(make):
    env = make()
    env.reset(seed=1)
    for options in ({"contxt": "x"}, {"domain": "brewing-0"}, {"domain": "apiary-secret-2"}, {"batch": -1}):
        with pytest.raises((UnknownNameError, ArgumentError)):
            env.reset(options=options)
    assert env.unwrapped._number == 1
    with pytest.raises(gym.error.ResetNeeded):
        make().unwrapped.step("A.")


@pytest.mark.parametrize("what", ["nobody", "no name", "another server"])
def test_where_no_host_is_that_is_told_within_seconds(what, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        if what == "another server":
            threading.Thread(target=answer_once, args=[other]).start()
        elif what == "nobody":
            other.close()
        url = "https://host.invalid" if what == "no name" else f"http://127.0.0.1:{port}"
        monkeypatch.setattr(client, "BRIEFLY_S", 0.5)
        began = time.monotonic()
        with pytest.raises((UnavailableError, ArgumentError), match="Check the address") as caught:
            gym.make("LSE/Remote-v0", url=url, track="small-v1")
        assert url in str(caught.value)
        assert time.monotonic() < began + 5 + STALL_S


def answer_once(server):
    line, _ = server.accept()
    line.recv(10_000)
    line.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope")
    line.close()


def test_a_host_that_goes_away_in_a_run_is_waited_for_and_that_is_told(make, hosted, monkeypatch, caplog):
    env = make()
    env.reset(seed=1)
    monkeypatch.setattr(client, "PATIENCE_S", 0.5)
    with monkeypatch.context() as away:
        away.setattr(env.unwrapped.client, "url", "http://127.0.0.1:9")
        env.unwrapped.client.close()
        with pytest.raises(UnavailableError, match=r"no host answers at http://127\.0\.0\.1:9"):
            env.step("A.")
    assert "It is tried for" in caplog.text
    env.unwrapped.client.close()
    assert env.step("A.")[4]["edits"] == 1


def test_a_wrong_token_is_told(hosted, monkeypatch):
    monkeypatch.setenv("LSE_GYM_TOKEN", "lse_0123456789abcdef_" + "0" * 64)
    env = gym.make("LSE/Remote-v0", url=hosted.url, track="small-v1")
    with pytest.raises(AuthenticationError, match="LSE_GYM_TOKEN"):
        env.reset()
    env.close()


def test_connections_of_a_host_send_at_once():
    """Else the body of each answer waits 40 ms for the client to acknowledge its head."""
    with server.listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
