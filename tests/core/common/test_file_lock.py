"""One holder at a time, in this process and in others, and none once the holder is gone."""

import subprocess
import sys

import pytest

from sapiens2_avatar.core.common.file_lock import Held, file_lock

HOLD = """
import sys
from pathlib import Path
from sapiens2_avatar.core.common.file_lock import file_lock
with file_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_it_is_held_once_and_given_back(tmp_path):
    path = tmp_path / "lock"
    with file_lock(path):
        with pytest.raises(Held), file_lock(path):
            pytest.fail("two hold it")
        with file_lock(tmp_path / "other"):
            assert path.exists()
    with pytest.raises(KeyError), file_lock(path):
        raise KeyError
    with file_lock(path):
        assert path.read_bytes() == b""


def test_it_goes_with_the_process_that_held_it(tmp_path):
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline().strip() == b"held"
        with pytest.raises(Held), file_lock(path):
            pytest.fail("two hold it")
        other.kill()
        other.wait()
        with file_lock(path):
            assert path.exists()


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError), file_lock(tmp_path / "none" / "lock"):
        pytest.fail("nothing to hold")
