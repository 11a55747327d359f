"""What an editor's answer is worth: the held-out score after its edit."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

import numpy as np

from lse_gym.agents.lse.states import State
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.editing import editor_prompt, parse_edit
from lse_gym.envs.metered import Task
from lse_gym.envs.text import clean

K = TypeVar("K")


def state_prompt(env: ContextEnv, state: State) -> str:
    """What the editor is shown of a state: one user message."""
    return editor_prompt(state.context, state.feedback, env.max_chars)


def scores_after(env: ContextEnv, states: Sequence[State], answers: Sequence[str]) -> np.ndarray:
    """Held-out scores after the edits in ``answers``, float64 of shape (states,); NaN where there is no edit.

    All evaluations are one batch of the task model; a context asked for twice is evaluated once.

    Raises:
        ProviderError: the task model failed; what was answered is kept, so calling again asks for the rest.
    """

    load = cache(env.family.load)  # a family of one's own may read it anew each time

    def held_out(name: str, context: str) -> Task[float]:
        domain = load(name)
        evaluation = yield from env.session.evaluate(domain, context, domain.splits["held_out"])
        return float(evaluation.scores.mean())

    return score_edits(env, states, [state.domain for state in states], answers, held_out)


def score_edits(
    env: ContextEnv,
    states: Sequence[State],
    places: Sequence[K],
    answers: Sequence[str],
    score: Callable[[K, str], Task[float]],
) -> np.ndarray:
    """:func:`scores_after`, by another score.

    Args:
        env: the env that pays.
        states: what is edited.
        places: what decides on the score of a context beside it, of each state.
        answers: of the editor, one a state.
        score: task for the score of a context in a place.
    """
    edits = [parse_edit(answer, state.context) for state, answer in zip(states, answers, strict=True)]
    keys = [
        None if edit is None else (place, clean(edit, env.max_chars)[0])
        for place, edit in zip(places, edits, strict=True)
    ]
    wanted = list(dict.fromkeys(key for key in keys if key is not None))
    found = dict(zip(wanted, env.session.run(score(*key) for key in wanted), strict=True))
    return np.array([np.nan if key is None else found[key] for key in keys])
