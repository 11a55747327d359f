"""Who plays and learns: what the joint loop needs of a player, and a model of this process as one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lse_gym.agents.lse.policy import Policy
from lse_gym.envs.models.base import Request


class Player(Protocol):
    """A model that plays, and whose log-probabilities are known."""

    def write(self, requests: Sequence[Request]) -> list[list[int]]:
        """Answer each request, as token ids."""
        ...

    def text(self, ids: Sequence[int]) -> str:
        """The text of an answer, without its end."""
        ...

    def prompt_ids(self, request: Request) -> list[int]:
        """The token ids of a request."""
        ...

    def row_logprobs(self, request: Request, rows: Sequence[list[int]]) -> list[list[float]]:
        """Log-probability of each token of each answer, its end included, in nats."""
        ...


class Trainee(Player, Protocol):
    """A player that learns."""

    @property
    def name(self) -> str:
        """What it is called in ``config.json``."""
        ...

    def descend(
        self, prompts: Sequence[Request], groups: Sequence[Sequence[list[int]]], values: Sequence[np.ndarray]
    ) -> float:
        """Update by groups of answers and their advantages; returns the norm of the gradient."""
        ...

    def save(self, folder: Path) -> None:
        """Write it."""
        ...

    def state(self) -> dict[str, Any]:
        """All that it has learned, in what ``torch.load(weights_only=True)`` reads."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Take the place of the player whose :meth:`state` it was."""
        ...


class ModelPlayer(Policy):
    """A policy as a player."""

    @property
    def name(self) -> str:
        """The model's."""
        return self.model.name

    def write(self, requests: Sequence[Request]) -> list[list[int]]:
        """Answer each request, as token ids."""
        return self.model.write(requests)

    def text(self, ids: Sequence[int]) -> str:
        """The text of an answer, without its end."""
        return self.model.text(ids)

    def prompt_ids(self, request: Request) -> list[int]:
        """The token ids of a request."""
        return self.model.prompt_ids(request)

    def row_logprobs(self, request: Request, rows: Sequence[list[int]]) -> list[list[float]]:
        """Log-probability of each token of each answer, its end included, in nats, at the temperature of sampling."""
        import torch

        with self.model.few_threads(), torch.no_grad():
            found, mask = self.logprobs(self.prompt_ids(request), rows)
        return [one[kept].tolist() for one, kept in zip(found, mask, strict=True)]

    def save(self, folder: Path) -> None:
        """Write it as a model for ``hf:``."""
        self.model.model.save_pretrained(folder)
        self.model.tokenizer.save_pretrained(folder)

    def state(self) -> dict[str, Any]:
        """The weights, and the moments of the optimizer."""
        return {"model": self.model.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the place of the player whose :meth:`state` it was."""
        self.model.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
