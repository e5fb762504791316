"""The static repository: Blender adds its address, and installs and enables the extension from it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXT_ZIP = os.environ.get("EXT_ZIP", "")
pytestmark = pytest.mark.skipif(not EXT_ZIP, reason="EXT_ZIP names no packaged extension")

INSTALL = """
import os, sys, bpy
bpy.context.preferences.system.use_online_access = True
repos = bpy.context.preferences.extensions.repos
repo = repos.new(name="Sapiens2", module="sapiens2", remote_url={url!r})
index = list(repos).index(repo)
assert bpy.ops.extensions.repo_sync(repo_index=index) == {{"FINISHED"}}
assert bpy.ops.extensions.package_install(repo_index=index, pkg_id="sapiens2_avatar", enable_on_install=True) == {{"FINISHED"}}
module = sys.modules["bl_ext.sapiens2.sapiens2_avatar"]
assert bpy.context.scene.sapiens2.network.model == "preview"
import safetensors
print("installed", module.__path__[0])
sys.stdout.flush()
os._exit(0)
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def repository(tmp_path):
    """(folder with the zip and the index that the build makes of it, address)."""
    spec = spec_from_file_location("build_extension", ROOT / "tools" / "build_extension.py")
    tools = module_from_spec(spec)
    spec.loader.exec_module(tools)
    folder = tmp_path / "static ü"
    folder.mkdir()
    shutil.copy2(EXT_ZIP, folder)
    tools.make_index(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}/index.json"
    server.shutdown()
    server.server_close()


def test_the_index_describes_the_zip(repository):
    folder, _ = repository
    (entry,) = json.loads((folder / "index.json").read_text("utf-8"))["data"]
    archive = next(folder.glob("*.zip"))
    assert entry["id"] == "sapiens2_avatar" and entry["archive_url"] == f"./{archive.name}"
    assert entry["archive_size"] == archive.stat().st_size < 100e6 and len(entry["platforms"]) == 1
    assert "sapiens2_avatar" in (folder / "index.html").read_text("utf-8"), "no page for people"


def test_blender_installs_from_it(repository, tmp_path):
    user = tmp_path / "user ü"
    user.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", INSTALL.format(url=repository[1])], capture_output=True, text=True, timeout=120,
        env={**os.environ, "BLENDER_USER_RESOURCES": str(user)},
    )  # fmt: skip
    assert done.returncode == 0 and str(user) in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
