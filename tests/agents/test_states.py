"""States to train on: collected from runs, filtered, ordered, kept in a file that envs start from."""

import json

import gymnasium as gym
import pytest

from lse_gym.agents.lse.states import State, collect, read_states, select_states, states_of, write_states
from lse_gym.agents.settings import Settings
from lse_gym.envs.errors import ArgumentError, DataError, UnknownNameError

CONFIG = Settings(rounds=2)


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    out = tmp_path_factory.mktemp("archive")
    return out, collect(CONFIG, ["library-0", "shop-0"], [0, 1], out)


def test_every_visited_context_is_a_state(collected):
    out, states = collected
    assert len(states) == 4 * 3
    assert {state.domain for state in states} == {"library-0", "shop-0"}
    assert read_states(out / "states.jsonl") == states
    for folder in sorted((out / "runs").iterdir()):
        nodes = json.loads((folder / "tree.json").read_text())["nodes"]
        best = max(node["performance"] for node in nodes)
        for node, state in zip(nodes, states_of(folder), strict=True):
            assert (state.context, state.feedback) == (node["context"], node["feedback"])
            assert state.potential == best - node["performance"]


def test_collecting_again_runs_nothing_new_and_gives_the_same(collected):
    out, states = collected
    sizes = {path: path.stat().st_size for path in out.rglob("responses.jsonl")}
    summaries = []
    assert collect(CONFIG, ["library-0", "shop-0"], [0, 1], out, on_run=lambda *args: summaries.append(args)) == states
    assert len(summaries) == 4
    assert {path: path.stat().st_size for path in out.rglob("responses.jsonl")} == sizes


def test_workers_collect_the_same(collected, tmp_path):
    _, states = collected
    assert collect(CONFIG, ["library-0"], [0, 1], tmp_path, workers=2) == states[:6]


def test_an_env_starts_from_the_states(collected):
    out, states = collected
    env = gym.make("LSE/TextToSQL-v1", domain="shop-0", start=str(out / "states.jsonl"), max_edits=1)
    starts = {state.context: state.performance for state in states if state.domain == "shop-0"}
    for seed in range(5):
        observation, info = env.reset(seed=seed)
        assert info["held_out_score"] == starts[observation["context"]]


A, B, C = (State("d", name, p, "report", 0.5 - p) for name, p in (("a", 0.5), ("b", 0.1), ("c", 0.3)))


def test_states_are_filtered_ordered_and_taken_once():
    states = [A, B, C, A, B._replace(feedback="another")]
    assert select_states(states) == [B, B._replace(feedback="another"), C, A]
    assert select_states(states, order="reverse_potential") == [A, C, B, B._replace(feedback="another")]
    assert select_states(states, min_potential=0.15) == [B, B._replace(feedback="another"), C]
    shuffled = select_states(states, order="random", seed=1)
    assert sorted(shuffled) == sorted(set(states))
    assert shuffled == select_states(states, order="random", seed=1) != select_states(states, order="random", seed=2)
    with pytest.raises(UnknownNameError, match="reverse_potential"):
        select_states(states, order="best")


def test_a_file_of_anything_else_is_refused(tmp_path):
    path = tmp_path / "states.jsonl"
    for content in (
        None,
        "",
        "{",
        '{"domain": "d"}\n',
        '{"domain":"d","context":1,"performance":0.1,"feedback":"","potential":0}',
    ):
        if content is not None:
            path.write_text(content)
        with pytest.raises(DataError, match="states"):
            read_states(path)
    write_states(path, [A, B])
    assert read_states(path) == [A, B]
    with pytest.raises(DataError, match="finished run"):
        states_of(tmp_path)
    with pytest.raises(ArgumentError, match="workers"):
        collect(CONFIG, ["library-0"], [0], tmp_path, workers=0)
