"""The tool-use envs: the embedded family of offices."""

from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from lse_gym.envs.arguments import Count, Seed, checked
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.held_out import with_held_out
from lse_gym.envs.options import CoreOptions
from lse_gym.envs.tools.procedural.family import OfficeFamily
from lse_gym.envs.vector import ContextVectorEnv


class ToolUseEnv(ContextEnv):
    """Edit the playbook of a model that works with tools; the reward is its gain in held-out tasks done right.

    ## Description
    Each domain is the office of a business: a SQLite database of seven tables and 28 tools that search, list, create,
    change and delete. At least 9 house rules of at least 7 kinds are told by neither tools nor requests: which number
    of a row the tools take, and where to look it up; from where pages are counted; how terms, days and amounts are
    written; what confirms a call; arguments that are always given; what comes before, after and in the place of a
    change; how refunds are rounded. Breaking one is an error that does not say why, or a wrong row. A task is scored
    by the database that an attempt leaves behind: exactly the right rows changed, by whatever calls, and the right
    answer where one is asked for. Offices, tasks and golds are made from the domain's name, alike on every machine;
    training and test themes share no word that a rule is about. Source: our own generator; the problem is that of
    AWM, arXiv 2602.10090.

    ## Action Space
    ``FreeText(max_chars)``: the new playbook, whole; see :class:`lse_gym.envs.core.ContextEnv`.

    ## Observation Space
    As in :class:`lse_gym.envs.core.ContextEnv`: context, feedback, feedback_score, remaining_budget. The feedback holds
    the tools, and per problem the request, the turns (calls and results), the answer, the rows that are different, and
    (``feedback="gold"``) the right answer and the rows that should be different.

    ## Rewards
    ``r = S(c_after) - S(c_before)``, ``S`` being the share of held-out tasks that are done right; in [-1, 1].

    ## Starting State
    A domain of the group "train" unless told otherwise, drawn by ``seed``; context "Do what is asked with the tools,
    and nothing else."

    ## Episode End
    As in :class:`lse_gym.envs.core.ContextEnv`: terminated after ``max_edits``, truncated when the budget is used up.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | domain | str, sequence or None | None | | ``<theme>-<seed>``, several, or a group: "train" (the default), "test" |
    | split_seed | int | 0 | | another seed draws other tasks in the same offices |
    | max_turns | int | 10 | responses | of the task model in one attempt; the calls of the last are made |
    | held_out_size | int or None | None | questions | held-out questions that are asked; None for all 30 |

    ``reset(options=...)`` takes ``context``, ``domain`` and ``batch``.

    ## Cost
    Per reset and per step 40 attempts by default, 10 feedback and 30 held-out, of up to ``max_turns`` task-model
    calls each.

    ## Version History
    v0: first version.
    """

    @checked
    def __init__(
        self,
        domain: str | Sequence[str] | None = None,
        split_seed: Seed = 0,
        max_turns: Count = 10,
        held_out_size: Count | None = None,
        **options: Unpack[CoreOptions],
    ):
        family = with_held_out(OfficeFamily(split_seed, max_turns), held_out_size)
        super().__init__(family, domain=domain, **options)


class ToolUseVectorEnv(ContextVectorEnv):
    """Many :class:`ToolUseEnv` side by side, one model batch a turn."""

    env_class: ClassVar[Any] = ToolUseEnv
