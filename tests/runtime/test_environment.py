"""The worker's environment, made by the real uv from small wheels that a server on this machine hands out, slowly or not at all.

tools/check_runtime.py does the same once with the real torch.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sapiens2_avatar.core.common.atomic_files import long_path
from sapiens2_avatar.core.common.errors import Cancelled, SapiensError
from sapiens2_avatar.runtime import environment, uv
from sapiens2_avatar.runtime.environment import Source, install, installed_python, outdated, remove, unfinished
from sapiens2_avatar.runtime.wheel_records import damaged_packages
from support.held_worker import wait_until


def says(python: Path, code: str) -> str:
    return subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def processes_of(folder: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if str(folder) in command:
            found.append(command)
    return found


def test_it_is_made_and_removed(small):
    seen: list[tuple[str, float]] = []
    python = small.run(seen=seen)
    assert installed_python(small.home) == python and not outdated(small.home)
    assert says(python, "import torch, library, sys; print(torch.__version__, library.version)") == "1.0+small 1.0"
    shares = [share for _, share in seen]
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert not damaged_packages(small.home / "env", content=True)
    remove(small.home)
    assert installed_python(small.home) is None and [p.name for p in small.home.iterdir()] == ["lock"]


def test_nothing_is_installed_into_the_python_it_is_based_on(small):
    def listing():
        return sorted(Path(sys.prefix).glob("lib/python*/site-packages/*"))

    before = listing()
    python = small.run()
    assert listing() == before
    assert Path(says(python, "import sys; print(sys.prefix)")) == small.home / "env"
    assert says(python, "import importlib.util as u; print(u.find_spec('numpy'))") == "None"


def test_download_tells_how_far_it_is(small):
    small.go.clear()
    seen: list[tuple[str, float]] = []

    def stopped():
        """Asked between two looks at the download, which ends when it has been told of, and fails when it never is."""
        if any(text.startswith("core ") and text.endswith(" GB") for text, _ in seen):
            small.go.set()
        return len(seen) > 3000

    small.run(seen=seen, stopped=stopped)
    assert small.go.is_set() and seen[-1][1] == 1.0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_killed_in_the_middle_it_leaves_no_process_and_goes_on(small, real_uv):
    small.go.clear()
    code = (
        f"from pathlib import Path\nfrom sapiens2_avatar.runtime import environment as r\n"
        f"r.LOCK, r.TORCH, r.DISK_GIGABYTES = Path({str(environment.LOCK)!r}), Path({str(environment.TORCH)!r}), (0, 0)\n"
        f"r.uv_program = lambda folder: Path({str(real_uv)!r})\n"
        f"home, log, source = Path({str(small.home)!r}), Path({str(small.log)!r}), r.Source(backend='pypi')\n"
        f"r.install(home, log, lambda *_: None, lambda: False, source)\n"
    )
    blender = subprocess.Popen([sys.executable, "-c", code])
    wait_until(lambda: small.fetched or blender.poll() is not None, 300)
    assert small.fetched and processes_of(small.home)
    blender.send_signal(signal.SIGKILL)
    blender.wait()
    wait_until(lambda: not processes_of(small.home), 300)
    assert installed_python(small.home) is None and unfinished(small.home)
    small.go.set()
    assert says(small.run(), "import torch; print('ok')") == "ok"
    assert not list((small.home / "cache").glob(".tmp*")), "half a package takes space for ever"


def test_cancelled_it_stops_at_once_and_keeps_what_is_there(small):
    small.go.clear()  # it cannot have waited for the end of the download, which never comes
    with pytest.raises(Cancelled):
        small.run(stopped=lambda: bool(small.fetched))
    assert installed_python(small.home) is None
    small.go.set()
    small.run()
    small.fetched.clear()
    (small.home / "installed.json").unlink()
    small.run()
    assert not small.fetched, "what is in the cache was fetched again"


def test_deleted_file_is_found_and_mended_without_the_network(small):
    python = small.run()
    victim = next((small.home / "env").rglob("weights.bin"))
    victim.unlink()
    assert damaged_packages(small.home / "env") == ["torch"]
    small.server.shutdown()
    small.server.server_close()
    small.run()
    assert victim.is_file() and not damaged_packages(small.home / "env", content=True) and python.is_file()


def test_file_with_other_content_is_found_and_fetched_again(small):
    """Its size is the same, and the copy in the cache is the same file."""
    small.run()
    victim = next((small.home / "env").rglob("weights.bin"))
    with victim.open("r+b") as file:
        file.write(b"broken")
    assert damaged_packages(small.home / "env") == [] and damaged_packages(small.home / "env", content=True) == ["torch"]
    small.fetched.clear()
    small.run()
    assert not damaged_packages(small.home / "env", content=True)
    assert set(small.fetched) == {"torch-1.0-py3-none-any.whl"}


def test_nothing_is_made_anew_where_nothing_is_damaged(small):
    python = small.run()
    mine = next((small.home / "env").rglob("library.py")).with_name("mine.py")
    mine.touch()
    seen: list[tuple[str, float]] = []
    assert small.run(seen=seen) == python == installed_python(small.home)
    assert mine.exists() and {text for text, _ in seen} == {"Checking files", "Testing", "Done"}


def test_a_check_that_is_cancelled_leaves_it_installed(small):
    small.run()
    with pytest.raises(Cancelled):
        small.run(stopped=lambda: True)
    assert installed_python(small.home)


def test_missing_record_is_damage(small):
    small.run()
    next((small.home / "env").rglob("torch-1.0.dist-info/RECORD")).unlink()
    assert damaged_packages(small.home / "env") == ["torch"]
    small.run()
    assert not damaged_packages(small.home / "env")


def test_new_lock_brings_a_clean_environment(small):
    python = small.run()
    leftover = next((small.home / "env").rglob("library.py")).with_name("leftover.py")
    leftover.touch()
    small.lock("2.0")
    assert installed_python(small.home) is None and outdated(small.home)
    small.fetched.clear()
    small.run()
    assert says(python, "import library; print(library.version)") == "2.0" and not leftover.exists()
    assert small.fetched == ["library-2.0-py3-none-any.whl"], "torch was in the cache"


def test_made_anew_when_its_python_is_gone(small):
    python = small.run()
    python.unlink()
    assert installed_python(small.home) is None
    python.symlink_to(small.home / "gone")
    small.run()
    assert says(python, "import torch; print('ok')") == "ok"


def test_folder_of_wheels_needs_no_network(small):
    small.server.shutdown()
    small.server.server_close()
    assert says(small.run(source=Source(wheels=small.folder)), "import torch; print('ok')") == "ok"


def test_folder_of_wheels_without_one_names_it(small):
    next(small.folder.glob("library-*")).unlink()
    with pytest.raises(SapiensError, match="no file of library that fits this computer") as caught:
        small.run(source=Source(wheels=small.folder))
    assert "folder with the files" in caught.value.hint


def test_import_that_fails_is_said(small, monkeypatch):
    monkeypatch.setattr(environment, "MODULES", ("torch", "no_such_thing"))
    with pytest.raises(SapiensError, match=r"Testing failed: ModuleNotFoundError: No module named 'no_such_thing'\."):
        small.run()
    assert installed_python(small.home) is None


def test_two_at_once_is_refused(small):
    small.go.clear()
    tried = []

    def second():
        """Asked while the first one waits for its download."""
        if small.fetched and not tried:
            tried.append(1)
            with pytest.raises(SapiensError, match="Another Blender"):
                install(small.home, small.log, lambda *_: None, lambda: False)
            with pytest.raises(SapiensError, match="Another Blender"):
                remove(small.home)
            small.go.set()
        return False

    small.run(stopped=second)
    assert tried and installed_python(small.home)


def test_graphics_card_is_found_by_uv_unless_somebody_says_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
    assert Source().torch_arguments == ("--torch-backend=auto",)
    assert Source(backend="cpu").torch_arguments == ("--torch-backend=cpu",)
    assert Source(backend="pypi").torch_arguments == ()
    assert Source(wheels=tmp_path).torch_arguments[:2] == ("--offline", "--no-index")
    monkeypatch.setenv("UV_TORCH_BACKEND", "cu128")
    assert Source().torch_arguments == ()


def test_amount_of_a_download():
    said = "Downloading torch (1024.0MiB)\nDownloading numpy (15.0MiB)\n Downloaded numpy\n"
    text, share = uv.downloaded(said)
    assert text == " 0.0 of 1.1 GB" and share == pytest.approx(15 / 1039)
    text, share = uv.downloaded(f"{said} Downloaded torch\n")
    assert text == " 1.1 of 1.1 GB" and 0.98 < share < 1
    assert uv.downloaded("Resolved 3 packages\n") == ("", 0.0)


def test_last_words_are_short():
    assert len(uv.last_words("a\n\nerror: " + "x" * 900 + "\n\n")) <= 160
    assert uv.last_words("") == "it said nothing"


def test_long_paths_are_marked_for_windows():
    path = Path("relative") / ".." / "file"
    assert long_path(path, windows=False) == path
    marked = str(long_path(path, windows=True))
    assert marked.startswith("\\\\?\\") and ".." not in marked and marked.endswith("file")
