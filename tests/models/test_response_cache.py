"""The response cache: nothing is asked twice, by however many processes."""

import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import gymnasium as gym
import pytest

import lse_gym  # noqa: F401 - registers the ids
from lse_gym.envs.errors import ProviderError
from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Request, Response, TaskModel
from lse_gym.envs.models.response_cache import CachedModel, contents, open_cache, prune
from tests.command import run
from tests.models.chat_server import serve


class Counting(TaskModel):
    name, revision = "counting", "1"

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.broken: set[str] = set()

    def complete(self, requests: Sequence[Request]) -> list[Response]:
        self.asked += requests
        answers = {r: Response(f"answer to {r.user}", 3, 2) for r in requests if r.user not in self.broken}
        if len(answers) < len(requests):
            raise ProviderError("some failed", answers)
        return [answers[request] for request in requests]

    def count_tokens(self, text: str) -> int:
        return len(text)


def requests(n, start=0):
    return [Request("system", f"question {i}") for i in range(start, start + n)]


def test_a_second_run_asks_nothing(tmp_path):
    model = Counting()
    first = CachedModel(model, tmp_path / "cache.sqlite").complete(requests(1200))
    second = CachedModel(model, tmp_path / "cache.sqlite").complete(requests(1300))
    assert second[:1200] == first
    assert len(model.asked) == 1300


def test_any_text_comes_back_exactly(tmp_path):
    class Odd(Counting):
        def complete(self, requests):
            return [Response("é\x00\ud800 '\"\n", 1, 1) for _ in requests]

    for _ in range(2):
        (response,) = CachedModel(Odd(), tmp_path / "cache.sqlite").complete(requests(1))
        assert response.text == "é\x00\ud800 '\"\n"


def test_a_failed_batch_keeps_what_was_answered(tmp_path):
    model = Counting()
    cached = CachedModel(model, tmp_path / "cache.sqlite")
    cached.complete(requests(2))
    model.broken = {"question 3"}
    with pytest.raises(ProviderError) as caught:
        cached.complete(requests(5))
    assert len(caught.value.answered) == 4
    model.broken, model.asked = set(), []
    assert len(cached.complete(requests(5))) == 5
    assert [request.user for request in model.asked] == ["question 3"]


def test_an_identical_run_makes_no_call(tmp_path, monkeypatch):
    monkeypatch.setenv("LSE_GYM_RESPONSE_CACHE", str(tmp_path / "cache.sqlite"))

    def episode(name):
        env = gym.make("LSE/TextToSQL-v1", domain="lab-0", task_model=name)
        return repr([env.reset(seed=0), env.step("Be brief.")])

    with serve() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        name = f"openai:cached-{server.server_address[1]}"
        first = episode(name)
        sent = len(server.payloads)
        assert sent == 120
        assert episode(name) == first
        assert len(server.payloads) == sent
    assert isinstance(make_model(name), CachedModel)
    monkeypatch.setenv("LSE_GYM_RESPONSE_CACHE", "off")
    assert not isinstance(make_model(f"{name}-uncached"), CachedModel)


def test_two_processes_share_ten_thousand_calls(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from tests.models.test_response_cache import Counting, requests\n"
        "from lse_gym.envs.models.response_cache import CachedModel\n"
        "cached = CachedModel(Counting(), Path(sys.argv[1]))\n"
        "for start in range(0, 10_000, 50):\n"
        "    batch = requests(50, start if sys.argv[2] == 'up' else 9_950 - start)\n"
        "    assert [r.text for r in cached.complete(batch)] == [f'answer to {r.user}' for r in batch]\n"
    )
    path = tmp_path / "cache.sqlite"
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(path), way], stderr=subprocess.PIPE, text=True)
        for way in ("up", "down")
    ]
    for process in both:
        assert process.communicate(timeout=240)[1] == ""
        assert process.returncode == 0
    (row,) = contents(path)
    assert row["responses"] == 10_000
    with open_cache(path) as database:
        query = "SELECT COUNT(DISTINCT text), SUM(completion_tokens) FROM responses"
        assert database.execute(query).fetchone() == (10_000, 20_000)


def test_prune_by_model_and_age(tmp_path):
    path = tmp_path / "cache.sqlite"
    CachedModel(Counting(), path).complete(requests(3))
    other = Counting()
    other.name = "other"
    CachedModel(other, path).complete(requests(4))
    assert prune(path, older_than_days=1) == 0
    assert prune(path, model="other") == 4
    assert [row["model"] for row in contents(path)] == ["counting"]
    assert prune(path) == 3


def test_the_command_shows_and_prunes(tmp_path):
    def command(*arguments):
        environment = {"LSE_GYM_RESPONSE_CACHE": str(tmp_path / "cache.sqlite"), "COLUMNS": "200"}
        done = run("cache", *arguments, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "empty" in command()
    CachedModel(Counting(), tmp_path / "cache.sqlite").complete(requests(3))
    assert "counting" in command()
    assert command("--prune", "0", "--model", "counting").startswith("3 responses deleted.")


def test_a_file_of_an_earlier_version_is_taken_over(tmp_path):
    path = tmp_path / "cache.sqlite"
    (answer,) = CachedModel(Counting(), path).complete(requests(1))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE responses DROP COLUMN cached_tokens")
        connection.commit()
    with ThreadPoolExecutor(4) as pool:
        models = [Counting() for _ in range(8)]
        again = list(pool.map(lambda model: CachedModel(model, path).complete(requests(1)), models))
    assert again == [[answer]] * 8
    assert not any(model.asked for model in models)
    assert contents(path)[0]["responses"] == 1
