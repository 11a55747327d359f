"""Families whose domains an editor improves."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np

from lse_gym.envs.arguments import Count, checked
from lse_gym.envs.domain import Family, Split
from lse_gym.envs.editor.domain import EditorDomain
from lse_gym.envs.qa.procedural.family import ProceduralQAFamily
from lse_gym.envs.repair.family import RepairFamily
from lse_gym.envs.splits import check_draw
from lse_gym.envs.sql.procedural.family import ProceduralFamily

FAMILIES: Mapping[str, Callable[[], Family]] = {
    "text-to-sql": ProceduralFamily,
    "question-answering": ProceduralQAFamily,
    "program-repair": RepairFamily,
}
SEEDS = 1_000_000  # of a procedural family


class EditorFamily(Family):
    """One domain a family: its own domains are the questions, and those of its group "test" the test questions.

    Args:
        answerer: the model that answers the inner questions.
        edits: of one attempt.
        size: held-out questions of an inner domain.
        feedback: inner domains whose attempts are shown to who edits the instruction.
        held_out: inner domains that the reward is computed on.
        feedback_size: questions of an inner report.
        max_chars: longest inner context.
    """

    groups: Mapping[str, Sequence[str]] = {"train": [*FAMILIES], "test": [*FAMILIES]}

    @checked
    def __init__(
        self,
        answerer: str = "reader",
        edits: Count = 1,
        size: Count = 20,
        feedback: Count = 6,
        held_out: Count = 10,
        feedback_size: Count = 4,
        max_chars: Count = 8000,
    ):
        self._settings = answerer, edits, size, feedback_size, max_chars
        self._feedback, self._held = feedback, held_out

    def load(self, name: str) -> EditorDomain:
        """Make the domain, or take it from memory."""
        self.check(name)
        return _load(name, self._settings, self._feedback, self._held, None)

    def sealed(self, name: str, secret: int, count: int) -> EditorDomain:
        """The domain with ``count`` other test questions: domains with seeds that only who has the secret knows."""
        self.check(name)
        check_draw(secret, count)
        return _load(name, self._settings, self._feedback, self._held, (secret, count))


@lru_cache(maxsize=16)
def _load(
    name: str, settings: tuple[str, int, int, int, int], feedback: int, held_out: int, sealed: tuple[int, int] | None
) -> EditorDomain:
    family = FAMILIES[name]()
    train, test = family.groups["train"], family.groups["test"]
    themes = list(dict.fromkeys(domain.rsplit("-", 1)[0] for domain in train))
    drawn = [f"{themes[i % len(themes)]}-{i // len(themes)}" for i in range(feedback + held_out)]
    inner: dict[Split, Sequence[str]] = {
        "feedback": drawn[:feedback],
        "held_out": drawn[feedback:],
        "test": list(test)[:10] if sealed is None else _secret(test, *sealed),
    }
    answerer, edits, size, feedback_size, max_chars = settings
    return EditorDomain(name, family, inner, answerer, edits, size, feedback_size, max_chars)


def _secret(test: Sequence[str], secret: int, count: int) -> list[str]:
    """Names of domains of the group "test" with other seeds than public ones."""
    rng = np.random.default_rng(np.random.SeedSequence([secret, count]))
    themes = list(dict.fromkeys(domain.rsplit("-", 1)[0] for domain in test))
    seeds = rng.choice(SEEDS - 100, size=count, replace=False) + 100
    return [f"{themes[i % len(themes)]}-{int(seed)}" for i, seed in enumerate(seeds)]
