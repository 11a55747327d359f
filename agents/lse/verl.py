"""States and rewards in the formats of verl, the trainer of LSE's released code.

``write_verl`` makes the parquet file that verl's data loader reads; ``compute_score`` is a custom reward function for
it (``custom_reward_function.path`` and ``.name`` in verl's configuration).
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lse_gym.agents.lse.advantage import INVALID
from lse_gym.agents.lse.reward import scores_after, state_prompt
from lse_gym.agents.lse.states import State
from lse_gym.agents.settings import Config
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.evaluation import core_env
from lse_gym.envs.extras import require


def verl_rows(env: ContextEnv, states: Sequence[State], *, env_id: str, task_model: str) -> list[dict[str, Any]]:
    """States as rows of verl: data source, chat prompt, reward model and extra information."""
    return [
        {
            "data_source": env_id,
            "prompt": [{"role": "user", "content": state_prompt(env, state)}],
            "ability": "self-evolve",
            "reward_model": {"style": "rule", "ground_truth": str(state.performance)},
            "extra_info": {"index": index, "task_model": task_model, **state._asdict()},
        }
        for index, state in enumerate(states)
    ]


def write_verl(path: str | Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as parquet. Needs the extra ``data``."""
    require("datasets", "data", "Writing parquet").Dataset.from_list([*rows]).to_parquet(str(path))


def compute_score(data_source: str, solution_str: str, ground_truth: str, extra_info: dict[str, Any]) -> float:
    """The improvement of one edit, or -1 where the answer holds none, in verl's signature."""
    env = _env(data_source, extra_info["task_model"])
    state = State(*(extra_info[name] for name in State._fields))
    (after,) = scores_after(env, [state], [solution_str])
    return INVALID if np.isnan(after) else float(after) - float(ground_truth)


@cache
def _env(env_id: str, task_model: str) -> ContextEnv:
    return core_env(Config(env_id, {"task_model": task_model}).make_env())
