"""Agent World Model's files: which lines are whose, what is wrong with them, and how little memory that takes."""

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import gymnasium as gym
import pytest

from lse_gym.envs.errors import DataError, MissingArgumentError
from lse_gym.envs.faults import Faults
from lse_gym.envs.tools.awm import files
from lse_gym.envs.tools.awm.family import AWMFamily
from lse_gym.envs.tools.awm.files import FILES, Index, normalised
from lse_gym.envs.tools.awm.interface import read_endpoint
from lse_gym.envs.tools.awm.scenario import JUDGED, MALFORMED, NO_VERIFIER, REPEATED, read_scenario
from tests.tools.awm_fixture import GARDEN, LIBRARY, WORLDS, WRECK, write_awm

DOWNLOAD = "hf download Snowflake/AgentWorldModel-1K --repo-type dataset"


def lines(folder, kind):
    return (folder / FILES[kind][0]).read_text().splitlines()


def test_every_scenario_is_found_whatever_its_spelling_and_place(tmp_path):
    index = Index(write_awm(tmp_path))
    assert index.whole() == [GARDEN, LIBRARY, WRECK]
    assert not index.faults
    for name in index.whole():
        for kind in FILES:
            assert all(normalised(row[FILES[kind][1]]) == name for row in index.rows(name, kind))
    assert len(index.rows(LIBRARY, "pure_code")) == 8
    orders = [
        [normalised(json.loads(line)[FILES[kind][1]]) for line in lines(tmp_path, kind)] for kind in ("tasks", "db")
    ]
    assert orders[0] != orders[1], "the fixture has its rows in different orders"


@pytest.mark.parametrize(
    ("given", "name"),
    [("SurveyMonkey Apply", "surveymonkey_apply"), (" A--b__C ", "a_b_c"), ("Drive (Délivery)", "drive_d_livery")],
)
def test_names_are_normalised(given, name):
    assert normalised(given) == name


def test_without_data_it_says_what_to_download(tmp_path):
    for folder, error in ((None, MissingArgumentError), ("", MissingArgumentError), (tmp_path / "none", DataError)):
        with pytest.raises(error, match=DOWNLOAD):
            gym.make("LSE/AWM-v0", data_dir=folder)
    write_awm(tmp_path)
    for kind in ("envs", "tasks"):
        (tmp_path / FILES[kind][0]).unlink()
    with pytest.raises(DataError, match=r"lacks gen_tasks.jsonl, gen_envs.jsonl") as caught:
        Index(tmp_path)
    assert DOWNLOAD in str(caught.value)
    assert "CC BY 4.0" in str(caught.value)


def test_one_verifier_file_is_enough(tmp_path):
    for kind in ("pure_code", "verifier"):
        write_awm(tmp_path)
        (tmp_path / FILES[kind][0]).unlink()
        found = Index(tmp_path)
        assert GARDEN in found.whole() or FILES["pure_code"][0] in found.partial()[GARDEN]
    (tmp_path / FILES["pure_code"][0]).unlink()
    with pytest.raises(DataError, match=r"lacks gen_verifier.pure_code.jsonl"):
        Index(tmp_path)


def test_lines_that_cannot_be_used_are_told_and_the_rest_goes_on(tmp_path, monkeypatch):
    write_awm(tmp_path)
    monkeypatch.setattr(files, "MAX_LINE_BYTES", 100_000)
    with (tmp_path / FILES["spec"][0]).open("a") as file:
        file.write('\n{"scenario": "cut\n[1]\n{"api_spec": {}}\n{"scenario": 7}\n{"scenario": "Garden"}\n')
        file.write(f'{{"scenario": "{"x" * 250_000}"}}\n{{"api_spec": {{}}, "scenario": "late_name"}}')
    index = Index(tmp_path)
    assert [fault.partition(" line ")[2][:60] for fault in index.faults] == [
        "5 is no JSON (Invalid control character at: line 1 column 18",
        "6 is a list, expected an object",
        "7 lacks 'scenario'",
        "8 has scenario='7', expected a name",
        "9 repeats 'Garden'; the first one counts",
        "10 is longer than 0 MiB",
    ]
    assert index.partial()["late_name"] == [
        name for kind, (name, _) in FILES.items() if kind in ("tasks", "db", "envs")
    ] + [FILES["pure_code"][0]]
    assert index.whole() == [GARDEN, LIBRARY, WRECK]


def test_files_without_a_whole_scenario_are_refused(tmp_path):
    write_awm(tmp_path)
    (tmp_path / FILES["db"][0]).write_text("\x1b[31mred\n")
    with pytest.raises(DataError, match=r"has no whole scenario. gen_db.jsonl line 1 is no JSON") as caught:
        AWMFamily(tmp_path)
    assert "garden is not in gen_db.jsonl" in str(caught.value)


def test_a_row_that_is_cut_later_than_its_name_is_told_when_it_is_read(tmp_path):
    write_awm(tmp_path)
    path = tmp_path / FILES["db"][0]
    path.write_text(path.read_text().replace('"ddl"', "ddl"))
    with pytest.raises(DataError, match=r"'garden': its row of gen_db.jsonl is no JSON"):
        read_scenario(Index(tmp_path), GARDEN, Faults(""))


@pytest.mark.parametrize("kind", ["tasks", "spec", "envs", "pure_code"])
def test_half_a_character_is_refused_before_it_stands_in_a_prompt(tmp_path, kind):
    path = write_awm(tmp_path) / FILES[kind][0]
    text = path.read_text()
    for told, halves in (("\\ud83d\\ude00", False), ("\\ud83d", True)):
        path.write_text(text.replace("}\n", f', "more": "{told}"}}\n'))
        with pytest.raises(DataError, match="holds half of a character") if halves else nullcontext():
            read_scenario(Index(tmp_path), GARDEN, Faults(""))


def test_faults_of_a_scenario_are_told(tmp_path):
    faults = Faults(LIBRARY)
    scenario = read_scenario(Index(write_awm(tmp_path)), LIBRARY, faults)
    assert scenario.title == "Library (Loans & Fines)"
    assert [task.number for task in scenario.tasks] == [0, 1, 2, 3, 4, 5, 8, 9]
    assert faults.found == {JUDGED: ["6"], NO_VERIFIER: ["7"]}


def test_what_is_malformed_is_left_out_and_told(tmp_path):
    world = {
        **WORLDS["garden"],
        "tasks": [*WORLDS["garden"]["tasks"], ("ADD a bed of beet with 0 plants!", "def verify_task_completion(a): 0")],
    }
    world["description"] = 7
    world["tables"] = [
        *world["tables"],
        "DROP",
        {"name": "t", "ddl": 7, "indexes": ["CREATE INDEX i ON beds(name)", None]},
    ]
    world["endpoints"] = [
        *world["endpoints"],
        3,
        {"operation_id": "a b"},
        {"operation_id": "x", "request_params": [1]},
        world["endpoints"][0],
    ]
    faults = Faults("")
    scenario = read_scenario(Index(write_awm(tmp_path, {"garden": world})), GARDEN, faults)
    assert len(faults.found[MALFORMED]) == 7
    assert faults.found[REPEATED] == ["10"]
    assert scenario.tables[-1] == ["CREATE INDEX i ON beds(name)"]
    assert [endpoint.name for endpoint in scenario.endpoints] == ["list_beds", "draw_seeds", "add_bed"]


def test_parameters_become_a_schema():
    params = {
        "id": {"type": "integer", "param_type": "path", "required": True, "description": "Which one", "example": 7},
        "tags": {"type": "array", "param_type": "body", "required": False, "description": "", "example": []},
        "odd": {"type": "blob", "param_type": "query", "required": "yes", "example": "a"},
    }
    endpoint = read_endpoint(
        {"operation_id": "get_it", "summary": "Get it.", "description": "All of it", "request_params": params}
    )
    assert endpoint.description == "Get it. All of it."
    assert endpoint.parameters == {
        "type": "object",
        "properties": {
            "id": {"type": "integer", "description": "Which one. Example: 7"},
            "tags": {"type": "array"},
            "odd": {"description": 'Example: "a"'},
        },
        "required": ["id"],
    }


LOAD = """
import sys
from contextlib import nullcontext
from lse_gym.envs.faults import Faults
from lse_gym.envs.tools.awm.files import Index
from lse_gym.envs.tools.awm.scenario import read_scenario
from tests.memory import peak_bytes
before = peak_bytes()
index = Index(sys.argv[1])
names = index.whole()
read_scenario(index, names[len(names) // 2], Faults(""))
print(len(names), before, peak_bytes())
"""


def write_large(folder: Path, megabytes: int) -> int:
    """Files in the proportions of the real ones; how many scenarios are in them."""
    world = json.loads(json.dumps(WORLDS["garden"]))
    world["code"] += "# " + "x" * 100_000 + "\n"
    world["tasks"] = [(text, code + "# " + "y" * 28_000 + "\n") for text, code in world["tasks"]]
    world["endpoints"][0]["response"] = {"padding": "z" * 68_000}
    count = megabytes * 1_000_000 // 460_000
    folder.mkdir()
    for number in range(count):
        part = write_awm(folder.parent / "part", {f"garden {number}": world})
        for path in part.iterdir():
            with (folder / path.name).open("a") as file:
                file.write(path.read_text())
    return count


def loaded(folder: Path) -> tuple[int, int]:
    """Scenarios found in a process of its own, and its highest memory in bytes."""
    done = subprocess.run([sys.executable, "-c", LOAD, folder], capture_output=True, text=True, check=True)
    count, _, peak = map(int, done.stdout.split())
    return count, peak


@pytest.mark.parametrize("megabytes", [20, pytest.param(500, marks=pytest.mark.long)])
def test_memory_stays_small(tmp_path, megabytes):
    count = write_large(tmp_path / "large", megabytes)
    size = sum(path.stat().st_size for path in (tmp_path / "large").iterdir())
    assert size > megabytes * 900_000
    found, peak = loaded(tmp_path / "large")
    assert found == count
    assert peak < 200e6, f"{peak / 1e6:.0f} MB"
