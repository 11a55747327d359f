"""The game of hints with the reasoner standing still: an env like any other."""

from collections.abc import Sequence
from functools import wraps
from inspect import signature
from typing import Annotated, Any, ClassVar, Unpack

from lse_gym.envs.arguments import Count, Range, Seed, checked
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.errors import ArgumentError, unknown
from lse_gym.envs.games import hill
from lse_gym.envs.games.hint.domain import HintFamily
from lse_gym.envs.games.hint.player import HintPlayerEnv
from lse_gym.envs.games.hint.questions import make_exercises
from lse_gym.envs.games.problems.family import Difficulty
from lse_gym.envs.held_out import with_held_out
from lse_gym.envs.options import CoreOptions
from lse_gym.envs.vector import ContextVectorEnv


class HintEnv(ContextEnv):
    """Write hints for a model whose answers were all wrong; the reward is their gain in help that carries over.

    ## Description
    A language model answers a question ``num_samples`` times. Are all answers wrong, it answers again, with the context
    below the question: a sheet of hints for all questions of the domain. Hints are worth most where some of these
    answers are right, and would have been likely without the sheet too: such a group teaches the model something that
    it keeps. It is the hinter's side of the game :mod:`lse_gym.envs.games.hint_v0`; both sides learn in
    :mod:`lse_gym.agents.hill`. Source: HiLL, arXiv 2604.00698, whose hinter writes for one question at a time.

    ## Action Space
    ``FreeText(max_chars)``: the new sheet, whole; see :class:`lse_gym.envs.core.ContextEnv`. Where it tells the answer
    to a question it is not shown with that one.

    ## Observation Space
    As in :class:`lse_gym.envs.core.ContextEnv`: context, feedback, feedback_score, remaining_budget. The feedback holds
    a wrong answer and the worked solution of each question, and what became of the sheet.

    ## Rewards
    ``r = S(c_after) - S(c_before)`` on the held-out questions; in [-1, 1]. ``S`` is the mean of
    ``(1 - p^n - (1-p)^n) exp(min(D, 0) / 0.3)``, divided by the largest value of its first factor, with ``p`` the share
    of right answers among ``n`` with the sheet and ``D`` their reliance on it: the mean log-probability of their tokens
    without the sheet less that with it, in nats. (Its last digits depend on the batch where transformers answer.) It is
    0 where the sheet tells the answer, and 1, whatever the sheet, where no hint was needed.

    ## Starting State
    A domain of the first group unless told otherwise, drawn by ``seed``; one sentence as context.

    ## Episode End
    As in :class:`lse_gym.envs.core.ContextEnv`: terminated after ``max_edits``, truncated when the budget is used up.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | domain | str, sequence or None | None | | a name, several, a group, or None for the first group |
    | questions | str, path, list or None | None | | questions of your own, as ``LSE/Custom-v1`` takes them |
    | scorer | str or None | None | | of your questions; None is told from them |
    | difficulty | str or None | None | | of the embedded problems: "easy", "medium", "hard"; None for all |
    | split_seed | int | 0 | | another seed draws or splits the questions otherwise |
    | num_samples | int | 4 | answers | of a group, HiLL's N (there 8), >= 2 |
    | reward | str | "transfer_weighted_non_deg" | | or "non_deg", "variance", "transfer_weighted_variance" |
    | held_out_size | int or None | None | questions | held-out questions that are asked; None for all 50 |
    | temperature | float | 1.0 | | sampling temperature of the task model; at 0.0 the answers of a group are alike |
    | opponent | str or None | None | | a model to play one question at a time with: makes a :class:`HintPlayerEnv` |

    ``reset(options=...)`` takes ``context``, ``domain`` and ``batch``.

    ## Cost
    ``num_samples`` calls for each of 10 feedback and 50 held-out questions, once; as many again for each that is hard
    per step, and two for each of these answers that is right, for its log-probabilities. A model without any is asked
    ``2 num_samples`` times about a question that takes the same steps, where there is one.

    ## Version History
    v0: first version.
    """

    @checked
    def __init__(
        self,
        domain: str | Sequence[str] | None = None,
        questions: Any = None,
        scorer: str | None = None,
        difficulty: Difficulty | None = None,
        split_seed: Seed = 0,
        num_samples: Annotated[int, Range(2)] = hill.NUM_SAMPLES,
        reward: hill.Kind = "transfer_weighted_non_deg",
        held_out_size: Count | None = None,
        temperature: Annotated[float, Range(0)] = 1.0,
        opponent: None = None,  # else there is another env
        **options: Unpack[CoreOptions],  # ty: ignore[invalid-type-form] - a shared argument with another default
    ):
        exercises = make_exercises(questions, scorer, difficulty, split_seed)
        family = with_held_out(HintFamily(exercises, num_samples, reward), held_out_size)
        shared: Any = {**options, "temperature": temperature}
        super().__init__(family, domain=domain, **shared)

    @wraps(__init__, assigned=())  # whose signature is the class's
    def __new__(cls, *given: Any, opponent: str | None = None, **arguments: Any) -> Any:
        """This env, or where an opponent is named the game against it, question by question."""
        if opponent is None:
            return super().__new__(cls)
        if given:
            raise ArgumentError(f"{given!r} was given without names. With opponent= every argument is passed by name.")
        for name in arguments:
            if name not in (known := signature(HintPlayerEnv).parameters):
                raise unknown(
                    f"argument beside opponent={opponent!r}", name, known, "Without opponent= there is a sheet."
                )
        return HintPlayerEnv(opponent=opponent, **arguments)


class HintVectorEnv(ContextVectorEnv):
    """Many :class:`HintEnv` side by side, one model batch a turn."""

    env_class: ClassVar[Any] = HintEnv

    def __init__(self, num_envs: int = 1, opponent: None = None, **arguments: Any):
        if opponent is not None:
            raise ArgumentError("A game against an opponent has no batch of its own. Pass vectorization_mode='sync'.")
        super().__init__(num_envs, **arguments)
