"""Gymnasium environments whose actions are context edits and whose rewards are downstream improvements.

Importing this package registers the ids of the namespace ``LSE`` with Gymnasium and does nothing else; the names that
it offers besides are imported when they are first used.
"""

from lse_gym.interrupt import end_at_once, is_command

if is_command():
    end_at_once()

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lse_gym.envs.registration import register_all

if TYPE_CHECKING:
    from lse_gym.agents import SearchAgent as SearchAgent
    from lse_gym.agents.lse import LSEAgent as LSEAgent
    from lse_gym.envs.core import ContextEnv as ContextEnv
    from lse_gym.envs.evaluation import evaluate_context as evaluate_context
    from lse_gym.envs.session import Session as Session
    from lse_gym.wrappers import EditMenu as EditMenu
    from lse_gym.wrappers import TextFeatures as TextFeatures

__version__ = "0.1.0"

_LAZY = {
    "ContextEnv": "lse_gym.envs.core",
    "Session": "lse_gym.envs.session",
    "evaluate_context": "lse_gym.envs.evaluation",
    "SearchAgent": "lse_gym.agents",
    "LSEAgent": "lse_gym.agents.lse",
    "EditMenu": "lse_gym.wrappers",
    "TextFeatures": "lse_gym.wrappers",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


register_all()
