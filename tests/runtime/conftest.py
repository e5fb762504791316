"""A small runtime: an index server of two packages, and a folder to install them into."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest

PIECE = 1 << 16


class Index(BaseHTTPRequestHandler):
    """Package pages and files. `state`: folder, status (of every answer), names `fetched`, and `go`, an event: while it is
    cleared, a file of several pieces comes byte by byte after the first one, so slowly that nobody sees its end."""

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
        start = 0
        while body and start < len(data):
            size = PIECE if start == 0 or self.state.go.wait(0.02) else 1
            try:
                self.wfile.write(data[start : start + size])
            except OSError:
                return None
            start += size
        return None


@pytest.fixture
def small(tmp_path, monkeypatch, real_uv, make_wheel):
    """A runtime with a "torch" of 3 MB and one library, a server that has them, and a folder to install into."""
    from sapiens2_avatar.runtime import environment

    shelf = tmp_path / "shelf"
    shelf.mkdir()
    noise = np.random.default_rng(0).bytes(3 << 20)
    code = (
        b"__version__ = '1.0+small'\nclass zeros:\n def __init__(s, n): pass\n def sum(s): return s\n def item(s): return 0.0\n"
    )
    make_wheel(shelf, "torch", "1.0", {"torch/__init__.py": code, "torch/lib/weights.bin": noise})
    state = SimpleNamespace(folder=shelf, go=threading.Event(), status=200, fetched=[])
    state.go.set()
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
    monkeypatch.setattr(environment, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(environment, "TORCH", tmp_path / "torch.txt")
    monkeypatch.setattr(environment, "DISK_GIGABYTES", (0.0, 0.0))
    devices = tmp_path / "devices.py"
    devices.write_text("def available_devices(): return [('cuda:0', 'Small Card', 8 << 30), ('cpu', '', 0)]\n")
    monkeypatch.setattr(environment, "DEVICES", devices)
    monkeypatch.setattr(environment, "MODULES", ("torch", "library"))
    monkeypatch.setattr(environment, "uv_program", lambda folder: real_uv)
    state.server, state.lock, state.home = server, lock, tmp_path / "user ü" / "runtime"
    state.log = tmp_path / "logs" / "install.log"

    def run(stopped=lambda: False, seen=None, source=None):
        def progress(text: str, share: float) -> None:
            if seen is not None:
                seen.append((text, share))

        return environment.install(state.home, state.log, progress, stopped, source or environment.Source(backend="pypi"))

    state.run = run
    yield state
    state.go.set()
    server.shutdown()
    server.server_close()
