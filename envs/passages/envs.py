"""The env of passage order."""

from collections.abc import Sequence
from typing import Any, ClassVar, Unpack, cast

from gymnasium.spaces import Dict

from lse_gym.envs.arguments import Count, Seed, checked
from lse_gym.envs.core import ContextEnv, Info, Observation
from lse_gym.envs.metered import Task
from lse_gym.envs.options import CoreOptions
from lse_gym.envs.passages.actions import Actions, action_space, apply_action, features, observation_space
from lse_gym.envs.passages.domain import PassageDomain, PassageFamily
from lse_gym.envs.passages.prompt import render_order
from lse_gym.envs.state import Visit
from lse_gym.envs.vector import ContextVectorEnv, Step


class PassageOrderEnv(ContextEnv):
    """Edit the order of the passages that a model answers a question from; the reward is its gain in accuracy.

    ## Description
    Each domain is a subject with ``passages`` retrieved passages and 170 of the 2,304 questions there are: when one of
    four things happened to it, in other words each time. Some passages give the right answers, some rival ones, some
    are about something else, and the retriever cannot tell them apart. The embedded ``reader`` weighs what a passage
    says by where it stands, most at the beginning, less at the end, least in the middle: the weights are the accuracies
    of GPT-3.5-Turbo in Liu et al. (arXiv 2307.03172). So its best order is known, and ``info`` tells the regret.
    Source: our own generator; the problem is that of MOI (arXiv 2412.10684) and CORD (arXiv 2412.14581).

    ## Action Space
    ``actions="text"``: ``FreeText(max_chars)``, a list of passages, one line each, as in the seed context. What counts
    is the numbers in brackets and their order; a passage that is not listed is not shown. The others are numbers, for K
    passages:

    | actions | space | meaning |
    |---|---|---|
    | priorities | Box(-1, 1, (K,)) | passages by falling priority; those below 0 are left out |
    | positions | MultiDiscrete([K + 1] * K) | passages by rising position; those at K are left out |
    | operation | MultiDiscrete([4, K, K]) | swap two positions, move or drop the passage at one, restore a passage |

    An action that is malformed, or an operation that cannot be done, keeps the order and is told in
    ``info["problem"]``.

    ## Observation Space
    With ``actions="text"`` as in :class:`lse_gym.envs.core.ContextEnv`; the feedback holds every passage. Otherwise
    ``Box`` float32 of shape (2 K + 2,) in [-1, 1]: the retriever's scores, the positions (0 first, 1 last, -1 left
    out), the feedback score, and the share of the edits that is left.

    ## Rewards
    ``r = S(c_after) - S(c_before)``, ``S`` being the accuracy on 50 held-out questions; in [-1, 1].

    ## Starting State
    A domain of the group "train" unless told otherwise, drawn by ``seed``; all passages in the retriever's order.

    ## Episode End
    As in :class:`lse_gym.envs.core.ContextEnv`: terminated after ``max_edits``, truncated when the budget is used up.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | domain | str, sequence or None | None | | ``<topic>-<seed>``, several, or a group: "train" (the default), "test" |
    | passages | int | 8 | passages per domain | 4 to 20 |
    | actions | str | "text" | | "text", "priorities", "positions" or "operation" |
    | split_seed | int | 0 | | another seed draws other questions about the same subjects |

    ``reset(options=...)`` takes ``context``, ``domain`` and ``batch``.

    ``info`` has three more numbers where the position bias of the task model is known exactly, which is so of
    ``reader`` at temperature 0: ``optimum``, the held-out score of the best order; ``regret``, how much of it is
    missing, in [0, 1]; ``chance``, the probability of a right answer to a question that nobody has seen. With any other
    model or temperature there are no such keys: nobody knows the best order.

    ## Cost
    60 task-model calls per reset and per step by default: 10 feedback and 50 held-out questions.

    ## Version History
    v1: four facts instead of one, in six times as many wordings. Each question belongs to one split for good, whatever
    ``split_seed``, and those of a leaderboard are never among them (:func:`lse_gym.envs.splits.class_of`). What the
    passages are worth and the best orders are those of v0.
    v0: first version. A test question of one split seed could be a feedback question of another.
    """

    @checked
    def __init__(
        self,
        domain: str | Sequence[str] | None = None,
        passages: Count = 8,
        actions: Actions = "text",
        split_seed: Seed = 0,
        **options: Unpack[CoreOptions],
    ):
        super().__init__(PassageFamily(passages, split_seed), domain=domain, **options)
        self.actions, self.passages = actions, int(passages)
        self._weights = self.model.position_weights if self.session.temperature == 0 else None
        if actions != "text":
            self.action_space = action_space(actions, self.passages)
            self.observation_space = cast(Dict, observation_space(self.passages))

    def step_task(self, action: Any) -> Task[Step]:
        """``step`` as a task; a numeric action becomes the text of the order that it means."""
        if self.actions == "text" or self._state is None:
            return (yield from super().step_task(action))
        domain = cast(PassageDomain, self._state.domain)
        order, problem = apply_action(self.actions, action, domain.order(self._state.context), self.passages)
        step = yield from super().step_task(render_order(order, domain.passages))
        step[-1]["problem"] = self._last["problem"] = problem or self._last["problem"]
        return step

    def _observation(self) -> Observation:
        if self.actions == "text" or self._state is None:
            return super()._observation()
        domain = cast(PassageDomain, self._state.domain)
        scores = [passage.score for passage in domain.passages]
        left = 1 - self._state.edits / self.max_edits
        seen = features(domain.order(self._state.context), scores, self._state.feedback_score, left)
        return cast(Observation, seen)

    def _tell(self, improvement: float, problem: str, found: Visit) -> Info:
        info = super()._tell(improvement, problem, found)
        if self._weights is None:
            return info
        assert self._state is not None
        domain = cast(PassageDomain, self._state.domain)
        optimum = domain.optimum("held_out", self.model)
        regret, chance = optimum - info["held_out_score"], domain.chance(self._state.context, self._weights)
        self._last |= {"optimum": optimum, "regret": regret, "chance": chance}
        return dict(self._last)


class PassageOrderVectorEnv(ContextVectorEnv):
    """Many :class:`PassageOrderEnv` side by side, one model batch a step."""

    env_class: ClassVar[Any] = PassageOrderEnv
