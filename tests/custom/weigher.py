"""A task model that writes nothing and finds likely what the context names, short texts before long ones."""

from lse_gym.envs.models.base import Request, Response, TaskModel


class Weigher(TaskModel):
    """A token a word; each is unlikely, less so where the context has it."""

    name, revision = "weigher", "1"

    def complete(self, requests):
        return [Response("", 1, 0) for _ in requests]

    def logprobs(self, request: Request, completion: str):
        assert "A)" not in request.user, "choices are not listed"
        assert completion.startswith(" "), "behind a cue comes a space"
        return [-0.5 if word in request.system else -1.0 for word in completion.split()]

    def count_tokens(self, text):
        return len(text)
