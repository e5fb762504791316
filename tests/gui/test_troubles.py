"""A computer where something is wrong: one sentence and a button that mends it. And two windows that share what they have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import held_worker


@pytest.fixture
def disks(tmp_path):
    """Environment with a disk of 64 kB and one that cannot be written; without the right to mount, without them."""
    made, names = {}, {"FULL_DISK": "size=64k", "READ_ONLY_DISK": "size=64k,ro"}
    for name, options in names.items():
        folder = tmp_path / name.lower()
        folder.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], capture_output=True).returncode == 0:
            made[name] = str(folder)
    yield made
    for folder in made.values():
        subprocess.run(["umount", "--lazy", folder], check=False)


@pytest.fixture
def broken_python(worker_python, tmp_path) -> str:
    """An environment like the worker's, made of links, in which a part of SciPy is missing."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(subprocess.run([worker_python, "-c", code], check=True, capture_output=True, text=True).stdout.strip())
    environment = tmp_path / "broken"
    subprocess.run([worker_python, "-m", "venv", "--without-pip", str(environment)], check=True)
    site = next((environment / "lib").glob("python3*")) / "site-packages"
    for entry in packages.iterdir():
        if entry.name != "scipy":
            (site / entry.name).symlink_to(entry)
    (site / "scipy").mkdir()
    for entry in (packages / "scipy").iterdir():
        if entry.name != "ndimage":
            (site / "scipy" / entry.name).symlink_to(entry)
    return str(environment / "bin" / "python")


def check(troubles: list[dict], names: set[str]) -> None:
    assert {trouble["name"] for trouble in troubles} == names
    for trouble in troubles:
        print(trouble)
        assert trouble["message"].endswith(".") and trouble["hint"], trouble
        assert len(trouble["message"]) < 220 and "Traceback" not in trouble["message"], trouble


def test_a_runtime_that_cannot_be_installed(play, disks):
    troubles = play("troubles.runtime", **disks)[0]["value"]
    names = {"offline", "no_network", "proxy_refuses", "old_python"}
    check(
        troubles,
        names
        | ({"no_room"} if "FULL_DISK" in disks else set())
        | ({"runtime_read_only"} if "READ_ONLY_DISK" in disks else set()),
    )


def test_a_run_that_cannot_end(play, disks, broken_python):
    troubles = play("troubles.running", BROKEN_PYTHON=broken_python, **disks)[0]["value"]
    names = (
        {"damaged_runtime"}
        | ({"disk_full"} if "FULL_DISK" in disks else set())
        | ({"cache_read_only"} if "READ_ONLY_DISK" in disks else set())
    )
    check(troubles, names)
    assert all(trouble["button"] for trouble in troubles)


def test_two_windows_share_runtime_and_cache(start, tmp_path):
    together = tmp_path / "together"
    together.mkdir()
    windows = [start("troubles.one_of_two", TOGETHER=str(together))]
    held_worker.wait_until(lambda: list(together.glob("installed *")) or windows[0].process.poll() is not None, 3600)
    windows.append(start("troubles.one_of_two", TOGETHER=str(together), INSTALLED="1"))
    first, second = (window.result()["value"] for window in windows)
    for value in (first, second):
        assert value["waiting"] == 1  # the import waited for the run
        # The import shows the same photo, so it updates what the run made.
        assert {*value["made"]["objects"]} - {*value["before"]["objects"]} == {"anna Scan", "anna Rig", "anna Camera"}
        assert value["stored"] == 1  # of both runs, and whole: the import reads it too
    assert first["worker"] != second["worker"]
    assert not _alive(first["worker"]) and not _alive(second["worker"])


def test_a_photo_comes_by_drop_and_by_clipboard(play):
    value = play("troubles.drop_and_paste")[0]["value"]
    assert value["dropped"] == value["pasted"] == value["image"] == value["photo"]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return sys.platform == "linux" and "held_worker" in Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
