"""Settings of preference learning, apart from it so that the command line can show them at once."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from lse_gym.agents.lse.preferences import PairArgs
from lse_gym.agents.lse.settings import TrainingArgs
from lse_gym.envs.errors import ArgumentError, unknown

Method = Literal["dpo", "sft"]
METHODS: tuple[Method, ...] = ("dpo", "sft")


@dataclass(frozen=True)
class PreferenceArgs(PairArgs, TrainingArgs):
    """Settings of DPO, ExCoT's unless told otherwise (arXiv 2503.19988, and its released code's ``*.yaml``).

    Its learning rate is that of LSE, as a peak from which it falls linearly to zero; so is its temperature.
    """

    method: Method = "dpo"
    """"dpo" on pairs, or "sft" on the best siblings (ExCoT's first stage)"""
    rounds: int = 1
    """on-policy rounds, each on samples of the editor that the round before has made"""
    samples: int = 32
    """edits of each state in an on-policy round (ExCoT: 32 answers a question)"""
    max_states: int = 0
    """states that an on-policy round samples from, another draw each; 0 takes all"""
    beta: float = 0.1
    """weight of staying close to the round's first weights (ExCoT: 0.1; label smoothing 0)"""
    warmup: float = 0.1
    """share of the steps until the peak (ExCoT: 0.1)"""
    epochs: float = 2.0
    """passes over the pairs of a round (ExCoT: 2)"""
    batch: int = 16
    """pairs a step (ours)"""
    weight_decay: float = 0.1
    """of AdamW (released code: 0.1, betas 0.9 and 0.999)"""
    max_length: int = 8192
    """tokens of prompt and answer; a longer answer is truncated, a longer prompt dropped (released code: 8192)"""
    save_every: int = 10
    """steps between two checkpoints"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method not in METHODS:
            raise unknown("method", self.method, METHODS)
        if not (self.lr > 0 and self.beta > 0 and self.epochs > 0 and self.batch > 0):
            raise ArgumentError(f"lr={self.lr}, beta={self.beta}, epochs={self.epochs}, batch={self.batch}: all > 0.")


DPO = PreferenceArgs()
SFT = replace(DPO, method="sft", lr=1e-5, epochs=1.0, warmup=0.0)  # released code, sft-llama-8b.yaml
DEFAULTS: dict[str, PreferenceArgs] = {"dpo": DPO, "sft": SFT}


def preference_args(method: Method, **given: Any) -> PreferenceArgs:
    """The settings of a method; what is None keeps that method's default."""
    if method not in DEFAULTS:
        raise unknown("method", method, METHODS)
    return replace(DEFAULTS[method], **{name: value for name, value in given.items() if value is not None})
