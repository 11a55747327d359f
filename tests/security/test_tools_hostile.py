"""Task models whose calls mean harm: whatever they are, an attempt has an end that is scored."""

from contextlib import closing

import pytest

from lse_gym.envs.tools.procedural.family import OfficeFamily
from lse_gym.envs.tools.report import Ending

DOMAIN = OfficeFamily().load("bakery-1")
HUGE = 1.7e308


def row(role: str) -> dict[str, int]:
    """The argument that stands for the first row of an entity."""
    world = DOMAIN.world
    entity = world.theme.entity(role)
    column = entity.number if world.house.keys[role] == "number" else entity.id
    return {entity.noun: world.rows[role][0][column]}


@pytest.mark.parametrize(
    ("tool", "role", "argument"), [("extend_order", "record", "by"), ("restock_bread", "thing", "quantity")]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_no_sum_leaves_the_numbers(tool, role, argument, sign):
    with closing(DOMAIN.open(DOMAIN.splits["feedback"][0])) as office:
        first, second = (office.call(tool, {**row(role), argument: sign * HUGE}) for _ in range(2))
        assert first.startswith('{"result": "ok"')
        assert second == "Error: 422 invalid value"
        assert Ending.read(office.finish("")).changes
        for least in (-(2**63), 5e-324):
            assert office.call(tool, {**row(role), argument: least}).startswith('{"result": "ok"')
