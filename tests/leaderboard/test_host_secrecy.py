"""What a player receives holds no question that it is scored on, no gold of one, no secret, and nothing of others."""

import json
import os
from itertools import cycle

import gymnasium as gym
import pytest

from lse_gym.agents import agent_class
from lse_gym.leaderboard.errors import BoardError
from lse_gym.leaderboard.host import server
from lse_gym.leaderboard.host.secret import check_playable, draw, public_names, secret_env
from lse_gym.leaderboard.track import all_tracks
from tests.leaderboard import hosted as hosts
from tests.leaderboard.killed_host import asked

pytestmark = [pytest.mark.extra("host"), pytest.mark.extra("api")]

FAMILIES = {
    "qa": {},
    "one": {"domains": ("brewing-0",)},
    "passages": {"env": "LSE/PassageOrder-v1", "domains": ("mill-0",)},
    "sql": {"env": "LSE/TextToSQL-v1", "domains": ("clinic-0",)},
    "desk": {"env": "LSE/ServiceDesk-v0", "domains": ("office-0",)},
    "injection": {"env": "LSE/Injection-v0", "domains": ("bees-0",)},
    "tools": {"env": "LSE/ToolUse-v0", "domains": ("bikes-0",)},
}
SHORTEST_GOLD = 16  # characters: shorter ones are words and numbers that stand in any text


class Tap:
    """An ASGI app whose every sent byte is kept, by the team that asked."""

    def __init__(self, app, sent):
        self.app, self.sent = app, sent

    async def __call__(self, scope, receive, send):
        who = dict(scope.get("headers", ())).get(b"authorization", b"").decode()[-64:]

        async def kept(message):
            parts = [message.get("body", b""), *(part for pair in message.get("headers", ()) for part in pair)]
            self.sent.setdefault(who, bytearray()).extend(b"\n".join(parts))
            await send(message)

        await self.app(scope, receive, kept)


def play(hosted, track, token, context, agent):
    """A run on every domain, all that may be asked of single questions and refused requests among it."""
    os.environ["LSE_GYM_TOKEN"] = token
    for domain in public_names(track):
        env = gym.make("LSE/Remote-v0", url=hosted.url, track=track.id, play="only", domain=domain)
        core = env.unwrapped
        env.reset(seed=1)
        for number in range(3):
            env.step(f"{context}\nLine {number}.")
            env.reset()
        places = [(split, i) for split in ("feedback", "held_out") for i in range(core.track["sizes"][split])]
        asked(env, context, places)
        assert core.feedback_questions()[0].text
        for number, places in ((-1, ["feedback-0"]), (core._number, ["test-0"])):
            with pytest.raises(ValueError, match=r"number|questions"):
                core.client.post(f"{core._run}/evaluate", {"number": number, "context": "", "questions": places})
        if agent:
            agent_class(agent)(env).learn(2)
        core.finish([core.context])
        core.client.get(f"plays/{core._run.split('/')[1]}")
        env.close()


def said(steps):
    """What the task model answered to feedback questions: it may be right for others."""
    answers = [step.answer for step in steps if step.kind != "finish"]
    found = {problem[1] for answer in answers for problem in answer["report"][1]}
    return found | {response for answer in answers for response in answer.get("responses", ())}


def check_secrecy(hosted, track, sent, teams):
    secret = hosted.host._secrets[track.id]
    for team in hosted.store.teams():
        if team.name not in teams:
            continue
        token, context = teams[team.name]
        got = sent[token[-64:]].decode()
        others = [text for name, pair in teams.items() if name != team.name for text in pair]
        assert context in got
        (one,) = hosted.store.plays(team.id)
        for run, name in enumerate(public_names(track)):
            drawn = draw(secret, track, one.id, run)
            domain = secret_env(track, drawn, name).family.load(name)
            steps = [step for step, _ in hosted.store.steps(one.id, run)]
            own = json.dumps([step.request for step in steps])  # what an agent has found out comes back to it
            shown = {question.gold for question in domain.splits["feedback"]} | said(steps)
            hidden = [*domain.splits["held_out"], *domain.splits["test"]]
            golds = {q.gold for q in hidden if len(q.gold) >= SHORTEST_GOLD} - shown
            whole = map(json.dumps, [*(question.text for question in hidden), *golds])  # some begin like others
            rules = {*(domain.oracle_context or "").split("\n")} - {*domain.seed_context.split("\n"), ""}
            kept = [*rules, *others, token, drawn.domain, str(secret), f"{secret:x}"]
            assert any(json.dumps(question.text) in got for question in domain.splits["feedback"])
            for text in [*whole, *(json.dumps(text)[1:-1] for text in kept)]:
                assert text not in got or text in own, (track.id, text)
            assert drawn.domain.rpartition("-")[2] not in got


def record(tmp_path, monkeypatch, families, plays, agents=(None,)):
    sent = {}
    monkeypatch.setattr(server, "make_app", lambda host, make=server.make_app: Tap(make(host), sent))
    tracks = [
        hosts.make_track(tmp_path, id=f"{name}-v1", **{**FAMILIES[name], "budget": {"calls": 10_000}})
        for name in families
    ]
    monkeypatch.setenv("LSE_GYM_TOKEN", "")
    with hosts.hosting(tmp_path, *tracks) as hosted:
        for track in tracks:
            teams = {f"{track.id} {n}": (hosted.token(f"{track.id} {n}"), f"Of team {n:04}.") for n in range(plays)}
            for (token, context), agent in zip(teams.values(), cycle(agents), strict=False):
                play(hosted, track, token, context, agent)
            check_secrecy(hosted, track, sent, teams)
        salt = (tmp_path / "salt").read_text()
        assert all(salt.encode() not in got for got in sent.values())
    return sent


def test_nothing_hidden_is_sent(tmp_path, monkeypatch):
    assert len(record(tmp_path, monkeypatch, ["qa", "passages"], plays=2)) == 4


@pytest.mark.extra("gepa")
def test_nothing_hidden_is_sent_to_agents_that_ask_single_questions(tmp_path, monkeypatch):
    agents = ["gepa", "instruct-and-shots"]
    assert len(record(tmp_path, monkeypatch, ["one"], plays=2, agents=agents)) == 2


@pytest.mark.long
@pytest.mark.extra("dspy")
@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_hidden_is_sent_to_agents_of_dspy(tmp_path, monkeypatch, family):
    agents = ["dspy-bootstrap", "dspy-mipro"]
    assert len(record(tmp_path, monkeypatch, [family], plays=2, agents=agents)) == 2


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_hidden_is_sent_in_200_plays(tmp_path, monkeypatch, family):
    """34 of each family, more than 200 in all."""
    assert len(record(tmp_path, monkeypatch, [family], plays=34)) == 34


def test_domains_are_drawn_from_more_than_can_be_tried(tmp_path):
    track = hosts.make_track(tmp_path)
    drawn = {draw(secret, track, play, run) for secret in (1, 2) for play in ("a", "b") for run in range(2)}
    assert len(drawn) == len({one.domain for one in drawn}) == len({one.questions for one in drawn}) == 8
    assert min(len(one.domain.rpartition("-")[2]) for one in drawn) > 30
    assert draw(1, track, "a", 0) == draw(1, track, "a", 0)


@pytest.mark.parametrize("track", ["sql-reader-500-v2", "tools-reader-1500-v1"])
def test_the_tracks_of_the_package_can_be_played(track):
    check_playable(all_tracks()[track])


@pytest.mark.extra("ds")
def test_a_dataset_does_not_tell_its_seed(tmp_path):
    changes = {"env": "LSE/DataScience-v0", "domains": ("ferry-0",), "settings": {"env_args": {"held_out_size": 2}}}
    check_playable(hosts.make_track(tmp_path, **changes))


def test_a_family_that_tells_its_seed_is_refused(tmp_path, monkeypatch):
    track = hosts.make_track(tmp_path)
    family = type(track.core("reader").family)
    sealed = family.sealed

    def telling(self, name, secret, count):
        domain = sealed(self, name, secret, count)
        monkeypatch.setattr(domain, "seed_context", f"About {name}.", raising=False)
        return domain

    monkeypatch.setattr(family, "sealed", telling)
    with pytest.raises(BoardError, match="tell the seed"):
        check_playable(track)
