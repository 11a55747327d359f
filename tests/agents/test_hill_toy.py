"""HiLL's players learn a toy with hints and never without, and go on after a kill. Needs the extra `hf`."""

import numpy as np
import pytest

from lse_gym.agents.hill.learner import HillLearner
from lse_gym.agents.hill.settings import HillArgs
from lse_gym.agents.hill.task import Exercise, Task
from lse_gym.agents.hill.workings import word_problems
from lse_gym.envs.domain import Question
from lse_gym.envs.errors import ArgumentError, RunDirectoryError, UnknownNameError
from lse_gym.envs.models.base import Request

pytestmark = pytest.mark.extra("hf")  # for checkpoints

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


def toy_learner(out, condition, resume=False, text="Which?", **changes):
    domain = word_problems(["bakery-0"], None)[0].domain
    exercise = Exercise(domain, Question("q", text, "D"), "D", "D")
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
    with pytest.raises(RunDirectoryError, match="another training"):
        toy_learner(tmp_path / "a", "hill", resume=True, text="Which one?")
    with pytest.raises(ArgumentError, match="no questions"):
        HillLearner(None, None, Toy(), [], [], tmp_path / "b")
