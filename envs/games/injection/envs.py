"""The injection game with one side standing still: an env like any other."""

from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

from lse_gym.envs.arguments import Seed, checked
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.games.injection.family import InjectionFamily
from lse_gym.envs.games.injection.prompt import Side
from lse_gym.envs.options import CoreOptions
from lse_gym.envs.vector import ContextVectorEnv


class InjectionEnv(ContextEnv):
    """Edit the instructions of a model that reads texts with injections, or the injection; the other side stands still.

    ## Description
    A language model grades submissions or sorts messages, which nobody has vetted. ``side="defender"``: the context is
    the model's instructions, which say what it is to report as an injection. ``side="attacker"``: the context is the
    text that is put into what it reads, in which ``{canary}`` stands for a harmless word that it is to say. It is one
    side of the game :mod:`lse_gym.envs.games.injection_v0`. Texts are made from the domain's name, alike on every
    machine; training and test themes differ. Source: our own generator; the game is that of AEGIS, arXiv 2509.00088.

    ## Action Space
    ``FreeText(max_chars)``: the new context, whole; see :class:`lse_gym.envs.core.ContextEnv`.

    ## Observation Space
    As in :class:`lse_gym.envs.core.ContextEnv`: context, feedback, feedback_score, remaining_budget. The feedback holds
    the texts and what the model made of them; an attacker is not told the instructions.

    ## Rewards
    ``r = S(c_after) - S(c_before)`` on 50 held-out texts; in [-1, 1]. ``S`` of a defender is (TPR + TNR) / 2: half of
    the texts are attacked, and right where the model reports them; the others are right where it answers. ``S`` of an
    attacker is the attack success rate: the share of texts whose word the model says, by exact strings.

    ## Starting State
    A domain of the group "train" unless told otherwise, drawn by ``seed``; one sentence as context.

    ## Episode End
    As in :class:`lse_gym.envs.core.ContextEnv`: terminated after ``max_edits``, truncated when the budget is used up.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | domain | str, sequence or None | None | | ``<theme>-<seed>``, several, or a group: "train" (the default), "test" |
    | side | str | "defender" | | whose text is the context: "defender" or "attacker" |
    | opponent | str | "seed" | | the other side's text, a .txt file with it, or "seed", one sentence |
    | split_seed | int | 0 | | another seed draws other texts about the same subjects |

    ``reset(options=...)`` takes ``context``, ``domain`` and ``batch``.

    ## Cost
    60 task-model calls per reset and per step by default: 10 feedback and 50 held-out texts.

    ## Version History
    v0: first version.
    """

    @checked
    def __init__(
        self,
        domain: str | Sequence[str] | None = None,
        side: Side = "defender",
        opponent: str = "seed",
        split_seed: Seed = 0,
        **options: Unpack[CoreOptions],
    ):
        super().__init__(InjectionFamily(side, opponent, split_seed), domain=domain, **options)


class InjectionVectorEnv(ContextVectorEnv):
    """Many :class:`InjectionEnv` side by side, one model batch a step."""

    env_class: ClassVar[Any] = InjectionEnv
