"""Reliance by log-probabilities is what Transformers itself says of the tokens, and by outcomes what was counted."""

import pytest

from lse_gym.envs.budget import Budget
from lse_gym.envs.errors import BudgetExhausted
from lse_gym.envs.games import hint_v0
from lse_gym.envs.games.hill import non_deg, transfer_weight
from lse_gym.envs.metered import MeteredModel
from lse_gym.envs.models import NANO, make_model
from lse_gym.envs.models.base import Request, Response, TaskModel
from lse_gym.envs.report import Turn

HINT = "Percent means of each hundred."


class Told(TaskModel):
    """Says the log-probability of a token by whether the prompt has the hint."""

    name, revision = "told", "1"

    def complete(self, requests):
        return [Response("<answer>0</answer>", 1, 1) for _ in requests]

    def count_tokens(self, text):
        return len(text.split())

    def logprobs(self, request, completion):
        return [-0.25 if HINT in request.user else -0.75] * len(completion.split())


def hinted_game(answers, **rules):
    game = hint_v0.make_game(difficulty="hard", domain="bakery-0", num_samples=len(answers), **rules)
    game.reset(seed=0)
    game.act(("nothing",) * len(answers))
    game.act(f"<hint>{HINT}</hint>")
    gold = game.state.question.gold
    texts = tuple(text.format(gold=gold) for text in answers)
    game.act(texts)
    return game, texts


@pytest.mark.extra("hf")
def test_log_probabilities_are_those_of_transformers():
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    game, texts = hinted_game(["So <answer>{gold}</answer>", "no idea", "<answer> {gold} </answer>"], task_model="nano")
    info = game.info("hinter_0")
    model = AutoModelForCausalLM.from_pretrained(NANO, dtype="float32").eval()
    tokenizer = AutoTokenizer.from_pretrained(NANO)
    domain, question = game.state.domain, game.state.question
    each = []
    for text in (texts[0], texts[2]):  # the right ones
        means = []
        for user in (f"Question: {question.text}", f"Question: {question.text}\n\n{HINT}"):
            messages = [
                {"role": "system", "content": domain.system(domain.seed_context)},
                {"role": "user", "content": user},
            ]
            prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
            prompt = tokenizer(prompt, add_special_tokens=False).input_ids
            ids = tokenizer(text, add_special_tokens=False).input_ids
            with torch.inference_mode():
                scores = model(torch.tensor([prompt + ids])).logits[0].log_softmax(-1)
            means.append(sum(float(scores[len(prompt) - 1 + i, token]) for i, token in enumerate(ids)) / len(ids))
        each.append(means[0] - means[1])
    assert info["reliance"] == pytest.approx(sum(each) / 2, abs=1e-4)
    assert info["reliance"] != 0.0
    assert info["reliance_from"] == "log-probabilities"
    expected = non_deg(2 / 3, 3) * transfer_weight(info["reliance"])
    assert game.rewards["hinter_0"] == pytest.approx(expected)
    assert game.session.budget.by_task_model.calls == 4, "two passes a right answer"


def test_a_model_of_your_own_tells_its_log_probabilities():
    game, _ = hinted_game(["<answer>{gold}</answer>", "no"], task_model="tests.games.test_reliance:Told")
    info = game.info("hinter_0")
    assert (info["reliance"], info["reliance_from"]) == (-0.5, "log-probabilities")
    assert info["weight"] == pytest.approx(0.188876, abs=1e-6)


def test_outcomes_of_a_twin_are_counted_and_paid():
    game, _ = hinted_game(["<answer>{gold}</answer>", "no", "no", "no"], task_model="reader")
    info = game.info("hinter_0")
    assert info["reliance_from"] == "outcomes of a twin"
    assert game.session.budget.by_task_model.calls == 8


def test_right_answers_that_are_alike_are_weighed_once():
    told = "tests.games.test_reliance:Told"
    game, _ = hinted_game(["<answer>{gold}</answer>", "no", "<answer>{gold}</answer>"], task_model=told)
    assert game.info("hinter_0")["reliance"] == -0.5
    assert game.session.budget.by_task_model.calls == 2


def weighing(*texts):
    return [Request("system", "user", 0, turns=(Turn("assistant", text),)) for text in texts]


def test_log_probabilities_are_paid_whole_or_not_at_all():
    asked = weighing("a b c", "d e f", "g h i")
    poor = MeteredModel(Told(), Budget({"calls": 2}), is_task_model=True)
    with pytest.raises(BudgetExhausted):
        poor.complete(asked)
    assert poor.budget.spent.calls == 0
    rich = MeteredModel(Told(), Budget({"tokens": 15}), is_task_model=True)
    assert [response.text for response in rich.complete(asked)] == ["[-0.75, -0.75, -0.75]"] * 3
    assert rich.budget.spent == rich.budget.by_task_model == rich.spent
    assert (rich.spent.calls, rich.spent.tokens) == (3, 15)
    mute = MeteredModel(make_model("reader"), Budget())
    assert [response.text for response in mute.complete(asked)] == ["null"] * 3
    assert mute.budget.spent.calls == 0


def test_what_a_model_cannot_weigh_leaves_the_rest_of_a_batch_as_it_is():
    class Some(Told):
        def logprobs(self, request, completion):
            if completion == "odd":
                raise NotImplementedError
            return super().logprobs(request, completion)

    asked = weighing("a", "odd", "b c")
    alone = [Some().respond([request])[0] for request in asked]
    assert Some().respond(asked) == alone
    assert [response.text for response in alone] == ["[-0.75]", "null", "[-0.75, -0.75]"]
