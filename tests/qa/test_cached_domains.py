"""A domain from a file is the one that would be made, whatever happened to the file; sealed questions are in none."""

import pytest

from lse_gym.envs import cache
from lse_gym.envs.domain import SPLITS
from lse_gym.envs.qa.procedural import family as family_module
from lse_gym.envs.qa.procedural.family import ProceduralQAFamily

NAME = "apiary-3"
MADE = ProceduralQAFamily().load(NAME)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "cache_dir", lambda: tmp_path)
    family_module._load.cache_clear()
    yield tmp_path / family_module.FOLDER
    family_module._load.cache_clear()


def loaded():
    family_module._load.cache_clear()
    return ProceduralQAFamily().load(NAME)


def test_it_is_made_once_and_comes_back_as_it_was(folder, monkeypatch):
    loaded()
    (path,) = folder.iterdir()
    monkeypatch.setattr(family_module, "draw_questions", None)  # not needed any more
    again = loaded()
    assert [*folder.iterdir()] == [path]
    assert again.items == MADE.items
    assert again.splits == MADE.splits
    assert again.oracle_context == MADE.oracle_context
    assert again.fingerprint() == MADE.fingerprint()


@pytest.mark.parametrize("damage", [b"", b"x", b"{}\n[]"])
def test_a_damaged_file_is_made_again(folder, damage):
    loaded()
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage or whole[:-9])
    assert loaded().items == MADE.items
    assert path.read_bytes() == whole


def test_a_file_of_other_code_is_not_taken(folder, monkeypatch):
    loaded()
    monkeypatch.setattr(family_module, "_versions", lambda: ("another", "version"))
    loaded()
    assert len([*folder.iterdir()]) == 2


def test_sealed_questions_are_in_no_file(folder):
    sealed = ProceduralQAFamily().sealed(NAME, 7, 20)
    assert {split: len(sealed.splits[split]) for split in SPLITS} == {"feedback": 60, "held_out": 50, "test": 20}
    assert not folder.exists()
