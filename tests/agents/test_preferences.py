"""Preference pairs: which siblings make one, what is counted, and that trees give back what their editor was shown."""

import json

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lse_gym.agents.lse.preference_settings import preference_args
from lse_gym.agents.lse.preferences import (
    Edit,
    Pair,
    PairArgs,
    Siblings,
    best_edits,
    distance,
    merged,
    pair_dataset,
    pairs_of,
    read_pairs,
    write_pairs,
)
from lse_gym.agents.lse.siblings import as_lines, sample_siblings, siblings_of, tree_siblings
from lse_gym.agents.lse.states import State
from lse_gym.agents.run import evolve
from lse_gym.agents.settings import Settings
from lse_gym.envs.editing import editor_prompt, parse_edit
from lse_gym.envs.errors import ArgumentError, DataError, UnknownNameError
from lse_gym.envs.models.base import Response, TaskModel


def group(*edits, prompt="p"):
    return Siblings("d", "c", 0.4, tuple(Edit(prompt, answer, delta) for answer, delta in edits))


def test_a_pair_is_the_best_edit_over_one_that_does_not_improve():
    (pair,), told = pairs_of([group(("good", 0.1), ("best", 0.3), ("none", 0.0), ("some", 0.05))])
    assert pair == Pair("d", "p", "best", "none", 0.3, 0.0, 0.4)
    assert told == {"pairs": 1, "without siblings": 0, "without a winner": 0, "without a loser": 0}


def test_every_prompt_without_a_pair_is_counted_by_its_cause():
    groups = [
        group(("same", 0.2), ("same", 0.2)),
        group(("one", 0.0), ("two", -0.1)),
        group(("one", 0.2), ("two", 0.1)),
        group(("one", 0.2), ("two", -1.0)),
    ]
    pairs, told = pairs_of(groups)
    assert [pair.delta_l for pair in pairs] == [-1.0]
    assert told == {"pairs": 1, "without siblings": 1, "without a winner": 1, "without a loser": 1}
    assert len(pairs_of(groups, PairArgs(margin=0.1, most_rejected=1.0))[0]) == 2  # a lead of the margin is enough
    assert len(pairs_of(groups, PairArgs(margin=0.15, most_rejected=1.0))[0]) == 1


def test_the_rule_says_which_of_the_worse_is_rejected():
    edits = group(("a b c d", 0.3), ("a b c x", 0.0), ("w x y z", 0.0), ("a b y z", -0.1))
    rejected = {rule: pairs_of([edits], PairArgs(pair_rule=rule))[0][0].rejected for rule in ("nearest", "farthest")}
    assert rejected == {"nearest": "a b c x", "farthest": "w x y z"}
    drawn = {pairs_of([edits], PairArgs(seed=seed))[0][0].rejected for seed in range(20)}
    assert drawn == {"a b c x", "w x y z", "a b y z"}
    with pytest.raises(UnknownNameError, match="nearest"):
        PairArgs(pair_rule="closest")  # ty: ignore[invalid-argument-type]
    with pytest.raises(ArgumentError, match="margin"):
        PairArgs(margin=0.0)


def test_siblings_from_other_reports_are_rejected_but_each_prompt_has_its_own_winner():
    both = merged([group(("one", 0.3), prompt="p"), group(("two", 0.1), prompt="q"), group(("bad", 0.0), prompt="r")])
    pairs, told = pairs_of(both)
    assert [(pair.prompt, pair.chosen, pair.rejected) for pair in pairs] == [("p", "one", "bad"), ("q", "two", "bad")]
    assert told["without a winner"] == 1
    assert [pair.chosen for pair in best_edits(both, 0.2)] == ["one"]


@given(st.lists(st.sampled_from("abc"), max_size=6), st.lists(st.sampled_from("abc"), max_size=6))
def test_distance_is_levenshtein_s(one, other):
    table = np.zeros((len(one) + 1, len(other) + 1), int)
    table[:, 0], table[0] = np.arange(len(one) + 1), np.arange(len(other) + 1)
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            table[i + 1, j + 1] = min(table[i, j + 1] + 1, table[i + 1, j] + 1, table[i, j] + (a != b))
    assert distance(" ".join(one), " ".join(other)) == table[-1, -1]


LINES = st.lists(st.sampled_from(["- one rule", "- two rules", "- three rules", "- four"]), min_size=1, unique=True)


@given(LINES, LINES)
def test_an_edit_as_lines_makes_the_same_lines(before, after):
    context = "\n".join(["Answer the question.", *before])
    edit = as_lines(context, "\n".join(["Answer the question.", *after]))
    new = parse_edit(edit, context) if edit else context
    assert sorted(new.split("\n")) == sorted(["Answer the question.", *after])


def test_pairs_are_kept_in_a_file(tmp_path):
    pairs = [Pair("d", "p", "é\nwin", "lose", 0.3, -1.0, 0.4)]
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    assert read_pairs(tmp_path / "pairs.jsonl") == pairs
    for spoilt in ('{"domain": "d"}', json.dumps(pairs[0]._asdict() | {"delta_w": float("nan")}), ""):
        (tmp_path / "spoilt.jsonl").write_text(spoilt)
        with pytest.raises(DataError, match=r"spoilt.jsonl"):
            read_pairs(tmp_path / "spoilt.jsonl")


@pytest.mark.extra("data")
def test_pairs_are_a_data_set_in_the_form_of_trl():
    row = pair_dataset([Pair("d", "p", "win", "lose", 0.3, -1.0, 0.4)])[0]
    assert row["prompt"] == [{"role": "user", "content": "p"}]
    assert row["chosen"] == [{"role": "assistant", "content": "win"}]
    assert (row["rejected"][0]["content"], row["delta_w"]) == ("lose", 0.3)


def test_a_tree_gives_back_what_its_editor_was_shown_and_asks_no_model(tmp_path):
    for seed in (0, 1):
        settings = Settings(domain="library-0", editor="writer", rounds=3, seed=seed, feedback_size=4)
        evolve(settings.config(), tmp_path / "runs" / str(seed))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")}
    groups = tree_siblings(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")} == before
    root = groups[0]
    tree = json.loads((tmp_path / "runs" / "0" / "tree.json").read_text())
    assert (root.performance, root.context) == (tree["nodes"][0]["performance"], tree["nodes"][0]["context"])
    assert len(root.edits) == 2  # one of each run: both begin with the same context
    first = root.edits[0]
    assert first.prompt == editor_prompt(root.context, tree["nodes"][0]["feedback"], 8000)
    assert first.delta == tree["nodes"][1]["improvement"]
    child = parse_edit(first.answer, root.context)
    assert sorted(child.split("\n")) == sorted(tree["nodes"][1]["context"].split("\n"))
    (whole,) = [g for g in siblings_of(tmp_path / "runs" / "0", "answer") if g.context == root.context]
    assert "<prompt>" in whole.edits[0].answer


def test_what_holds_no_siblings_says_so(tmp_path):
    with pytest.raises(DataError, match="no finished run"):
        tree_siblings(tmp_path)
    evolve(Settings(domain="library-0", agent="no-op", rounds=1).config(), tmp_path / "noop")
    with pytest.raises(DataError, match="has no editor"):
        tree_siblings(tmp_path)
    gated = {"gate": 2, "feedback_size": 1, "editor": "writer", "rounds": 6, "domain": "library-0"}
    evolve(Settings(**gated).config(), tmp_path / "gated")
    with pytest.raises(DataError, match="has a gate"):
        siblings_of(tmp_path / "gated")
    several = {"attempts": 1, "editors": "reader"}
    evolve(Settings(agent="shinka", editor="writer", rounds=2, agent_args=several).config(), tmp_path / "several")
    with pytest.raises(DataError, match=r"several editors .*: writer, reader"):
        siblings_of(tmp_path / "several")


class Fickle(TaskModel):
    """Adds the rules of the oracle, one by sample; the last sample is cut, the one before holds no edit."""

    name, revision = "fickle", "1"

    def __init__(self, rules):
        self.rules, self.asked = rules, 0

    def count_tokens(self, text):
        return len(text)

    def complete(self, requests):
        self.asked += len(requests)
        texts = [[*(f"<add>{rule}</add>" for rule in self.rules), "no edit", "<add>cut"][r.sample] for r in requests]
        return [Response(text, 1, 1, 0, "length" if text.endswith("cut") else "stop") for text in texts]


def test_samples_are_scored_as_the_env_scores_them_and_not_made_twice(tmp_path):
    env = gym.make("LSE/TextToSQL-v1", domain="library-0").unwrapped
    domain = env.family.load("library-0")
    editor = Fickle(domain.oracle_context.splitlines()[1:3])
    states = [State("library-0", f"{domain.seed_context}{dots}", 0.32, "report", 0.5) for dots in ("", *"!" * 9)]
    options = {"samples": 4, "temperature": 1.0, "max_tokens": 9, "seed": 0}
    path = tmp_path / "samples.jsonl"
    groups, told = sample_siblings(editor, env, states, path, **options)
    assert told == {"answers": 40, "cut": 10, "no edit": 10}
    single = gym.make("LSE/TextToSQL-v1", domain="library-0")
    _, info = single.reset(seed=0)
    reward = single.step(f"{domain.seed_context}\n{editor.rules[0]}")[1]
    assert groups[0].edits[0].delta == pytest.approx(info["held_out_score"] + reward - 0.32)
    assert groups[0].edits[2].delta == -1.0
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])  # the second batch, of two states, is cut by a kill
    again, counted = sample_siblings(editor, env, states, path, **options)
    assert (again, counted, path.read_bytes(), editor.asked) == (groups, told, whole, 48)
    with pytest.raises(ArgumentError, match="2 samples"):
        sample_siblings(editor, env, states, path, **options | {"samples": 1})


def test_a_method_has_its_own_defaults():
    dpo, sft = preference_args("dpo", lr=None), preference_args("sft", epochs=3.0)
    assert (dpo.lr, dpo.beta, dpo.epochs, dpo.warmup) == (1e-6, 0.1, 2.0, 0.1)
    assert (sft.lr, sft.epochs, sft.warmup) == (1e-5, 3.0, 0.0)
    with pytest.raises(UnknownNameError, match="sft"):
        preference_args("ppo")  # ty: ignore[invalid-argument-type]
    with pytest.raises(ArgumentError, match="lr=0"):
        preference_args("dpo", lr=0.0)
