"""What an editor's answer is worth: the held-out score after its edit."""

from collections.abc import Sequence

import numpy as np

from lse_gym.agents.lse.states import State
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.editing import editor_prompt, parse_edit
from lse_gym.envs.text import clean


def state_prompt(env: ContextEnv, state: State) -> str:
    """What the editor is shown of a state: one user message."""
    return editor_prompt(state.context, state.feedback, env.max_chars)


def scores_after(env: ContextEnv, states: Sequence[State], answers: Sequence[str]) -> np.ndarray:
    """Held-out scores after the edits in ``answers``, float64 of shape (states,); NaN where there is no edit.

    All evaluations are one batch of the task model; a context asked for twice is evaluated once.

    Raises:
        ProviderError: the task model failed; what was answered is kept, so calling again asks for the rest.
    """
    edits = [parse_edit(answer, state.context) for state, answer in zip(states, answers, strict=True)]
    keys = [
        None if edit is None else (state.domain, clean(edit, env.max_chars)[0])
        for state, edit in zip(states, edits, strict=True)
    ]
    wanted = list(dict.fromkeys(key for key in keys if key is not None))
    domains = {name: env.family.load(name) for name, _ in wanted}
    evaluations = env.session.run(
        env.session.evaluate(domains[name], context, domains[name].splits["held_out"]) for name, context in wanted
    )
    found = {key: float(e.scores.mean()) for key, e in zip(wanted, evaluations, strict=True)}
    return np.array([np.nan if key is None else found[key] for key in keys])
