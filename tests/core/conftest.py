"""Synthetic subjects (surfaces given by a formula, seen by a known camera), what a valid mesh is, a small runtime."""

from __future__ import annotations

import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.spaces import normal_head_from_camera


def sphere(size: int = 160, depth: float = 2.0, radius: float = 0.4, wall: float | None = None) -> tuple[Predictions, Camera]:
    """A ball of skin (label Torso), in front of a wall of hair if `wall` is given (its depth, metres)."""
    camera = Camera(size, size, 1.6 * size, 1.6 * size, (size - 1) / 2, (size - 1) / 2)
    rays = camera.rays().astype(np.float64)
    rr, rc = (rays * rays).sum(-1), rays @ [0, 0, depth]
    root = rc**2 - rr * (depth**2 - radius**2)
    ball = root > 0
    z = np.where(ball, (rc - np.sqrt(np.maximum(root, 0))) / rr, 0)
    normal = np.where(ball[..., None], (rays * z[..., None] - [0, 0, depth]) / radius, 0)
    seg = np.where(ball, 22, 0).astype(np.uint8)
    if wall is not None:
        z = np.where(ball, z, wall)
        normal = np.where(ball[..., None], normal, [0, 0, -1])
        seg[~ball] = 6
    image = np.where((seg == 22)[..., None], [200, 150, 130], [90, 90, 160]).astype(np.uint8)
    points = (rays * z[..., None]).astype(np.float32)
    return Predictions(image=image, pointmap=points, normal=normal_head_from_camera(normal).astype(np.float16), seg=seg), camera


def noisy(predictions: Predictions, metres: float, degrees: float, seed: int = 0) -> Predictions:
    """The same with noise on depth (independent from pixel to pixel) and on the direction of the normals."""
    rng = np.random.default_rng(seed)
    points, normal = predictions.pointmap.copy(), predictions.normal.astype(np.float32)
    inside = points[..., 2] > 0
    factor = 1 + rng.normal(0, metres, inside.shape) / np.maximum(points[..., 2], 1e-3)
    normal += rng.normal(0, np.radians(degrees), normal.shape)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return Predictions(
        image=predictions.image,
        pointmap=(points * factor[..., None]).astype(np.float32),
        normal=np.where(inside[..., None], normal, 0).astype(np.float16),
        seg=predictions.seg,
    )


def check_valid(mesh, camera: Camera) -> None:
    """Everything that makes a mesh valid for Blender and true to its camera; raises AssertionError."""
    v, f = mesh.vertices.astype(np.float64), mesh.faces.astype(np.int64)
    assert len(f) and f.min() >= 0 and f.max() == len(v) - 1
    assert np.isfinite(v).all() and (v[:, 2] > 0).all() and np.isfinite(mesh.normals).all()
    assert len(np.unique(f)) == len(v), "loose vertices"
    assert (f[:, 0] != f[:, 1]).all() and (f[:, 1] != f[:, 2]).all() and (f[:, 2] != f[:, 0]).all()
    # Every edge at most once in each direction: at most two faces, turning the same way, none twice.
    edges = np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]])
    assert len(np.unique(edges[:, 0] * len(v) + edges[:, 1])) == len(edges)
    corner = v[f]
    cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    assert (np.linalg.norm(cross, axis=1) > 1e-13).all(), "degenerate faces"
    assert (np.einsum("ij,ij->i", cross, corner.mean(1)) < 0).all(), "faces turned away from the camera"
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-3)
    pixel = camera.project(v)
    uv = mesh.uvs * [camera.width, -camera.height] + [-0.5, camera.height - 0.5]
    assert np.abs(pixel - uv).max() < 0.01 + 1e-6 * max(camera.width, camera.height)
    assert mesh.uvs.min() >= 0 and mesh.uvs.max() <= 1


@pytest.fixture(scope="session")
def scan_subjects() -> SimpleNamespace:
    """sphere(...), noisy(...), check_valid(mesh, camera)."""
    return SimpleNamespace(sphere=sphere, noisy=noisy, check_valid=check_valid)


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
    from sapiens2_avatar.runtime import environment

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
    monkeypatch.setattr(environment, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(environment, "TORCH", tmp_path / "torch.txt")
    monkeypatch.setattr(environment, "DISK_GIGABYTES", (0.0, 0.0))
    found = "{'torch': torch.__version__, 'devices': [['cuda:0', 'Small Card', 8 << 30], ['cpu', '', 0]]}"
    monkeypatch.setattr(environment, "IMPORT_TEST", f"import json, torch, library; print(json.dumps({found}))")
    monkeypatch.setattr(environment, "uv_program", lambda folder: real_uv)
    state.server, state.lock, state.home = server, lock, tmp_path / "user ü" / "runtime"
    state.log = tmp_path / "logs" / "install.log"

    def run(stopped=lambda: False, seen=None, source=None):
        progress = lambda text, share: seen.append((text, share)) if seen is not None else None  # noqa: E731
        return environment.install(state.home, state.log, progress, stopped, source or environment.Source(backend="pypi"))

    state.run = run
    yield state
    server.shutdown()
    server.server_close()
