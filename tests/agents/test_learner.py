"""The learner: its rewards are the env's, its gradient that of the formula, its policy gets better. Needs `hf`."""

import json
import math
import sys
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.agents.lse.advantage import ADVANTAGES, advantages
from lse_gym.agents.lse.chains import Chains
from lse_gym.agents.lse.learner import Learner
from lse_gym.agents.lse.loggers import make_logger
from lse_gym.agents.lse.settings import LearnerArgs
from lse_gym.agents.lse.states import State
from lse_gym.envs.errors import ArgumentError, RunDirectoryError, UnknownNameError
from lse_gym.envs.models.huggingface import HuggingFaceModel

STATES = [State("library-0", f"Context {i}.", 0.2, f"report {i}", 0.3) for i in range(5)]
SMALL = {"steps": 3, "states_per_step": 2, "samples": 3, "max_edit_tokens": 6, "lr": 1e-2, "dev_every": 2}


@pytest.fixture(scope="module")
def env():
    return gym.make("LSE/TextToSQL-v1", domain=["library-0", "shop-0"]).unwrapped


class Bandit(Learner):
    """Rewards long answers, up to 60 characters."""

    def scores_after(self, states, answers):
        return np.array([min(1.0, len(text) / 60) for text in answers])


def make(editor, env, out, kind=Bandit, dev=(), resume=False, **args):
    return kind(HuggingFaceModel(editor), env, STATES, dev, out, LearnerArgs(**SMALL | args), resume=resume)


@pytest.mark.parametrize(("advantage", "whiten"), [*((name, False) for name in ADVANTAGES), ("delta", True)])
def test_the_policy_gets_better(editor, env, tmp_path, advantage, whiten):
    learner = make(editor, env, tmp_path, steps=30, samples=8, advantage=advantage, whiten=whiten, lr=4e-2)
    rows = []
    learner.learn(rows.append)
    first, last = (np.mean([row["score"] for row in part]) for part in (rows[:3], rows[-3:]))
    assert last > first + 0.1
    assert HuggingFaceModel(str(tmp_path / "best")).complete([]) == []


def read(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_an_interrupted_training_goes_on_to_the_same_weights(editor, env, tmp_path):
    whole = make(editor, env, tmp_path / "whole", steps=4, dev=STATES[:2])
    whole.learn()
    cut = make(editor, env, tmp_path / "cut", steps=4, dev=STATES[:2])

    def stop(row):
        if row["step"] == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut.learn(stop)
    with (tmp_path / "cut" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "score": 0.0}\n{"st')  # a row whose checkpoint a kill has cost
    again = make(editor, env, tmp_path / "cut", steps=4, dev=STATES[:2], resume=True)
    again.learn()
    pairs = zip(whole.editor.model.parameters(), again.editor.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    rows = [read(tmp_path / name / "metrics.jsonl") for name in ("whole", "cut")]
    assert rows[0] == rows[1]
    assert [row["step"] for row in rows[0]] == [0, 1, 2, 3]
    assert "dev_improvement" in rows[0][0]


def test_training_on_its_own_chains_goes_on_to_the_same_weights(editor, env, tmp_path):
    def learner(out, resume=False):
        chains, dev = (Chains(env, ["library-0", "shop-0"], 2, lengths=(2, 2), seed=seed) for seed in (0, 1))
        settings = LearnerArgs(**SMALL | {"steps": 4, "credit": "line", "price": 0.01})
        return Lines(HuggingFaceModel(editor), env, chains, dev, tmp_path / out, settings, resume=resume)

    class Lines(Learner):
        """Answers are lines, however the model writes."""

        def __init__(self, *given, **named):
            super().__init__(*given, **named)
            self.editor.text = lambda ids: "".join(f"<add>line number {i}</add>" for i in ids[:1])

        def scores_after(self, states, answers):
            return np.array([0.8 + len({*text.split("number ")}) / 50 if text else np.nan for text in answers])

        def gains(self, states, lines):
            return np.array([len(line) / 1000 for line in lines])

    whole = learner("whole")
    whole.learn()
    cut = learner("cut")
    with pytest.raises(KeyboardInterrupt):
        cut.learn(lambda row: row["step"] == 1 and (_ for _ in ()).throw(KeyboardInterrupt))
    again = learner("cut", resume=True)
    again.learn()
    pairs = zip(whole.editor.model.parameters(), again.editor.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    rows = [read(tmp_path / name / "metrics.jsonl") for name in ("whole", "cut")]
    assert rows[0] == rows[1]
    assert whole.states.state_dict() == again.states.state_dict()
    assert any(row["grad_norm"] > 0 for row in rows[0])


def test_more_steps_may_be_asked_for_later(editor, env, tmp_path):
    whole = make(editor, env, tmp_path / "whole", steps=4)
    whole.learn()
    make(editor, env, tmp_path / "longer", steps=3).learn()
    longer = make(editor, env, tmp_path / "longer", steps=4, patience=99, resume=True)
    longer.learn()
    pairs = zip(whole.editor.model.parameters(), longer.editor.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert read(tmp_path / "whole" / "metrics.jsonl") == read(tmp_path / "longer" / "metrics.jsonl")


def test_a_directory_is_not_overwritten(editor, env, tmp_path):
    make(editor, env, tmp_path)
    with pytest.raises(RunDirectoryError, match="this training already"):
        make(editor, env, tmp_path)
    with pytest.raises(RunDirectoryError, match="another training"):
        make(editor, env, tmp_path, lr=1.0, resume=True)
    args = LearnerArgs(**SMALL)
    for states, dev in ((STATES[1:], ()), (STATES, STATES[:1])):
        with pytest.raises(RunDirectoryError, match="another training"):
            Bandit(HuggingFaceModel(editor), env, states, dev, tmp_path, args, resume=True)
    chains = [Chains(env, ["library-0", "shop-0"], 2, seed=seed) for seed in range(3)]
    Bandit(HuggingFaceModel(editor), env, chains[0], chains[1], tmp_path / "chains", args)
    Bandit(HuggingFaceModel(editor), env, chains[0], chains[1], tmp_path / "chains", args, resume=True)
    with pytest.raises(RunDirectoryError, match="another training"):
        Bandit(HuggingFaceModel(editor), env, chains[0], chains[2], tmp_path / "chains", args, resume=True)
    other = HuggingFaceModel(editor)
    other.revision = "of other weights"
    with pytest.raises(RunDirectoryError, match="another training"):
        Bandit(other, env, STATES, (), tmp_path, args, resume=True)


def test_a_kill_leaves_the_best_weights_whole_and_no_row_twice(editor, env, tmp_path, monkeypatch):
    make(editor, env, tmp_path, steps=1).learn()
    best = {path.name: path.read_bytes() for path in (tmp_path / "best").iterdir()}
    again = make(editor, env, tmp_path, steps=2, resume=True)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(again.editor.tokenizer, "save_pretrained", killed)
    with pytest.raises(KeyboardInterrupt):
        again.learn()
    assert {path.name: path.read_bytes() for path in (tmp_path / "best").iterdir()} == best
    first = make(editor, env, tmp_path / "first")
    monkeypatch.setattr(first, "_save", killed)
    with pytest.raises(KeyboardInterrupt):
        first.learn()
    make(editor, env, tmp_path / "first", resume=True).learn()
    assert [row["step"] for row in read(tmp_path / "first" / "metrics.jsonl")] == [0, 1, 2]


def test_training_stops_when_the_dev_states_do_not_improve(editor, env, tmp_path):
    class Flat(Bandit):
        def scores_after(self, states, answers):
            return np.full(len(answers), 0.5)

    learner = make(editor, env, tmp_path, Flat, dev=STATES[:1], steps=50, dev_every=1, patience=2)
    learner.learn()
    assert learner.step_number == 3


def test_rewards_are_those_of_the_env(editor, env, tmp_path):
    learner = make(editor, env, tmp_path, Learner)
    single = gym.make("LSE/TextToSQL-v1", domain="library-0")
    observation, info = single.reset(seed=0)
    state = State("library-0", observation["context"], info["held_out_score"], observation["feedback"], 0.0)
    rule = env.family.load("library-0").oracle_context.splitlines()[1]
    answers = [f"<add>{rule}</add>", "no edit", "<prompt>Only count rows.</prompt>"]
    found = learner.scores_after([state] * 3, answers)
    assert np.isnan(found[1])
    for answer, context in ((0, f"{observation['context']}\n{rule}"), (2, "Only count rows.")):
        single.reset(options={"context": observation["context"]})
        _, reward, *_ = single.step(context)
        assert found[answer] - state.performance == pytest.approx(reward)


def test_logprobs_are_those_of_one_row_at_a_time(editor, env, tmp_path):
    learner = make(editor, env, tmp_path)
    prompt, rows = [5, 6, 7, 8], [[9, 10, 11], [12], [13, 14]]
    logprobs, mask = learner.policy.logprobs(prompt, rows)
    for row, found, kept in zip(rows, logprobs, mask, strict=True):
        scores = learner.editor.model(torch.tensor([prompt + row])).logits[0].log_softmax(-1)
        alone = [float(scores[len(prompt) - 1 + i, token].detach()) for i, token in enumerate(row)]
        assert found[kept].tolist() == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_a_prompt_computed_once_gives_the_gradient_of_whole_rows(editor, env, tmp_path, monkeypatch, temperature):
    learner = make(editor, env, tmp_path, temperature=temperature)
    prompt, rows, found = [*range(5, 45)], [[9, 10, 11], [12], [13, 14]], {}
    assert learner.editor.shares
    for shares in (True, False):
        monkeypatch.setitem(learner.editor.__dict__, "shares", shares)
        learner.editor.model.zero_grad()
        logprobs, mask = learner.policy.logprobs(prompt, rows)
        logprobs[mask].sum().backward()
        found[shares] = [logprobs[mask].detach(), *(p.grad.clone() for p in learner.editor.model.parameters())]
    for one, other in zip(found[True], found[False], strict=True):
        assert torch.allclose(one, other, atol=1e-4 * float(other.abs().max()))
    scores = learner.editor.model(torch.tensor([prompt + rows[1]])).logits[0, -2] / temperature
    assert float(found[True][0][3]) == pytest.approx(float(scores.log_softmax(-1)[12].detach()), abs=1e-4)


@pytest.mark.extra("tensorboard")
def test_metrics_go_to_tensorboard_once_a_step(editor, env, tmp_path):
    from tensorboard.backend.event_processing import event_accumulator as accumulator

    for steps in (2, 3):  # stopped after two steps, then continued
        model, settings = HuggingFaceModel(editor), LearnerArgs(**SMALL | {"steps": 3})
        learner = Bandit(model, env, STATES, (), tmp_path, settings, resume=steps == 3, loggers=["tensorboard"])
        rows = []
        if steps == 2:
            with pytest.raises(KeyboardInterrupt):
                learner.learn(lambda row, rows=rows: rows.append(row) or (_ for _ in ()).throw(KeyboardInterrupt))
        else:
            learner.learn()
        for logger in learner.loggers:
            logger.close()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    told = {event.step: event.value for event in events.Scalars("score")}
    assert told == {row["step"]: pytest.approx(row["score"]) for row in read(tmp_path / "metrics.jsonl")}
    assert [event.step for event in events.Scalars("score")] == [0, 1, 2]


def test_other_loggers_get_settings_and_rows(tmp_path, monkeypatch):
    calls = []
    module = SimpleNamespace(
        init=lambda **given: calls.append(given),
        log=lambda row, step: calls.append((row, step)),
        finish=lambda: calls.append("finish"),
    )
    monkeypatch.setitem(sys.modules, "trackio", module)
    logger = make_logger("trackio", tmp_path / "mine", {"lr": 0.1})
    logger.log({"score": 1.0}, 4)
    logger.close()
    assert calls == [{"project": "lse-gym", "name": "mine", "config": {"lr": 0.1}}, ({"score": 1.0}, 4), "finish"]
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ArgumentError, match="pip install wandb"):
        make_logger("wandb", tmp_path, {})
    with pytest.raises(UnknownNameError, match="Did you mean 'tensorboard'"):
        make_logger("tensorbord", tmp_path, {})


def test_the_loss_is_clipped_on_both_sides_and_once_more_for_bad_edits(editor, env, tmp_path):
    learner = make(editor, env, tmp_path)
    for advantage, ratio, expected in (
        (1.0, 1.0, -1.0),
        (1.0, 1.5, -1.2),
        (1.0, 0.5, -0.5),
        (-1.0, 1.1, 1.1),
        (-1.0, 0.5, 0.8),
        (-1.0, 5.0, 3.0),
    ):
        loss = learner.policy.loss(torch.tensor([math.log(ratio)]), torch.zeros(1), torch.tensor([advantage]))
        assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_every_state_is_seen_once_an_epoch(editor, env, tmp_path):
    learner = make(editor, env, tmp_path)
    seen = [state for step in range(5) for state in learner._batch(step)]
    assert sorted(seen[:5]) == sorted(seen[5:]) == sorted(STATES)
    assert seen[:5] != seen[5:]


def test_wrong_settings_say_so(editor, env, tmp_path):
    with pytest.raises(UnknownNameError, match="logit_delta"):
        make(editor, env, tmp_path, advantage="gae")
    with pytest.raises(ArgumentError, match="temperature"):
        make(editor, env, tmp_path, temperature=0.0)
    with pytest.raises(ArgumentError, match="samples"):
        make(editor, env, tmp_path, advantage="grpo", samples=1)
    with pytest.raises(ArgumentError, match="lse-gym archive"):
        Learner(HuggingFaceModel(editor), env, [], [], tmp_path)


scores = st.floats(0, 1)


@given(st.lists(st.tuples(scores, st.lists(st.one_of(scores, st.just(math.nan)), min_size=3, max_size=3)), min_size=1))
def test_advantages_are_finite_and_ordered_like_the_scores(rows):
    before, after = np.array([p for p, _ in rows]), np.array([group for _, group in rows])
    for kind in ADVANTAGES:
        found = advantages(kind, before, after)
        assert np.isfinite(found).all()
        for values, group in zip(found, after, strict=True):
            valid = ~np.isnan(group)
            order = np.argsort(group[valid], kind="stable")
            assert (np.diff(values[valid][order]) >= -1e-9).all()
    assert (advantages("delta", before, after)[np.isnan(after)] == -1).all()


def test_advantages_by_hand():
    before, after = np.array([0.5, 0.2]), np.array([[0.75, 0.5], [0.2, math.nan]])
    assert advantages("delta", before, after) == pytest.approx(np.array([[0.25, 0.0], [0.0, -1.0]]))
    found = advantages("logit_delta", before, after)
    assert found == pytest.approx(np.array([[math.log(3), 0.0], [0.0, -1.0]]), abs=1e-4)
    assert advantages("grpo", before, after) == pytest.approx(np.array([[1, -1], [1, -1]]), abs=1e-4)
