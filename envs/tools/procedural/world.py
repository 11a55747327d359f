"""A world: a house with its database and its tools, alike in every process for the same name."""

from typing import Any

import numpy as np

from lse_gym.envs.tools.diff import State, snapshot
from lse_gym.envs.tools.procedural.house import draw_house
from lse_gym.envs.tools.procedural.office import Office, copy
from lse_gym.envs.tools.procedural.service import Service
from lse_gym.envs.tools.procedural.tables import database
from lse_gym.envs.tools.procedural.theme import ROLES, Theme


class World:
    """One draw of everything but the tasks.

    Args:
        theme: the words.
        rng: draws the house, then the rows.

    Attributes:
        house: the rules.
        content: the database, as :meth:`sqlite3.Connection.serialize` gives it.
        before: its snapshot.
        rows: what is in its tables, by role.
    """

    def __init__(self, theme: Theme, rng: np.random.Generator):
        self.theme, self.house = theme, draw_house(theme, rng)
        self.content = database(theme, self.house, rng)
        self.service = Service(theme, self.house)
        connection = copy(self.content)
        self.before: State = snapshot(connection)
        connection.close()
        self.rows: dict[str, list[dict[str, Any]]] = {}
        for role in ROLES:
            table = self.before[theme.entity(role).table]
            self.rows[role] = [dict(zip(table.columns, row, strict=True)) for row in table.rows]

    def open(self) -> Office:
        """An office with a copy of the database."""
        return Office(self.service, self.content, self.before)
