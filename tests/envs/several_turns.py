"""A toy domain of three turns: the task model counts in a ring, a "tool" says where it stands, its last word is scored.

python -m tests.envs.several_turns RECORD    # five steps with a record, one line a step: for a test that kills it
"""

import sys
import time

from lse_gym.envs.core import ContextEnv
from lse_gym.envs.domain import Domain, Outcome, Prompt, Question
from lse_gym.envs.errors import ProviderError
from lse_gym.envs.metered import MeteredModel
from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Response, TaskModel
from lse_gym.envs.report import Turn
from lse_gym.envs.vector import ContextVectorEnv
from tests.envs.stub import StubFamily, digest

SIZES = {"feedback": 5, "held_out": 4, "test": 3}


class RingDomain(Domain):
    """Turn by turn the model's words are answered by a digest of them; who says "done" ends early."""

    max_turns, max_reply_bytes, oracle_context = 3, 40, None

    def __init__(self, name):
        self.name, self.seed_context = name, f"Seed of {name}."
        self.splits = {
            split: tuple(Question(f"{split}-{i}", f"{name} {split} {i}", f"gold {i}") for i in range(size))
            for split, size in SIZES.items()
        }

    def system(self, context):
        return f"Task.\n{context}"

    def user(self, question):
        return question.text

    def attempt(self, context, question):
        turns = ()
        for _ in range(self.max_turns):
            text = yield Prompt(self.system(context), self.user(question), turns)
            if text.startswith("done"):
                return f"early {text}"
            turns = (*turns, Turn("assistant", text), Turn("user", f"tool {digest(text) % 97}"))
        return f"late {text} {len(turns)}"

    def score(self, questions, responses):
        return [Outcome(float(digest(response) % 2), response) for response in responses]

    def fingerprint(self):
        return self.name


class RingFamily(StubFamily):
    def load(self, name):
        self.check(name)
        return RingDomain(name)


class Speaker(TaskModel):
    """Says a word by a digest of all it was told; keeps its own ledger, and fails at the batches it is told to."""

    name, revision = "speaker", "1"

    def __init__(self, done=5, failing=(), slow_s=0.0):
        self.done, self.failing, self.slow_s = done, set(failing), slow_s
        self.batches, self.calls, self.tokens = [], 0, 0

    def complete(self, requests):
        time.sleep(self.slow_s)
        self.batches.append(list(requests))
        if len(self.batches) in self.failing:
            raise ProviderError("the speaker was told to fail.")
        responses = [self._say(request) for request in requests]
        self.calls += len(responses)
        self.tokens += sum(r.prompt_tokens + r.completion_tokens for r in responses)
        return responses

    def _say(self, request):
        told = sum(len(message["content"]) for message in request.messages)
        number = digest(*request)
        word = "done" if number % self.done == 0 else "on"
        return Response(f"{word} {number % 1000}", told // 3, number % (request.max_tokens + 1))

    def count_tokens(self, text):
        return -(-len(text.encode()) // 2)


class RingEnv(ContextEnv):
    def __init__(self, domain="a", **options):
        super().__init__(RingFamily(), domain=domain, **{"feedback_size": 3, "max_edits": 100, **options})


class RingVectorEnv(ContextVectorEnv):
    env_class = RingEnv


def make(model, num_envs=None, **options):
    env = RingEnv(**options) if num_envs is None else RingVectorEnv(num_envs, **options)
    for one in getattr(env, "envs", [env]):
        one.session.metered = MeteredModel(model, one.budget, is_task_model=True)
    return env


def main(record):
    from unittest import mock

    with mock.patch.dict("lse_gym.envs.models.MODELS", {"reader": ("tests.envs.several_turns", "Speaker", ())}):
        env = RingEnv(record=record)
        env.model.model.slow_s = 0.05
        print(env.reset(seed=3)[1]["held_out_score"], flush=True)
        for i in range(5):
            print(*env.step(f"Line {i}.")[1:2], env.budget.spent.calls, env.model.model.calls, flush=True)


if __name__ == "__main__":
    assert make_model
    main(sys.argv[1])
