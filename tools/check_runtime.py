"""Make the worker's environment for real, out of a zip of the extension, and treat it as life does: time, size, use.

    python tools/check_runtime.py dist/sapiens2_avatar-….zip FOLDER [--backend auto|cpu|pypi]

Downloads 0.4 to 3 GB into FOLDER, which it empties at the end, and needs 6 GB there. Prints one line per step. The installation
is killed once in the middle and cancelled once; a file of torch is deleted and another one changed; the sample photo goes through
the worker. The test suite does the same with small packages (tests/core/test_runtime.py).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import zipfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

NAME = "sapiens2_avatar"


def load(folder: Path) -> None:
    """The package as it is in the zip, under its own name."""
    spec = spec_from_file_location(NAME, folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)


def size(folder: Path) -> float:
    """Gigabytes that a folder takes on the disk; a file with several names counts once."""
    files = {(status.st_dev, status.st_ino): status for path in folder.rglob("*") for status in [path.lstat()]}
    return sum(getattr(status, "st_blocks", 0) * 512 or status.st_size for status in files.values()) / 1e9


class Clock:
    def __init__(self) -> None:
        self.start = time.monotonic()

    def say(self, text: str) -> None:
        now = time.monotonic()
        print(f"{text:<58} {now - self.start:7.1f} s", flush=True)
        self.start = time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zip", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backend", default="auto", choices=("auto", "cpu", "pypi"))
    parser.add_argument("--only-install", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    extension, home, log = (options.folder / name for name in ("extension", "runtime", "install.log"))
    if not options.only_install:
        with zipfile.ZipFile(options.zip) as archive:
            archive.extractall(extension)
    load(extension)
    from sapiens2_avatar.core.common.errors import Cancelled
    from sapiens2_avatar.runtime import environment
    from sapiens2_avatar.runtime.wheel_records import damaged_packages
    from sapiens2_avatar.worker.client import WorkerJob, WorkerProcess
    from sapiens2_avatar.worker.job import State
    from sapiens2_avatar.worker.requests import PredictRequest

    source = environment.Source(backend=options.backend)

    def install(until: float = 2.0) -> Path:
        """Cancelled when this share is done."""
        done = [0.0]
        return environment.install(home, log, lambda _, share: done.__setitem__(0, share), lambda: done[0] >= until, source)

    if options.only_install:
        install()
        return
    clock = Clock()
    child = subprocess.Popen(
        [sys.executable, __file__, options.zip, options.folder, "--backend", options.backend, "--only-install"]
    )
    while size(home) < 0.3 and child.poll() is None:
        time.sleep(0.5)
    child.kill()
    child.wait()
    assert environment.installed_python(home) is None and environment.unfinished(home)
    clock.say("killed with 0.3 GB on the disk")
    try:
        install(until=0.3)
    except Cancelled:
        clock.say("went on, cancelled at 30 %")
    python = install()
    clock.say(f"went on to the end: torch {environment.installed_torch(home)}, {size(home):.2f} GB on the disk")

    worker = WorkerProcess([str(python), "-I", "-u", str(extension / "worker" / "start.py"), "60"], options.folder / "worker.log")
    request = PredictRequest(photo=extension / "data" / "sample_photo.jpg", output=options.folder / "sample.safetensors")
    for turn in ("first", "second"):
        job = worker.wait(worker.submit(WorkerJob("Sample", request)))
        assert job.state is State.DONE, (job.error, job.detail)
        clock.say(f"the sample photo through the preview model, {turn} time")
    worker.shut_down()

    library = next(path for path in (home / "env").rglob("_tensor.py") if path.parent.name == "torch")
    library.unlink()
    job = worker.wait(worker.submit(WorkerJob("Sample", request)))
    assert job.state is State.FAILED and job.error is not None and job.error.remedy == "runtime", job.error
    worker.shut_down()
    clock.say(f"without {library.name}: {job.error.message[:40]}…")
    assert damaged_packages(home / "env") == ["torch"]
    install()
    clock.say("mended")
    with library.open("r+b") as file:
        file.write(b"#")
    install()
    assert not damaged_packages(home / "env", content=True)
    clock.say("a changed file found and fetched again")
    environment.remove(home)
    clock.say(f"removed, {size(home):.2f} GB left")


if __name__ == "__main__":
    main()
