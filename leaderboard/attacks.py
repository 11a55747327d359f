"""Attacks on what stands between a submission and the ranking: what is told is the share of them that get through.

Nothing here asks a model. What gets through is in no ranking yet; that is for :mod:`lse_gym.leaderboard.selfcheck`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lse_gym.envs.domain import Domain, Question
from lse_gym.leaderboard.copies import copied, index_rows
from lse_gym.leaderboard.leaks import find_leaks
from lse_gym.leaderboard.statistics import mean
from lse_gym.leaderboard.submission import text_digest
from lse_gym.leaderboard.text import alike, name_problem, pieces, squeeze
from lse_gym.leaderboard.track import Track

DUMPED = 45  # questions in one context
SPLIT_SEEDS = 4  # whose public questions are compared with sealed ones and with each other
Spelling = Callable[[str], str]
# Each leaves a text that a model still understands.
SPELLINGS: Mapping[str, Spelling] = {
    "as it is": str,
    "underscores": lambda text: text.replace(" ", " _ "),
    "line breaks": lambda text: text.replace(" ", "\n"),
    "upper case": str.upper,
    "quotes": "'".join,
    "no width": "\u200b".join,
    "soft hyphens": "\u00ad".join,
    "look-alikes": lambda text: text.translate(str.maketrans("aeo", "\u0430\u0435\u043e")),
    "wide letters": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "mathematical letters": lambda text: "".join(chr(ord(c) - 97 + 0x1D41A) if "a" <= c <= "z" else c for c in text),
    "marks": lambda text: "".join(f"{c}\u0332" for c in text),
}
REWRITES: Mapping[str, Spelling] = {
    "other order": lambda text: "\n".join(reversed(text.splitlines())),
    "numbered": lambda text: "\n".join(f"{i}. {line}" for i, line in enumerate(text.splitlines())),
    "in one line": lambda text: text.replace("\n", " "),
    "all of it twice": lambda text: f"{text}\n{text}",
    "a line more": lambda text: f"{text}\nBe careful and thorough.",
}
WAYS = (*SPELLINGS.values(), *REWRITES.values())
TEAM = "Team Alpha 1"
TWINS = ("TEAM ALPHA 1", "Te\u0430m Alpha 1", "Team \u0391lpha 1", "Team Alpha l", "Tearn Alpha 1", "Team A1pha 1")
NAMES = (
    "Team\u200b Alpha 1", "\u202eTeam Alpha 1", "Team\u00a0Alpha 1", "Team  Alpha 1", "Team Alpha\u3164 1",
    "Te\u0301am", "\uff34eam", "Team\x1b[2J", "Team\u2028Alpha", "Team\U000e0041",
    "T\u0332\u0333\u0334eam", "Team\ufe0f",
)  # fmt: skip


class Attack(NamedTuple):
    """What an attack scored, in [0, 1], and what it may at most."""

    name: str
    score: float
    allowed: float

    @property
    def holds(self) -> bool:
        """Whether the track withstands it."""
        return self.score <= self.allowed


def attack_the_door(track: Track, secret: int, count: int) -> list[Attack]:
    """Every attack of this module on a track whose sealed questions are drawn by ``secret``, ``count`` a domain."""
    family = track.core("reader").family
    pairs = [(family.load(name), family.sealed(name, secret, count)) for name in track.domains]
    oracles = {public.name: public.oracle_context or "" for public, _ in pairs}
    if all(pieces(oracles[public.name]) - pieces(public.seed_context) for public, _ in pairs):
        relabelled = [not _is_copy(track, {name: how(text) for name, text in oracles.items()}) for how in WAYS]
    else:  # an order of what every run starts with is nobody's secret
        relabelled = []
    return [
        Attack("dumps of test questions or answers, in any spelling", mean([_dumps(*pair) for pair in pairs]), 0.0),
        Attack("the oracle's context as an agent's own", mean([*map(float, relabelled)]) if relabelled else 0.0, 0.0),
        Attack("contexts of another team as one's own", _copies(track, [public for public, _ in pairs]), 0.0),
        Attack("sealed questions that are public, test questions in other feedback", _overlap(track, pairs), 0.0),
        Attack("names that hide something or look like another team's", _names(), 0.0),
    ]


def _dumps(public: Domain, sealed: Domain) -> float:
    """The share of spellings in which a dump of questions, or of answers, is not noticed."""
    found = []
    for domain in (public, sealed):
        asked = domain.splits["test"][:DUMPED]
        kinds = [[question.text for question in asked], [domain.gold_response(question) for question in asked]]
        if find_leaks("\n".join(kinds[1]), [public, sealed]).answers <= 1:
            kinds.pop()  # answers such as the letter of a choice stand in any text, and tell nothing alone
        for texts in kinds:
            found += [
                not find_leaks(" _ ".join(map(how, texts)), [public, sealed]).problem() for how in SPELLINGS.values()
            ]
    return mean([float(missed) for missed in found])


def _copies(track: Track, domains: Sequence[Domain]) -> float:
    """The share of rewritings in which contexts of another team rank."""
    rules = "\n".join(f"- What stands in column {chr(97 + n) * 3} is written as {n} units." for n in range(24))
    own = {domain.name: f"{domain.seed_context}\n{rules}" for domain in domains}
    return mean([float(not _is_copy(track, {name: how(t) for name, t in own.items()}, earlier=own)) for how in WAYS])


def _is_copy(track: Track, contexts: Mapping[str, str], earlier: Mapping[str, str] | None = None) -> bool:
    """Whether a submission of these contexts, one a domain, is flagged beside an earlier entry of another team."""
    from sqlite_utils import Database

    from lse_gym.leaderboard.migrations import migrations

    db = Database(memory=True)
    migrations.apply(db)
    if earlier:
        first = _submission(earlier, "another team")
        row = dict.fromkeys(("sha256", "agent", "submitted", "facts"), "") | {"track": track.id, "document": b""}
        db.table("entries").insert({**row, "id": 1, "team": "another team"})
        db.table("pieces").insert_all(index_rows(1, first))
    found = copied(_submission(contexts, "a team"), track, db)
    db.close()
    return bool(found)


def _submission(contexts: Mapping[str, str], team: str) -> dict[str, Any]:
    """Of a submission what is read to find copies."""
    return {
        "team": {"name": team},
        "agent": {"name": "a new method", "kind": "a new method"},
        "contexts": {text_digest(text): text for text in contexts.values()},
        "runs": [
            {"domain": name, "best": 0, "trajectory": [{"context": text_digest(text)}]}
            for name, text in contexts.items()
        ],
    }


def _overlap(track: Track, pairs: Sequence[tuple[Domain, Domain]]) -> float:
    """The largest share of sealed questions that are public, and of test questions that are in another's feedback."""
    shares = []
    for public, sealed in pairs:
        others = [track.core("reader", seed).family.load(public.name) for seed in range(1, SPLIT_SEEDS)]
        everything = {text for domain in (public, *others) for text in _texts(domain, *domain.splits)}
        kept = [_texts(domain, "held_out", "test") for domain in (public, *others)]
        shown = [_texts(domain, "feedback") for domain in (public, *others)]
        hidden = _texts(sealed, "test")
        shares.append(len(hidden & everything) / len(hidden))
        shares.append(max(len(one & other) / len(one) for one in kept for other in shown))
    return max(shares)


def _texts(domain: Domain, *splits: Any) -> set[str]:
    return {_text(question) for split in splits for question in domain.splits[split]}


def _text(question: Question) -> str:
    return squeeze(f"{question.text}{question.gold}")


def _names() -> float:
    """The share of names that hide something, or look like another, and are not noticed."""
    missed = [not name_problem(name) for name in NAMES] + [not alike(TEAM, twin) for twin in TWINS]
    return mean([float(one) for one in missed])
