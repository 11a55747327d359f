"""The game of hints: turns, gates, rewards, what replaces what, what each player sees, and what it costs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lse_gym.envs.domain import SPLITS
from lse_gym.envs.errors import ArgumentError, DataError, UnknownNameError
from lse_gym.envs.games import hint_v0
from lse_gym.envs.games.hill import leaks, non_deg, transfer_weight
from lse_gym.envs.games.hint.measure import summary
from lse_gym.envs.games.hint.questions import final_answer
from lse_gym.envs.games.players import play

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
HARD = {"difficulty": "hard", "domain": "bakery-0"}
GOOD = "<analysis>…</analysis><hint>Percent means of each hundred.</hint>"


def start(**rules):
    """A game at its first turn, and the right answer of its question."""
    game = hint_v0.make_game(**{**HARD, "num_samples": 4, **rules})
    game.reset(seed=0)
    return game, game.state.question.gold


def answers(*texts):
    return tuple(f"<answer>{text}</answer>" for text in texts)


def test_a_question_that_is_not_all_wrong_is_not_hard():
    game, gold = start()
    game.act(answers(gold, "0", "0", gold))
    assert game.terminated
    assert game.rewards == {"reasoner_0": 0.5, "hinter_0": 0.0}
    assert game.info("hinter_0")["hard"] == 0.0


def test_a_hint_that_helps_replaces_the_group():
    game, gold = start(task_model=None)
    game.act(answers("0", "1", "0", "0"))
    assert (game.active, game.phase, game.over) == ("hinter_0", "hint", False)
    game.act(GOOD)
    assert (game.active, game.phase) == ("reasoner_0", "hinted")
    game.act(answers(gold, "0", "0", "0"))
    assert game.terminated
    info = game.info("hinter_0")
    assert game.rewards["reasoner_0"] == 0.25, "that of the group that replaced the all-wrong one"
    assert info["replaced"] == 1.0
    assert info["reliance_from"] == "outcomes"
    assert game.rewards["hinter_0"] == pytest.approx(non_deg(0.25, 4) * transfer_weight(info["reliance"]))
    assert game.state.kept.hint == "Percent means of each hundred."
    assert game.state.kept.scores == (1.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("right", [0, 4])
def test_a_hint_that_leaves_one_colour_earns_nothing_and_replaces_nothing(right):
    game, gold = start(task_model=None)
    game.act(answers("0", "0", "0", "0"))
    game.act(GOOD)
    game.act(answers(*[gold] * right, *["0"] * (4 - right)))
    assert game.rewards == {"reasoner_0": 0.0, "hinter_0": 0.0}
    assert game.state.kept.hint == ""


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("no tags at all", "no hint"),
        ("<hint></hint>", "no hint"),
        ("<hint>The answer is {gold}.</hint>", "leak"),
        ("<hint>\\boxed{{{gold}}}</hint>", "leak"),
        (f"<hint>{'x' * 12_000}</hint>", "too long"),
    ],
)
def test_a_failed_gate_costs_at_once_and_is_not_rolled_out(text, gate):
    game, gold = start(max_chars=20_000)
    game.act(answers("0", "0", "0", "0"))
    game.act(text.format(gold=gold))
    assert game.terminated
    assert game.rewards == {"reasoner_0": 0.0, "hinter_0": -0.2}
    assert game.info("hinter_0")["gate"] == gate
    assert game.session.budget.spent.calls == 0


def test_several_hints_are_answered_in_turn_and_the_best_replaces():
    game, gold = start(num_hints=3, task_model=None)
    game.act(answers("0", "0", "0", "0"))
    game.act(("<hint>one</hint>", "none", "<hint>three</hint>"))
    asked = []
    for texts in (answers(gold, gold, gold, gold), answers(gold, gold, "0", "0")):
        assert game.active == "reasoner_0"
        asked.append(game.observe("reasoner_0")["hint"])
        game.act(texts)
    assert asked == ["one", "three"], "what failed a gate is not answered"
    assert game.state.kept.hint == "three"
    rewards = [one.reward for one in game.state.tried]
    assert rewards[:2] == [0.0, -0.2]
    assert game.rewards["hinter_0"] == pytest.approx(sum(rewards) / 3)
    assert game.rewards["reasoner_0"] == 0.5
    assert game.info("hinter_0")["failed_gates"] == 1.0


def test_rounds_go_on_until_one_helps():
    game, gold = start(max_hint_rounds=3, task_model=None)
    game.act(answers("0", "0", "0", "0"))
    for _ in range(2):
        game.act(GOOD)
        game.act(answers("0", "0", "0", "0"))
        assert (game.active, game.rewards["hinter_0"]) == ("hinter_0", 0.0)
    assert game.observe("hinter_0")["past_hints"] == "\n".join(["Percent means of each hundred."] * 2)
    game.act(GOOD)
    game.act(answers(gold, "0", "0", "0"))
    assert (game.terminated, game.truncated) == (True, False)
    assert game.info("hinter_0")["round"] == 3.0


def test_rounds_that_never_help_are_truncated():
    game, _ = start(max_hint_rounds=2, task_model=None)
    game.act(answers("0", "0", "0", "0"))
    for _ in range(2):
        game.act("no hint")
    assert (game.terminated, game.truncated) == (False, True)


def test_no_player_sees_what_it_must_not():
    game, gold = start(task_model=None)
    first = game.observe("hinter_0")
    assert first["solution"] == first["attempt"] == "", "it is not the hinter's turn yet"
    game.act(answers("7", "8", "7", "7"))
    reasoner, hinter = game.observe("reasoner_0"), game.observe("hinter_0")
    assert reasoner["solution"] == reasoner["attempt"] == reasoner["past_hints"] == ""
    assert f"#### {gold}" in hinter["solution"]
    assert hinter["attempt"] in answers("7", "8")
    assert (int(hinter["active"]), int(reasoner["active"])) == (1, 0)
    game.act(GOOD)
    reasoner, hinter = game.observe("reasoner_0"), game.observe("hinter_0")
    assert reasoner["hint"] == "Percent means of each hundred."
    assert hinter["hint"] == hinter["solution"] == ""
    told = [str(value) for agent in game.agents for value in game.info(agent).values()]
    assert game.state.question.text not in told
    (request,) = {request.user for request in game.requests("reasoner_0")}
    assert request == f"Question: {game.state.question.text}\n\nPercent means of each hundred."


def test_the_same_turns_lead_to_the_same_end_in_both_forms():
    env = hint_v0.parallel_env(**HARD, num_samples=4, task_model=None)
    env.reset(seed=0)
    gold = env.game.state.question.gold
    wrong, right = answers("0", "0", "0", "0"), answers(gold, "0", "0", "0")
    for actions in ({"reasoner_0": wrong}, {"hinter_0": GOOD, "reasoner_0": right}, {"reasoner_0": right}):
        _, rewards, terminated, _, infos = env.step({"hinter_0": "", **actions})
    assert terminated == {"reasoner_0": True, "hinter_0": True}
    turns = hint_v0.raw_env(**HARD, num_samples=4, task_model=None)
    turns.reset(seed=0)
    for action in (wrong, GOOD, right):
        turns.step(action)
    assert turns.rewards == rewards
    assert turns.infos == infos


def test_players_of_the_package_play_offline_and_hints_help():
    env = hint_v0.env(difficulty="hard", max_hint_rounds=3)
    players = {"reasoner_0": "reader", "hinter_0": "reader"}
    played = [play(env, players, seed=seed) for seed in range(16)]
    last = [episode.infos["hinter_0"] for episode in played]
    hard = [info for info in last if info["hard"]]
    assert len(hard) > 8
    assert sum(info["replaced"] for info in hard) > 0.5 * len(hard)
    assert {info["reliance_from"] for info in hard if info["replaced"]} == {"log-probabilities"}
    idle = [play(env, {"reasoner_0": "reader", "hinter_0": "no-op"}, seed=seed) for seed in range(16)]
    assert all(episode.infos["hinter_0"]["replaced"] == 0.0 for episode in idle)
    assert {round(episode.rewards["hinter_0"], 3) for episode in idle} == {0.0, -0.6}, "a failed gate a round"
    assert play(env, players, seed=3) == played[3]


def test_random_and_idle_players_and_one_of_your_own():
    env = hint_v0.env(**HARD, num_samples=2)
    seen = []

    def hinter(observation):
        seen.append(observation["solution"])
        return GOOD

    play(env, {"reasoner_0": "no-op", "hinter_0": hinter}, seed=1)
    assert "####" in seen[0]
    random = [play(env, {"reasoner_0": "random", "hinter_0": "random"}, seed=2).moves for _ in range(2)]
    assert random[0] == random[1]
    with pytest.raises(ArgumentError, match="hinter_0"):
        play(env, {"reasoner_0": "random"})
    with pytest.raises(ArgumentError, match="no player"):
        play(env, {"reasoner_0": "random", "hinter_0": 3})
    with pytest.raises(UnknownNameError, match="reader"):
        play(env, {"reasoner_0": "raeder", "hinter_0": "random"})


def test_all_calls_are_on_one_budget_and_its_end_truncates():
    env = hint_v0.env(**HARD, num_samples=4, budget={"calls": 9})
    game = env.unwrapped.game
    players = {"reasoner_0": "reader", "hinter_0": "writer"}
    for seed in range(9):
        played = play(env, players, seed=seed)
        if played.infos["reasoner_0"]["problem"]:
            break
    assert "calls do not fit into the budget" in played.infos["reasoner_0"]["problem"]
    assert game.truncated
    assert game.session.budget.spent.calls <= 9
    spent = game.session.budget.by_task_model.calls
    assert 0 < spent <= game.session.budget.spent.calls
    assert game.session.metered.spent.calls == spent, "the reasoner is the task model"


def test_a_record_is_played_again_without_a_call(tmp_path):
    record = tmp_path / "responses.jsonl"
    players = {"reasoner_0": "reader", "hinter_0": "reader"}
    first, again = (play(hint_v0.env(**HARD, record=str(record)), players, seed=1) for _ in range(2))
    assert first.moves == again.moves
    size = record.stat().st_size
    assert size > 1000
    play(hint_v0.env(**HARD, record=str(record)), players, seed=1)
    assert record.stat().st_size == size


def test_the_records_of_both_models_make_a_game_free(tmp_path):
    players, files = {"reasoner_0": "reader", "hinter_0": "reader"}, {"hinter_0": str(tmp_path / "hinter.jsonl")}
    rules = {**HARD, "record": str(tmp_path / "reasoner.jsonl")}
    first = play(hint_v0.env(**rules), players, seed=1, records=files)
    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert len(sizes) == 2
    assert play(hint_v0.env(**rules), players, seed=1, records=files) == first
    assert [path.stat().st_size for path in sorted(tmp_path.iterdir())] == sizes


def test_what_was_asked_before_is_free_until_a_seed_forgets_it():
    env = hint_v0.env(**HARD, num_samples=2)
    players, options = {"reasoner_0": "reader", "hinter_0": "no-op"}, {"question": "feedback-5"}
    budget = env.unwrapped.game.session.budget
    for seed, calls in ((0, 2), (None, 2), (0, 4)):
        play(env, players, seed=seed, options=options)
        assert budget.spent.calls == calls


def test_the_summary_of_many_episodes():
    env = hint_v0.env(difficulty="hard", num_samples=4)
    players = {"reasoner_0": "reader", "hinter_0": "reader"}
    played = [play(env, players, seed=seed) for seed in range(20)]
    infos, rewards = [p.infos["hinter_0"] for p in played], [p.rewards["hinter_0"] for p in played]
    told = summary(infos, rewards)
    hard = [info for info in infos if info["hard"]]
    assert told.hard.mean == len(hard) / 20
    assert told.hard.ci95[0] < told.hard.mean < told.hard.ci95[1]
    assert told.recovered.n == told.leaked.n == len(hard)
    assert 0 < told.recovered.mean < 1
    assert told.leaked.mean == told.gated.mean == 0.0
    assert told.reliance < 0
    assert told.hinter == pytest.approx(sum(rewards) / len(hard))
    idle = [play(env, {"reasoner_0": "reader", "hinter_0": "no-op"}, seed=seed) for seed in range(20)]
    gated = summary([p.infos["hinter_0"] for p in idle], [p.rewards["hinter_0"] for p in idle])
    assert (gated.gated.mean, gated.recovered.mean, gated.hinter) == (1.0, 0.0, pytest.approx(-0.2))
    assert summary([], []).hard.n == 0


@pytest.mark.skipif(not DATA.is_dir(), reason="the data are not at ../shared/data")
@pytest.mark.parametrize(("name", "count"), [("gsm8k", 400), ("math500", 200)])
def test_real_files(name, count):
    game = hint_v0.make_game(questions=str(DATA / name / "test.jsonl"), num_samples=2, task_model=None)
    domain = game.exercises.family.load("test")
    questions = [q for split in SPLITS for q in domain.splits[split]]
    assert len(questions) == count
    assert domain.verify() == []
    for question in questions:
        solution, gold = game.exercises.solution(domain, question), final_answer(question.gold)
        assert len(solution) > len(gold)
        assert "####" not in gold
        if name == "math500":
            assert leaks(solution, gold) or "\\boxed" in solution
    game.reset(seed=0)
    game.act(("no idea", "<answer>none</answer>"))
    assert game.phase == "hint"
    gold = final_answer(game.state.question.gold)
    game.act("<hint>Read it again.</hint>")
    game.act((f"<answer>\\boxed{{{gold}}}</answer>", f"not {gold} but 3"))
    assert game.rewards["reasoner_0"] == 0.5


def test_without_pettingzoo_the_game_says_what_to_install_and_the_env_is_made():
    code = (
        "import sys; sys.modules['pettingzoo'] = None; import gymnasium as gym, lse_gym;"
        "gym.make('LSE/Hint-v0', num_samples=2).reset(seed=0); gym.make('LSE/Injection-v0').reset(seed=0);"
        "from lse_gym.envs.games import hint_v0"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MissingExtraError" in done.stderr
    assert "pip install 'lse-gym[games]'" in done.stderr


def test_a_wrong_rule_says_what_is_right():
    for rules, told in [
        ({"reward": "nondeg"}, "non_deg"),
        ({"split": "test"}, "held_out"),
        ({"num_samples": 0}, "num_samples"),
        ({"difficulty": "harder"}, "'hard'"),
        ({"domain": "bakry-0"}, "bakery-0"),
        ({"scorer": "numeric"}, "questions="),
        ({"questions": [], "difficulty": "easy"}, "difficulty="),
        ({"budget": {"call": 3}}, "calls"),
    ]:
        with pytest.raises((UnknownNameError, ArgumentError), match=told):
            hint_v0.make_game(**rules)
    with pytest.raises(DataError, match=r"nothing\.jsonl"):
        hint_v0.make_game(questions="nothing.jsonl")
    game, _ = start()
    with pytest.raises(UnknownNameError, match="feedback-0"):
        game.reset(options={"question": "feedback-"})
    game.reset(options={"question": "feedback-7", "domain": "mine", "other": 1} | {"domain": "garden-2"})
    assert (game.state.domain.name, game.state.question.id) == ("garden-2", "feedback-7")


@pytest.mark.parametrize(
    ("rows", "scorer"),
    [
        ([{"question": f"What is {i} + 1?", "answer": f"{i} + 1 = {i + 1}\n#### {i + 1}"} for i in range(20)], "n"),
        (
            [
                {"problem": f"Add 1 to {i}.", "solution": f"So $\\boxed{{{i + 1}}}$.", "answer": str(i + 1)}
                for i in range(20)
            ],
            "e",
        ),
    ],
    ids=["GSM8K", "MATH"],
)
def test_files_as_people_have_them(rows, scorer, tmp_path):
    file = tmp_path / "test.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    game = hint_v0.make_game(questions=str(file), num_samples=2, task_model=None)
    game.reset(seed=0)
    game.act(("<answer>-5</answer>", "I give up"))
    solution = game.observe("hinter_0")["solution"]
    assert ("####" if scorer == "n" else "boxed") in solution
    value = solution.rpartition("####")[2].strip() if scorer == "n" else solution[11:-3]
    game.act(f"<hint>The answer is {value}.</hint>")
    assert game.info("hinter_0")["gate"] == "leak"
    game.reset(options={"question": game.state.question.id})
    game.act((f"so <answer>{value}</answer>", f"<answer>\\boxed{{{value}}}</answer>"))
    assert game.rewards["reasoner_0"] == 1.0
