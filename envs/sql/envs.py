"""The text-to-SQL envs: the embedded family, and real data in BIRD's or Spider's layout."""

import os
from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from lse_gym.envs.arguments import Count, Seed, checked
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.options import CoreOptions
from lse_gym.envs.sql.bird_family import BIRDFamily
from lse_gym.envs.sql.domain import Scoring
from lse_gym.envs.sql.procedural.family import ProceduralFamily
from lse_gym.envs.vector import ContextVectorEnv


class TextToSQLEnv(ContextEnv):
    """Edit the instructions of a text-to-SQL model; the reward is its gain in execution accuracy on held-out questions.

    ## Description
    Each domain is a SQLite database of four related tables whose schema hides at least 8 conventions of at least 6
    kinds: value codes, thresholds behind adjectives, units, date encodings, which of two columns or join paths is
    meant, stand-ins for missing values, open states, default filters, synonyms. Only experience teaches them.
    Databases, questions and golds are made from the domain's name, alike on every machine; training and test themes
    share no table, column or adjective. Source: our own generator; the problem is LSE's on BIRD, arXiv 2603.18620.

    ## Action Space
    ``FreeText(max_chars)``: the new context, whole; see :class:`lse_gym.envs.core.ContextEnv`.

    ## Observation Space
    As in :class:`lse_gym.envs.core.ContextEnv`: context, feedback, feedback_score, remaining_budget. The feedback holds
    the schema, and per problem the question, the model's SQL, its error and (``feedback="gold"``) the correct SQL.

    ## Rewards
    ``r = S(c_after) - S(c_before)``, ``S`` being execution accuracy on 50 held-out questions; in [-1, 1].

    ## Starting State
    A domain of the group "train" unless told otherwise, drawn by ``seed``; context "Return one SQLite statement that
    answers the question."

    ## Episode End
    As in :class:`lse_gym.envs.core.ContextEnv`: terminated after ``max_edits``, truncated when the budget is used up.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | domain | str, sequence or None | None | | ``<theme>-<seed>``, several, or a group: "train" (the default), "test" |
    | split_seed | int | 0 | | another seed draws other questions over the same databases |
    | scoring | str | "set" | | "set": BIRD's official accuracy; "strict": multisets, ordered where the gold orders |

    ``reset(options=...)`` takes ``context``, ``domain`` and ``batch``.

    ## Cost
    60 task-model calls per reset and per step by default: 10 feedback and 50 held-out questions.

    ## Version History
    v1: a question belongs to one split, whatever the split seed (:func:`lse_gym.envs.splits.class_of` of its gold): no
    public question is ever a sealed one, and no test or held-out question is in the feedback of another seed; no two
    questions of a split share a gold; amounts in finer steps. Databases and prompts are those of v0.
    v0: first version; scores are not comparable.
    """

    @checked
    def __init__(
        self,
        domain: str | Sequence[str] | None = None,
        split_seed: Seed = 0,
        scoring: Scoring = "set",
        **options: Unpack[CoreOptions],
    ):
        super().__init__(ProceduralFamily(split_seed, scoring), domain=domain, **options)


class BIRDEnv(ContextEnv):
    """Edit the instructions of a text-to-SQL model on real questions over real databases, in BIRD's or Spider's layout.

    ## Description
    Each domain is one database of a data directory, with its questions. Source: BIRD, https://bird-bench.github.io
    (CC BY-SA 4.0); Spider, https://yale-lily.github.io/spider (CC BY-SA 4.0). Nothing is downloaded; an error names
    what to download and where to put it.

    ## Action Space
    ``FreeText(max_chars)``: the new context, whole; see :class:`lse_gym.envs.core.ContextEnv`.

    ## Observation Space
    As in :class:`lse_gym.envs.sql.envs.TextToSQLEnv`.

    ## Rewards
    ``r = S(c_after) - S(c_before)``, ``S`` being execution accuracy on the held-out questions; in [-1, 1].

    ## Starting State
    A database drawn by ``seed`` unless ``domain`` names one. Questions are split per database by ``split_seed``: 30 %
    test, ``held_out_size`` held-out (paper: 50), the rest feedback; questions of equal wording stay in one split.

    ## Episode End
    As in :class:`lse_gym.envs.core.ContextEnv`.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | data_dir | str | | path | directory with ``dev.json`` or ``train.json`` and the databases |
    | domain | str, sequence or None | None | | a ``db_id``, several, or None for all |
    | split_seed | int | 0 | | another seed splits the questions otherwise |
    | scoring | str | "set" | | "set": BIRD's official accuracy; "strict": multisets, ordered where the gold orders |
    | held_out_size | int | 50 | questions | size of the held-out split |
    | exclude | str or None | None | path | list of questions to leave out, such as those with broken golds |

    ``reset(options=...)`` takes ``context``, ``domain`` and ``batch``.

    ## Cost
    ``feedback_size + held_out_size`` task-model calls per reset and per step: 60 by default.

    ## Version History
    v0: first version.
    """

    @checked
    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        domain: str | Sequence[str] | None = None,
        split_seed: Seed = 0,
        scoring: Scoring = "set",
        held_out_size: Count = 50,
        exclude: str | os.PathLike[str] | None = None,
        **options: Unpack[CoreOptions],
    ):
        super().__init__(BIRDFamily(data_dir, exclude, split_seed, held_out_size, scoring), domain=domain, **options)


class TextToSQLVectorEnv(ContextVectorEnv):
    """Many :class:`TextToSQLEnv` side by side, one model batch a step."""

    env_class: ClassVar[Any] = TextToSQLEnv


class BIRDVectorEnv(ContextVectorEnv):
    """Many :class:`BIRDEnv` side by side, one model batch a step."""

    env_class: ClassVar[Any] = BIRDEnv
