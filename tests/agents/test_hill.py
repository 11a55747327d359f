"""HiLL's joint loop: what is drawn and worked, hinted, replaced and rewarded."""

from math import exp

import numpy as np
import pytest

from lse_gym.agents.hill import compare
from lse_gym.agents.hill.baseline import GroupBaseline, RoleBaseline
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
from lse_gym.agents.hill.rounds import play_round
from lse_gym.agents.hill.settings import HillArgs
from lse_gym.agents.hill.task import GameTask, read_exercises
from lse_gym.agents.hill.workings import WORKINGS, Workings, calculate, filled, word_problems, working_answer
from lse_gym.envs.games.hint.questions import make_exercises
from lse_gym.envs.games.problems.wording import apply


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
