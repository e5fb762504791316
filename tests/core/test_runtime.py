"""The worker's environment, made by the real uv from small wheels that a server on this machine hands out, slowly or not at all.

tools/check_runtime.py does the same once with the real torch.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sapiens2_avatar.core import runtime, uv
from sapiens2_avatar.core.errors import REMEDIES, Cancelled, SapiensError
from sapiens2_avatar.core.files import long_path
from sapiens2_avatar.core.runtime import Source, check_interpreter, install, installed_python, outdated, remove, unfinished
from sapiens2_avatar.core.wheel_records import damaged_packages

PIECE = 1 << 16


class Index(BaseHTTPRequestHandler):
    """Package pages and files. `state`: folder, pause (seconds per piece of 64 kB), status (of every answer), fetched names."""

    state: SimpleNamespace
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_CONNECT(self):
        self.send_error(407)

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body: bool):
        parts = self.path.strip("/").split("/")
        if self.state.status != 200:
            return self.send_error(self.state.status)
        if parts[0] == "simple":
            names = [p.name for p in self.state.folder.glob(f"{parts[1]}-*.whl")]
            data = "".join(f'<a href="/files/{n}">{n}</a>' for n in names).encode()
        else:
            data = (self.state.folder / parts[1]).read_bytes()
            if body:
                self.state.fetched.append(parts[1])
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if parts[0] == "simple" else "application/octet-stream")
        self.send_header("Cache-Control", "max-age=0" if parts[0] == "simple" else "max-age=600, immutable")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        for start in range(0, len(data) if body else 0, PIECE):
            try:
                self.wfile.write(data[start : start + PIECE])
            except OSError:
                return None
            time.sleep(self.state.pause if len(data) > PIECE else 0)
        return None


@pytest.fixture
def small(tmp_path, monkeypatch, real_uv, make_wheel):
    """A runtime with a "torch" of 3 MB and one library, a server that has them, and a folder to install into."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    noise = np.random.default_rng(0).bytes(3 << 20)
    code = (
        b"__version__ = '1.0+small'\nclass zeros:\n def __init__(s, n): pass\n def sum(s): return s\n def item(s): return 0.0\n"
    )
    make_wheel(shelf, "torch", "1.0", {"torch/__init__.py": code, "torch/lib/weights.bin": noise})
    state = SimpleNamespace(folder=shelf, pause=0.0, status=200, fetched=[])
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Index,), {"state": state}))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"

    def lock(version: str) -> None:
        path = make_wheel(shelf, "library", version, {"library.py": f"version = {version!r}\n".encode()})
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        (tmp_path / "requirements.lock").write_text(f"library=={version} --hash=sha256:{digest}\n")

    (tmp_path / "torch.txt").write_text("torch==1.0\n")
    lock("1.0")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "UV_FIND_LINKS", "UV_TORCH_BACKEND"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{state.url}/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setattr(runtime, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(runtime, "TORCH", tmp_path / "torch.txt")
    monkeypatch.setattr(runtime, "DISK_GIGABYTES", (0.0, 0.0))
    monkeypatch.setattr(runtime, "IMPORT_TEST", "import torch, library; print('torch', torch.__version__)")
    monkeypatch.setattr(runtime, "uv_program", lambda folder: real_uv)
    state.server, state.lock, state.home = server, lock, tmp_path / "user ü" / "runtime"
    state.log = tmp_path / "logs" / "install.log"

    def run(stopped=lambda: False, seen=None, source=None):
        progress = lambda text, share: seen.append((text, share)) if seen is not None else None  # noqa: E731
        return install(state.home, state.log, progress, stopped, source or Source(backend="pypi"))

    state.run = run
    yield state
    server.shutdown()
    server.server_close()


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
    small.pause = 0.02
    seen: list[tuple[str, float]] = []
    small.run(seen=seen)
    texts = [text for text, _ in seen]
    assert any(text.startswith("torch ") and text.endswith(" GB") for text in texts), texts


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_killed_in_the_middle_it_leaves_no_process_and_goes_on(small, real_uv):
    small.pause = 0.2
    code = (
        f"from pathlib import Path\nfrom sapiens2_avatar.core import runtime as r\n"
        f"r.LOCK, r.TORCH, r.DISK_GIGABYTES = Path({str(runtime.LOCK)!r}), Path({str(runtime.TORCH)!r}), (0, 0)\n"
        f"r.uv_program = lambda folder: Path({str(real_uv)!r})\n"
        f"r.install(Path({str(small.home)!r}), Path({str(small.log)!r}), lambda *_: None, lambda: False, r.Source(backend='pypi'))\n"
    )
    blender = subprocess.Popen([sys.executable, "-c", code])
    end = time.monotonic() + 20
    while not small.fetched and time.monotonic() < end:
        time.sleep(0.05)
    assert small.fetched and processes_of(small.home)
    blender.send_signal(signal.SIGKILL)
    blender.wait()
    end = time.monotonic() + 5
    while processes_of(small.home) and time.monotonic() < end:
        time.sleep(0.05)
    assert not processes_of(small.home)
    assert installed_python(small.home) is None and unfinished(small.home)
    small.pause = 0.0
    assert says(small.run(), "import torch; print('ok')") == "ok"
    assert not list((small.home / "cache").glob(".tmp*")), "half a package takes space for ever"


def test_cancelled_it_stops_at_once_and_keeps_what_is_there(small):
    small.pause = 0.05
    start = time.monotonic()
    with pytest.raises(Cancelled):
        small.run(stopped=lambda: bool(small.fetched))
    assert time.monotonic() - start < 5 and installed_python(small.home) is None
    small.pause = 0.0
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
    assert "folder of wheels" in caught.value.hint


def test_import_that_fails_is_said(small, monkeypatch):
    monkeypatch.setattr(runtime, "IMPORT_TEST", "import no_such_thing")
    with pytest.raises(SapiensError, match=r"Testing failed: ModuleNotFoundError: No module named 'no_such_thing'\."):
        small.run()
    assert installed_python(small.home) is None


def test_two_at_once_is_refused(small):
    small.pause = 0.02
    outcome = []

    def second():
        outcome.append(small.fetched[:])
        if small.fetched and len(outcome) < 100:
            outcome.append("tried")
            with pytest.raises(SapiensError, match="Another Blender"):
                install(small.home, small.log, lambda *_: None, lambda: False)
            with pytest.raises(SapiensError, match="Another Blender"):
                remove(small.home)
        return False

    small.run(stopped=second)
    assert "tried" in outcome and installed_python(small.home)


def refused(small, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://packages.example/simple")


def refused_tunnel(small, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://packages.example/simple")


def proxy_with_password(small, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", small.url)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://packages.example/simple")


def no_network(small, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://no-such-host.invalid/simple")


def server_gone(small, monkeypatch):
    small.server.shutdown()
    small.server.server_close()


def forbidden(small, monkeypatch):
    small.status = 403


def damaged(small, monkeypatch):
    runtime.LOCK.write_text("library==1.0 --hash=sha256:" + 64 * "0" + "\n")


@pytest.mark.parametrize(
    ("cause", "sentence", "hint"),
    [
        (refused, r"The proxy of this network refuses|The connection to the internet broke", "then install again"),
        (refused_tunnel, "The proxy of this network refuses the connection", "HTTPS_PROXY"),
        (proxy_with_password, "asks for a name and a password", "HTTPS_PROXY"),
        (no_network, "no-such-host.invalid cannot be found: there is no connection", "it goes on where it stopped"),
        (server_gone, "The connection to the internet broke", "it goes on where it stopped"),
        (forbidden, r"refuses the request \(403 Forbidden\)", "folder of wheels"),
        (damaged, "library==1.0 arrived damaged", "Install again"),
    ],
)
def test_what_the_network_does_is_one_sentence_and_it_works_afterwards(small, monkeypatch, cause, sentence, hint):
    good = runtime.LOCK.read_text()
    with monkeypatch.context() as during:
        cause(small, during)
        with pytest.raises(SapiensError, match=sentence) as caught:
            small.run()
    error = caught.value
    assert error.message.count(". ") == 0 and error.message.endswith(".") and len(error.message) < 120
    assert hint in error.hint and error.remedy in REMEDIES
    assert installed_python(small.home) is None and small.log.stat().st_size
    if cause is not server_gone:
        small.status = 200
        runtime.LOCK.write_text(good)
        assert small.run().is_file()


def test_certificate_that_nobody_knows_is_said(small, monkeypatch, tmp_path):
    import ssl

    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE"
    names = "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    small.server.socket = context.wrap_socket(small.server.socket, server_side=True)
    monkeypatch.setenv("UV_DEFAULT_INDEX", small.url.replace("http:", "https:") + "/simple")
    with pytest.raises(SapiensError, match="The network's certificate is not known to this computer") as caught:
        small.run()
    assert "SSL_CERT_FILE" in caught.value.hint
    assert small.log.read_text().count("error:") == 2, "not tried with the certificates of the system"
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    assert small.run().is_file()


@pytest.fixture
def disk(tmp_path):
    """Function: options of a file system in memory -> the folder where it is mounted."""
    mounted = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk {len(mounted)}"
        folder.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], capture_output=True).returncode:
            pytest.skip("file systems cannot be mounted here")
        mounted.append(folder)
        return folder

    if not shutil.which("mount") or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a disk that is full or read-only")
    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_full_disk_is_said_and_with_space_it_goes_on(small, disk, tmp_path):
    small.home = disk("size=2m") / "runtime"
    with pytest.raises(SapiensError, match="The disk is full") as caught:
        small.run()
    assert caught.value.remedy == "preferences" and installed_python(small.home) is None
    subprocess.run(["mount", "-o", "remount,size=40m", str(small.home.parent)], check=True)
    assert small.run().is_file()


def test_too_little_space_is_noticed_before(small, monkeypatch):
    monkeypatch.setattr(runtime, "DISK_GIGABYTES", (1e9, 1e9))
    with pytest.raises(SapiensError, match="GB free, the runtime needs"):
        small.run()
    assert not small.fetched


def test_folder_that_cannot_be_written_is_said(small, disk):
    small.home = disk("ro") / "runtime"
    with pytest.raises(SapiensError, match="cannot be written: Read-only file system") as caught:
        small.run()
    assert caught.value.remedy == "preferences"


def test_file_in_the_place_of_the_folder_is_said(small):
    small.home.parent.mkdir()
    small.home.write_text("I am a file")
    with pytest.raises(SapiensError, match="cannot be written"):
        small.run()


class TestChosenPython:
    def test_one_with_everything_passes(self, monkeypatch):
        monkeypatch.setattr(runtime, "QUESTION", runtime.QUESTION.replace(repr(list(runtime.MODULES)), "['numpy']"))
        check_interpreter(Path(sys.executable))

    def test_missing_packages_are_named(self, small):
        small.run()
        with pytest.raises(SapiensError, match="The chosen Python has no timm, scipy, cv2") as caught:
            check_interpreter(installed_python(small.home))
        assert caught.value.remedy == "preferences"

    def test_an_old_one_is_said(self):
        places = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions", Path("/usr/bin")]
        candidates = [p for place in places for name in ("2.7*", "3.[6-9]*", "3.10*") for p in place.glob(f"{name}/bin/python")]
        candidates += [Path(p) for v in ("2.7", "3.8", "3.9", "3.10") if (p := shutil.which(f"python{v}"))]
        working = [p for p in candidates if not subprocess.run([p, "-c", ""], capture_output=True).returncode]
        if not working:
            pytest.skip("no Python older than 3.11 on this machine")
        for python in working:
            with pytest.raises(SapiensError, match=r"The chosen Python is \d\.\d+, the network needs 3\.11 or newer") as caught:
                check_interpreter(python)
            assert caught.value.remedy == "preferences"

    @pytest.mark.parametrize("content", [None, "not a program", "#!/bin/sh\necho hello\n", "#!/bin/sh\nexit 3\n"])
    def test_what_is_no_python_is_said(self, tmp_path, content):
        path = tmp_path / "python"
        if content is not None:
            path.write_text(content)
            path.chmod(0o755)
        with pytest.raises(SapiensError, match="is not a Python that starts"):
            check_interpreter(path)


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
    text, share = uv.downloaded(said, grown=0)
    assert text == " 0.0 of 1.1 GB" and share == pytest.approx(15 / 1039)
    assert uv.downloaded(said, grown=1 << 30)[1] == pytest.approx(512 / 1039)
    assert uv.downloaded(said, grown=1 << 50)[1] < 1
    assert uv.downloaded("Resolved 3 packages\n", grown=1 << 30) == ("", 0.0)


def test_last_words_are_short():
    assert len(uv.last_words("a\n\nerror: " + "x" * 900 + "\n\n")) <= 160
    assert uv.last_words("") == "it said nothing"


def test_long_paths_are_marked_for_windows():
    path = Path("relative") / ".." / "file"
    assert long_path(path, windows=False) == path
    marked = str(long_path(path, windows=True))
    assert marked.startswith("\\\\?\\") and ".." not in marked and marked.endswith("file")
