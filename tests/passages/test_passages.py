"""The order of passages: the reader is as biased as it claims, the optimum is one, numbers mean what text does."""

import re
from itertools import permutations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.agents import agent_class
from lse_gym.agents.moi import decompose, u_shape
from lse_gym.envs.domain import SPLITS
from lse_gym.envs.errors import ArgumentError, UnknownNameError
from lse_gym.envs.evaluation import evaluate_context
from lse_gym.envs.models import MODELS
from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.reader import Reader
from lse_gym.envs.passages.actions import ACTIONS, DROP, MOVE, RESTORE, SWAP, apply_action
from lse_gym.envs.passages.bias import ACCURACIES, UNIT, best_order, evidence, position_weights, sigma
from lse_gym.envs.passages.consistency import order_consistency
from lse_gym.envs.passages.domain import PassageFamily
from lse_gym.envs.passages.prompt import Passage, read_order, render_order, system_message
from lse_gym.envs.passages.world import TEST, TRAIN
from tests.benchmarks.bench_passages import share, trained_by_ppo

ID = "LSE/PassageOrder-v1"
NUMERIC = [kind for kind in ACTIONS if kind != "text"]
FAMILY = PassageFamily()
UNSEEN = [f"{topic}-{seed}" for seed in range(4) for topic in TEST]
needs_sb3 = pytest.mark.extra("rl")


def make(**options):
    return gym.make(ID, **{"domain": "mill-0", **options})


def every_order(count):
    return [list(order) for size in range(count + 1) for order in permutations(range(count), size)]


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=5))
def test_no_order_has_more_evidence_than_the_best(utilities):
    best = max(evidence(order, utilities) for order in every_order(len(utilities)))
    assert evidence(best_order(utilities), utilities) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize(("position", "accuracy"), [*zip((0, 4, 9, 14, 19), ACCURACIES, strict=True)])
def test_the_reader_has_the_accuracies_of_the_source(position, accuracy):
    """One relevant passage among 20, as in Liu et al.; 4,000 samples, four standard errors."""
    assert sigma(position_weights(20)[position] * UNIT) == pytest.approx(accuracy)
    relevant = Passage("Note", "It is reported that the Tenby Mill burned down in 1809.", 0.5)
    passages = [Passage("Page", "It is reported that the Orford Mill burned down in 1849.", 0.5)] * 20
    passages[position] = relevant
    system = system_message(range(20), passages)
    question = "Question: When did the Tenby Mill burn down, in {} or {}?"
    requests = [
        Request(system, question.format(*pair), temperature=1.0, sample=sample)
        for sample in range(2000)
        for pair in (("1809", "1849"), ("1849", "1809"))
    ]
    right = np.mean([response.text == "<answer>1809</answer>" for response in Reader().complete(requests)])
    assert right == pytest.approx(accuracy, abs=4 * (accuracy * (1 - accuracy) / len(requests)) ** 0.5)


def test_the_chance_is_the_mean_score():
    scores, chances = [], []
    rng = np.random.default_rng(0)
    for name in UNSEEN:
        domain = FAMILY.load(name)
        for _ in range(3):
            context = render_order([int(p) for p in rng.permutation(8)[: rng.integers(9)]], domain.passages)
            scores.append(evaluate_context(make(domain=name), context).mean)
            chances.append(domain.chance(context))
    assert np.mean(scores) == pytest.approx(np.mean(chances), abs=0.03)
    assert np.corrcoef(scores, chances)[0, 1] > 0.95


@pytest.mark.parametrize("split", SPLITS)
def test_no_order_scores_more_than_the_optimum(split):
    family = PassageFamily(passages=4)
    for name in ("mill-0", "bridge-3"):
        domain, env = family.load(name), make(domain=name, passages=4)
        contexts = [render_order(order, domain.passages) for order in every_order(4)]
        scores = [evaluate_context(env, context, split).mean for context in contexts]
        assert max(scores) == domain.optimum(split, Reader())
        assert evaluate_context(env, domain.oracle_context, split).mean == domain.optimum(split, Reader())


def test_domains_are_hard_and_possible():
    for name in FAMILY.groups["train"] + FAMILY.groups["test"]:
        domain = FAMILY.load(name)
        assert 0.2 <= domain.chance(domain.seed_context) <= 0.6
        assert domain.chance(domain.oracle_context) >= 0.85
        assert not domain.verify()
        texts = [question.text for split in SPLITS for question in domain.splits[split]]
        assert len({*texts}) == len(texts) == 170
        scores = [passage.score for passage in domain.passages]
        assert scores == sorted(scores, reverse=True)
    assert not {*TRAIN} & {*TEST}
    assert FAMILY.load("mill-7").fingerprint() == PassageFamily().load("mill-7").fingerprint()
    prints = {PassageFamily(*given).load("mill-7").fingerprint() for given in ((8, 0), (9, 0), (8, 1))}
    assert len(prints) == 3


@pytest.mark.parametrize("name", ["mill-0", "bridge-3", "museum-1"])
def test_a_passage_is_worth_the_same_whatever_is_asked(name):
    domain = FAMILY.load(name)
    world = domain.world
    assert len({*world.right, *world.rivals}) == 2 * len(world.topic.facts) == 8
    for passage, utility in zip(domain.passages, world.utilities, strict=True):
        told = [*re.findall(r"\d{4}", passage.text)] if f"that {world.subject} " in passage.text else []
        assert told == [*{1: world.right, -1: world.rivals, 0: ()}[int(np.sign(utility))]]
    by_fact = {gold: [q for split in SPLITS for q in domain.splits[split] if q.gold == gold] for gold in world.right}
    assert all(len(questions) > 20 for questions in by_fact.values())
    contexts = [domain.seed_context, domain.oracle_context]
    for context in contexts:
        requests = {gold: [Request(domain.system(context), domain.user(q)) for q in by_fact[gold]] for gold in by_fact}
        for gold, asked in requests.items():
            right = np.mean([response.text == f"<answer>{gold}</answer>" for response in Reader().complete(asked)])
            assert right == pytest.approx(domain.chance(context), abs=4 * (0.25 / len(asked)) ** 0.5)


@pytest.mark.parametrize("count", [4, 5, 20])
def test_any_number_of_passages(count):
    assert len(PassageFamily(count).load("bridge-0").passages) == count


def test_hostile_responses_and_lists_of_both_answers_score_nothing():
    domain = FAMILY.load("mill-0")
    question = domain.splits["test"][0]
    right, rival = question.gold, domain.world.rivals[domain.world.right.index(question.gold)]
    wrong = ["", question.text, f"{right} or {rival}", f"{right}, {rival}", rival, " ".join(domain.world.right), "\0"]
    assert [o.score for o in domain.score([question] * len(wrong), wrong)] == [0.0] * len(wrong)


@given(st.text(max_size=300) | st.lists(st.integers(-2, 12)).map(lambda ns: " ".join(f"[{n}]" for n in ns)))
def test_a_context_is_an_order_and_nothing_else(context):
    domain = FAMILY.load("mill-0")
    order = domain.order(context)
    assert len({*order}) == len(order)
    assert {*order} <= {*range(8)}
    assert domain.system(context) == domain.system(render_order(order, domain.passages))
    assert read_order(render_order(order, domain.passages), 8) == order


def test_a_context_can_put_no_word_into_the_prompt():
    domain = FAMILY.load("mill-0")
    forged = f"[1] Gazette: It is on record that {domain.world.subject} burned down in {domain.world.right[2]}.\n[2]"
    assert domain.system(forged) == domain.system("[1]\n[2]")


def test_info_tells_the_regret():
    env = make()
    _, info = env.reset(seed=0)
    domain = FAMILY.load("mill-0")
    assert info["regret"] == pytest.approx(info["optimum"] - info["held_out_score"])
    assert info["chance"] == domain.chance(domain.seed_context)
    info = env.step(domain.oracle_context)[-1]
    assert (info["regret"], info["optimum"]) == (0.0, domain.optimum("held_out", Reader()))
    info = env.step("")[-1]
    assert info["chance"] == 0.5
    assert info["regret"] > 0


class Perfect(Reader):
    """Knows every answer, wherever it stands: the best order of the reader is nothing to it."""

    name = "perfect"
    position_weights = None

    def answer(self, request):
        domain = FAMILY.load("mill-0")
        golds = {domain.user(question): question.gold for split in SPLITS for question in domain.splits[split]}
        return f"<answer>{golds[request.user]}</answer>"


class Latest(Reader):
    """Knows its bias, which is another one: only the last passage counts, the others next to nothing."""

    name = "latest"

    @staticmethod
    def position_weights(passages):
        return [1e-9] * (passages - 1) + [1.0] * (passages > 0)


@pytest.mark.parametrize("record", [False, True])
def test_regret_is_told_only_where_it_is_exact(record, tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, "perfect", (__name__, "Perfect", ()))
    kept = {"record": str(tmp_path / "record.jsonl")} if record else {}
    told = {
        name: {frozenset(env.reset(seed=0)[1]), *(frozenset(env.step(order)[-1]) for order in ("", "[1]", "[2] [1]"))}
        for name, env in {
            "reader": make(**kept),
            "perfect": make(task_model="perfect"),
            "warm": make(temperature=0.5),
        }.items()
    }
    (reader,), (perfect,), (warm,) = told.values()  # one set of keys, whatever the step
    assert reader - perfect == reader - warm == {"regret", "optimum", "chance"}
    assert make(task_model="perfect").reset(seed=0)[1]["held_out_score"] == 1.0


def test_the_best_order_is_that_of_the_model():
    latest, gained = Latest(), []
    for name in UNSEEN:
        domain = FAMILY.load(name)
        best = render_order(best_order(domain.world.utilities, latest.position_weights), domain.passages)
        own, other = (domain.chance(text, latest.position_weights) for text in (best, domain.oracle_context))
        assert own >= other
        gained.append(own - other)
    assert max(gained) > 0.1
    with pytest.raises(ArgumentError, match="'perfect'"):
        domain.optimum("held_out", Perfect())


def test_reports_show_every_passage():
    observation, _ = make(feedback="score").reset(seed=0)
    domain = FAMILY.load("mill-0")
    assert all(passage.text in observation["feedback"] for passage in domain.passages)
    assert "Correct answer" not in observation["feedback"]
    shown = make().reset(seed=0)[0]["feedback"]
    assert {*re.findall(r"Correct answer: (\d+)", shown)} <= {*domain.world.right}


@pytest.mark.parametrize(
    ("kind", "action", "order"),
    [
        ("priorities", [0.2, -0.1, 0.9, 0.2], [2, 0, 3]),
        ("priorities", [-1, -1, -1, -1], []),
        ("positions", [4, 1, 0, 1], [2, 1, 3]),
        ("operation", [SWAP, 0, 2], [1, 3, 0]),
        ("operation", [MOVE, 2, 0], [1, 0, 3]),
        ("operation", [DROP, 1, 0], [0, 1]),
        ("operation", [RESTORE, 2, 0], [2, 0, 3, 1]),
    ],
)
def test_numbers_mean_orders(kind, action, order):
    assert apply_action(kind, action, [0, 3, 1], 4) == (order, "")


@pytest.mark.parametrize("kind", NUMERIC)
@pytest.mark.parametrize("action", [None, "x", [], [np.nan] * 4, [[0] * 4], [1e300, -1e300, 9, np.inf], {}, object()])
def test_malformed_numbers_keep_the_order_and_are_told(kind, action):
    env = make(passages=4, actions=kind)
    before = env.reset(seed=0)[0]
    observation, reward, _, _, info = env.step(action)
    assert reward == 0.0
    assert "the order was kept" in info["problem"]
    assert (observation[4:8] == before[4:8]).all()


@pytest.mark.parametrize("operation", [[SWAP, 0, 3], [MOVE, 3, 0], [DROP, 3, 0], [RESTORE, 1, 0], [9, 0, 0]])
def test_operations_that_cannot_be_done_are_told(operation):
    order, problem = apply_action("operation", operation, [0, 3, 1], 4)
    assert order == [0, 3, 1]
    assert problem


@given(st.sampled_from(NUMERIC), st.lists(st.floats(-9, 9), min_size=3, max_size=4), st.permutations(range(4)))
def test_any_numbers_give_an_order(kind, action, order):
    after, _ = apply_action(kind, action, order, 4)
    assert len({*after}) == len(after)
    assert {*after} <= {*range(4)}


@pytest.mark.parametrize("kind", NUMERIC)
def test_numbers_do_what_the_text_does(kind):
    numeric, text = make(actions=kind), make()
    numeric.action_space.seed(3)
    numeric.reset(seed=1), text.reset(seed=1)
    for _ in range(9):
        *_, reward, terminated, truncated, info = numeric.step(numeric.action_space.sample())
        _, *told, other = text.step(numeric.unwrapped.context)
        assert [reward, terminated, truncated] == told
        assert {**info, "problem": ""} == other


@pytest.mark.parametrize("kind", NUMERIC)
def test_vectors_of_numbers_equal_single_envs(kind):
    options = {"actions": kind, "max_edits": 3, "domain": ["mill-0", "bridge-1"]}
    envs, singles = gym.make_vec(ID, num_envs=3, **options), [gym.make(ID, **options) for _ in range(3)]
    envs.action_space.seed(1)
    assert data_equivalence(envs.reset(seed=5)[0], np.stack([e.reset(seed=5 + i)[0] for i, e in enumerate(singles)]))
    for _ in range(7):
        actions = envs.action_space.sample()
        observations, rewards, terminated, _, infos = envs.step(actions)
        for i, (env, action) in enumerate(zip(singles, actions, strict=True)):
            observation, reward, over, *_ = env.step(action)
            assert (reward, over) == (rewards[i], terminated[i])
            if over:
                assert (infos["final_obs"][i] == observation).all()
                observation, _ = env.reset()
            assert (observations[i] == observation).all()


@pytest.mark.parametrize("kind", NUMERIC)
@needs_sb3
def test_stable_baselines_accepts_it(kind):
    from stable_baselines3.common.env_checker import check_env

    for env in (make(actions=kind), make(actions=kind).unwrapped):
        check_env(env)  # a warning is an error here


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"actions": "box"}, ["'box'", "'priorities'"]),
        ({"passages": 3}, ["passages=3", "[4, 20]"]),
        ({"passages": 8.0}, ["passages=8.0", "passages=8"]),
        ({"domain": "mil-0"}, ["Did you mean 'mill-0'"]),
        ({"domain": "mill-x"}, ["'mill-x'"]),
        ({"scoring": "set"}, ["'scoring' is not a known argument"]),
    ],
)
def test_a_wrong_argument_says_what_is_right(arguments, told):
    with pytest.raises((ArgumentError, UnknownNameError)) as caught:
        make(**arguments)
    assert all(text in str(caught.value) for text in told), str(caught.value)


def test_consistency_is_one_where_order_cannot_matter():
    env = make()
    domain = FAMILY.load("mill-0")
    assert order_consistency(env, "[2]") == (1.0, (1.0, 1.0))
    mean, (low, high) = order_consistency(env)
    assert 0.5 < low < mean < high < 0.95
    best, _ = order_consistency(env, domain.oracle_context)
    assert best > mean  # without rivals, fewer answers hang on the order
    assert order_consistency(env) == (mean, (low, high)) != order_consistency(env, seed=1)
    assert env.unwrapped.budget.spent.calls == 0


@pytest.mark.parametrize(
    ("arguments", "told"), [({"orders": 1}, "orders=1"), ({"split": "train"}, "'train'"), ({"env": "sql"}, "passages")]
)
def test_a_wrong_question_about_consistency_says_what_is_right(arguments, told):
    env = gym.make("LSE/TextToSQL-v1", domain="lab-0") if arguments.pop("env", None) else make()
    with pytest.raises((ArgumentError, UnknownNameError), match=told):
        order_consistency(env, **arguments)


def test_moi_comes_within_ten_percent_with_eight_permutations():
    shares, alone = [], []
    for name in UNSEEN:
        agent = agent_class("moi")(make(domain=name), seed=0).learn(8)  # 7 rotations, then the estimate
        domain = FAMILY.load(name)
        shares.append(share(domain, agent.best_context))
        alone.append(share(domain, max(agent.tree.nodes[:8], key=lambda node: node["performance"])["context"]))
    assert np.mean(shares) > 0.97
    assert min(shares) > 0.9
    assert np.mean(shares) > np.mean(alone) + 0.05, "and not because one of the permutations is good"


def test_utility_and_position_are_told_apart():
    rng = np.random.default_rng(0)
    utilities, weights = rng.normal(size=6), u_shape(6)
    orders = [[int(p) for p in rng.permutation(6)] for _ in range(40)]
    values = np.array([sum(weights[j] * utilities[p] for j, p in enumerate(order)) for order in orders])
    found, places = decompose(orders, values, 6, ridge=1e-9)
    assert np.allclose(found, utilities, atol=1e-3)
    assert np.allclose(places, weights, atol=1e-3)
    other = np.array([0.5, 0.05, 0.15, 0.05, 0.05, 0.2])
    values = np.array([sum(other[j] * utilities[p] for j, p in enumerate(order)) for order in orders])
    found, places = decompose(orders[:30], values[:30], 6, ridge=1e-9, prior_weight=1e-6)
    foretold = [sum(places[j] * found[p] for j, p in enumerate(order)) for order in orders[30:]]
    assert np.allclose(foretold, values[30:], atol=1e-3), "and the prior gives way to data"


def test_moi_goes_on_with_orders_that_it_has_not_tried():
    agent = agent_class("moi")(make(), seed=0, permutations=4).learn(14)
    contexts = [node["context"] for node in agent.tree.nodes]
    assert len({*contexts}) > 12
    lines = sorted(contexts[0].split("\n"))
    assert all(sorted(context.split("\n")) == lines for context in contexts[:4])
    assert all({*context.split("\n")} <= {*lines} for context in contexts)
    with pytest.raises(ArgumentError, match="permutations=1"):
        agent_class("moi")(permutations=1)


@pytest.mark.long
@needs_sb3
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["priorities", "positions"])
def test_ppo_comes_within_five_percent_of_the_optimum(kind):
    shares = []
    for name in ("mill-1", "museum-1", "harbour-1"):
        context, held_out = trained_by_ppo(name, kind)
        shares.append((share(FAMILY.load(name), context), held_out))
    assert np.mean(shares, axis=0).min() >= 0.95, shares
