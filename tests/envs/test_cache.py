"""Files of the cache folder are a convenience: whatever happened to them, what is loaded is what would be made."""

import pytest

from lse_gym.envs import cache
from lse_gym.envs.cache import cached, source_digest, write_whole
from lse_gym.envs.sql.procedural import family as family_module
from lse_gym.envs.sql.procedural.family import ProceduralFamily

VALUE = {"text": "naïve \U0001f980", "numbers": [1, 2.5, None]}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    def forget():
        for memory in (cache.cache_dir, family_module._load):
            memory.cache_clear()

    monkeypatch.setenv("LSE_GYM_CACHE", str(tmp_path))
    forget()
    yield tmp_path / "kind"
    forget()


class Maker:
    """Makes the value, and counts how often."""

    calls = 0

    def __call__(self):
        self.calls += 1
        return VALUE


def flip(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))


def swap(path):
    cached("kind", "other", ("another", "key"), lambda: {"text": "of another key"})
    (other,) = (found for found in path.parent.iterdir() if found != path)
    other.replace(path)


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


DAMAGES = {
    "flipped": flip,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-5]),
    "emptied": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(bytes(range(256))),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b" "),
    "without its digest": lambda path: path.write_bytes(path.read_bytes().partition(b"\n")[2]),
    "of another key": swap,
    "deleted": lambda path: path.unlink(),
    "a folder": replace_by_folder,
}


def test_a_value_is_made_once(folder):
    make = Maker()
    assert [cached("kind", "name", (1, "a"), make) for _ in range(3)] == [VALUE] * 3
    assert make.calls == 1
    assert [path.suffix for path in folder.iterdir()] == [".json"]
    cached("kind", "name", (1, "b"), make)
    cached("kind", "name", ("1", "a"), make)
    assert make.calls == 3


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_made_again(folder, damage):
    make = Maker()
    cached("kind", "name", (1,), make)
    (path,) = folder.iterdir()
    damage(path)
    assert cached("kind", "name", (1,), make) == VALUE
    assert make.calls == 2
    cached("kind", "name", (1,), make)
    assert make.calls == (3 if damage is replace_by_folder else 2)


def test_a_value_that_its_owner_refuses_is_made_again():
    make = Maker()
    for whole in (lambda _: True, lambda _: False, lambda _: open("no such file").close()):
        assert cached("kind", "name", (1,), make, whole) == VALUE
    assert make.calls == 3


def test_a_folder_that_cannot_be_written_is_done_without(folder):
    folder.write_text("a file where the folder would be")
    make = Maker()
    assert [cached("kind", "name", (1,), make) for _ in range(2)] == [VALUE] * 2
    assert make.calls == 2


def test_a_file_is_written_at_one_stroke(folder):
    write_whole(folder / "file", b"old")
    with pytest.raises(TypeError):
        write_whole(folder / "file", "not bytes")  # type: ignore[arg-type]
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("file", b"old")]


def test_a_file_has_the_permissions_of_any_other(folder):
    write_whole(folder / "file", b"new")
    (folder / "other").write_bytes(b"new")
    assert (folder / "file").stat().st_mode == (folder / "other").stat().st_mode


def test_other_code_is_another_key(tmp_path):
    (tmp_path / "a.py").write_text("x = 1")
    first = source_digest(tmp_path)
    assert source_digest(tmp_path / "a.py") == first
    (tmp_path / "a.py").write_text("x = 2")
    assert source_digest(tmp_path) != first


@pytest.mark.parametrize("suffix", [".sqlite", ".json"])
@pytest.mark.parametrize("damage", [DAMAGES["flipped"], DAMAGES["cut"], DAMAGES["deleted"]])
def test_a_damaged_domain_is_made_again(tmp_path, suffix, damage):
    def load():
        family_module._load.cache_clear()
        return ProceduralFamily().load("studio-5")

    first = load().fingerprint()
    (path,) = (tmp_path / "text-to-sql").glob(f"*{suffix}")
    damage(path)
    again = load()
    assert again.fingerprint() == first
    assert again.verify() == []
    assert len([*(tmp_path / "text-to-sql").iterdir()]) == 2
