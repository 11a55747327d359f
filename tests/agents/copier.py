"""A task model that learns from worked examples alone: it gives the answer of an example that is like the question."""

import re
from collections.abc import Sequence

from lse_gym.envs.models.base import Request, Response, TaskModel

EXAMPLE = re.compile(r"^Question: (\w+) .*\nAnswer: (.+)$", re.MULTILINE)
KINDS = ("stone", "river", "cloud", "fire")
ROWS = [{"question": f"{KINDS[n % 4]} number {n}.", "answer": f"kind {n % 4}"} for n in range(120)]


class Copier(TaskModel):
    """Answers with what an example says whose first word is that of the question; else with "?"."""

    name = "copier"
    revision = "1"

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        return [Response(self._answer(request), 10, 2) for request in requests]

    def _answer(self, request: Request) -> str:
        known = dict(EXAMPLE.findall(request.system))
        return known.get(request.user.removeprefix("Question: ").split()[0], "?")

    def count_tokens(self, text: str) -> int:
        return len(text)
