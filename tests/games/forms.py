"""The games as PettingZoo's own tests take them, small enough for many episodes."""

import warnings
from contextlib import contextmanager
from functools import partial

from lse_gym.envs.games import hint_v0, injection_v0

GAMES = {"hint_v0": hint_v0, "injection_v0": injection_v0}
# PettingZoo advises arrays; what is text has none
ABOUT_ARRAYS = (
    "Observation is not a NumPy array",
    "Observation space for each agent probably should be",
    "Action space for each agent probably should be",
)
SMALL = {
    "hint_v0": {"num_samples": 2, "max_hint_rounds": 3},
    "injection_v0": {"num_items": 4, "feedback_size": 2, "max_cycles": 5},
}


@contextmanager
def strict():
    """Every warning is an error but the advice of PettingZoo to use arrays instead of text."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for advice in ABOUT_ARRAYS:
            warnings.filterwarnings("ignore", message=advice)
        yield


def maker(name, form="env", **more):
    """A constructor of a small game in one of its forms."""
    return partial(getattr(GAMES[name], form), **{**SMALL[name], **more})
