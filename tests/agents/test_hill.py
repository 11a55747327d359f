"""HiLL's joint loop: what is hinted, replaced and rewarded; both players learn a toy. Needs the extra `hf`."""

import io
import json
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from math import exp

import numpy as np
import pytest
import torch

from lse_gym.agents.hill import compare
from lse_gym.agents.hill.baseline import GroupBaseline, RoleBaseline
from lse_gym.agents.hill.learner import HillLearner
from lse_gym.agents.hill.lessons import (
    CUES,
    HARD,
    MISTAKES,
    NUDGED_RIGHT,
    beginners,
    hinter_lesson,
    problems,
    reasoner_lesson,
)
from lse_gym.agents.hill.player import ModelPlayer
from lse_gym.agents.hill.rounds import play_round
from lse_gym.agents.hill.settings import HillArgs
from lse_gym.agents.hill.task import Exercise, GameTask, Task, read_exercises
from lse_gym.agents.hill.warm_start import warm_start
from lse_gym.agents.hill.workings import WORKINGS, Workings, calculate, filled, word_problems, working_answer
from lse_gym.envs.domain import Question
from lse_gym.envs.errors import ArgumentError, RunDirectoryError, UnknownNameError
from lse_gym.envs.games.hint.questions import make_exercises
from lse_gym.envs.games.problems.wording import apply
from lse_gym.envs.models.base import Request
from lse_gym.envs.models.huggingface import HuggingFaceModel


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("45", 45),
        ("45; v - 12; v - v / 5", 27),
        ("7; v / 2", 3),
        ("10; v + 2 * 3 - 4", 12),
        ("45; v / 0", None),
        ("45; v ** 9", None),
        ("45;v - 1", None),
        ("", None),
        ("v", None),
        ("__import__('os')", None),
        ("999999; " + "; ".join(["v * 999999"] * 9), None),
    ],
)
def test_the_calculator(answer, value):
    assert calculate(answer) == value


def test_the_right_workings_come_to_the_gold_of_every_problem():
    exercises = word_problems(["bakery-0", "farm-3"], None)
    assert len(exercises) == 120
    for exercise in exercises:
        assert Workings().score(exercise, [exercise.solution, "1"]) == [1.0, 0.0]


def test_a_working_does_what_the_story_says():
    for _, start, steps in problems([50])[:40]:
        value = start
        for step in steps:
            _, expected = apply(step, value)
            assert calculate(f"{value}; {filled(WORKINGS[step.kind], step)}") == expected
            value = expected


def test_a_beginner_does_easy_steps_right_hard_ones_hardly_ever_and_what_a_hint_says():
    rng, right, hard, obeyed = np.random.default_rng(0), 0, 0, 0
    for problem in problems([50, 51]):
        text, _, steps = problem
        workings = beginners(steps, rng)
        for step, working in zip(steps, workings, strict=True):
            if step.kind in HARD:
                hard += 1
                right += working == filled(WORKINGS[step.kind], step)
            else:
                assert working == filled(WORKINGS[step.kind], step)
        asked, answer = reasoner_lesson(problem, rng)
        if "\n\n" in asked:
            says = asked.rpartition(": ")[2]
            assert any(filled(says, step) in answer for step in steps)
            obeyed += 1
        else:
            assert (asked, calculate(answer) is not None) == (text, True)
        if any(step.kind in HARD for step in steps):
            told, _ = hinter_lesson(problem, rng)
            assert working_answer(text) in told
            nudge = hinter_lesson(problem, rng, 1.0)[1]
            assert any(nudge == f"<hint>{CUES[kind]}: not {MISTAKES[kind]}</hint>" for kind in HARD)
    assert 0 < right / hard < 0.05
    assert obeyed > 100


def test_a_nudge_leaves_the_step_to_the_beginner_who_is_right_now_and_then():
    rng, right, n = np.random.default_rng(0), 0, 0
    for text, start, steps in problems([50, 51]):
        asked, answer = reasoner_lesson((text, start, steps), rng, slips=0.0, nudges=1.0)
        if asked == text:
            continue
        cue = asked.rpartition("\n\n")[2].partition(":")[0]
        (place,) = [i for i, step in enumerate(steps) if step.kind in HARD and CUES[step.kind] == cue]
        done = answer.split("; ")[1 + place]
        assert done != filled(MISTAKES[steps[place].kind], steps[place])
        right += done == filled(WORKINGS[steps[place].kind], steps[place])
        n += 1
    assert right / n == pytest.approx(NUDGED_RIGHT, abs=0.12)


def test_lessons_and_sealed_questions_are_no_training_questions():
    trained = {e.question.text for e in word_problems(compare.DOMAINS, None)}
    assert not trained & {e.question.text for e in word_problems(compare.DOMAINS, "medium", 1, 10)}
    assert not {f"{theme.rsplit('-', 1)[0]}-{seed}" for theme in compare.DOMAINS for seed in (50, 89)} & {
        *compare.DOMAINS
    }


def test_the_role_baseline_is_read_before_it_moves():
    baseline = RoleBaseline(0.95)
    assert baseline.advantages([[1.0, 0.0], [1.0, 1.0]])[0].tolist() == [1.0, 0.0]
    assert baseline.value == pytest.approx(0.05 * 0.75)
    assert baseline.advantages([[0.5]])[0].tolist() == pytest.approx([0.5 - 0.0375])
    assert baseline.value == pytest.approx(0.95 * 0.0375 + 0.05 * 0.5)
    assert baseline.advantages([]) == []


def test_the_group_baseline_is_grpo_s():
    first, second = GroupBaseline().advantages([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0]])
    assert first.tolist() == pytest.approx([3**0.5, *[-1 / 3**0.5] * 3], abs=1e-4)
    assert second.tolist() == [0.0, 0.0]


class Scripted:
    """A player whose answers are written down: text for token ids, by what is asked."""

    def __init__(self, answers, logprob=lambda request: -1.0):
        self.answers, self.logprob, self.asked = answers, logprob, []

    def write(self, requests):
        self.asked += requests
        return [[ord(letter) for letter in self.answers(request)] for request in requests]

    def text(self, ids):
        return "".join(map(chr, ids))

    def prompt_ids(self, request):
        return [*range(len(request.user))]

    def row_logprobs(self, request, rows):
        return [[self.logprob(request)] * len(row) for row in rows]


SOLUTION = "90; v - v / 2; v + 38; v * 3"


def toy_exercise():
    (found,) = [e for e in word_problems(["bakery-0"], None) if e.solution == SOLUTION]
    return found


def test_a_round_hints_at_hard_questions_alone_and_replaces_their_groups():
    hard, easy = toy_exercise(), word_problems(["bakery-0"], "easy")[0]
    hints = ["no tag", *(f"<hint>{says}</hint>" for says in ("the answer is 249", "nothing", "half", "one"))]

    def answer(request):
        if easy.question.text in request.user:
            return easy.solution if request.sample == 0 else "1"
        right = {"half": 4, "one": 1}.get(request.user.rpartition("\n\n")[2], 0)
        return SOLUTION if request.sample < right else "90; v - 2; v + 38; v * 3"

    reasoner = Scripted(answer, lambda request: -0.2 if "\n\n" in request.user else -0.3)
    hinter = Scripted(lambda request: hints[request.sample])
    args = HillArgs(samples=8, hints=5)

    def write(exercises, asked):
        assert exercises == [hard]
        return [hinter.write([asked[0]._replace(sample=k) for k in range(5)])]

    played = play_round(Workings(), reasoner, hinter, [easy, hard], args, 3, write)
    (tried,) = played.tried
    assert [one.gate for one in tried] == ["no hint", "leak", "", "", ""]
    weight = exp(-0.1 / 0.3)
    worth = [-0.2, -0.2, 0, 0.992188 * weight, 0.656391 * weight]
    assert [one.reward for one in tried] == pytest.approx(worth, abs=1e-6)
    assert [one.reliance for one in tried[2:]] == [None, pytest.approx(-0.1), pytest.approx(-0.1)]
    assert played.mixed[0] == played.first[0]
    assert played.mixed[1].hint == "half"
    assert played.mixed[1].request.user == f"{hard.question.text}\n\nhalf"
    assert sum(played.mixed[1].rewards) == 4
    assert played.hinter[0].rewards == [one.reward for one in tried]
    assert played.calls == 2 * 8 + 3 * 8 + 2 * (4 + 1)
    assert not any(SOLUTION in request.user for request in reasoner.asked)
    assert all(SOLUTION in request.user for request in hinter.asked)


def test_without_hints_nothing_is_replaced_and_the_hinter_is_not_asked():
    reasoner = Scripted(lambda request: "1")
    played = play_round(Workings(), reasoner, None, [toy_exercise()], HillArgs("grpo"), 0, None)
    assert (played.mixed, played.hinter, played.calls) == (played.first, [], 8)


def test_the_texts_of_the_game_serve_models_that_can_read():
    exercise = read_exercises(make_exercises(), "bakery-0")[0]
    task = GameTask()
    asked, told = task.ask(exercise, "Divide first."), task.tell(exercise, "It is 3.")
    assert asked.user.endswith("\n\nDivide first.")
    assert exercise.solution in told.user
    assert exercise.solution not in asked.system + asked.user
    assert task.score(exercise, [exercise.domain.gold_response(exercise.question), "no"]) == [1.0, 0.0]


# A toy with a known optimum: one question, whose answer is D. The beginner's logits are those of A to D, plus what a
# hint adds; D is as good as never sampled, but with the hint "gold" it is. An answer goes on for 19 tokens that are
# always the same, as most of a real one is told by what stands before.
LETTERS, COLOURS = "ABCD", ("red", "green", "blue", "gold")


class Toy(Task):
    def ask(self, exercise, hint):
        return Request("", hint, 1)

    def tell(self, exercise, attempt):
        return Request("", "hint", 1)

    def score(self, exercise, answers):
        return [float(answer == exercise.gold) for answer in answers]


class Table:
    """A softmax policy of plain policy gradients: logits are shared ones, which learn, plus those of the prompt."""

    name = "table"

    def __init__(self, words, shared, own=(), lr=6.0):
        self.words, self.shared, self.lr = words, np.array(shared, float), lr
        self.own = {prompt: np.array(logits, float) for prompt, logits in dict(own).items()}

    def chances(self, prompt):
        logits = self.shared + self.own.get(prompt, 0.0)
        return np.exp(logits) / np.exp(logits).sum()

    def write(self, requests):
        draws = [np.random.default_rng((r.seed, r.sample)).random() for r in requests]
        greedy = [int(self.chances(r.user).argmax()) for r in requests]
        sampled = [int((self.chances(r.user).cumsum() < x).sum()) for r, x in zip(requests, draws, strict=True)]
        return [[s if r.temperature else g] for r, s, g in zip(requests, sampled, greedy, strict=True)]

    def text(self, ids):
        return self.words[ids[0]]

    def prompt_ids(self, request):
        return [0]

    def row_logprobs(self, request, rows):
        return [[float(np.log(self.chances(request.user)[row[0]]))] + [0.0] * 19 for row in rows]

    def descend(self, prompts, groups, values):
        number = sum(map(len, groups))
        for request, rows, advantages in zip(prompts, groups, values, strict=True):
            for (token,), advantage in zip(rows, advantages, strict=True):
                self.shared += (
                    self.lr * advantage / number * (np.eye(len(self.words))[token] - self.chances(request.user))
                )
        return 1.0

    def save(self, folder):
        folder.mkdir()

    def state(self):
        return {"shared": self.shared.tolist()}

    def restore(self, state):
        self.shared = np.array(state["shared"])


def toy_learner(out, condition, resume=False, **changes):
    domain = word_problems(["bakery-0"], None)[0].domain
    exercise = Exercise(domain, Question("q", "Which?", "D"), "D", "D")
    own = {colour: 10.0 * np.eye(4)[place] for place, colour in enumerate(COLOURS)}
    reasoner = Table(LETTERS, [0, 0, 0, -10], own)
    hinter = Table([f"<hint>{colour}</hint>" for colour in COLOURS], [0] * 4)
    args = HillArgs(**{"condition": condition, "calls": 15_000, "questions": 4} | changes)
    return HillLearner(reasoner, hinter, Toy(), [exercise], [exercise], out, args, resume=resume)


@pytest.mark.parametrize("baseline", ["group", "role"])
def test_the_toy_is_learned_with_hints_and_never_without(tmp_path, baseline):
    rows = []
    with_hints, without = (toy_learner(tmp_path / c, c, baseline=baseline) for c in ("hill", "grpo"))
    assert with_hints.learn(rows.append)["accuracy"] == 1.0
    assert with_hints.reasoner.chances("")[3] > 0.9
    assert with_hints.hinter.chances("hint")[3] > 0.8
    assert without.learn()["accuracy"] == 0.0
    assert (rows[0]["all_wrong"], rows[-1]["all_wrong"]) == (1.0, 0.0)
    assert next(row["reliance"] for row in rows if "reliance" in row) < -0.4  # the hint is all there is at first


def test_a_fixed_hint_is_written_once_and_the_hinter_does_not_learn(tmp_path):
    one, rows = toy_learner(tmp_path / "fixed", "fixed", calls=500), []
    one.learn(rows.append)
    assert one.hinter.chances("hint").tolist() == [0.25] * 4
    assert rows[1]["calls"] == 4 * 8 + 4 * 8 + 1  # answers without a hint and with it, and the hint
    assert rows[2]["calls"] == rows[1]["calls"] + 64


class Killed(BaseException):
    """As kill -9: nothing gets to clean up."""


@pytest.mark.parametrize(("condition", "baseline"), [("hill", "role"), ("fixed", "group")])
def test_a_killed_toy_goes_on_to_the_same_rows_and_logits(tmp_path, condition, baseline):
    def kill(row):
        if row["step"] == 2:
            raise Killed

    def make(name, **changes):
        return toy_learner(tmp_path / name, condition, baseline=baseline, **{"calls": 900, "resume": True} | changes)

    whole, cut = make("whole"), make("cut")
    whole.learn()
    with pytest.raises(Killed):
        cut.learn(kill)
    with (tmp_path / "cut" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "score": 0.0}\n{"st')  # rows whose checkpoint the kill has cost
    again = make("cut")
    again.learn()
    assert [*again.reasoner.shared, *again.hinter.shared] == [*whole.reasoner.shared, *whole.hinter.shared]
    told = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "cut")]
    assert told[0] == told[1]
    make("cut").learn()  # what is finished is measured again, and nothing else
    assert (tmp_path / "cut" / "metrics.jsonl").read_text() == told[0]
    make("short", calls=400).learn()
    make("short").learn()  # made longer
    assert (tmp_path / "short" / "metrics.jsonl").read_text() == told[0]


def test_what_cannot_be_trained_is_told(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'hill'"):
        toy_learner(tmp_path / "a", "hil")
    with pytest.raises(UnknownNameError, match="baseline"):
        toy_learner(tmp_path / "a", "hill", baseline="mean")
    toy_learner(tmp_path / "a", "hill")
    with pytest.raises(RunDirectoryError, match="this training already"):
        toy_learner(tmp_path / "a", "hill")
    with pytest.raises(RunDirectoryError, match="another training"):
        toy_learner(tmp_path / "a", "hill", resume=True, questions=3)
    with pytest.raises(ArgumentError, match="no questions"):
        HillLearner(None, None, Toy(), [], [], tmp_path / "b")


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    out = tmp_path_factory.mktemp("start")
    facts = warm_start(out, steps=2, start=None, width=32, layers=2, seeds=range(50, 52))
    assert facts["reasoner_loss"] > 0
    return out


def test_reliance_is_that_of_log_probabilities_of_transformers(start):
    model = HuggingFaceModel(str(start / "reasoner"))
    player = ModelPlayer(model, HillArgs().policy(1e-4))
    request, rows = Request("", "How many?"), [model.tokenizer("45; v - 12").input_ids, [5]]
    for row, found in zip(rows, player.row_logprobs(request, rows), strict=True):
        prompt = model.prompt_ids(request)
        scores = model.model(torch.tensor([prompt + row])).logits[0].log_softmax(-1)
        assert found == pytest.approx(
            [float(scores[len(prompt) - 1 + i, token].detach()) for i, token in enumerate(row)], abs=1e-4
        )


def test_the_comparison_writes_runs_a_line_each_and_a_picture(start, tmp_path, capsys):
    small = "--seeds 1 --calls 30 --questions 2 --samples 3 --hints 2 --sealed 1 --evaluate-every 9".split()
    compare.main([str(start), "--out", str(tmp_path), *small])
    results = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [row["condition"] for row in results] == ["grpo", "fixed", "hill"]
    assert all(row["calls"] >= 30 and row["sealed"] == 4 and row["accuracy_low"] <= row["accuracy"] for row in results)
    rows = [json.loads(line) for line in (tmp_path / "hill-0" / "metrics.jsonl").read_text().splitlines()]
    assert all(0 <= row["all_wrong_after"] <= row["all_wrong"] <= 1 for row in rows[:-1])
    assert HuggingFaceModel(str(tmp_path / "hill-0" / "reasoner")).complete([]) == []
    svg = (tmp_path / "hill.svg").read_text()
    assert ET.fromstring(svg).tag.endswith("svg")
    assert all(name in svg for name in compare.NAMES.values())
    capsys.readouterr()
    compare.main([str(start), "--out", str(tmp_path), *small])
    assert capsys.readouterr().out == compare.table(results)


def test_a_restored_player_learns_on_as_the_one_that_was_kept(start):
    def player():
        return ModelPlayer(HuggingFaceModel(str(start / "reasoner")), HillArgs().policy(1e-2))

    request, rows, values = Request("", "How many?"), [[5, 6], [7]], np.array([1.0, -1.0])
    one, two, kept = player(), player(), io.BytesIO()
    one.descend([request], [rows], [values])
    torch.save(one.state(), kept)
    two.restore(torch.load(io.BytesIO(kept.getvalue()), weights_only=True))
    for each in (one, two):
        each.descend([request], [rows], [values])
    assert all(torch.equal(*pair) for pair in zip(*(each.model.model.parameters() for each in (one, two)), strict=True))


@pytest.mark.long
def test_models_killed_in_a_process_go_on_to_the_same_weights(start, tmp_path):
    small = "--seeds 1 --conditions hill --calls 60 --questions 2 --samples 3 --hints 2 --sealed 1".split()
    code = (
        "import os, signal; from lse_gym.agents.hill import checkpoint, compare\n"
        "write = checkpoint.write\n"
        "def last(out, state):\n"
        "    write(out, state) if state['step'] == 1 else os.kill(os.getpid(), signal.SIGKILL)\n"
        f"checkpoint.write = last; compare.main([{str(start)!r}, '--out', {str(tmp_path / 'cut')!r}, *{small!r}])"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    for name in ("whole", "cut"):
        compare.main([str(start), "--out", str(tmp_path / name), *small])
    files = ("results.jsonl", *(f"hill-0/{name}" for name in ("metrics.jsonl", "reasoner/model.safetensors")))
    for file in (*files, "hill-0/hinter/model.safetensors"):
        whole, cut = ((tmp_path / name / file).read_bytes() for name in ("whole", "cut"))
        assert whole == cut, file


def test_the_table_compares_in_pairs_of_a_seed():
    scores = {("grpo", 0): 0.1, ("grpo", 1): 0.2, ("hill", 0): 0.3, ("hill", 1): 0.4, ("fixed", 1): 0.2}
    told = compare.table([{"condition": c, "seed": s, "accuracy": a} for (c, s), a in scores.items()])
    assert "| GRPO alone | 2 | 0.150 (-0.485 to 0.785) ≈ |  |" in told  # 12.706 * 0.0707 / sqrt(2)
    assert "| HiLL | 2 | 0.350 (-0.285 to 0.985) ≈ | 0.200 (0.200 to 0.200) |" in told
    assert "| GRPO, fixed hints | 1 | 0.200 | 0.000 |" in told
