"""``LSE/Family-v0``: the domains of a family that you have written, in an env like any other."""

from collections.abc import Callable, Collection, Mapping, Sequence
from inspect import signature
from typing import Any, ClassVar, Unpack

from lse_gym.envs.arguments import checked
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.domain import Domain, Family, check_splits
from lse_gym.envs.errors import ArgumentError, MissingArgumentError
from lse_gym.envs.options import CoreOptions
from lse_gym.envs.plugins import import_class
from lse_gym.envs.vector import ContextVectorEnv


class Checked:
    """The ``load`` of a family, with all checked that everything else relies on."""

    def __init__(self, load: Callable[[str], Domain]):
        self.load = load

    def __call__(self, name: str) -> Domain:
        """The domain of this name."""
        domain = self.load(name)
        if not isinstance(domain, Domain):
            raise ArgumentError(f"load({name!r}) returned a {type(domain).__name__}. Return a Domain.")
        check_texts(domain)
        check_splits(domain)
        return domain


def check_texts(domain: Domain) -> None:
    """Raise :class:`ArgumentError` unless name, seed context and prompts of a domain are texts."""
    parts: dict[str, Callable[[], Any]] = {
        "name": lambda: domain.name,
        "seed_context": lambda: domain.seed_context,
        "system(context)": lambda: domain.system(""),
        "user(question)": lambda: domain.user(domain.splits["held_out"][0]) if domain.splits.get("held_out") else "",
    }
    for what, part in parts.items():
        try:
            given = part()
        except AttributeError as error:
            raise ArgumentError(f"{what} of {type(domain).__name__}: {error}. Make it a str.") from error
        if not isinstance(given, str):
            raise ArgumentError(f"{what} of {type(domain).__name__} is a {type(given).__name__}. Make it a str.")


def check_groups(family: Family) -> None:
    """Raise :class:`ArgumentError` unless the family's groups are names by the name of a group."""
    groups = getattr(family, "groups", None)
    lists = [*groups.values()] if isinstance(groups, Mapping) else []
    if not (lists and all(names and isinstance(names, Collection) and not isinstance(names, str) for names in lists)):
        raise ArgumentError(
            f"groups of {type(family).__name__} is {groups!r}, no dict of names. Write e.g. "
            "groups = {'all': ('small', 'large')}."
        )


class FamilyEnv(ContextEnv):
    """Edit the context of a family of your own; the reward is how much better a model answers its held-out questions.

    ## Description
    ``family`` names a class of yours, a :class:`lse_gym.envs.domain.Family`; everything else is as in
    :class:`lse_gym.envs.core.ContextEnv`. ``envs/EXTENDING.md``, "A family", has one in thirty lines.

    ## Action Space
    ``FreeText(max_chars)``: the new context, whole.

    ## Observation Space
    As in :class:`lse_gym.envs.core.ContextEnv`: context, feedback, feedback_score, remaining_budget.

    ## Rewards
    ``r = S(c_after) - S(c_before)``, ``S`` being the mean score on the held-out questions; in [-1, 1].

    ## Starting State
    A domain of the family's first group, drawn by ``seed``, with its seed context.

    ## Episode End
    As in :class:`lse_gym.envs.core.ContextEnv`: terminated after ``max_edits``, truncated when the budget is used up.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | family | str | | | ``package.module:Class`` of a Family; required |
    | family_args | dict or None | None | | what its constructor takes, by name |
    | domain | str, sequence or None | None | | a name, several, a group, or None for the family's first group |

    ``reset(options=...)`` takes ``context``, ``domain`` and ``batch``.

    ## Cost
    Calls per reset and per step: ``(feedback_size + held-out questions) * samples``, times the turns of an attempt.

    ## Version History
    v0: first version.
    """

    @checked
    def __init__(
        self,
        family: str | None = None,
        family_args: Mapping[str, Any] | None = None,
        domain: str | Sequence[str] | None = None,
        **options: Unpack[CoreOptions],
    ):
        if family is None:
            raise MissingArgumentError(
                "LSE/Family-v0 needs family='package.module:Class', a Family of yours. envs/EXTENDING.md has one."
            )
        kind, given = import_class(family, Family, "family"), family_args or {}
        try:
            signature(kind).bind(**given)
        except TypeError as error:
            told = f"family_args={dict(given)!r}: {error}; {kind.__name__}{signature(kind)} is what it takes."
            raise ArgumentError(told) from None
        own = kind(**given)
        check_groups(own)
        vars(own)["load"] = Checked(own.load)
        super().__init__(own, domain=domain, **options)


class FamilyVectorEnv(ContextVectorEnv):
    """Many :class:`FamilyEnv` side by side, one model batch a step."""

    env_class: ClassVar[Any] = FamilyEnv
