"""The env of Agent World Model's scenarios."""

import os
from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from lse_gym.envs.arguments import Count, Seed, checked
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.options import CoreOptions
from lse_gym.envs.tools.awm.family import AWMFamily
from lse_gym.envs.vector import ContextVectorEnv


class AWMEnv(ContextEnv):
    """Edit the playbook of a model that uses tools in Agent World Model's worlds; the reward is its gain in tasks done.

    ## Description
    Each domain is one scenario: a service of about 35 operations over a SQLite database, and ten requests of a user. An
    attempt works with a fresh copy of the database; when it ends, the task's verifier compares the copy with the
    original, and may read the final answer. Services and verifiers are foreign code and run in the sandbox
    (:mod:`lse_gym.envs.sandbox`), without network, their clock standing at 2026-02-20 12:00 UTC and moving a second
    with each call. Source: Agent World Model, arXiv 2602.10090, https://huggingface.co/datasets/Snowflake/AgentWorldModel-1K
    (CC BY 4.0). Nothing is downloaded; an error names what to download and where to put it. When a scenario is loaded,
    what is wrong with it is counted and told: statements and rows that fail, operations that the service lacks, tasks
    that an untouched database completes already (dropped), tasks that need a judge (dropped). ``lse-gym envs
    LSE/AWM-v0 --data-dir DIR`` lists it.

    ## Action Space
    ``FreeText(max_chars)``: the new context, whole; see :class:`lse_gym.envs.core.ContextEnv`.

    ## Observation Space
    As in :class:`lse_gym.envs.core.ContextEnv`: context, feedback, feedback_score, remaining_budget. The feedback
    holds the tools and, per task, the calls and what came back, the final answer, what the verifier says, and what is
    different in the database.

    ## Rewards
    ``r = S(c_after) - S(c_before)``, ``S`` being the share of held-out tasks that the verifier finds complete; in
    [-1, 1].

    ## Starting State
    A scenario drawn by ``seed`` unless ``domain`` names one; context "Use the tools to do what the user asks." Tasks
    are split by their numbers, in an order that ``split_seed`` draws: of ten, 4 feedback, 3 held-out, 3 test.

    ## Episode End
    As in :class:`lse_gym.envs.core.ContextEnv`.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | data_dir | str | | path | directory with Agent World Model's files, ``gen_tasks.jsonl`` and so on |
    | domain | str, sequence or None | None | | a scenario, several, or None for all |
    | split_seed | int | 0 | | another seed splits the tasks otherwise |
    | max_turns | int | 10 | responses | of the task model in one attempt; Agent World Model's own runner allows 30 |

    ``reset(options=...)`` takes ``context``, ``domain`` and ``batch``.

    ## Cost
    7 attempts per reset and per step of a scenario of ten tasks, each of at most ``max_turns`` task-model calls.

    ## Version History
    v0: first version.
    """

    @checked
    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        domain: str | Sequence[str] | None = None,
        split_seed: Seed = 0,
        max_turns: Count = 10,
        **options: Unpack[CoreOptions],
    ):
        super().__init__(AWMFamily(data_dir, split_seed, max_turns), domain=domain, **options)


class AWMVectorEnv(ContextVectorEnv):
    """Many :class:`AWMEnv` side by side, one model batch a step."""

    env_class: ClassVar[Any] = AWMEnv
