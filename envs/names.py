"""Names of drawn domains: a theme and a seed, each written in one way alone."""

import re
from collections.abc import Iterable

from lse_gym.envs.errors import unknown

NAME = re.compile(r"([a-z]+)-(0|[1-9][0-9]{0,38})")  # 39 digits hold 128 bits, which nobody guesses


def check_drawn(name: object, themes: Iterable[str], groups: Iterable[str]) -> None:
    """Check that a name is ``<theme>-<seed>`` of one of ``themes``.

    Raises:
        UnknownNameError: it is not; a seed begins with no zero, so that no domain has two names.
    """
    known = [*themes]
    match = NAME.fullmatch(name) if isinstance(name, str) else None
    if match is None or match[1] not in known:
        advice = f"Any other seed works too, e.g. '{known[0]}-17'."
        raise unknown("domain", name, [*(f"{theme}-0" for theme in known), *groups], advice)
