"""What is rehearsed before boxes are forked: scripts of analysts find all that they use set up."""

import json

import pytest

from lse_gym.envs.datascience.executor import RUN, sandbox
from lse_gym.envs.datascience.procedural.family import SETTINGS, ProceduralDataScienceFamily

pytestmark = pytest.mark.extra("ds")
LOADED = "import sys, json\nbefore = {*sys.modules}\n"
TOLD = "\nprint('new', json.dumps(sorted({*sys.modules} - before)))"


def test_a_script_loads_no_module_that_is_not_there_before():
    """Of each shape of question one; the first use of a library would be paid for in every box."""
    domain = ProceduralDataScienceFamily().load("ferry-1")
    shapes = {}
    for split in ("feedback", "held_out"):
        for question in domain.splits[split]:
            shapes.setdefault(question.id.rpartition("/")[2] + str("sqlite" in question.gold), question)
    assert len(shapes) > 4
    for question in shapes.values():
        box = sandbox(SETTINGS).open(domain.files(question))
        try:
            result = box.call(RUN, {"code": LOADED + question.gold + TOLD}).result()
        finally:
            box.close()
        assert result.value["error"] == ""
        assert json.loads(result.printed.rpartition("new ")[2]) == []
