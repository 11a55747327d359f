"""Embedded offices, written as Agent World Model's files and loaded back: the same verdict on every attempt."""

import pytest

from lse_gym.envs.tools.awm.export import export
from lse_gym.envs.tools.awm.family import AWMFamily
from lse_gym.envs.tools.awm.files import normalised
from lse_gym.envs.tools.procedural.domain import OfficeDomain
from lse_gym.envs.tools.procedural.family import make_world
from lse_gym.envs.tools.procedural.habits import Stuck
from lse_gym.envs.tools.procedural.house import literal
from lse_gym.envs.tools.procedural.plans import Clerk, follow
from tests.tools.awm_attempts import attempt, calls, task
from tests.tools.offices import drawn

pytestmark = pytest.mark.extra("tools")


def script(world, clerk, task):
    """The messages of a clerk: a call each, then the answer; what was done before the clerk was stuck, otherwise."""
    made = []
    office = world.open()

    def call(name, arguments):
        made.append(calls((name, arguments)))
        return office.call(name, arguments)

    try:
        answer, _ = follow(clerk.plan(task), call)
    except (Stuck, IndexError, StopIteration, RuntimeError):
        answer = "no"
    finally:
        office.close()
    return [*made[:9], f"<answer>{answer}</answer>"]


@pytest.mark.parametrize(
    ("names", "tasks"),
    [(["marina-0"], 4), pytest.param(["marina-1", "archive-2", "bikes-3"], 30, marks=pytest.mark.long)],
)
def test_an_office_that_is_loaded_back_judges_alike(tmp_path, names, tasks):
    worlds = {name: make_world(name) for name in names}
    asked = {name: drawn(name, world, tasks) for name, world in worlds.items()}
    offices = {
        name: OfficeDomain(
            name, world, {"feedback": [question for _, question, _ in asked[name]], "held_out": (), "test": ()}, ""
        )
        for name, world in worlds.items()
    }
    export([*offices.values()], tmp_path)
    assert not any("from lse_gym" in path.read_text() for path in tmp_path.iterdir()), (
        "it needs nothing of this package"
    )
    family = AWMFamily(tmp_path)
    scores = []
    for name, office in offices.items():
        loaded = family.load(normalised(name))
        assert family.note(loaded.name) == "28 tools, 7 tables"
        assert [(tool.name, tool.parameters) for tool in loaded.tools] == [(t.name, t.parameters) for t in office.tools]
        world = worlds[name]
        for number, (job, question, _) in enumerate(asked[name]):
            idle = ["<answer>1</answer>"]
            right, usual = (
                script(world, Clerk(world.theme, house), job) for house in (world.house, literal(world.theme))
            )
            for texts in (right, usual, idle):
                here, there = attempt(office, question, *texts), attempt(loaded, task(loaded, number), *texts)
                assert here.outcome.score == there.outcome.score, texts
                scores.append(here.outcome.score)
    assert len(scores) == 3 * tasks * len(names)
    assert 0.33 <= sum(scores) / len(scores) < 0.6, (
        "right, usual and idle attempts, of which one in three is right at least"
    )
