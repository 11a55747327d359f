"""The data-science envs: DARE-bench's tasks from a directory."""

import os
from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from lse_gym.envs.arguments import Count, Seed, checked
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.datascience.dare import DAREFamily
from lse_gym.envs.datascience.domain import Scoring
from lse_gym.envs.options import CoreOptions
from lse_gym.envs.vector import ContextVectorEnv


class DAREEnv(ContextEnv):
    """Edit the guidelines of a model that solves data-science tasks by code; the reward is its gain in score.

    ## Description
    Each domain is one of DARE-bench's six families of tasks: classification and regression, following instructions
    (``class_if``, ``reg_if``) or modelling freely (``class_mm``, ``reg_mm``), and forecasts with and without exogenous
    features (``ts_xf``, ``ts_cf``). The task model has 5 turns in which to run Python scripts of up to 200 s in a
    sandbox; the file ``prediction.csv`` is scored. Source: arXiv 2602.24288; data and rules: github
    Snowflake-Labs/dare-bench (code Apache-2.0; each dataset has a licence of its own, which ``lse-gym envs`` lists).
    Nothing is downloaded. Needs the extra ``ds`` and bubblewrap or Landlock. A message holds a whole script, so that a
    language model needs ``max_tokens=4096``.

    ## Action Space
    ``FreeText(max_chars)``: the new context, whole; see :class:`lse_gym.envs.core.ContextEnv`.

    ## Observation Space
    As in :class:`lse_gym.envs.core.ContextEnv`. The report shows the scripts and what they returned, the score, and why
    an attempt failed: instruction adherence, code error, execution limit or token limit (table 9 of the paper). Of
    instruction-following questions it names the first row that differs from the reference run.

    ## Rewards
    ``r = S(c_after) - S(c_before)``, ``S`` being the mean score on the held-out tasks: exact match with the reference
    run (``_if``), macro-F1 or R² clipped to [0, 1]; in [-1, 1].

    ## Starting State
    A family drawn by ``seed`` unless ``domain`` names one. Datasets are split by ``split_seed``: 30 % test,
    ``held_out_size`` held-out but at most a quarter, the rest feedback; both versions of a question share a split.

    ## Episode End
    As in :class:`lse_gym.envs.core.ContextEnv`.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | data_dir | str | | path | directory with ``question_list.json`` and ``databases``, there or two levels below |
    | domain | str, sequence or None | None | | a family, several, or None for all that are ready |
    | split_seed | int | 0 | | another seed splits the datasets otherwise |
    | held_out_size | int | 50 | datasets | size of the held-out split |
    | references | str or None | None | path | folder that ``lse-gym data dare-references --out`` wrote |
    | scoring | str | "benchmark" | | its rules; "strict": no row twice for one missing; "paper": its RL reward / 1.1 |
    | run_s | float | 200.0 | seconds | longest run of a script |
    | skip_broken | bool | False | | leave out datasets that are missing or broken |

    ``reset(options=...)`` takes ``context``, ``domain`` and ``batch``.

    ## Cost
    ``(feedback_size + held-out tasks) * samples`` attempts per reset and per step, of at most 5 calls each.

    ## Version History
    v0: first version.
    """

    @checked
    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        domain: str | Sequence[str] | None = None,
        split_seed: Seed = 0,
        held_out_size: Count = 50,
        references: str | os.PathLike[str] | None = None,
        scoring: Scoring = "benchmark",
        run_s: float = 200.0,
        skip_broken: bool = False,
        **options: Unpack[CoreOptions],
    ):
        family = DAREFamily(data_dir, split_seed, held_out_size, references, scoring, run_s, skip_broken)
        super().__init__(family, domain=domain, **options)


class DAREVectorEnv(ContextVectorEnv):
    """Many :class:`DAREEnv` side by side, one model batch a step."""

    env_class: ClassVar[Any] = DAREEnv
