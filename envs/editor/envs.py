"""The env whose context is the editor's own instruction."""

from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from lse_gym.envs.arguments import Count, checked
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.editor.family import EditorFamily
from lse_gym.envs.options import CoreOptions
from lse_gym.envs.vector import ContextVectorEnv


class EditorEnv(ContextEnv):
    """Edit the instruction that an editor works by; the reward is how much more its edits then improve other contexts.

    ## Description
    The task model is an editor here: the stand-in "apprentice", "nano-editor" or a served one. It improves the contexts
    of the domains of a family from reports, by the paragraph of its prompt that says how to go about it; that is
    the context of this env. ``answerer`` answers the questions of those domains. Source: STOP, arXiv 2310.02304, whose
    improver improves itself, with a meta-utility that is the mean of what it then improves.
    :func:`lse_gym.envs.editor.tamper.tamper_rate` tells what share of proposals tries to leave its task.

    ## Action Space
    ``FreeText(max_chars)``: the new instruction, whole; see :class:`lse_gym.envs.core.ContextEnv`.

    ## Observation Space
    As in :class:`lse_gym.envs.core.ContextEnv`: context, feedback, feedback_score, remaining_budget. The report has a
    problem a domain: the context that the editor came to, and as gold everything there is to know of that domain.

    ## Rewards
    ``r = S(c_after) - S(c_before)`` on the held-out domains; in [-1, 1]. ``S`` is the mean over domains of the gain of
    the last context of a chain of ``edits`` edits over the seed context, as a share of the gain of the oracle context.

    ## Starting State
    A family unless told otherwise, drawn by ``seed``; context: the instruction of the shipped editors.

    ## Episode End
    As in :class:`lse_gym.envs.core.ContextEnv`: terminated after ``max_edits``, truncated when the budget is used up.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | domain | str, sequence or None | None | | "text-to-sql", "question-answering", "program-repair", or several |
    | answerer | str | "reader" | | the model that answers the questions of the domains that are improved |
    | edits | int | 1 | edits | the editor's budget in each domain |
    | inner_size | int | 20 | questions | held-out questions of a domain that is improved |
    | feedback_domains | int | 6 | domains | what reports can be on |
    | held_out_domains | int | 10 | domains | what the reward is computed on |
    | inner_feedback_size | int | 4 | questions | of a report that the editor gets |
    | task_model | str | "apprentice" | | the editor; "writer" heeds no instruction: with it every reward is 0 |
    | feedback_size | int | 3 | domains | size of a feedback batch |

    ``reset(options=...)`` takes ``context``, ``domain`` and ``batch``.

    ## Cost
    At most ``edits * (feedback_size + held_out_domains)`` calls of the editor per reset and per step, 13 by default.
    The answering model is no part of the budget. The first reset draws all domains, and whatever is new to the
    answering model takes time: seconds with "reader", the most for "program-repair", whose functions run in boxes.

    ## Version History
    v0: first version.
    """

    @checked
    def __init__(
        self,
        domain: str | Sequence[str] | None = None,
        answerer: str = "reader",
        edits: Count = 1,
        inner_size: Count = 20,
        feedback_domains: Count = 6,
        held_out_domains: Count = 10,
        inner_feedback_size: Count = 4,
        task_model: str = "apprentice",
        feedback_size: Count = 3,
        **options: Unpack[CoreOptions],  # ty: ignore[invalid-type-form] - shared arguments with other defaults
    ):
        family = EditorFamily(answerer, edits, inner_size, feedback_domains, held_out_domains, inner_feedback_size)
        shared: Any = {**options, "task_model": task_model, "feedback_size": feedback_size}
        super().__init__(family, domain=domain, **shared)


class EditorVectorEnv(ContextVectorEnv):
    """Many :class:`EditorEnv` side by side, one model batch a step."""

    env_class: ClassVar[Any] = EditorEnv
