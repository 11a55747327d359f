"""How robust a context is: held-out questions asked tersely, doubtfully, contradicting themselves, or with slips."""

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from lse_gym.envs.budget import Budget
from lse_gym.envs.core import Info
from lse_gym.envs.domain import Domain, Question
from lse_gym.envs.errors import ArgumentError, BudgetExhausted, unknown
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.session import Session

LITTLE = frozenset("a an the please that which is are there then of for to in on at and do does with".split())
DOUBTS = ("I am not sure, but: ", "Maybe I have this wrong. ", "Somebody told me to ask this: ")
SECOND_THOUGHTS = (
    " No, forget that. Or rather do not: I do want to know.",
    " On the other hand, never mind. Well, do tell me.",
)
SLIP = 0.15  # of the words, at full strength
Perturb = Callable[[str, np.random.Generator, float], str]


def terse(text: str, rng: np.random.Generator, strength: float) -> str:
    """Without little words, each with chance ``strength``."""
    words = text.split(" ")
    kept = [word for word in words if word.lower().strip(".,?!") not in LITTLE or rng.random() >= strength]
    return " ".join(kept) or text


def doubtful(text: str, rng: np.random.Generator, strength: float) -> str:
    """With a doubt before it, with chance ``strength``."""
    return DOUBTS[int(rng.integers(len(DOUBTS)))] + text if rng.random() < strength else text


def contradictory(text: str, rng: np.random.Generator, strength: float) -> str:
    """With second thoughts after it, with chance ``strength``."""
    return text + SECOND_THOUGHTS[int(rng.integers(len(SECOND_THOUGHTS)))] if rng.random() < strength else text


def noisy(text: str, rng: np.random.Generator, strength: float) -> str:
    """With two letters swapped inside of a word in seven, at full strength; numbers stay as they are."""

    def slip(found: re.Match[str]) -> str:
        word = found[0]
        at = int(rng.integers(1, len(word) - 2))
        swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        return swapped if rng.random() < SLIP * strength else word

    return re.sub(r"[A-Za-z]{5,}", slip, text)


TRAITS: Mapping[str, Perturb] = {"terse": terse, "doubtful": doubtful, "contradictory": contradictory, "noisy": noisy}


class TraitBasis(gym.Wrapper, RecordConstructorArgs):
    """Scores every visited context on the held-out questions as people of other traits would ask them.

    It never enters the reward. ``info`` has ``score_terse``, ``score_doubtful``, ``score_contradictory`` and
    ``score_noisy`` besides, in [0, 1], and ``robustness``: the least of them minus the held-out score, in [-1, 1]. A
    question is changed alike under every context. What cannot be paid is told as it was last.

    Source: the traits of TraitBasis (tau-trait of collinear-ai), as changes of the text instead of the user's model.

    Args:
        env: an env of the namespace ``LSE``.
        traits: which of the four.
        strength: how strongly, in (0, 1].
        seed: another one changes the questions otherwise.
        budget: hard caps for this alone; None has none.
    """

    def __init__(
        self,
        env: gym.Env,
        traits: Sequence[str] = tuple(TRAITS),
        strength: float = 1.0,
        seed: int = 0,
        budget: dict[str, float] | None = None,
    ):
        RecordConstructorArgs.__init__(self, traits=traits, strength=strength, seed=seed, budget=budget)
        gym.Wrapper.__init__(self, env)
        for trait in traits:
            if trait not in TRAITS:
                raise unknown("trait", trait, TRAITS)
        if not traits or not 0 < strength <= 1:
            raise ArgumentError(f"traits={traits!r}, strength={strength!r}: expected a trait and a number in (0, 1].")
        self.traits, self.strength, self.seed = tuple(traits), strength, seed
        self.session: Session = core_env(env).session.isolated(Budget(budget))
        self._scores = dict.fromkeys(self.traits, 0.0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Info]:
        """Reset the env, and score its start."""
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, self._told(info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, Info]:
        """Step the env, and score the new context."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, float(reward), terminated, truncated, self._told(info)

    def _told(self, info: Info) -> Info:
        if info["evaluated"]:
            core = core_env(self.env)
            domain = core.family.load(core.domain_name)
            questions = domain.splits["held_out"]
            changed = [perturbed(domain, trait, self.strength, self.seed) for trait in self.traits]
            try:
                found = self.session.run([self.session.evaluate(one, core.context, questions) for one in changed])
                self._scores = {t: float(e.scores.mean()) for t, e in zip(self.traits, found, strict=True)}
            except BudgetExhausted:
                pass
        scores = {f"score_{trait}": score for trait, score in self._scores.items()}
        return {**info, **scores, "robustness": min(scores.values()) - info["held_out_score"]}


def perturbed(domain: Domain, trait: str, strength: float = 1.0, seed: int = 0) -> Domain:
    """A domain that asks its questions as somebody with a trait would; golds and scores stay the same.

    Args:
        domain: the domain; it is not changed.
        trait: "terse", "doubtful", "contradictory" or "noisy".
        strength: how strongly, in (0, 1].
        seed: another one changes the questions otherwise.
    """
    other = copy.copy(domain)
    change, ask = TRAITS[trait], domain.user

    def user(question: Question) -> str:
        digest = int.from_bytes(blake2b(f"{trait}\0{question.text}".encode("utf-8", "replace"), digest_size=8).digest())
        rng = np.random.default_rng(np.random.SeedSequence([seed, digest]))
        message = ask(question)
        asked = _asked(message, question)
        return message.replace(asked, change(asked, rng, strength), 1)

    setattr(other, "user", user)  # noqa: B010 - of this one alone
    return other


def _asked(message: str, question: Question) -> str:
    """What of a message is the question: its text, or the line that says so, or the longest line."""
    if question.text in message:
        return question.text
    said = re.search(r"Question: ([^\n]+)", message)
    return said[1] if said else max(message.split("\n"), key=len)
