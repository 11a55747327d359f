"""Submissions looked at before anybody takes them in, as a job for pull requests does; nothing is written."""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from lse_gym.agents.console import counted
from lse_gym.envs.text import plain
from lse_gym.leaderboard.board import Board, accept, facts, read_submission
from lse_gym.leaderboard.document import read_file
from lse_gym.leaderboard.errors import SubmissionError
from lse_gym.leaderboard.track import Track

WORKFLOW = "leaderboard.yml"
MAX_CODE_CHARS = 400
_STEERS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # control and direction


class Finding(NamedTuple):
    """What was found of a file: what it is, reasons why it is not accepted, and a remark that does not refuse it."""

    file: str
    entry: str
    reasons: Sequence[str]
    remark: str

    @property
    def verdict(self) -> str:
        """Accepted or refused, in a word."""
        return "refused" if self.reasons else "accepted"

    def __str__(self) -> str:
        """One line."""
        told = "; ".join(filter(None, [self.entry, *self.reasons, self.remark]))
        return inert(f"{self.verdict}: {self.file}: {told}")


def check_file(path: Path, tracks: Mapping[str, Track], board: Board | None = None) -> Finding:
    """Check a file as ``submit`` would, with the limits and copies of a board, if there is one."""
    entry = remark = ""
    try:
        document = read_submission(read_file(path))
        entry = f"{document['agent']['name']} of {document['team']['name']} in {document['track']}"
        track = accept(document, tracks)
        known = facts(document, track)
        entry += f", {counted(known['runs'], 'run')}, test score {known['claimed']:.3f}"
        remark = board.rehearse(document, track) if board else ""
    except SubmissionError as error:
        return Finding(str(path), entry, error.reasons, "")
    return Finding(str(path), entry, (), remark)


def summary(findings: Sequence[Finding]) -> str:
    """A table in Markdown, and the reasons below it; whatever submissions say stands in it as code, and is inert."""
    refused = [finding for finding in findings if finding.reasons]
    head = f"{counted(len(findings), 'submission')} checked, {len(refused)} refused"
    lines = [f"### {head}", "", "| file | | entry |", "| --- | --- | --- |"]
    lines += [f"| {code(f.file)} | **{f.verdict}** | {code(f.entry)} {code(f.remark)} |" for f in findings]
    for finding in refused:
        lines += ["", f"{code(finding.file)} is refused:", "", *(f"- {code(reason)}" for reason in finding.reasons)]
    lines += ["", "What is accepted is self-reported until the owner of the board has run it on sealed questions."]
    return "\n".join(lines) + "\n"


def inert(text: str) -> str:
    """One line that steers neither a terminal nor the runner of a job, whose commands begin with ``##[``."""
    line = plain(" ".join(text.split()))
    return line.encode("utf-8", "replace").decode().replace("##[", "## [")


def code(text: str) -> str:
    """Text that may say anything, as code in a cell of a table; "" stays empty."""
    text = _STEERS.sub("", inert(text)).replace("`", "'").replace("|", "¦")
    text = text if len(text) <= MAX_CODE_CHARS else f"{text[:MAX_CODE_CHARS]}…"
    return f"`{text}`" if text else ""


def workflow() -> str:
    """The file for GitHub Actions that checks pull requests, and verifies and publishes what was merged."""
    return (files("lse_gym.leaderboard") / WORKFLOW).read_text(encoding="utf-8")


def files_of(paths: Sequence[Path]) -> Iterator[Path]:
    """The files that paths name; of a folder, every ``.json`` in it. What is called ``.json`` is no folder of files."""
    for path in paths:
        yield from sorted(path.rglob("*.json")) if path.is_dir() and path.suffix != ".json" else [path]
