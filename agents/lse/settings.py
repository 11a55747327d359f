"""Settings of the training, apart from it so that the command line can show them at once."""

from dataclasses import dataclass
from typing import Literal

from lse_gym.agents.lse.advantage import Advantage

Credit = Literal["edit", "line", "best"]
CREDITS: tuple[Credit, ...] = ("edit", "line", "best")


@dataclass(frozen=True)
class TrainingArgs:
    """What every training of an editor has; the defaults are those of the paper or of its released code."""

    samples: int = 4
    """edits of each state (paper, appendix A: 4); 1 is enough for "delta\""""
    lr: float = 1e-6
    """learning rate of AdamW, constant (released code, for a model of 4 B parameters; small models need more)"""
    weight_decay: float = 0.01
    """of AdamW (released code)"""
    temperature: float = 1.0
    """sampling temperature of the editor in training (released code)"""
    max_edit_tokens: int = 1024
    """longest answer of the editor, in tokens (released code: 16,384)"""
    seed: int = 0
    """of the order of the states and of all sampling"""


@dataclass(frozen=True)
class LearnerArgs(TrainingArgs):
    """Settings of the training by reinforcement."""

    advantage: Advantage = "delta"
    """"delta", "logit_delta" or "grpo" (the ablation)"""
    whiten: bool = False
    """scale the advantages of a step to mean 0 and standard deviation 1 (an option of the released code, off there)"""
    credit: Credit = "edit"
    """"edit": all tokens of an answer have the advantage of the whole edit; "line": each has that of its own line, by
    what the line gains in contexts to come, on a scale of its own; "best": only the best edit of each state is learnt,
    without the lines that gain nothing"""
    price: float = 0.0
    """what a line costs where credit is by lines, in units of the score: so much it has to add to be worth writing"""
    steps: int = 100
    """updates to make"""
    states_per_step: int = 32
    """states a step (paper, appendix A: 32)"""
    max_grad_norm: float = 1.0
    """gradient clipping (released code)"""
    updates: int = 1
    """passes over the samples of a step (released code: 1, on-policy)"""
    clip: float = 0.2
    """clipping of the ratio, on both sides (released code)"""
    dual_clip: float = 3.0
    """bound on the loss of a bad edit that became likelier (released code)"""
    dev_every: int = 10
    """steps between two measurements on the dev states"""
    patience: int = 5
    """measurements without improvement on the dev states after which training stops"""
