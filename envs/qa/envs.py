"""The question-answering envs: the embedded family of invented subjects, and MMLU-Redux."""

import os
from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from lse_gym.envs.arguments import Count, Seed, checked
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.options import CoreOptions
from lse_gym.envs.qa.procedural.family import ProceduralQAFamily
from lse_gym.envs.qa.redux import Errors
from lse_gym.envs.qa.redux_family import ReduxFamily
from lse_gym.envs.vector import ContextVectorEnv


class QAEnv(ContextEnv):
    """Edit the instructions of a model that answers questions on an invented trade; the reward is its gain in accuracy.

    ## Description
    Each domain is an invented trade with at least 12 conventions of at least 6 kinds that nobody outside knows:
    adjectives defined by other attributes than in everyday use, with thresholds and exceptions; words of the trade;
    units of other sizes; how documents round; what is left out of a count; which source to trust about what; an order
    of ranks. Most take several examples to pin down. Worlds, questions and golds are made from the domain's name, alike
    on every machine; training and test themes share no word that a convention is about. Source: our own generator; the
    problem is LSE's on MMLU-Redux, arXiv 2603.18620.

    ## Action Space
    ``FreeText(max_chars)``: the new context, whole; see :class:`lse_gym.envs.core.ContextEnv`.

    ## Observation Space
    As in :class:`lse_gym.envs.core.ContextEnv`: context, feedback, feedback_score, remaining_budget. The feedback
    holds, per problem, the question with its four choices, the model's letter, and (``feedback="gold"``) the right
    letter with a teacher's explanation of the case.

    ## Rewards
    ``r = S(c_after) - S(c_before)``, ``S`` being accuracy on 50 held-out questions; in [-1, 1].

    ## Starting State
    A domain of the group "train" unless told otherwise, drawn by ``seed``; context "Return the letter of the right
    choice."

    ## Episode End
    As in :class:`lse_gym.envs.core.ContextEnv`: terminated after ``max_edits``, truncated when the budget is used up.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | domain | str, sequence or None | None | | ``<theme>-<seed>``, several, or a group: "train" (the default), "test" |
    | split_seed | int | 0 | | another seed draws other questions about the same worlds |

    ``reset(options=...)`` takes ``context``, ``domain`` and ``batch``.

    ## Cost
    60 task-model calls per reset and per step by default: 10 feedback and 50 held-out questions.

    ## Version History
    v1: other questions about the same worlds. Each belongs to one split for good, whatever ``split_seed``, and those of
    a leaderboard are never among them (:func:`lse_gym.envs.splits.class_of`). No split asks a question twice in other
    words, so that there are fewer about ranks, of which there are ten, and amounts, of which there are forty-four.
    v0: first version. A test question of one split seed could be a feedback question of another.
    """

    @checked
    def __init__(
        self,
        domain: str | Sequence[str] | None = None,
        split_seed: Seed = 0,
        **options: Unpack[CoreOptions],
    ):
        super().__init__(ProceduralQAFamily(split_seed), domain=domain, **options)


class MMLUReduxEnv(ContextEnv):
    """Edit the instructions of a model that answers real exam questions; the reward is its gain in accuracy.

    ## Description
    Each domain is one subject of MMLU-Redux: up to 100 questions with four choices, re-annotated for errors. Source:
    Gema et al., "Are We Done with MMLU?", arXiv 2406.04127; https://huggingface.co/datasets/edinburgh-dawg/mmlu-redux-2.0
    (CC BY 4.0). Records in the form of MMLU-Pro or SuperGPQA, LSE's training subjects, are read too: sources that start
    with "ori_mmlu" are left out, the right choice and three others are kept (seed 42), subfields of fewer than 100
    questions go to their field. Nothing is loaded from the network unless ``data_dir`` names the hub.

    ## Action Space
    ``FreeText(max_chars)``: the new context, whole; see :class:`lse_gym.envs.core.ContextEnv`.

    ## Observation Space
    As in :class:`lse_gym.envs.qa.envs.QAEnv`, without explanations.

    ## Rewards
    ``r = S(c_after) - S(c_before)``, ``S`` being accuracy on the held-out questions; in [-1, 1].

    ## Starting State
    A subject drawn by ``seed`` unless ``domain`` names one. Questions are split per subject by ``split_seed``: 30 %
    test, ``held_out_size`` held-out but at most a quarter, the rest feedback.

    ## Episode End
    As in :class:`lse_gym.envs.core.ContextEnv`.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | data_dir | str | | path | directory with one ``<subject>.jsonl`` or ``.parquet`` each, or ``hf:ID`` |
    | domain | str, sequence or None | None | | a subject, several, or None for all |
    | split_seed | int | 0 | | another seed splits the questions otherwise |
    | held_out_size | int | 50 | questions | size of the held-out split (paper: 50) |
    | errors | str | "correct" | | annotated errors: "correct" them or else drop the question, "drop" all, or "keep" |
    | choice_seed | int or None | None | | draws another order of the choices, against memorised letters |

    ``reset(options=...)`` takes ``context``, ``domain`` and ``batch``.

    ## Cost
    ``feedback_size`` + held-out questions: 35 task-model calls per reset and per step of a subject of 100 questions.

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
        errors: Errors = "correct",
        choice_seed: Seed | None = None,
        **options: Unpack[CoreOptions],
    ):
        family = ReduxFamily(data_dir, split_seed, held_out_size, errors, choice_seed)
        super().__init__(family, domain=domain, **options)


class QAVectorEnv(ContextVectorEnv):
    """Many :class:`QAEnv` side by side, one model batch a step."""

    env_class: ClassVar[Any] = QAEnv


class MMLUReduxVectorEnv(ContextVectorEnv):
    """Many :class:`MMLUReduxEnv` side by side, one model batch a step."""

    env_class: ClassVar[Any] = MMLUReduxEnv
