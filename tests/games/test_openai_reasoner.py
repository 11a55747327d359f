"""A reasoner behind a server: what it says is paid once, and reliance is told by outcomes, as a chat has no other."""

from math import log

import gymnasium as gym
import pytest

from lse_gym.envs.games import hint_v0
from lse_gym.envs.games.players import play
from lse_gym.envs.models.base import Request, sampling_seed
from tests.models.chat_server import serve

pytestmark = [pytest.mark.extra("games"), pytest.mark.extra("api")]
HINT = "Mind what goes."


def says(text):
    return {
        "choices": [{"message": {"role": "assistant", "content": f"<answer>{text}</answer>"}}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3},
    }


@pytest.fixture
def server(monkeypatch):
    """Says the gold of a question of bakery-0 to every second sample with the hint, and nonsense else."""
    family = hint_v0.make_game(domain="bakery-0").exercises.family
    golds = {q.text: q.gold for q in family.load("bakery-0").splits["feedback"]}
    even = {sampling_seed(Request("", "", sample=sample)) for sample in (0, 2)}

    def answer(handler, number):
        payload = handler.server.payloads[number]
        asked = payload["messages"][-1]["content"]
        gold = next(gold for text, gold in golds.items() if text in asked)
        return handler.reply(200, says(gold if HINT in asked and payload["seed"] in even else "-1"))

    with serve(answer) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        monkeypatch.setenv("LSE_GYM_CACHE", "off")
        yield server


def test_reliance_of_a_chat_is_that_of_outcomes_and_says_so(server):
    model = f"openai:m-{server.server_address[1]}"
    env = hint_v0.env(domain="bakery-0", num_samples=4, task_model=model, budget={"calls": 100})
    played = play(env, {"reasoner_0": model, "hinter_0": lambda observation: f"<hint>{HINT}</hint>"}, seed=0)
    info = played.infos["hinter_0"]
    assert info["reliance_from"] == "outcomes of a twin"
    assert (info["success_without"], info["success"]) == (0.0, 0.5)
    assert info["reliance"] == pytest.approx(log(1 / 6) - log(3 / 6))
    assert played.rewards["hinter_0"] == pytest.approx(info["prob_term"] * info["weight"])
    assert len(server.payloads) == 4 * 4, "both groups of the question, and both of its twin"
    spent = env.unwrapped.game.session.budget.spent
    assert (spent.calls, spent.tokens) == (16, 160)
    assert all(payload["temperature"] == 1.0 for payload in server.payloads)
    assert len({payload["seed"] for payload in server.payloads}) == 4


def test_the_hinter_s_env_over_the_wire(server):
    env = gym.make("LSE/Hint-v0", domain="bakery-0", num_samples=2, task_model=f"openai:n-{server.server_address[1]}")
    core = env.unwrapped
    domain = core.family.load("bakery-0")
    questions = domain.splits["feedback"][:3]
    evaluation = core.session.run([core.session.evaluate(domain, HINT, questions)])[0]
    right = [attempt for attempt in evaluation.attempts if "1 of 2 answers were right" in attempt.outcome.error]
    assert len(right) == 3
    for attempt in right:
        assert "Reliance of these on it: -0.69." in attempt.outcome.error  # ln(1/4) - ln(2/4)
        assert attempt.outcome.score == pytest.approx(2 ** (-1 / 0.3))
    assert evaluation.usage.calls == len(server.payloads), "asking in vain for log-probabilities costs nothing"
