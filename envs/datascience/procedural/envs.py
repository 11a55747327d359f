"""The embedded data-science env."""

from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from lse_gym.envs.arguments import Count, Seed, checked
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.datascience.procedural.family import ProceduralDataScienceFamily
from lse_gym.envs.options import CoreOptions
from lse_gym.envs.vector import ContextVectorEnv


class DataScienceEnv(ContextEnv):
    """Edit the guidelines of a model that analyses data of an invented business; the reward is its gain in score.

    ## Description
    Each domain is a house with a style that no question tells: at least 8 conventions of at least 6 kinds. Numbers that
    stand for a missing one, rows that do not count, known ranges, units, which of two ids to merge by, logarithms,
    columns that are known only afterwards, names and order of the output's columns, rounding, what a word for a
    statistic means, and what a week is of its days. Datasets of 60 to 400 rows have DARE-bench's layout and two
    questions each: one to follow exactly, one to model freely; of time series, with and without exogenous features.
    The task model has 5 turns in which to run Python scripts in a sandbox; the file ``prediction.csv`` is scored.
    Everything is made from the domain's name, alike on every machine; training and test themes share no column, value
    or term. Source: our own generator; layout, scores and protocol are DARE-bench's, arXiv 2602.24288. Needs the extra
    ``ds`` and bubblewrap or Landlock. A message holds a whole script, so a language model needs ``max_tokens=2048``.

    ## Action Space
    ``FreeText(max_chars)``: the new context, whole; see :class:`lse_gym.envs.core.ContextEnv`.

    ## Observation Space
    As in :class:`lse_gym.envs.core.ContextEnv`. The report shows the scripts and what they returned, the score, why an
    attempt failed, the first row that differs from the reference and (``feedback="gold"``) the analyst's script.

    ## Rewards
    ``r = S(c_after) - S(c_before)``, ``S`` being the mean score on the held-out questions, 20 by default; in [-1, 1].
    A score is 1 for the reference's predictions and else 0; or macro-F1, or R² clipped to [0, 1]. A constant prediction
    has R² 0 and macro-F1 of at most about 1/3, the benchmark's own floor; a header other than the house's scores 0.

    ## Starting State
    A domain of the group "train" unless told otherwise, drawn by ``seed``; context "Write Python scripts that do what
    the question asks for, and save the predictions."

    ## Episode End
    As in :class:`lse_gym.envs.core.ContextEnv`: terminated after ``max_edits``, truncated when the budget is used up.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | domain | str, sequence or None | None | | ``<theme>-<seed>``, several, or a group: "train" (the default), "test" |
    | split_seed | int | 0 | | another seed draws other datasets of the same worlds |
    | held_out_size | int | 20 | questions | size of the held-out split |

    ``reset(options=...)`` takes ``context``, ``domain`` and ``batch``.

    ## Cost
    ``feedback_size + held_out_size`` attempts per reset and per step, 30 by default, of at most 5 calls each, where
    ``reader`` takes 2. A script that ran on the same files before is not run again.

    ## Version History
    v0: first version.
    """

    @checked
    def __init__(
        self,
        domain: str | Sequence[str] | None = None,
        split_seed: Seed = 0,
        held_out_size: Count = 20,
        **options: Unpack[CoreOptions],
    ):
        super().__init__(ProceduralDataScienceFamily(split_seed, held_out_size), domain=domain, **options)


class DataScienceVectorEnv(ContextVectorEnv):
    """Many :class:`DataScienceEnv` side by side, one model batch a step."""

    env_class: ClassVar[Any] = DataScienceEnv
