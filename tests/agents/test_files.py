"""Files are whole or absent, and one process at a time holds what it writes to."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lse_gym.agents.files import held, held_file, write_text
from lse_gym.envs.errors import RunDirectoryError


def test_threads_that_write_a_file_do_not_disturb_each_other(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: write_text(tmp_path / "file", text), [letter * 100_000 for letter in "abcd" * 50]))
    assert len({*(tmp_path / "file").read_text()}) == 1
    assert len([*tmp_path.iterdir()]) == 1


def test_a_text_is_written_into_no_folder_that_is_gone(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "gone" / "file", "text")
    assert not (tmp_path / "gone").exists()


def test_what_is_held_is_held_once(tmp_path):
    with held(tmp_path), pytest.raises(RunDirectoryError, match="another process is writing to"), held(tmp_path):
        pass
    with held(tmp_path), held_file(tmp_path / "another", KeyError()):
        pass
