"""Where the questions of the game come from: the embedded word problems, GSM8K, MATH, or any file of yours."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lse_gym.envs.custom.columns import ROLES
from lse_gym.envs.custom.domain import CustomDomain
from lse_gym.envs.custom.family import CustomFamily
from lse_gym.envs.custom.files import read_rows, source_name
from lse_gym.envs.custom.forms import text_of
from lse_gym.envs.custom.numbers import BOX, unboxed
from lse_gym.envs.domain import SPLITS, Domain, Family, Question
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.faults import Faults
from lse_gym.envs.games.problems.family import Difficulty, ProblemFamily

TASK = "You solve problems. Think step by step."
FINAL = "####"  # before the answer in worked solutions, as in GSM8K


class Exercises(NamedTuple):
    """A family to draw questions from, and the worked solutions of those that have one, by their text."""

    family: Family
    solutions: Mapping[str, str] = {}

    def solution(self, domain: Domain, question: Question) -> str:
        """The reference solution; where there is none, the answer."""
        doc = domain.items[question.id].doc if isinstance(domain, CustomDomain) else {}
        return doc.get("solution") or self.solutions.get(question.text.strip()) or question.gold

    def twin(self, domain: Domain, question: Question) -> Question | None:
        """Another question of the same split that takes the same kinds of steps, or most of them; None if unknown."""
        if not isinstance(domain, CustomDomain) or not (kinds := domain.items[question.id].doc.get("kinds")):
            return None
        split = next(split for split in SPLITS if question in domain.splits[split])
        others = (q for q in domain.splits[split] if q.difficulty == question.difficulty and q != question)
        shared = {q: len({*kinds} & {*domain.items[q.id].doc["kinds"]}) for q in others}
        return max(shared, key=shared.__getitem__, default=None)


def make_exercises(
    questions: Any = None, scorer: str | None = None, difficulty: Difficulty | None = None, split_seed: int = 0
) -> Exercises:
    """What the game draws from.

    Args:
        questions: None for the embedded word problems; else whatever ``LSE/Custom-v1`` takes, such as a file of GSM8K
            (``question``, and ``answer`` that ends in ``#### 18``) or of MATH (``problem``, ``solution``, ``answer``).
        scorer: of ``LSE/Custom-v1``; None is "numeric" where every answer has ``####``, "latex" where every
            solution has ``\\boxed{}``, else "exact".
        difficulty: of the embedded problems: "easy", "medium", "hard", or None for all.
        split_seed: another seed draws or splits the questions otherwise.

    Raises:
        DataError: with everything that is wrong with the questions.
    """
    if questions is None:
        if scorer is not None:
            raise ArgumentError(f"scorer={scorer!r} goes with questions= of yours. Leave it out.")
        return Exercises(ProblemFamily(split_seed, difficulty))
    if difficulty is not None:
        raise ArgumentError(f"difficulty={difficulty!r} goes with the embedded problems. Leave out questions= or it.")
    rows = [row.record for row in read_rows(questions, Faults(f"questions={source_name(questions)[0]!r}"))]
    if scorer is None:
        scorer = _scorer(rows)
    if ":" not in scorer and "tags=" not in scorer:  # whoever thinks step by step says where the answer is
        scorer += ",tags=true"
    family = CustomFamily(questions, scorer, description=TASK, split_seed=split_seed)
    return Exercises(family, {_asked(row): text_of(row["solution"]) for row in rows if row.get("solution")})


def _scorer(rows: Sequence[Mapping[str, Any]]) -> str:
    if rows and all(FINAL in text_of(row.get("answer")) for row in rows):
        return "numeric"
    return "latex" if rows and all(BOX in text_of(row.get("solution")) for row in rows) else "exact"


def _asked(row: Mapping[str, Any]) -> str:
    return next((text_of(row[name]).strip() for name in ROLES["question"] if row.get(name)), "")


def final_answer(gold: str) -> str:
    """The answer alone, of a gold that works it out first.

    >>> final_answer("3 * 24 = 72 pages.\\n#### 72"), final_answer("so \\\\boxed{x+1}"), final_answer("72")
    ('72', 'x+1', '72')
    """
    gold = gold.rpartition(FINAL)[2].strip() if FINAL in gold else gold
    return unboxed(gold) if BOX in gold else gold
