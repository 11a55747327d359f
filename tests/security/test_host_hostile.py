"""A host among hostile clients: each is refused with a reason, nothing is executed for them, and others play on."""

import contextlib
import json
import socket
import threading
import time
from urllib.parse import urlsplit

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import data_equivalence

from lse_gym.leaderboard.host import app, guard, server
from lse_gym.leaderboard.host.secret import draw, secret_env
from tests.leaderboard import hosted as hosts
from tests.leaderboard.killed_host import go
from tests.patience import STALL_S

pytestmark = [pytest.mark.extra("host"), pytest.mark.extra("api")]
PATIENCE_S = 1.0  # of this host, so that the tests end
MOST_CONNECTIONS = 24  # of a team, here


@pytest.fixture(scope="module")
def hosted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    rules = {"steps_per_run": 70, "requests_per_s": 500, "burst": 1000, "connections": MOST_CONNECTIONS}
    (folder / "host.json").write_text(json.dumps(rules))
    quick = {"env": "LSE/PassageOrder-v1", "domains": ("mill-0", "museum-0"), "budget": {"calls": 100_000}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "BODY_S", PATIENCE_S)
        patch.setattr(server, "HEADER_S", PATIENCE_S)
        with hosts.hosting(folder, hosts.make_track(folder, **quick)) as hosted:
            yield hosted


@pytest.fixture(scope="module")
def played(hosted):
    """A play of a team with three steps: its id and token."""
    token = hosted.token("the played")
    env = gym.make("LSE/Remote-v0", url=hosted.url, track="small-v1", token=token, play="mine")
    env.reset(seed=1)
    env.step("A.")
    env.step("B.")
    env.close()
    return env.unwrapped._run.split("/")[1], token


def ask(hosted, data: bytes, wait: float = 10.0) -> bytes:
    """What comes back on a connection of its own, until the host ends it or falls silent."""
    where = urlsplit(hosted.url)
    got = bytearray()
    with socket.create_connection((where.hostname, where.port), timeout=wait + STALL_S) as line:
        line.sendall(data)
        try:
            while piece := line.recv(65536):
                got += piece
        except TimeoutError:
            pass
        except ConnectionError:
            return bytes(got) or b"cut"
    return bytes(got) or b"cut"


def request(path, body=None, token="", method="POST", head=()):
    """A request as bytes; ``head`` are further lines."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(content)}"]
    lines += ["Content-Type: application/json"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    return "\r\n".join([*lines, *head, "", ""]).encode("latin-1") + content


def status(answer: bytes) -> int:
    return int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0


def steps(hosted):
    return hosted.store._rows("SELECT COUNT(*) FROM steps")[0][0]


STEP = {"number": 3, "action": "C."}
ASK = {"number": 3, "context": "C.", "questions": ["feedback-0"]}
NOBODY = "lse_0123456789abcdef_" + "0" * 64


def cases(play, token):
    """Name, request, and the status that refuses it (0: the connection ends without an answer)."""
    run = f"/v1/plays/{play}/runs/0"
    own = f"lse_{token.split('_')[1]}_"
    yield "no token", request(f"{run}/step", STEP), 401
    yield "no such token", request(f"{run}/step", STEP, NOBODY), 401
    yield "team without its secret", request(f"{run}/step", STEP, own + "0" * 64), 401
    yield "secret of another case", request(f"{run}/step", STEP, token.upper()), 401
    yield "SQL for a token", request(f"{run}/step", STEP, "lse_' OR 1=1 --_x"), 401
    yield "a token that never ends", request(f"{run}/step", STEP, "a" * 8000), 401
    yield "basic", request(f"{run}/step", STEP, head=[f"Authorization: Basic {token}"]), 401
    yield "two tokens", request(f"{run}/step", STEP, NOBODY, head=[f"Authorization: Bearer {token}"]), 401
    yield "another step in the place of an old one", request(f"{run}/step", {"number": 1, "action": "Z."}, token), 409
    yield "another kind", request(f"{run}/reset", {"number": 1}, token), 409
    yield "a step ahead", request(f"{run}/step", {"number": 99, "action": "Z."}, token), 409
    yield "finish with what was not visited", request(f"{run}/finish", {"number": 3, "contexts": ["Z."]}, token), 400
    yield "a question of the test", request(f"{run}/evaluate", ASK | {"questions": ["test-0"]}, token), 422
    yield "a question that is not", request(f"{run}/evaluate", ASK | {"questions": ["feedback-9999"]}, token), 400
    yield "no question", request(f"{run}/evaluate", ASK | {"questions": []}, token), 422
    yield "an evaluation before a reset", request(f"/v1/plays/{play}/runs/1/evaluate", ASK | {"number": 0}, token), 400
    yield "an evaluation in the place of a step", request(f"{run}/evaluate", ASK | {"number": 1}, token), 409
    yield "questions of a run that is not", request(f"/v1/plays/{play}/runs/7/questions", b"", token, "GET"), 404
    yield "questions without a token", request(f"{run}/questions", b"", "", "GET"), 401
    yield "three contexts", request(f"{run}/finish", {"number": 3, "contexts": ["A.", "B.", "A."]}, token), 422
    yield "a run that is not", request(f"/v1/plays/{play}/runs/7/step", STEP, token), 404
    yield "a run below zero", request(f"/v1/plays/{play}/runs/-1/step", STEP, token), 422
    yield "a step before a reset", request(f"/v1/plays/{play}/runs/1/step", {"number": 0, "action": "A."}, token), 400
    for number in (-1, 1.5, "3", True, None, 2**80, [3]):
        yield f"number {number}", request(f"{run}/step", {"number": number, "action": "C."}, token), 422
    for action in (None, 7, ["C."], {"a": 1}):
        yield f"action {action}", request(f"{run}/step", {"number": 3, "action": action}, token), 422
    yield "half a character", request(f"{run}/step", b'{"number": 3, "action": "\\ud800"}', token), 422
    yield "one key more", request(f"{run}/step", STEP | {"samples": 1}, token), 422
    yield "no JSON", request(f"{run}/step", b"{", token), 422
    yield "no UTF-8", request(f"{run}/step", b'{"number": 3, "action": "\xff"}', token), 400
    yield "not a number", request(f"{run}/finish", b'{"number": 3, "editor": {"calls": NaN}}', token), 422
    yield "a number without end", request(f"{run}/step", b'{"number": ' + b"9" * 20_000 + b"}", token), 400
    yield "nested", request(f"{run}/step", b"[" * 50_000, token), 400
    yield "huge", request(f"{run}/step", {"number": 3, "action": "x" * 10**6}, token), 413
    yield "huge, as it says", request(f"{run}/step", b"", token, head=["Content-Length: 99999999999999999999"]), 400
    yield (
        "chunks without end",
        request(f"{run}/step", b"", token).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        + (b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n") * 40,
        413,
    )
    yield (
        "length and chunks",
        request(f"{run}/step", b"", token, head=["Transfer-Encoding: chunked"]) + b"0\r\n\r\n",
        400,
    )
    yield "a length below zero", request(f"{run}/step", b"", token).replace(b"h: 0", b"h: -5"), 400
    for path in ("/", "/docs", "/v1", "/v1/", "/v2/tracks", "/v1/tracks/../plays", "/v1/plays/..%2f..%2fsalt"):
        yield f"path {path}", request(path, b"", token, "GET"), 404
    for path in ("/v1/tracks/%2e%2e", "/v1/plays/%00", "/v1/tracks/..", "/v1/plays/*"):
        yield f"path {path}", request(path, b"", token, "GET"), 422
    yield "a path without end", request("/v1/" + "a" * 5000, b"", token, "GET"), 414
    yield "a query without end", request("/v1/tracks?" + "a" * 5000, b"", token, "GET"), 414
    yield "another method", request(f"{run}/step", STEP, token, "PUT"), 405
    yield "a head without end", request("/v1/tracks", b"", token, "GET", head=["X: " + "a" * 20_000]), 431
    yield "no HTTP", b"\x16\x03\x01\x02\x00" * 20 + b"\r\n\r\n", 400
    yield "a forwarded address", request(f"{run}/step", STEP, head=["X-Forwarded-For: 10.0.0.1"]), 401
    yield "another host", request("http://other/v1/plays", b"", NOBODY, "GET"), 404
    yield "a slow head", b"POST /v1/plays HTTP/1.1\r\nHost: x\r\n", 0
    yield "nothing", b"", 0
    yield "a slow body", request(f"{run}/step", STEP, token)[:-5], 408


def test_each_is_refused_and_nothing_is_executed(hosted, played):
    before, wrong = steps(hosted), []
    for name, data, wanted in cases(*played):
        answer = ask(hosted, data)
        if status(answer) != wanted:
            wrong.append((name, wanted, answer[:300]))
        assert played[1].encode() not in answer
        assert b"Traceback" not in answer
        if status(answer) > 400:
            assert set(json.loads(answer.partition(b"\r\n\r\n")[2])) <= {"error", "busy"}, name
    assert wrong == []
    assert steps(hosted) == before


def test_another_team_finds_nothing(hosted, played):
    """A play of others is not there, whatever is asked of it."""
    token, before = hosted.token("the curious"), steps(hosted)
    for kind, body in (("reset", {}), ("step", {"action": "C."}), ("evaluate", ASK), ("finish", {})):
        answers = [
            ask(hosted, request(f"/v1/plays/{play}/runs/0/{kind}", {**body, "number": 0}, token)).partition(b"\r\n\r\n")
            for play in (played[0], "0" * 32)
        ]
        assert {status(answer[0]) for answer in answers} == {404}
        assert answers[0][2] == answers[1][2]
    for path in (f"/v1/plays/{played[0]}", f"/v1/plays/{played[0]}/runs/0/questions"):
        assert status(ask(hosted, request(path, b"", token, "GET"))) == 404
    assert status(ask(hosted, request(f"/v1/plays/{played[0]}/about", {"name": "mine"}, token))) == 404
    assert b'{"plays":[]}' in ask(hosted, request("/v1/plays", b"", token, "GET"))
    assert steps(hosted) == before


def test_an_old_step_sent_again_is_answered_and_not_executed(hosted, played):
    play, token = played
    before = steps(hosted)
    again = {ask(hosted, request(f"/v1/plays/{play}/runs/0/step", {"number": 1, "action": "A."}, token)).partition(
        b"\r\n\r\n")[2] for _ in range(3)}  # fmt: skip
    assert len(again) == 1
    assert json.loads(again.pop())["context"] == "A."
    assert steps(hosted) == before


def test_a_revoked_token_is_good_for_nothing(hosted, monkeypatch):
    token = hosted.token("the revoked")
    ask_tracks = request("/v1/plays", b"", token, "GET")
    assert status(ask(hosted, ask_tracks)) == 200
    assert hosted.store.revoke("the revoked")
    hosted.host._known.clear()  # five seconds later
    assert status(ask(hosted, ask_tracks)) == 401


def test_limits_of_a_run_and_of_a_team_hold(hosted):
    token = hosted.token("the greedy")
    play = json.loads(
        ask(hosted, request("/v1/plays", {"track": "small-v1", "name": "one"}, token)).split(b"\r\n\r\n")[1]
    )
    run = f"/v1/plays/{play['play']}/runs/0"
    for number in range(70):
        assert status(ask(hosted, request(f"{run}/reset", {"number": number}, token))) == 200
    assert status(ask(hosted, request(f"{run}/reset", {"number": 70}, token))) == 403
    assert status(ask(hosted, request(f"{run}/finish", {"number": 70}, token))) == 200
    begun = [
        status(ask(hosted, request("/v1/plays", {"track": "small-v1", "name": f"n{i}"}, token))) for i in range(21)
    ]
    assert begun == [200] * 19 + [403] * 2


@pytest.mark.parametrize(("clients", "actions"), [(10, 5), pytest.param(100, 50, marks=pytest.mark.long)])
def test_hostile_clients_do_not_disturb_a_player(hosted, played, clients, actions):
    everybody = [case for case in cases(*played) if case[2] not in (200, 429)]
    wrong, stop = [], threading.Event()

    def attack(number: int) -> None:
        while not stop.is_set():
            name, data, wanted = everybody[number % len(everybody)]
            found = status(ask(hosted, data))
            if found not in (wanted, 429, 409):  # who is nobody is told to wait, who is two at once that it is busy
                wrong.append((name, found))
            number += 37

    threads = [threading.Thread(target=attack, args=[number]) for number in range(clients)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    token = hosted.token(f"the undisturbed among {clients}")
    env = gym.make("LSE/Remote-v0", url=hosted.url, track="small-v1", token=token, play="calm", max_edits=1000)
    seen = go(env, 1, actions)
    env.close()
    stop.set()
    for thread in threads:
        thread.join()
    track = hosted.host.tracks["small-v1"]
    drawn = draw(hosted.host._secrets[track.id], track, env.unwrapped._run.split("/")[1], 0)
    assert data_equivalence(seen, go(secret_env(track, drawn, env.unwrapped.domains[0]), 1, actions), exact=True)
    assert wrong == []


def test_strangers_take_no_room_from_who_has_a_token(hosted, monkeypatch):
    """Idle connections without end, and all requests that strangers of this address have: the oldest go."""
    monkeypatch.setattr(server, "STRANGERS_OF_ADDRESS", 20)
    monkeypatch.setattr(server, "HEADER_S", 600.0)
    token, where = hosted.token("the crowded out"), urlsplit(hosted.url)
    env = gym.make("LSE/Remote-v0", url=hosted.url, track="small-v1", token=token, play="calm")
    env.reset(seed=1)
    strangers = [socket.create_connection((where.hostname, where.port)) for _ in range(60)]
    while 429 not in {status(ask(hosted, request("/v1/tracks", b"", "", "GET"))) for _ in range(20)}:
        pass
    assert env.step("A.")[4]["edits"] == 1
    assert status(ask(hosted, request("/v1/tracks", b"", token, "GET"))) == 200
    for line in strangers[:30]:  # a timeout is no ConnectionError
        line.settimeout(STALL_S)
        with contextlib.suppress(ConnectionError):
            assert line.recv(1) == b""
    for line in strangers:
        line.close()
    env.close()


def on(line, data: bytes) -> int:
    """The status of the answer to a request on a connection that goes on; it has an object as body."""
    line.sendall(data)
    got = b""
    while not got.endswith(b"}"):
        got += line.recv(65536) or b"}"
    return status(got)


def test_a_team_has_so_many_connections_and_others_are_unaffected(hosted, monkeypatch):
    """One more is refused and closed; where one is closed there is room again, and none is lost to who was refused."""
    monkeypatch.setattr(server, "HEADER_S", 600.0)
    greedy, other, where = hosted.token("of many lines"), hosted.token("of one line"), urlsplit(hosted.url)
    mine = request("/v1/plays", b"", greedy, "GET").replace(b"Connection: close\r\n", b"")
    with contextlib.ExitStack() as held:
        lines = []
        for _ in range(MOST_CONNECTIONS):
            line = socket.create_connection((where.hostname, where.port), timeout=STALL_S)
            lines.append(held.enter_context(line))
            assert on(line, mine) == 200
        for _ in range(3):
            refused = ask(hosted, mine)  # to its end: the host closes it
            assert status(refused) == 429
            assert b"connections open" in refused
        assert status(ask(hosted, request("/v1/plays", b"", other, "GET"))) == 200
        assert on(lines[0], mine) == 200
        lines[1].close()
        deadline = time.monotonic() + STALL_S
        while status(ask(hosted, request("/v1/plays", b"", greedy, "GET"))) != 200:
            assert time.monotonic() < deadline


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")  # of the fuzzer
def test_whatever_the_schema_allows_is_answered_as_it_says(tmp_path, monkeypatch):
    """Every operation under schemathesis: statuses, content types, bodies, tokens; nothing is an error of the host."""
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, given, settings
    from schemathesis import checks

    monkeypatch.setattr(app, "STRANGERS_AT_ONCE", 1e6)
    (tmp_path / "host.json").write_text(json.dumps({"requests_per_s": 1e5, "burst": 1_000_000}))
    checks.load_all_checks()
    too_strict = [checks.CHECKS.get_one("positive_data_acceptance")]  # 1.0 is no integer here
    with hosts.hosting(tmp_path, hosts.make_track(tmp_path, domains=("mill-0",), env="LSE/PassageOrder-v1")) as hosted:
        token, tried = hosted.token("the fuzzer"), 0
        for found in schemathesis.openapi.from_url(f"{hosted.url}/openapi.json").get_all_operations():

            @given(case=found.ok().as_strategy())
            @settings(max_examples=300, database=None, suppress_health_check=list(HealthCheck))
            def fuzz(case):
                headers = {"Authorization": f"Bearer {token}"}
                case.call_and_validate(headers=headers, excluded_checks=too_strict)

            fuzz()
            tried += 1
    assert tried == 11
