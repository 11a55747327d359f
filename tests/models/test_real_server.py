"""`nano` behind a real OpenAI-compatible server on loopback: an episode scores as it does in this process."""

from copy import copy
from importlib.util import find_spec

import pytest

if not all(find_spec(name) for name in ("torch", "transformers", "fastapi", "uvicorn")):
    pytest.skip("needs transformers[serving]", allow_module_level=True)

from lse_gym.envs.core import ContextEnv
from lse_gym.envs.models import NANO, _load
from lse_gym.envs.sql.procedural.family import ProceduralFamily
from tests.models.transformers_server import serving


class Few(ProceduralFamily):
    """Domains with a few questions each."""

    def load(self, name):
        domain = copy(super().load(name))
        domain.splits = {split: questions[:3] for split, questions in domain.splits.items()}
        return domain


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(NANO, tmp_path_factory.mktemp("server") / "log.txt") as url:
        yield url


def episode(model):
    _load.cache_clear()  # the address is read when the model is made
    env = ContextEnv(Few(), domain="clinic-1", task_model=model, feedback_size=2)
    _, first = env.reset(seed=0)
    oracle = env.family.load("clinic-1").oracle_context
    feedback, *_, last = env.step(oracle)
    return feedback["feedback"], [
        {name: info[name] for name in ("held_out_score", "calls", "completion_tokens")} for info in (first, last)
    ]


def test_an_episode_through_a_server_is_the_one_in_this_process(server, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_BASE_URL", server)
    monkeypatch.setenv("LSE_GYM_RESPONSE_CACHE", "off")
    monkeypatch.setenv("LSE_GYM_CONCURRENCY", "4")
    inside, through = episode("nano"), episode(f"openai:{NANO}")
    assert inside[0] == through[0]
    assert [info["held_out_score"] for info in inside[1]] == [info["held_out_score"] for info in through[1]]
    assert [info["calls"] for info in inside[1]] == [info["calls"] for info in through[1]]
