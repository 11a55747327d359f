"""The host itself, without HTTP: teams and their plays, and every request executed once, kept, then answered."""

import hmac
import json
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from lse_gym.envs.errors import ProviderError
from lse_gym.envs.models import make_model
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.errors import BoardError, SubmissionError
from lse_gym.leaderboard.host.entry import enter
from lse_gym.leaderboard.host.model import SharedModel
from lse_gym.leaderboard.host.rules import HostRules, read_rules
from lse_gym.leaderboard.host.run import LiveRun, Refusal
from lse_gym.leaderboard.host.secret import check_playable, draw, public_names
from lse_gym.leaderboard.host.store import Play, PlayStore, Team
from lse_gym.leaderboard.host.tokens import token_team
from lse_gym.leaderboard.store import now
from lse_gym.leaderboard.text import name_problem
from lse_gym.leaderboard.track import Track, canonical, check_suite

log = logging.getLogger("lse_gym.host")
NO_PLAY = "this team has no such play or run."
KNOWN_S = 5.0  # that a token is good for without another look; a revoked one, too
NO_SECRET = sha256(b"").digest()  # compared with where there is no team, so that it takes as long


class Host:
    """Everything that a host does. Threads call it side by side.

    Args:
        board: the owner's board, whose secret the domains are drawn from; used by one thread at a time.
        store: what the host keeps.
        tracks: what is played here.

    Raises:
        BoardError: a track cannot be played, or the board has no secret.
    """

    def __init__(self, board: Board, store: PlayStore, tracks: Sequence[Track]):
        self.board, self.store = board, store
        self.rules: HostRules = read_rules(board.path / "host.json")
        self.tracks = {track.id: track for track in tracks}
        self._secrets, self._facts, self._models = {}, {}, {}
        for track in tracks:
            check_playable(track)
            check_suite(track)
            self._secrets[track.id] = board.secret(track)
            self._models[track.id] = {name: self._model(name) for name in track.models}
            revision = self._models[track.id][track.task_model].revision
            self._facts[track.id] = facts(track, revision, self.rules)
        self._live: OrderedDict[tuple[str, int], LiveRun] = OrderedDict()
        self._guard, self._entering, self._here = threading.Lock(), threading.Lock(), threading.local()
        self._known: dict[bytes, tuple[Team, float]] = {}

    def _model(self, name: str) -> SharedModel:
        known = {one: shared for models in self._models.values() for one, shared in models.items()}
        return known.get(name) or SharedModel(make_model(name))

    def known(self, token: str) -> Team | None:
        """The team of a token that was good a few seconds ago."""
        team, until = self._known.get(sha256(token.encode()).digest(), (None, 0.0))
        return team if time.monotonic() < until else None

    def team_of(self, token: str) -> Team | None:
        """The team that a token belongs to; None where it is nobody's."""
        team, digest = self.store.team(token_team(token)), sha256(token.encode()).digest()
        same = hmac.compare_digest(team.token_sha256 if team else NO_SECRET, digest)
        if not team or not same or team.revoked:
            return None
        self._known[digest] = (team, time.monotonic() + KNOWN_S)
        return team

    def worked(self) -> float:
        """Seconds that the last request of this thread spent in its env, and not in the host."""
        return self._here.__dict__.pop("worked", 0.0)

    def all_facts(self) -> list[dict[str, Any]]:
        """What anybody may know of the tracks played here."""
        return [*self._facts.values()]

    def facts(self, track: str) -> dict[str, Any]:
        """The same of one; a refusal where it is not played here."""
        if track not in self._facts:
            raise Refusal(404, f"no such track is played here; there are {', '.join(self._facts)}.")
        return self._facts[track]

    def begin(self, team: Team, track: str, name: str) -> dict[str, Any]:
        """Begin a play, or find the team's play of that name."""
        self.facts(track)
        rules = self.board.rules
        fresh = Play(secrets.token_hex(16), team.id, name, track, _digest(self.tracks[track]), now())
        play = self.store.begin(fresh, rules.submissions_per_team, rules.since())
        if play is None:
            told = f"{rules.submissions_per_team} plays of this track in {rules.window_days:g} days are a team's limit."
            raise Refusal(403, told)
        if play.track != track:
            raise Refusal(409, f"the play {name!r} is one of {play.track}. Give this one another name.")
        return {"play": play.id, "domains": list(public_names(self.tracks[track]))}

    def describe(self, team: Team, number: str, about: Mapping[str, str]) -> dict[str, Any]:
        """Keep what a team says of the agent that plays; it is shown once all runs have ended, and fixed by then."""
        play, _ = self._play(team, number)
        problem = name_problem(about["name"])
        if problem:
            raise Refusal(400, f"the name {about['name']!a} {problem}.")
        if play.entry is not None:
            raise Refusal(409, "this play is on the board already.")
        self.store.describe(play.id, json.dumps(about))
        return {"play": play.id}

    def state(self, team: Team, number: str) -> dict[str, Any]:
        """How far a play is; once it has come to its end with the sealed scores of each run, as its end asked them."""
        play, track = self._play(team, number)
        refusal = None if play.entry else self.store.refusal(play.id)
        done = self.store.progress(play.id)
        ends = {} if play.entry is None and refusal is None else self.store.ends(play.id)
        runs = []
        for run, domain in enumerate(public_names(track)):
            steps, first, over = done.get(run, (0, None, False))
            left = self.rules.run_hours * 3600 - (time.time() - first if first else 0.0)
            run_state = {"domain": domain, "steps": steps, "finished": over, "seconds_left": max(0.0, round(left, 1))}
            runs.append({**run_state, "end": told(ends[run]) if run in ends else None})
        known = {"play": play.id, "name": play.name, "track": play.track, "entry": play.entry}
        return {**known, "refusal": refusal, "runs": runs}

    def act(self, team: Team, number: str, run: int, kind: str, at: int, request: Mapping[str, Any]) -> bytes:
        """The answer to a request of a run, as JSON. Sent again, it gets the same answer and is not executed again.

        The sealed scores of a run are in the answer to its end once all runs of its play have ended, for nobody is to
        see them and then choose which plays to end.

        Args:
            team: who asks.
            number: id of the play.
            run: number of the run.
            kind: "reset", "step", "evaluate" or "finish".
            at: number of the request within the run, from 0.
            request: what is asked.

        Raises:
            Refusal: it is not executed.
        """
        play, track = self._run(team, number, run)
        digest = sha256(json.dumps([kind, request], sort_keys=True).encode()).digest()
        kept = self.store.answered(play.id, run, at)
        if not kept:
            with _held(self._slot(play, track, run)) as live:
                kept = self.store.answered(play.id, run, at)  # by whoever had the lock
                kept = kept or (digest, self._execute(live, play, run, kind, at, request, digest))
        answer = _same(kept, digest, at)
        if kind != "finish" or self._over(play.id):
            return answer
        return json.dumps({**told(json.loads(answer)), "scores": None}).encode()

    def _over(self, number: str) -> bool:
        """Whether a play has come to its end: it is an entry, or is told why it is none."""
        play = self.store.play(number)
        return play is not None and (play.entry is not None or self.store.refusal(number) is not None)

    def questions(self, team: Team, number: str, run: int) -> bytes:
        """What a player may know of the feedback questions of a run by now, as JSON."""
        play, track = self._run(team, number, run)
        with _held(self._slot(play, track, run)) as live:
            self._bring_up(live, play, run)
            return json.dumps({"questions": live.questions()}).encode()

    def _execute(
        self, live: LiveRun, play: Play, run: int, kind: str, at: int, request: Mapping[str, Any], digest: bytes
    ) -> bytes:
        began = time.perf_counter()
        self._bring_up(live, play, run)
        self._check(live, kind, at)
        try:
            step = live.execute(kind, request)
            self._here.worked = time.perf_counter() - began
            moment = time.time()
            answer = self.store.add_step(play.id, run, at, step, digest, moment)
        except Refusal:
            raise
        except BaseException as error:  # what was half done is not on record: the run is made again from there
            self._drop(play.id, run, live)
            if isinstance(error, ProviderError):
                log.error("%s, run %d, step %d: %s", play.id, run, at, error)
                raise Refusal(503, f"the task model failed ({type(error).__name__}). Send it again.") from None
            raise
        live.started = live.started or moment
        if live.finished:
            self.enter_finished(play)
        return answer

    def _bring_up(self, live: LiveRun, play: Play, run: int) -> None:
        """Make a run again from the record, where it is not in memory."""
        if live.count:
            return
        try:
            steps = list(self.store.steps(play.id, run))
            live.go_through(step for step, _ in steps)
            live.started = steps[0][1] if steps else None
        except BaseException as error:
            self._drop(play.id, run, live)
            log.error("%s, run %d cannot be made again: %s", play.id, run, error)
            if isinstance(error, (BoardError, ProviderError)):
                raise Refusal(500, "this run cannot be made again from its record. Tell the owner.") from None
            raise

    def _check(self, live: LiveRun, kind: str, at: int) -> None:
        if live.finished:
            raise Refusal(409, "this run has ended.")
        if at != live.count:
            raise Refusal(409, f"request {at} cannot follow: {live.count} were executed.")
        if kind != "finish" and live.count >= self.rules.steps_per_run:
            raise Refusal(403, f"{self.rules.steps_per_run} steps are a run's limit. Finish it.")
        late = live.started is not None and time.time() > live.started + self.rules.run_hours * 3600
        if kind != "finish" and late:
            raise Refusal(403, f"the {self.rules.run_hours:g} hours of this run are over. Finish it.")

    def catch_up(self) -> None:
        """Enter what ended just before this host's last end; a play that cannot be entered is logged and left out."""
        self.store.check_log()
        for play in [play for team in self.store.teams() for play in self.store.plays(team.id)]:
            track = self.tracks.get(play.track)
            if play.entry or track is None or _digest(track) != play.track_sha256:
                continue
            try:
                self.enter_finished(play)
            except BoardError:
                raise
            except Exception:
                log.exception("the play %s cannot be entered", play.id)

    def enter_finished(self, play: Play) -> None:
        """Enter a play on the board, once all of its runs have ended; :meth:`state` tells of a refusal."""
        track = self.tracks[play.track]
        with self._entering:
            done = self.store.progress(play.id)
            if len(done) < len(public_names(track)) or not all(over for _, _, over in done.values()):
                return
            team = self.store.team(play.team)
            assert team is not None
            again = self.store.play(play.id)
            assert again is not None
            try:
                self.store.entered(play.id, enter(self.board.path, self.store, track, again, team))
            except SubmissionError as error:
                self.store.refuse(play.id, " ".join(error.reasons))
                log.error("the play %s is not entered: %s", play.id, error)

    def _play(self, team: Team, number: str) -> tuple[Play, Track]:
        play = self.store.play(number)
        if play is None or play.team != team.id:
            raise Refusal(404, NO_PLAY)
        track = self.tracks.get(play.track)
        if track is None or _digest(track) != play.track_sha256:
            raise Refusal(410, f"the track {play.track} is not played here any more as it was.")
        return play, track

    def _run(self, team: Team, number: str, run: int) -> tuple[Play, Track]:
        play, track = self._play(team, number)
        if not 0 <= run < len(public_names(track)):
            raise Refusal(404, NO_PLAY)
        return play, track

    def _slot(self, play: Play, track: Track, run: int) -> LiveRun:
        with self._guard:
            live = self._live.get((play.id, run))
            if live is None:
                names, secret = public_names(track), self._secrets[track.id]
                drawn = draw(secret, track, play.id, run)
                unseen = draw(secret, track, play.id, len(names) + run % len(track.domains))  # one a theme
                live = LiveRun(track, drawn, names[run], self._models[track.id], unseen)
                self._live[play.id, run] = live
            self._live.move_to_end((play.id, run))
            idle = [key for key, other in self._live.items() if other is not live and not other.lock.locked()]
            for key in idle[: max(0, len(self._live) - self.rules.live_runs)]:
                del self._live[key]
        return live

    def _drop(self, play: str, run: int, live: LiveRun) -> None:
        with self._guard:
            if self._live.get((play, run)) is live:
                del self._live[play, run]


@contextmanager
def _held(live: LiveRun) -> Generator[LiveRun]:
    if not live.lock.acquire(blocking=False):
        raise Refusal(409, "the request before this one is being worked on.", busy=True)
    try:
        yield live
    finally:
        live.lock.release()


def _same(kept: tuple[bytes, bytes], digest: bytes, at: int) -> bytes:
    if not hmac.compare_digest(kept[0], digest):
        raise Refusal(409, f"request {at} of this run was another one, and has been executed. Go on after it.")
    return kept[1]


def told(end: Mapping[str, Any]) -> dict[str, Any]:
    """Of the end of a run, what its player needs; the scores while others of its play go on are not among it."""
    return {name: end[name] for name in ("scores", "context", "used")}


def _digest(track: Track) -> str:
    return sha256(canonical(asdict(track))).hexdigest()


def facts(track: Track, revision: str, rules: HostRules) -> dict[str, Any]:
    """What a player has to know of a track."""
    core = track.core()
    sample = core.family.load(core.domain_name)
    sizes = {**core.family.sizes(core.domain_name), "test": track.sealed_items}
    return {
        "id": track.id,
        "title": track.title,
        "env": track.env,
        "domains": list(public_names(track)),
        "sizes": sizes,
        "max_turns": sample.max_turns,
        "task_model": track.task_model,
        "revision": revision,
        "samples": core.session.samples,
        "temperature": core.session.temperature,
        "max_tokens": core.session.max_tokens,
        "max_chars": core.max_chars,
        "gate": core.gate,
        "feedback": core.feedback_mode,
        "feedback_size": core.feedback_size,
        "budget": dict(track.budget),
        "max_context_tokens": track.max_context_tokens,
        "suite_sha256": track.suite_sha256,
        "run_hours": rules.run_hours,
        "steps_per_run": rules.steps_per_run,
    }
