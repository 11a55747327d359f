"""The ladder: a track of every procedural family at each of three budgets, to be played.

``python -m lse_gym.leaderboard.ladder`` writes the tracks that are missing. A file that is there is never touched, as
it may have entries: who changes a row below raises its ``version``, and the files of the version before stay.

What makes agents differ is what is scarce: a report is on a single question, a context has room for about half of what
there is to know, and calls pay for a few edits, or for many. How each row was chosen stands with the results;
``python -m tests.benchmarks.choose_rung`` tries others.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lse_gym.leaderboard.track import TRACKS, Track, write_track

BUDGETS = (170, 500, 1700)


class Ladder(NamedTuple):
    """What the tracks of a family have in common."""

    name: str
    title: str
    env: str
    themes: tuple[str, ...]
    seeds: int
    """runs of each theme"""
    max_chars: int
    """longest context"""
    env_args: Mapping[str, Any] = {}
    feedback_size: int = 1
    """questions of a report"""
    models: Mapping[str, str] = {"reader": "1"}
    """task models and their revisions: the first ranks, the others are transfer"""
    version: int = 1
    sealed: int = 60
    """test questions of a run"""
    budgets: tuple[int, ...] = BUDGETS
    """calls of its rungs: the lowest has to pay for an edit"""


LADDERS = (
    Ladder(
        "sql",
        "Text to SQL",
        "LSE/TextToSQL-v1",
        ("clinic", "hotel", "lab"),
        6,
        560,
        models={"reader": "1", "nano": "4e468325ceb44911"},
        version=3,
    ),
    Ladder("qa", "Question answering", "LSE/QA-v1", ("glasswork", "apiary", "observatory"), 3, 500),
    Ladder(
        "passages",
        "Passage order",
        "LSE/PassageOrder-v1",
        ("mill", "museum", "harbour"),
        10,
        2000,
        {"passages": 20},
        feedback_size=6,
        version=2,
    ),
    Ladder("tools", "Tool use", "LSE/ToolUse-v0", ("marina", "archive", "nursery"), 2, 600, {"held_out_size": 8}),
    Ladder(
        "data",
        "Data science",
        "LSE/DataScience-v0",
        ("ferry", "winery", "vet"),
        6,
        600,
        {"held_out_size": 10},
        version=3,
        sealed=30,
    ),
    Ladder(
        "hints",
        "Hints",
        "LSE/Hint-v0",
        ("workshop", "farm", "school"),
        3,
        300,
        {"held_out_size": 8},
        budgets=(170,),
    ),
    Ladder(
        "hints",
        "Hints",
        "LSE/Hint-v0",
        ("workshop", "farm", "school"),
        12,
        470,
        {"difficulty": "hard", "held_out_size": 8, "num_samples": 8},
        version=2,
        budgets=(500, 1700),
    ),
)


def tracks() -> Iterator[Track]:
    """All of them, without the digests of their questions."""
    return (track_of(ladder, calls) for ladder in LADDERS for calls in ladder.budgets)


def track_of(ladder: Ladder, calls: int) -> Track:
    """One rung of a row."""
    return Track(
        id=f"{ladder.name}-ladder-{calls}-v{ladder.version}",
        title=f"{ladder.title}, three themes, {calls:,} calls, played",
        env=ladder.env,
        domains=tuple(f"{theme}-0" for theme in ladder.themes),
        seeds=ladder.seeds,
        models=ladder.models,
        budget={"calls": calls},
        max_context_tokens=-(-ladder.max_chars // 4),
        sealed_items=ladder.sealed,
        settings={
            "env_args": ladder.env_args,
            "feedback": "gold",
            "feedback_size": ladder.feedback_size,
            "max_chars": ladder.max_chars,
            "max_tokens": 512,
        },
        suite_sha256="",
    )


if __name__ == "__main__":
    for track in tracks():
        if not Path(TRACKS, f"{track.id}.json").exists():
            write_track(track, TRACKS)
