"""Settings of the joint loop, apart from it so that the command line can show them at once."""

from dataclasses import dataclass
from typing import Literal

from lse_gym.agents.lse.settings import LearnerArgs
from lse_gym.envs.games.hill import TEMPERATURE, Kind

Condition = Literal["grpo", "fixed", "hill"]
CONDITIONS: tuple[Condition, ...] = ("grpo", "fixed", "hill")
Baseline = Literal["group", "role"]
BASELINES: tuple[Baseline, ...] = ("group", "role")


@dataclass(frozen=True)
class HillArgs:
    """Settings of the joint loop; the defaults are those of HiLL's released code, but for size and learning rates."""

    condition: Condition = "hill"
    """"grpo" (no hints), "fixed" (a hint of the untrained hinter for each question, written once) or "hill\""""
    calls: int = 20_000
    """stop after so many calls of both models: answers, hints, and answers scored for reliance"""
    questions: int = 8
    """questions a step (released code: 128)"""
    samples: int = 8
    """answers of each question, N"""
    hint_samples: int | None = None
    """answers with each hint; as many as without where None, as in the released code"""
    hints: int = 4
    """hints of each hard question, M"""
    kind: Kind = "transfer_weighted_non_deg"
    """what a hint is rewarded by"""
    transfer_temperature: float = TEMPERATURE
    """T of the transfer weight"""
    baseline: Baseline = "group"
    """"group" (GRPO's mean and standard deviation) or "role" (SPIRAL's moving average of each player's return)"""
    decay: float = 0.95
    """of SPIRAL's moving average"""
    lr: float = 1e-4
    """of the reasoner (released code, for 7 B parameters: 1e-6)"""
    hinter_lr: float = 1e-4
    """of the hinter (released code, for 4 B parameters: 1e-6)"""
    clip: float = 0.2
    """clipping of the ratio from below"""
    clip_high: float = 0.28
    """clipping of the ratio from above"""
    temperature: float = 1.0
    """of the sampling of both players"""
    max_prompt_tokens: int = 2048
    """a longer question with its hint fails the last gate"""
    evaluate_every: int = 10
    """steps between two measurements on the sealed questions"""
    seed: int = 0
    """of the order of the questions and of all sampling"""

    def policy(self, lr: float) -> LearnerArgs:
        """The settings of an update with this learning rate."""
        return LearnerArgs(lr=lr, clip=self.clip, temperature=self.temperature)
