"""Tools through `transformers serve`, as text and natively: the same calls, results and scores as in this process."""

from importlib.util import find_spec

import pytest

if not all(find_spec(name) for name in ("torch", "transformers", "fastapi", "uvicorn")):
    pytest.skip("needs transformers[serving]", allow_module_level=True)

from lse_gym.envs.models import _load
from tests.models.transformers_server import serving
from tests.tools import scripted_model
from tests.tools.shelf import ShelfEnv, make


def episode(env):
    _, info = env.reset(seed=1)
    scores, reports = [info["held_out_score"]], [env.report]
    for context in ("Be brief.", scripted_model.CAREFUL):
        *_, info = env.step(context)
        scores.append(info["held_out_score"])
        reports.append(env.report)
    return scores, reports


def test_a_scripted_model_has_the_same_calls_and_scores_through_text_and_native_tools(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    scripted_model.save(folder)
    expected = episode(make(scripted_model.Scripted()))
    assert expected[0][0] == expected[0][1] < expected[0][2] == 1.0
    monkeypatch.setenv("LSE_GYM_RESPONSE_CACHE", "off")
    with serving(str(folder), tmp_path / "log.txt") as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        _load.cache_clear()  # the address is read when the model is made
        for name in (f"openai:{folder}", f"openai:{folder}?tools=native"):
            scores, reports = episode(ShelfEnv(task_model=name))
            assert scores == expected[0]
            assert reports == expected[1]
