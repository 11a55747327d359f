"""Databases of a data directory as a family of domains."""

import os

from lse_gym.envs.arguments import Count, Seed, checked
from lse_gym.envs.domain import Family
from lse_gym.envs.splits import split_questions
from lse_gym.envs.sql.bird import load_directory, schema_text
from lse_gym.envs.sql.domain import Scoring, SQLDomain
from lse_gym.envs.sql.executor import Limits

# BIRD's official scorer stops a statement after 30 s; the steps are what a fast machine does in about 10 s.
LIMITS = Limits(timeout_s=30.0, max_steps=2_000_000_000)


class BIRDFamily(Family):
    """One domain a database; the group "all" has every one.

    Args:
        data_dir: directory in BIRD's or Spider's layout.
        exclude: list of questions to leave out; see :func:`lse_gym.envs.sql.bird.load_directory`.
        split_seed: seed of the splits.
        held_out_size: questions in the held-out split.
        scoring: see :class:`lse_gym.envs.sql.domain.SQLDomain`.
    """

    @checked
    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None,
        exclude: str | os.PathLike[str] | None = None,
        split_seed: Seed = 0,
        held_out_size: Count = 50,
        scoring: Scoring = "set",
    ):
        self.databases = load_directory(data_dir, exclude=exclude)
        self.groups = {"all": list(self.databases)}
        self.split_seed, self.held_out_size, self.scoring = split_seed, held_out_size, scoring
        self._loaded: dict[str, SQLDomain] = {}

    def load(self, name: str) -> SQLDomain:
        """Split the questions of one database and run its golds, or take the domain from memory."""
        self.check(name)
        if name not in self._loaded:
            database = self.databases[name]
            splits = split_questions(database.questions, self.split_seed, self.held_out_size)
            domain = SQLDomain(
                name, database.path, schema_text(database.path), splits, scoring=self.scoring, limits=LIMITS
            )
            domain.check_golds()
            self._loaded[name] = domain
        return self._loaded[name]
