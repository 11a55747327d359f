"""A real OpenAI-compatible server on loopback: an episode with `nano` scores as it does in this process; with tools,
as text and natively, the calls, results and scores are the same."""

from copy import copy
from importlib.util import find_spec

import pytest

if not all(find_spec(name) for name in ("torch", "transformers", "fastapi", "uvicorn")):
    pytest.skip("needs transformers[serving]", allow_module_level=True)

from lse_gym.envs.core import ContextEnv
from lse_gym.envs.models import NANO, _load
from lse_gym.envs.sql.procedural.family import ProceduralFamily
from tests.models.transformers_server import serving
from tests.tools import scripted_model
from tests.tools.shelf import ShelfEnv, make


class Few(ProceduralFamily):
    """Domains with a few questions each."""

    def load(self, name):
        domain = copy(super().load(name))
        domain.splits = {split: questions[:3] for split, questions in domain.splits.items()}
        return domain


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("server") / "log.txt") as url:
        yield url


@pytest.fixture
def _server(address, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    monkeypatch.setenv("LSE_GYM_RESPONSE_CACHE", "off")
    monkeypatch.setenv("LSE_GYM_CONCURRENCY", "4")
    _load.cache_clear()  # the address is read when the model is made


def episode(model):
    env = ContextEnv(Few(), domain="clinic-1", task_model=model, feedback_size=2)
    _, first = env.reset(seed=0)
    oracle = env.family.load("clinic-1").oracle_context
    feedback, *_, last = env.step(oracle)
    return feedback["feedback"], [
        {name: info[name] for name in ("held_out_score", "calls", "completion_tokens")} for info in (first, last)
    ]


@pytest.mark.usefixtures("_server")
def test_an_episode_through_a_server_is_the_one_in_this_process():
    inside, through = episode("nano"), episode(f"openai:{NANO}")
    assert inside[0] == through[0]
    assert [info["held_out_score"] for info in inside[1]] == [info["held_out_score"] for info in through[1]]
    assert [info["calls"] for info in inside[1]] == [info["calls"] for info in through[1]]


def episode_with_tools(env):
    _, info = env.reset(seed=1)
    scores, reports = [info["held_out_score"]], [env.report]
    for context in ("Be brief.", scripted_model.CAREFUL):
        *_, info = env.step(context)
        scores.append(info["held_out_score"])
        reports.append(env.report)
    return scores, reports


@pytest.mark.usefixtures("_server")
def test_a_scripted_model_has_the_same_calls_and_scores_through_text_and_native_tools(tmp_path):
    folder = tmp_path / "model"
    scripted_model.save(folder)
    expected = episode_with_tools(make(scripted_model.Scripted()))
    assert expected[0][0] == expected[0][1] < expected[0][2] == 1.0
    for name in (f"openai:{folder}", f"openai:{folder}?tools=native"):
        assert episode_with_tools(ShelfEnv(task_model=name)) == expected
