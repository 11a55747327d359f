"""The env of advice to a program repairer."""

from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from lse_gym.envs.arguments import Seed, checked
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.options import CoreOptions
from lse_gym.envs.repair.family import RepairFamily
from lse_gym.envs.vector import ContextVectorEnv


class FeedbackEnv(ContextEnv):
    """Edit the advice to a model that repairs programs; the reward is its gain in unit tests passed.

    ## Description
    A code base has conventions: whether ranges include their end, what nothing at all comes to, who wins of equals,
    how divisions round, ten such matters in each of three modules. Functions break some of them and fail tests, which
    the model that repairs them does not see; advice can tell it what holds where. What it writes is called in the
    sandbox. Source: our own generator; the problem is that of Coffee-Gym, arXiv 2409.19715, where feedback on a wrong
    program is rewarded by the tests that the program passes when it has been revised.

    ## Action Space
    ``FreeText(max_chars)``: the new context, whole; see :class:`lse_gym.envs.core.ContextEnv`.

    ## Observation Space
    As in :class:`lse_gym.envs.core.ContextEnv`: context, feedback, feedback_score, remaining_budget. With
    ``feedback="error"`` it tells the first test that fails of each function, with "gold" the function repaired as well.

    ## Rewards
    ``r = S(c_after) - S(c_before)`` on 40 held-out functions; in [-1, 1]. ``S`` is the mean of tests passed beyond
    those that pass unrepaired, as a share of those that fail, so that doing nothing scores 0.

    ## Starting State
    A domain of the group "train" unless told otherwise, drawn by ``seed``; context "Repair the function."

    ## Episode End
    As in :class:`lse_gym.envs.core.ContextEnv`: terminated after ``max_edits``, truncated when the budget is used up.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | domain | str, sequence or None | None | | ``<theme>-<seed>``, several, or a group: "train" (the default), "test" |
    | split_seed | int | 0 | | another seed draws other functions of the same code bases |

    ``reset(options=...)`` takes ``context``, ``domain`` and ``batch``.

    ## Cost
    50 task-model calls per reset and per step by default: 10 feedback and 40 held-out functions.

    ## Version History
    v0: first version.
    """

    @checked
    def __init__(self, domain: str | Sequence[str] | None = None, split_seed: Seed = 0, **options: Unpack[CoreOptions]):
        super().__init__(RepairFamily(split_seed), domain=domain, **options)


class FeedbackVectorEnv(ContextVectorEnv):
    """Many :class:`FeedbackEnv` side by side, one model batch a step."""

    env_class: ClassVar[Any] = FeedbackEnv
