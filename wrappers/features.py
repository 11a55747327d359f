"""Numbers instead of text, for policies that read no language."""

from collections.abc import Callable, Sequence
from zlib import crc32

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from gymnasium.utils import RecordConstructorArgs

from lse_gym.envs.core import Observation
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.evaluation import core_env

Encoder = Callable[[Sequence[str]], np.ndarray]


class TextFeatures(gym.ObservationWrapper, RecordConstructorArgs):
    """The observation as one vector, by word hashing or any sentence embedder.

    ## Observation Space
    ``Box`` float32 of shape (7 + 2 ``size``,): feedback score, the four fractions of the budget that are left, the
    length of the context as a share of ``max_chars``, its number of lines / 100 (at most 1); then an embedding of the
    context and one of the feedback, of ``size`` numbers each, in [-1, 1].

    Args:
        env: an env of the namespace ``LSE``.
        size: numbers of an embedding, >= 1. For an encoder of your own, what it returns for a text.
        encoder: texts to float array of shape (texts, ``size``), such as ``SentenceTransformer(...).encode``; None
            hashes words, which needs no model.
    """

    def __init__(self, env: gym.Env, size: int = 64, encoder: Encoder | None = None):
        RecordConstructorArgs.__init__(self, size=size, encoder=encoder)
        gym.ObservationWrapper.__init__(self, env)
        if size < 1:
            raise ArgumentError(f"size={size} is not an int >= 1. Pass e.g. size=64.")
        self.size, self.encoder = size, encoder or self._hash
        self.max_chars = core_env(env).max_chars
        low = np.concatenate([np.zeros(7), -np.ones(2 * size)]).astype(np.float32)
        high = np.ones(7 + 2 * size, dtype=np.float32)
        self.observation_space = Box(low, high, dtype=np.float32)

    def observation(self, observation: Observation) -> np.ndarray:
        """The vector of an observation."""
        context, report = observation["context"], observation["feedback"]
        numbers = [
            float(observation["feedback_score"]),
            *observation["remaining_budget"],
            len(context) / self.max_chars,
            min(1.0, (context.count("\n") + 1) / 100),
        ]
        embedded = np.asarray(self.encoder([context, report]), dtype=np.float32)
        if embedded.shape != (2, self.size):
            raise ArgumentError(f"the encoder gave shape {embedded.shape} for 2 texts. Pass size={embedded.shape[-1]}.")
        return np.concatenate([np.array(numbers, dtype=np.float32), np.clip(embedded, -1, 1).ravel()])

    def _hash(self, texts: Sequence[str]) -> np.ndarray:
        """Signed word hashing, scaled to length 1 (Weinberger et al., ICML 2009)."""
        vectors = np.zeros((len(texts), self.size))
        for row, text in zip(vectors, texts, strict=True):
            for word in text.lower().split():
                code = crc32(word.encode("utf-8", "replace"))
                row[code % self.size] += 1 if code & 0x8000_0000 else -1
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.where(norms > 0, norms, 1)
