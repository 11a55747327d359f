"""The ids of the namespace ``LSE``, one row each."""

from importlib import import_module
from inspect import signature
from typing import Any

import gymnasium as gym

# id -> module, class of the env, class of the batched vector env, what there is to draw from
ENVS = {
    "LSE/TextToSQL-v1": (
        "lse_gym.envs.sql.envs",
        "TextToSQLEnv",
        "TextToSQLVectorEnv",
        "embedded: library, shop, transit, farm, studio (train); clinic, hotel, lab (test); any seed, e.g. clinic-0",
    ),
    "LSE/BIRD-v0": ("lse_gym.envs.sql.envs", "BIRDEnv", "BIRDVectorEnv", "every database of --data-dir"),
    "LSE/Custom-v1": (
        "lse_gym.envs.custom.envs",
        "CustomEnv",
        "CustomVectorEnv",
        "your own: a .jsonl, .csv or Hugging Face dataset, as --questions",
    ),
    "LSE/PassageOrder-v1": (
        "lse_gym.envs.passages.envs",
        "PassageOrderEnv",
        "PassageOrderVectorEnv",
        "embedded: bridge, tower, school, mine (train); mill, museum, harbour (test); any seed, e.g. mill-0",
    ),
    "LSE/QA-v1": (
        "lse_gym.envs.qa.envs",
        "QAEnv",
        "QAVectorEnv",
        "embedded: brewing, masonry, weaving, orchard, harbour (train); glasswork, apiary, observatory (test)",
    ),
    "LSE/ToolUse-v0": (
        "lse_gym.envs.tools.envs",
        "ToolUseEnv",
        "ToolUseVectorEnv",
        "embedded: bikes, parcels, cinema, bakery, studio (train); marina, archive, nursery (test); any seed",
    ),
    "LSE/MMLURedux-v0": (
        "lse_gym.envs.qa.envs",
        "MMLUReduxEnv",
        "MMLUReduxVectorEnv",
        "every subject of --data-dir, or of a dataset on the hub: --data-dir hf:edinburgh-dawg/mmlu-redux-2.0",
    ),
    "LSE/AWM-v0": ("lse_gym.envs.tools.awm.envs", "AWMEnv", "AWMVectorEnv", "every scenario of --data-dir"),
    "LSE/Injection-v0": (
        "lse_gym.envs.games.injection.envs",
        "InjectionEnv",
        "InjectionVectorEnv",
        "embedded: leaves, magnets, shoes (train); volcanoes, bees, trains (test); any seed, e.g. bees-0",
    ),
    "LSE/DataScience-v0": (
        "lse_gym.envs.datascience.procedural.envs",
        "DataScienceEnv",
        "DataScienceVectorEnv",
        "embedded: bakery, cinema, rental, gym (train); ferry, winery, vet (test); any seed, e.g. ferry-0",
    ),
    "LSE/DARE-v0": (
        "lse_gym.envs.datascience.envs",
        "DAREEnv",
        "DAREVectorEnv",
        "class_if, class_mm, reg_if, reg_mm, ts_xf, ts_cf: families of tasks of --data-dir",
    ),
    "LSE/ServiceDesk-v0": (
        "lse_gym.envs.servicedesk.envs",
        "ServiceDeskEnv",
        "ServiceDeskVectorEnv",
        "embedded: kitchen, bicycle, music (train); garden, office (test); any seed, e.g. office-0",
    ),
    "LSE/Editor-v0": (
        "lse_gym.envs.editor.envs",
        "EditorEnv",
        "EditorVectorEnv",
        "families: text-to-sql, question-answering, program-repair; their own domains are the questions",
    ),
    "LSE/Feedback-v0": (
        "lse_gym.envs.repair.envs",
        "FeedbackEnv",
        "FeedbackVectorEnv",
        "embedded: parking, library, farm (train); hotel, museum (test); any seed, e.g. hotel-0",
    ),
    "LSE/Hint-v0": (
        "lse_gym.envs.games.hint.envs",
        "HintEnv",
        "HintVectorEnv",
        "embedded: bakery, garden, harbour, museum (train); workshop, farm, school (test); or your own questions",
    ),
    "LSE/Family-v0": (
        "lse_gym.envs.own",
        "FamilyEnv",
        "FamilyVectorEnv",
        "your own code: family='package.module:Class'",
    ),
    "LSE/Remote-v0": (
        "lse_gym.envs.remote.env",
        "RemoteEnv",
        "RemoteVectorEnv",
        "what a host draws from its secret, for this run alone",
    ),
}


def register_all() -> None:
    """Register every id of ``ENVS``; an id that exists already is left alone."""
    for name, (module, env, vector_env, _) in ENVS.items():
        if name not in gym.registry:
            gym.register(name, entry_point=f"{module}:{env}", vector_entry_point=f"{module}:{vector_env}")


def describe(name: str) -> tuple[str, str]:
    """The first line of an env's documentation, and its domains."""
    return (env_class(name).__doc__ or "").splitlines()[0], ENVS[name][-1]


def is_remote(name: str) -> bool:
    """Whether a registered env of this package is at a host, which draws what it is about."""
    return name in ENVS and env_class(name).remote


def default(name: str, argument: str) -> Any:
    """What an argument of an env is where none is given; None where it has no such argument.

    An env that is not registered here is taken to have what all share.
    """
    classes = env_class(name if name in ENVS else "LSE/Family-v0").__mro__
    declared = (signature(one.__init__).parameters.get(argument) for one in classes)
    return next((one.default for one in declared if one is not None), None)


def env_class(name: str) -> Any:
    """The class of a registered env."""
    module, env, *_ = ENVS[name]
    return getattr(import_module(module), env)
