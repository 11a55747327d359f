"""A task model that works in the garden of the fixture: it knows what to do where its context tells it."""

import re

from lse_gym.envs.models.base import Response, TaskModel
from tests.tools.awm_attempts import calls


class Gardener(TaskModel):
    """Adds the bed that is asked for if the context holds "spade", looks at the beds before if it holds "look"."""

    name, revision = "gardener", "1"

    def complete(self, requests):
        return [Response(self._say(request), 10, 5) for request in requests]

    def count_tokens(self, text):
        return len(text) // 4 + 1

    def _say(self, request):
        looked, done = ("list_beds" in str(request.turns), "add_bed" in str(request.turns))
        name, plants = re.search(r"bed of (\w+) with (\d+) plants", request.user).groups()
        if "look" in request.system and not looked:
            return calls(("list_beds", {}))
        if "spade" in request.system and not done:
            return calls(("add_bed", {"name": name, "plants": int(plants)}))
        return f"<answer>{len(request.turns)} turns</answer>"
