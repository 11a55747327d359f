"""The host over HTTP: what a team may ask, in JSON. Every answer is an object; an error has one key, ``error``."""

import logging
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from lse_gym.envs.extras import needs
from lse_gym.envs.remote.wire import VERSION
from lse_gym.leaderboard.host.guard import Buckets, Guard, Places
from lse_gym.leaderboard.host.run import Refusal
from lse_gym.leaderboard.host.service import Host
from lse_gym.leaderboard.host.store import Team

with needs("host", "A host of played tracks"):
    from fastapi import Depends, FastAPI, Path, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from fastapi.security import HTTPBearer
    from pydantic import BaseModel, ConfigDict, Field
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException

log = logging.getLogger("lse_gym.host")
STRANGERS_PER_S, STRANGERS_AT_ONCE = 5.0, 50  # requests of an address that bring no valid token
MAX_TEXT = 1_000_000  # characters of a context; the body's size is bounded before
MOST = 2**53 - 1
MAX_QUESTIONS = 100_000  # of an evaluation
LONGEST_PLACE = 20  # bytes of a question's name in a body
MAX_BATCH = 100_000  # number of a feedback batch; steps count on from it, and entries have numbers up to a million
MAX_DECLARED = 1e14  # calls, tokens or dollars; with the host's own they stay below the 1e15 of an entry


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Begin(_Body):
    """A play to begin, or to go on with."""

    track: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,79}$")
    name: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9 ._:#+-]{0,62}[A-Za-z0-9])?$")


Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$")]
Prose = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$")]


class About(_Body):
    """The agent that plays, as its team describes it."""

    name: str = Field(pattern=r"^[^\s\x00-\x1f]([^\x00-\x1f]{0,78}[^\s\x00-\x1f])?$")
    kind: str = Field(default="unknown", pattern=r"^[A-Za-z0-9_.:-]{1,200}$")
    editor: Line = ""
    version: Line = ""
    url: str = Field(default="", pattern=r"^(https://[!#-&(-;=?-\[\]-~]{1,300})?$")
    commit: str = Field(default="", pattern=r"^([0-9a-f]{7,40})?$")
    description: Prose = ""
    training_data: Prose = "not told"
    external_data: Prose = "not told"
    licence: Line = "CC-BY-4.0"


class Numbered(_Body):
    """A request of a run. ``number`` counts them from 0: one that was answered is answered again, not executed."""

    number: int = Field(ge=0, le=MOST)


class Reset(Numbered):
    """Start an episode; as the options of ``reset``."""

    seed: int | None = Field(default=None, ge=0, le=MOST)
    context: str | None = Field(default=None, max_length=MAX_TEXT)
    batch: int | None = Field(default=None, ge=0, le=MAX_BATCH)


class Step(Numbered):
    """Replace the context."""

    action: str = Field(max_length=MAX_TEXT)


class Evaluate(Numbered):
    """Evaluate a context on single questions, outside of the episode, paid as all that the run asks."""

    context: str = Field(max_length=MAX_TEXT)
    questions: list[Annotated[str, Field(pattern=r"^(feedback|held_out)-[0-9]{1,6}$")]] = Field(
        min_length=1, max_length=MAX_QUESTIONS
    )


class Declared(_Body):
    """What the player's own models have cost in this run."""

    calls: float = Field(default=0.0, ge=0, le=MAX_DECLARED)
    tokens: float = Field(default=0.0, ge=0, le=MAX_DECLARED)
    usd: float = Field(default=0.0, ge=0, le=MAX_DECLARED)


class Finish(Numbered):
    """End the run with contexts that it has visited; the last one counts. None: that of the best held-out score."""

    contexts: list[Annotated[str, Field(max_length=MAX_TEXT)]] = Field(default=[], max_length=2)
    editor: Declared = Declared()


class Error(BaseModel):
    """Why a request was refused; ``busy`` where it may be sent again."""

    error: str
    busy: bool = False


PlayId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
Run = Annotated[int, Path(ge=0, le=10_000)]
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Error} for status in (400, 401, 403, 404, 405, 408, 409, 410, 413, 414, 422, 429, 431, 500, 503)
}


def make_app(host: Host) -> Any:
    """The ASGI app of a host, guarded."""
    app = FastAPI(title="lse-gym host", docs_url=None, redoc_url=None, redirect_slashes=False, responses=REFUSALS)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _unknown)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _broken)
    _add_routes(app, host)
    return Guard(app, max(map(_longest, host.all_facts()), default=0))


def _longest(facts: Mapping[str, Any]) -> int:
    """The longest body: two contexts, whose characters JSON may write in six bytes, or one and all questions."""
    return 16_000 + 12 * facts["max_chars"] + LONGEST_PLACE * sum(facts["sizes"].values())


def _add_routes(app: FastAPI, host: Host) -> None:
    rules, prefix = host.rules, f"/{VERSION}"
    teams, strangers = Buckets(rules.requests_per_s, rules.burst), Buckets(STRANGERS_PER_S, STRANGERS_AT_ONCE)
    places, bearer = Places(rules.at_once), HTTPBearer(auto_error=False, description="the token of a team")

    async def anybody(request: Request) -> Team | None:
        given = await bearer(request)  # not as a dependency: the API would say that a token is wanted
        team = host.known(given.credentials) if given else None
        if given and team is None:
            team = await run_in_threadpool(host.team_of, given.credentials)
        if team is None:
            _wait(strangers.take(_address(request)))
            return None
        if not request.state.recognise(team.id, rules.connections):
            told = f"this team has {rules.connections} connections open. Close one, or ask on those."
            raise Refusal(429, told, busy=True, closes=True)
        _wait(teams.take(team.id))
        return team

    async def team_of(
        team: Annotated[Team | None, Depends(anybody)], given: Annotated[object, Depends(bearer)]
    ) -> Team:
        del given
        if team is None:
            raise Refusal(401, "there is no such token.")
        return team

    Caller = Annotated[Team, Depends(team_of)]  # noqa: N806 - a type

    @app.get(f"{prefix}/tracks", dependencies=[Depends(anybody)])
    async def tracks() -> dict[str, Any]:
        """The tracks that are played here."""
        return {"tracks": host.all_facts()}

    @app.get(f"{prefix}/tracks/{{track}}", dependencies=[Depends(anybody)])
    async def track(track: Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9.-]{0,79}$")]) -> dict[str, Any]:
        """What there is to know of a track."""
        return host.facts(track)

    @app.get(f"{prefix}/plays")
    def plays(team: Caller) -> dict[str, Any]:
        """The plays of the team."""
        return {"plays": [{"play": p.id, "name": p.name, "track": p.track} for p in host.store.plays(team.id)]}

    @app.post(f"{prefix}/plays")
    def begin(body: Begin, team: Caller) -> dict[str, Any]:
        """Begin a play, or go on with the team's play of that name."""
        return host.begin(team, body.track, body.name)

    @app.get(f"{prefix}/plays/{{play}}")
    def state(play: PlayId, team: Caller) -> dict[str, Any]:
        """How far a play is."""
        return host.state(team, play)

    @app.post(f"{prefix}/plays/{{play}}/about")
    def about(play: PlayId, body: About, team: Caller) -> dict[str, Any]:
        """Describe the agent that plays."""
        return host.describe(team, play, body.model_dump())

    def act(request: Request, team: Team, play: str, run: int, kind: str, body: Numbered) -> Response:
        asked = body.model_dump(exclude={"number"})
        return work(request, team, lambda: host.act(team, play, run, kind, body.number, asked))

    def work(request: Request, team: Team, answer: Callable[[], bytes]) -> Response:
        if not places.take(team.id):
            raise Refusal(429, f"{rules.at_once} requests of this team are being worked on.", busy=True)
        try:
            return Response(answer(), media_type="application/json")
        finally:
            places.give_back(team.id)
            request.state.worked.append(host.worked())

    @app.get(f"{prefix}/plays/{{play}}/runs/{{run}}/questions", response_model=dict[str, Any])
    def questions(play: PlayId, run: Run, team: Caller, request: Request) -> Response:
        """The feedback questions that reports of a run have told of, with their golds; all once it has ended."""
        return work(request, team, lambda: host.questions(team, play, run))

    @app.post(f"{prefix}/plays/{{play}}/runs/{{run}}/reset", response_model=dict[str, Any])
    def reset(play: PlayId, run: Run, body: Reset, team: Caller, request: Request) -> Response:
        """Start an episode of a run."""
        return act(request, team, play, run, "reset", body)

    @app.post(f"{prefix}/plays/{{play}}/runs/{{run}}/step", response_model=dict[str, Any])
    def step(play: PlayId, run: Run, body: Step, team: Caller, request: Request) -> Response:
        """Take a step of a run."""
        return act(request, team, play, run, "step", body)

    @app.post(f"{prefix}/plays/{{play}}/runs/{{run}}/evaluate", response_model=dict[str, Any])
    def evaluate(play: PlayId, run: Run, body: Evaluate, team: Caller, request: Request) -> Response:
        """Evaluate a context on single feedback and held-out questions; of the latter only scores are told."""
        return act(request, team, play, run, "evaluate", body)

    @app.post(f"{prefix}/plays/{{play}}/runs/{{run}}/finish", response_model=dict[str, Any])
    def finish(play: PlayId, run: Run, body: Finish, team: Caller, request: Request) -> Response:
        """End a run, and have it scored on its sealed questions."""
        return act(request, team, play, run, "finish", body)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _wait(seconds: float) -> None:
    if seconds:
        raise Refusal(429, f"too many requests. Wait {math.ceil(seconds)} s.", busy=True)


def _refused(request: Request, error: Any) -> JSONResponse:
    del request
    headers = {"Retry-After": "1"} if error.status in (429, 503) else {}
    headers |= {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    headers |= {"Connection": "close"} if error.closes else {}
    return JSONResponse({"error": error.told, "busy": error.busy}, error.status, headers)


def _unknown(request: Request, error: Any) -> JSONResponse:
    del request
    return JSONResponse({"error": str(error.detail), "busy": False}, error.status_code, error.headers)


def _invalid(request: Request, error: Any) -> JSONResponse:
    """Where and why, without what was sent."""
    del request
    told = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5]]
    return JSONResponse({"error": "; ".join(told)[:1000], "busy": False}, 422)


def _broken(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s: %s", request.method, request.url.path, type(error).__name__, exc_info=error)
    return JSONResponse({"error": "the host failed; its owner can see why.", "busy": False}, 500)
