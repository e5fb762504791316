"""Runtime, weights, preferences and what is kept: the operators without a window, with a real uv and a real worker."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import bpy
import pytest

from support.held_worker import wait_until

ID = "sapiens2_avatar"


@pytest.fixture
def prefs(extension, part):
    """The preferences, as new; also where the extension runs from the checkout."""
    name = extension.__name__
    addons = bpy.context.preferences.addons
    added = name not in addons
    if added:
        addons.new().module = name
    values = addons[name].preferences
    yield values
    for prop in values.bl_rna.properties:
        if not prop.is_readonly and prop.identifier != "bl_idname":
            values.property_unset(prop.identifier)
    if added:
        addons.remove(addons[name])
    part("jobs").stop()


@pytest.fixture
def online(monkeypatch):
    system = bpy.context.preferences.system
    before = system.use_online_access
    system.use_online_access = True
    yield system
    system.use_online_access = before


@pytest.fixture
def home(monkeypatch, tmp_path) -> Path:
    """A person who has not accepted anything yet."""
    folder = tmp_path / "person"
    monkeypatch.setenv("SAPIENS2_HOME", str(folder))
    return folder


@pytest.fixture
def shelf(part, monkeypatch, tmp_path, real_uv, make_wheel) -> Path:
    """A folder of wheels with a "torch" and a library, which is all that the runtime then needs."""
    runtime = part("runtime.environment")
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    code = (
        b"__version__ = '1.0+small'\nclass zeros:\n def __init__(s, n): pass\n def sum(s): return s\n def item(s): return 0.0\n"
    )
    make_wheel(shelf, "torch", "1.0", {"torch/__init__.py": code})
    library = make_wheel(shelf, "library", "1.0", {"library.py": b""})
    digest = hashlib.sha256(library.read_bytes()).hexdigest()
    (tmp_path / "requirements.lock").write_text(f"library==1.0 --hash=sha256:{digest}\n")
    (tmp_path / "torch.txt").write_text("torch==1.0\n")
    monkeypatch.setattr(runtime, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(runtime, "TORCH", tmp_path / "torch.txt")
    monkeypatch.setattr(runtime, "DISK_GIGABYTES", (0.0, 0.0))
    devices = tmp_path / "devices.py"
    devices.write_text("def available_devices(): return [('cuda:0', 'Small Card', 8 << 30), ('cpu', '', 0)]\n")
    monkeypatch.setattr(runtime, "DEVICES", devices)
    monkeypatch.setattr(runtime, "MODULES", ("torch", "library"))
    monkeypatch.setattr(runtime, "uv_program", lambda folder: real_uv)
    monkeypatch.delenv("SAPIENS2_PYTHON", raising=False)
    return shelf


def test_runtime_is_installed_mended_and_removed(prefs, part, shelf, tmp_path):
    jobs = part("jobs")
    chosen = tmp_path / "my disk ü"
    (chosen / "env").mkdir(parents=True)
    (chosen / "env" / "mine.txt").touch()
    prefs.runtime_folder = str(chosen)
    assert jobs.status.python is None
    assert bpy.ops.sapiens2.runtime_install(wheels=str(shelf)) == {"FINISHED"}
    python = jobs.status.python
    assert python is not None and chosen in python.parents and jobs.current() is None and jobs.status.error is None
    assert jobs.memory_for("auto") == jobs.memory_for("cuda") == ("Small Card", 8 << 30)
    assert jobs.memory_for("cpu") == jobs.memory_for("mps") == ("", jobs.status.memory)
    victim = next(python.parent.parent.rglob("torch/__init__.py"))
    victim.unlink()
    assert bpy.ops.sapiens2.runtime_install(wheels=str(shelf)) == {"FINISHED"} and victim.is_file()
    assert bpy.ops.sapiens2.runtime_remove() == {"FINISHED"}
    assert jobs.status.python is None and not python.exists()
    assert jobs.memory_for("auto") == ("", jobs.status.memory)
    assert (chosen / "env" / "mine.txt").exists(), "what was in the chosen folder is not ours"


def test_a_failed_installation_is_one_sentence_with_its_button(prefs, part, shelf, online, tmp_path):
    jobs = part("jobs")
    prefs.runtime_folder = str(tmp_path / "runtime")
    next(shelf.glob("library-*")).unlink()
    with pytest.raises(RuntimeError, match="There is no file of library that fits this computer"):
        bpy.ops.sapiens2.runtime_install(wheels=str(shelf))
    assert jobs.status.error.remedy == "runtime" and jobs.status.python is None and jobs.status.unfinished
    with pytest.raises(RuntimeError, match="There is no folder"):
        bpy.ops.sapiens2.runtime_install(wheels=str(tmp_path / "nowhere"))


def test_nothing_is_downloaded_without_leave(prefs, part, shelf, online, monkeypatch, home, tmp_path):
    """Blender's own switch first, then that of the extension; each with the button that mends it."""
    jobs = part("jobs")
    prefs.runtime_folder = str(tmp_path / "runtime")
    bpy.context.scene.sapiens2.network.model = "0.4b"
    for switch, remedy, sentence in (
        (online, "network", "set to work offline"),
        (prefs, "preferences", "Downloads are switched off"),
    ):
        setattr(switch, "use_online_access" if switch is online else "allow_network", False)
        for operator in (bpy.ops.sapiens2.runtime_install, bpy.ops.sapiens2.model_download):
            with pytest.raises(RuntimeError, match=sentence):
                operator()
            assert jobs.status.error.remedy == remedy
        setattr(switch, "use_online_access" if switch is online else "allow_network", True)
    assert not (tmp_path / "runtime").exists()
    with pytest.raises(RuntimeError, match="is not installed yet"):
        bpy.ops.sapiens2.model_download()
    bpy.context.scene.sapiens2.network.model = "preview"
    assert not bpy.ops.sapiens2.model_download.poll()


def test_a_chosen_python_that_cannot_be_used_is_said_at_once(prefs, part, worker, monkeypatch, tmp_path):
    jobs = part("jobs")
    monkeypatch.delenv("SAPIENS2_PYTHON")
    prefs.python_path = str(tmp_path / "gone")
    assert jobs.status.python is None and "does not exist" in jobs.status.python_problem.message
    with pytest.raises(RuntimeError, match="gone, does not exist"):
        bpy.ops.sapiens2.import_predictions(filepath=str(tmp_path / "x.safetensors"))
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\necho '[[3, 8], []]'\n")
    old.chmod(0o755)
    prefs.python_path = str(old)
    assert jobs.status.error.message == "The chosen Python is 3.8, it has to be 3.11 or newer."
    assert jobs.status.error.remedy == "preferences"
    path = tmp_path / "x.safetensors"
    path.touch()
    with pytest.raises(RuntimeError, match=r"The chosen Python is 3\.8"):
        bpy.ops.sapiens2.import_predictions(filepath=str(path))
    prefs.python_path = ""
    assert jobs.status.error is None


def test_the_worker_leaves_after_the_time_of_the_preferences(prefs, worker, worker_python):
    prefs.idle_minutes = 0.1
    assert worker.worker().command[-1] == "6"
    prefs.idle_minutes = 2.5
    assert worker.worker().command[-1] == "150"


def test_the_device_of_the_preferences_counts_unless_the_file_says_otherwise(prefs, part):
    settings, options = bpy.context.scene.sapiens2, part("operators.build").network_options
    assert options(bpy.context).device == "auto"
    prefs.device = "cpu"
    assert options(bpy.context).device == "cpu"
    settings.network.device = "cuda"
    assert options(bpy.context).device == "cuda"


def sparse_checkpoint(path: Path) -> Path:
    """A file of the size and the names of the smallest released backbone; its zeros take no space."""
    parameters, width = 113_993_472, 768
    shapes = {"cls_token": [1, 1, width], "ln1.weight": [width], "rest": [parameters - 2 * width]}
    header, start = {}, 0
    for name, shape in shapes.items():
        length = 4
        for n in shape:
            length *= n
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, start + length]}
        start += length
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + start)
    return path


def test_weights_are_imported_once_the_licence_is_accepted(prefs, worker, part, home, tmp_path):
    """Into the folder of the preferences, which the worker has to know of; later imports do not ask again."""
    folder, models = tmp_path / "from a disk", tmp_path / "models ü"
    folder.mkdir()
    sparse_checkpoint(folder / "anything.safetensors")
    prefs.models_folder = str(models)
    with pytest.raises(RuntimeError, match="license of the weights has not been accepted"):
        bpy.ops.sapiens2.model_import(filepath=str(folder), link=True)
    assert not models.exists() and not home.exists()
    assert bpy.ops.sapiens2.model_import(filepath=str(folder), link=True, accept=True) == {"FINISHED"}
    made = models / "sapiens2_0.1b_pretrain.safetensors"
    assert made.resolve() == (folder / "anything.safetensors").resolve()
    record = part("weights.store").read_provenance(made)
    assert record.sha256 == part("weights.store").hash_file(made)
    made.unlink()
    assert bpy.ops.sapiens2.model_import(filepath=str(folder / "anything.safetensors"), link=True) == {"FINISHED"}
    assert made.exists()
    prefs.models_folder = ""
    assert "SAPIENS2_MODELS" not in os.environ or Path(os.environ["SAPIENS2_MODELS"]) != models


def test_nothing_of_the_preferences_stays_with_blender_when_the_extension_goes(prefs, part, monkeypatch, tmp_path):
    """Else whoever enables it again would take the folder for one that was set before Blender started."""
    jobs, before = part("jobs"), os.environ.get("SAPIENS2_MODELS")
    prefs.models_folder = str(tmp_path / "models")
    monkeypatch.setattr(jobs.status, "write_now", True)
    assert os.environ["SAPIENS2_MODELS"] == str(tmp_path / "models")
    jobs.stop()
    assert os.environ.get("SAPIENS2_MODELS") == before and not jobs.status.write_now
    jobs.refresh()
    assert os.environ["SAPIENS2_MODELS"] == str(tmp_path / "models"), "it comes back with the extension"


def test_a_folder_without_weights_is_one_sentence(prefs, worker, home, tmp_path):
    prefs.models_folder = str(tmp_path / "models")
    with pytest.raises(RuntimeError, match="No Sapiens2 weights were found"):
        bpy.ops.sapiens2.model_import(filepath=str(tmp_path), accept=True)


PIECES = 16
"""Megabytes that one answer of the Hub brings at once."""


class Hub(BaseHTTPRequestHandler):
    """Says that every file has a gigabyte of zeros, hands out some, and then next to nothing. `ranges`: what was asked for."""

    ranges: list[str] = []
    protocol_version = "HTTP/1.1"
    size = 1 << 30
    over = threading.Event()

    def log_message(self, *_):
        pass

    def head(self, status: int, length: int) -> None:
        self.send_response(status)
        for name, value in (
            ("X-Repo-Commit", "c0ffee" + "0" * 34),
            ("ETag", '"' + "0" * 64 + '"'),
            ("Content-Length", str(length)),
        ):
            self.send_header(name, value)
        if status == 206:
            start = self.size - length
            self.send_header("Content-Range", f"bytes {start}-{self.size - 1}/{self.size}")
        self.end_headers()

    def do_HEAD(self):
        self.head(200, self.size)

    def do_GET(self):
        if "/resolve/" not in self.path:  # the library asks for more than the file, and would read such an answer to its end
            self.send_error(404)
            return
        asked = self.headers.get("Range", "")
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-") or 0)
        self.head(206 if asked else 200, self.size - start)
        try:
            for _ in range(PIECES):
                self.wfile.write(bytes(1 << 20))
            while not self.over.is_set():  # enough to be told of; from here on a few bytes, so that it never ends by itself
                self.wfile.write(bytes(64))
                self.over.wait(0.02)
        except OSError:
            return


@pytest.fixture
def hub(monkeypatch):
    Hub.ranges = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    Hub.over.clear()
    yield Hub
    Hub.over.set()
    server.shutdown()
    server.server_close()


def test_a_download_tells_how_far_it_is_and_goes_on_after_cancel(prefs, worker, part, home, hub, online, tmp_path):
    prefs.models_folder = str(tmp_path / "models")
    part("weights.licence").accept()
    request = part("worker.requests").DownloadRequest(model="0.4b", online=True, accept_licence=False, tasks=("pose",))
    had = 0
    for _ in range(2):
        job = worker.submit(part("worker.client").WorkerJob("Pose", request))
        told = had / hub.size + (PIECES // 2 << 20) / hub.size
        wait_until(lambda job=job, told=told: worker.pump() or job.ended or job.fraction > told, 300)
        assert not job.ended, job.error
        assert job.stage == "0.4b pose"
        job.cancel()
        worker.wait(job, 300)
        assert job.state is part("worker.job").State.CANCELLED
        parts = list((tmp_path / "models").glob(".*.part"))
        assert len(parts) == 1 and parts[0].stat().st_size > had
        had = parts[0].stat().st_size
    assert hub.ranges[0] == "" and hub.ranges[-1].startswith("bytes=") and int(hub.ranges[-1][6:-1]) > 1 << 20


def test_a_hub_that_is_not_there_is_one_sentence(prefs, worker, part, home, online, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    prefs.models_folder = str(tmp_path / "models")
    bpy.context.scene.sapiens2.network.model = "0.4b"
    with pytest.raises(RuntimeError, match="The Hugging Face Hub cannot be reached"):
        bpy.ops.sapiens2.model_download(accept=True)
    assert part("weights.licence").is_accepted() and worker.status.error.hint


def test_only_the_chosen_tasks_are_downloaded(prefs, worker, worker_python, part, home, online, monkeypatch, tmp_path):
    prefs.models_folder, prefs.python_path = str(tmp_path / "models"), str(worker_python)
    part("jobs").refresh()
    bpy.context.scene.sapiens2.network.model = "0.4b"
    asked = []

    def submit(_operator, job):
        asked.append(job.request)
        return {"FINISHED"}

    monkeypatch.setattr(part("operators.models"), "submit", submit)
    bpy.ops.sapiens2.model_download(accept=True, tasks={"pose", "pointmap", "matting"})  # 0.4b has no matting
    bpy.ops.sapiens2.model_download(accept=True)
    assert [request.tasks for request in asked] == [("pose", "pointmap"), ("pose", "seg", "normal", "pointmap")]
    with pytest.raises(RuntimeError, match="No task was chosen"):
        bpy.ops.sapiens2.model_download(accept=True, tasks={"matting"})


@pytest.fixture
def stored(prefs, tmp_path):
    """Function: number, gigabytes, age -> a stored predictions file of that size, which takes no space."""
    prefs.cache_folder = str(tmp_path / "cache ü")
    (tmp_path / "cache ü").mkdir()

    def write(number: int, gigabytes: float, age: float) -> Path:
        path = tmp_path / "cache ü" / f"photo-{number:016x}.safetensors"
        with path.open("wb") as file:
            file.truncate(int(gigabytes * 1e9))
        os.utime(path, (time.time() - age,) * 2)
        return path

    return write


def test_the_oldest_predictions_leave_when_the_cache_is_full_but_never_what_the_file_uses(prefs, part, stored, tmp_path):
    used, oldest, middle, new = stored(1, 0.7, 400), stored(2, 0.7, 300), stored(3, 0.7, 200), stored(4, 0.7, 100)
    mine = tmp_path / "mine.safetensors"
    mine.touch()
    os.utime(mine, (0, 0))
    collection = bpy.data.collections.new("Photo")
    collection[part("scene.build").SOURCE] = str(used)
    prefs.cache_gigabytes = 2
    keep_limit = part("operators.stored").keep_limit
    keep_limit(mine)
    assert [path.exists() for path in (used, oldest, middle, new)] == [True, False, False, True]
    assert mine.stat().st_mtime == 0, "a file of the artist's own was touched"
    keep_limit(used)
    assert time.time() - used.stat().st_mtime < 60
    assert part("jobs").status.cache_bytes == 1_400_000_000


def test_clearing_the_cache_leaves_what_the_file_uses(prefs, part, stored, tmp_path):
    used, other = stored(1, 0.1, 0), stored(2, 0.1, 0)
    weights = tmp_path / "cache ü" / "sapiens2_0.4b_pose.safetensors"
    weights.touch()
    bpy.context.scene.sapiens2.predictions = str(used)
    shown = part("thumbnails").folder(str(other))
    (shown / "normal.png").touch()
    assert bpy.ops.sapiens2.cache_clear() == {"FINISHED"}
    assert used.exists() and weights.exists() and not other.exists() and not shown.exists()


def test_a_cache_folder_that_cannot_be_made_is_one_sentence(prefs, worker, part, tmp_path):
    (tmp_path / "file").touch()
    prefs.cache_folder = str(tmp_path / "file" / "cache")
    path = tmp_path / "x.safetensors"
    path.touch()
    with pytest.raises(RuntimeError, match="The folder of stored predictions"):
        bpy.ops.sapiens2.import_predictions(filepath=str(path))
    assert worker.status.error.remedy == "preferences"


def test_old_logs_leave_when_a_worker_starts(worker, part):
    old = part("folders").user_folder("logs") / "worker-1.log"
    old.touch()
    os.utime(old, (0, 0))
    worker.worker()
    assert not old.exists()


def test_report_names_versions_and_masks_private_paths(worker, part, monkeypatch):
    monkeypatch.setenv("HOME", "/home/mia")
    monkeypatch.setenv("USERPROFILE", "/home/mia")
    for name in ("LOGNAME", "USER", "USERNAME"):
        monkeypatch.setenv(name, "mia")
    worker.log_file().write_text(
        "could not read /home/mia/weddings/client x/bride.jpg\nand D:\\clients\\secret\\groom.png by mia\n", "utf-8"
    )
    worker.status.error = part("core.common.errors").SapiensError(
        "/home/mia/weddings/bride.jpg is damaged.", "Choose another photo."
    )
    written = []
    monkeypatch.setattr(part("operators.setup").bug_report, "compose", _noted(part("runtime.bug_report").compose, written))
    assert bpy.ops.sapiens2.report_copy() == {"FINISHED"}
    text = written[0]
    for secret in ("mia", "weddings", "client", "secret"):
        assert secret not in text, text
    for wanted in (
        bpy.app.version_string,
        "Sapiens2 Avatar: ",
        "Runtime: chosen Python",
        "bride.jpg is damaged",
        "groom.png",
        "System: ",
    ):
        assert wanted in text, text


def _noted(function, results):
    """The same function; what it returns is also put into a list. There is no clipboard without a window."""

    def call(*arguments):
        results.append(function(*arguments))
        return results[-1]

    return call


def test_opening_the_cache_sweeps_what_a_killed_worker_left(part, tmp_path, monkeypatch) -> None:
    folders = part("folders")
    monkeypatch.setattr(folders, "cache_folder", lambda: tmp_path)
    left = tmp_path / f".photo-0123456789abcdef.safetensors.{'0' * 32}.part"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    assert folders.make_cache_folder() == tmp_path and not left.exists()
