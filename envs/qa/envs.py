"""The question-answering envs: the embedded family of invented subjects, and MMLU-Redux."""

from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from lse_gym.envs.core import ContextEnv
from lse_gym.envs.options import CoreOptions, check_names
from lse_gym.envs.qa.procedural.family import ProceduralQAFamily
from lse_gym.envs.vector import ContextVectorEnv


class QAEnv(ContextEnv):
    """Edit the instructions of a model that answers multiple-choice questions about an invented subject; the reward is its gain in accuracy.

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
    As in :class:`lse_gym.envs.core.ContextEnv`: context, feedback, feedback_score, remaining_budget. The feedback holds,
    per problem, the question with its four choices, the model's letter, and (``feedback="gold"``) the right letter with
    a teacher's explanation of the case.

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

    and those of :class:`lse_gym.envs.core.ContextEnv`: max_edits, start, feedback, task_model, samples, temperature,
    max_tokens, budget, feedback_size, max_chars, record, render_mode. ``reset(options=...)``: context, domain, batch.

    ## Cost
    60 task-model calls per reset and per step by default: 10 feedback and 50 held-out questions.

    ## Version History
    v0: first version.
    """

    def __init__(
        self,
        domain: str | Sequence[str] | None = None,
        split_seed: int = 0,
        **options: Unpack[CoreOptions],
    ):
        check_names(options, "domain", "split_seed")
        super().__init__(ProceduralQAFamily(split_seed), domain=domain, **options)


class QAVectorEnv(ContextVectorEnv):
    """Many :class:`QAEnv` side by side, one model batch a step."""

    env_class: ClassVar[Any] = QAEnv
