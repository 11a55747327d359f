"""The ids of the namespace ``LSE``, one row each."""

import gymnasium as gym

# id -> module; class of the env, class of the batched vector env
ENVS = {
    "LSE/TextToSQL-v0": ("lse_gym.envs.sql.envs", "TextToSQLEnv", "TextToSQLVectorEnv"),
    "LSE/BIRD-v0": ("lse_gym.envs.sql.envs", "BIRDEnv", "BIRDVectorEnv"),
}


def register_all() -> None:
    """Register every id of ``ENVS``; an id that exists already is left alone."""
    for name, (module, env, vector_env) in ENVS.items():
        if name not in gym.registry:
            gym.register(name, entry_point=f"{module}:{env}", vector_entry_point=f"{module}:{vector_env}")
