"""Fewer held-out questions than a family has: an evaluation costs less, and tells less.

For families that draw a fixed number. Those of files split what there is by a size, and data science draws pairs of
questions that depend on it: there ``held_out_size`` is the family's own, and tracks are pinned to what it draws.
"""

import copy
from collections.abc import Mapping

from lse_gym.envs.arguments import Count, checked
from lse_gym.envs.domain import Domain, Family, Split
from lse_gym.envs.errors import ArgumentError


@checked
def with_held_out(family: Family, size: Count | None) -> Family:
    """The family, of whose held-out splits the first ``size`` questions are asked; None is all of them."""
    return family if size is None else _Shortened(family, size)


class _Shortened(Family):
    def __init__(self, family: Family, size: int):
        self._family, self._size, self.groups = family, size, family.groups

    def check(self, name: str) -> None:
        self._family.check(name)

    def load(self, name: str) -> Domain:
        return self._short(self._family.load(name))

    def sizes(self, name: str) -> Mapping[Split, int]:
        sizes = self._family.sizes(name)
        self._enough(sizes["held_out"])
        return {**sizes, "held_out": self._size}

    def note(self, name: str) -> str:
        return self._family.note(name)

    def remarks(self) -> str:
        return self._family.remarks()

    def sealed(self, name: str, secret: int, count: int) -> Domain:
        return self._short(self._family.sealed(name, secret, count))

    def _short(self, domain: Domain) -> Domain:
        made, all_of_them = copy.copy(domain), domain.splits["held_out"]
        self._enough(len(all_of_them))
        made.splits = {**domain.splits, "held_out": all_of_them[: self._size]}
        return made

    def _enough(self, there: int) -> None:
        if self._size > there:
            raise ArgumentError(f"held_out_size={self._size}: a domain has {there} held-out questions. Pass no more.")
