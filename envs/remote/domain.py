"""The domains of a track as a player has them: their questions are places, and what the host tells of them."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from lse_gym.envs.domain import SPLITS, Attempt, Domain, Family, Outcome, Question, Split
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.remote.questions import place
from lse_gym.envs.report import Report

AT_HOST = "is at the host, which keeps it to itself."


class RemoteDomain(Domain):
    """A domain whose questions stand here as places, without a text.

    Args:
        name: its name at the host.
        track: what the host tells of the track.
    """

    oracle_context = None

    seed_context = ""  # a reset tells it

    def __init__(self, name: str, track: Mapping[str, Any]):
        self.name, self.max_turns = name, track["max_turns"]
        self._digest = sha256(f"{track['suite_sha256']}\0{name}".encode()).hexdigest()
        sizes = track["sizes"]
        self.splits: Mapping[Split, Sequence[Question]] = {
            split: tuple(Question(place(split, i), "", "") for i in range(sizes[split])) for split in SPLITS
        }
        self._users: dict[str, str] = {}
        self._reports: dict[tuple[Attempt, ...], Report] = {}  # as the host made them

    def told(self, rows: Sequence[Mapping[str, Any] | None]) -> list[Question]:
        """The feedback questions as the host tells of them; those of which it tells nothing stay places.

        Raises:
            KeyError, TypeError, ValueError: it tells something else.
        """
        questions = []
        for unseen, row in zip(self.splits["feedback"], rows, strict=True):
            question = unseen if row is None else Question(unseen.id, *map(str, row["question"]))
            if row is not None:
                self._users[question.id] = str(row["user"])
                self.keep([self.gold_attempt(question)], Report.from_json(row["report"]))
            questions.append(question)
        return questions

    def keep(self, attempts: Sequence[Attempt], report: Report) -> None:
        """Keep the report that the host made of attempts."""
        self._reports[tuple(attempts)] = report

    def system(self, context: str) -> str:
        """Nothing is known of it but the context."""
        return context

    def user(self, question: Question) -> str:
        """What is asked, where the host tells; else the place of the question, which stands for it."""
        return self._users.get(question.id, question.id)

    def gold_attempt(self, question: Question) -> Attempt:
        """The attempt that the host's worked example is kept under."""
        return Attempt(question, "", Outcome(1.0, question.gold))

    def report(self, attempts: Sequence[Attempt]) -> Report:
        """What the host told of these attempts, in the track's feedback mode."""
        if tuple(attempts) not in self._reports:
            raise ArgumentError(f"a report on other attempts than those of one evaluation of {self.name!r} {AT_HOST}")
        return self._reports[tuple(attempts)]

    def score(self, questions: Sequence[Question], responses: Sequence[str]) -> list[Outcome]:
        """Refuse."""
        raise ArgumentError(f"the scorer of {self.name!r} {AT_HOST} Evaluate a context on questions instead.")

    def fingerprint(self) -> str:
        """A digest of the track and the name: the questions are another's."""
        return self._digest

    def verify(self) -> list[str]:
        """Nothing to verify here."""
        return []


class RemoteFamily(Family):
    """The domains of a track, as a host tells of them.

    Args:
        track: what it tells of the track.
    """

    def __init__(self, track: Mapping[str, Any]):
        self.track, self.groups = track, {"played": tuple(track["domains"])}
        self._loaded: dict[str, RemoteDomain] = {}

    def load(self, name: str) -> RemoteDomain:
        """The places of a domain's questions, and what has been told of them so far."""
        self.check(name)
        if name not in self._loaded:
            self._loaded[name] = RemoteDomain(name, self.track)
        return self._loaded[name]
